//! Which answer belongs to which request on a version 0 connection: version 0 has no request ids, so the k-th answer belongs to the k-th request.
//!
//! [`Correlator`] is the asking end, [`AnswerQueue`] the answering one. Both are bounded, and both end the connection rather than guess:
//! once one answer is taken for another's, every later one is too.

use super::message_type::MessageType;
use alloc::collections::VecDeque;
use thiserror::Error;

/// Why a version 0 connection cannot go on, or a request cannot be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CorrelationError {
    /// As many requests wait as may: send again when an answer has come. The connection is fine.
    #[error("{0} requests wait for their answers on this legacy connection; send again when one has come")]
    Full(usize),
    /// Not a request of version 0.
    #[error("{0} is not a request that a legacy peer answers; it needs a version 1 connection")]
    NotARequest(MessageType),
    /// An answer came and nobody asked.
    #[error("a {0} came and no request waits; close the connection, its answers can no longer be told apart")]
    Unasked(MessageType),
    /// An answer of another type than the oldest request's.
    #[error("a {found} came where a {expected} was due; close the connection, its answers can no longer be told apart")]
    OutOfOrder {
        /// What was due.
        expected: MessageType,
        /// What came.
        found: MessageType,
    },
}

/// The asking end: requests in order, each with whatever the caller wants back with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Correlator<T> {
    waiting: VecDeque<(MessageType, T)>,
    waiting_max: usize,
}

impl<T> Correlator<T> {
    /// At most `waiting_max` requests wait at a time.
    pub const fn new(waiting_max: usize) -> Self {
        Self { waiting: VecDeque::new(), waiting_max }
    }

    /// Records a request; call it right before the frame is written, in the order of writing.
    pub fn sent(&mut self, request: MessageType, token: T) -> Result<(), CorrelationError> {
        let answer = request.legacy_answer().ok_or(CorrelationError::NotARequest(request))?;
        if self.waiting.len() >= self.waiting_max {
            return Err(CorrelationError::Full(self.waiting.len()));
        }
        self.waiting.push_back((answer, token));
        Ok(())
    }

    /// The token of the request that this answer belongs to. After an error the connection is to be closed.
    pub fn answered(&mut self, answer: MessageType) -> Result<T, CorrelationError> {
        match self.waiting.front() {
            None => Err(CorrelationError::Unasked(answer)),
            Some(&(expected, _)) if expected != answer => Err(CorrelationError::OutOfOrder { expected, found: answer }),
            Some(_) => self.waiting.pop_front().map(|(_, token)| token).ok_or(CorrelationError::Unasked(answer)),
        }
    }

    /// The tokens of the requests that wait, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|(_, token)| token)
    }

    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The connection is gone: the tokens of all requests that will never be answered, oldest first.
    pub fn abandon(self) -> impl Iterator<Item = T> {
        self.waiting.into_iter().map(|(_, token)| token)
    }
}

/// A request's place in the order of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u64);

/// The answering end: answers become ready in any order and leave in the order of their requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AnswerQueue<A> {
    answers: VecDeque<Option<A>>,
    answers_max: usize,
    first: u64,
}

impl<A> AnswerQueue<A> {
    /// At most `answers_max` requests are served at a time; read no further request while [`Self::is_full`].
    pub const fn new(answers_max: usize) -> Self {
        Self { answers: VecDeque::new(), answers_max, first: 0 }
    }

    /// Takes a place for a request that was just read; `None` at the bound.
    pub fn received(&mut self) -> Option<Place> {
        if self.is_full() {
            return None;
        }
        let place = Place(self.first.wrapping_add(self.answers.len() as u64));
        self.answers.push_back(None);
        Some(place)
    }

    /// Puts an answer into its place; false if the place is gone or taken.
    pub fn ready(&mut self, place: Place, answer: A) -> bool {
        let at = usize::try_from(place.0.wrapping_sub(self.first)).ok();
        match at.and_then(|at| self.answers.get_mut(at)) {
            Some(slot @ None) => {
                *slot = Some(answer);
                true
            }
            _ => false,
        }
    }

    /// The next answer that may be written: the oldest request's, once it is ready.
    pub fn pop(&mut self) -> Option<A> {
        let answer = self.answers.front_mut()?.take()?;
        self.answers.pop_front();
        self.first = self.first.wrapping_add(1);
        Some(answer)
    }

    /// Whether no further request may be read.
    pub fn is_full(&self) -> bool {
        self.answers.len() >= self.answers_max
    }

    /// Requests without a written answer.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether every request is answered.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_kth_answer_belongs_to_the_kth_request() {
        let mut correlator = Correlator::new(3);
        assert_eq!(correlator.sent(MessageType::AppendEntries, 'a'), Ok(()));
        assert_eq!(correlator.sent(MessageType::ClientRequest, 'b'), Ok(()));
        assert_eq!(correlator.sent(MessageType::PreVote, 'c'), Ok(()));
        assert_eq!(correlator.sent(MessageType::Ping, 'd'), Err(CorrelationError::Full(3)));
        assert_eq!(correlator.answered(MessageType::AppendEntriesResponse), Ok('a'));
        // NuRaft answers a client's request with the type of an append's answer.
        assert_eq!(correlator.answered(MessageType::AppendEntriesResponse), Ok('b'));
        assert_eq!(correlator.sent(MessageType::Ping, 'd'), Ok(()));
        assert_eq!(correlator.waiting().collect::<Vec<_>>(), [&'c', &'d']);
        assert_eq!(correlator.abandon().collect::<Vec<_>>(), ['c', 'd']);
    }

    #[test]
    fn both_ends_count_what_waits() {
        let (mut correlator, mut queue) = (Correlator::new(3), AnswerQueue::new(3));
        let mut places = Vec::new();
        for waiting in 0..=3 {
            assert_eq!(
                (correlator.len(), correlator.is_empty(), queue.len(), queue.is_empty()),
                (waiting, waiting == 0, waiting, waiting == 0)
            );
            let _ = correlator.sent(MessageType::Ping, ());
            places.extend(queue.received());
        }
        correlator.answered(MessageType::PingResponse).unwrap();
        assert!(places.iter().all(|&place| queue.ready(place, ())));
        queue.pop();
        assert_eq!((correlator.len(), queue.len()), (2, 2));
    }

    #[test]
    fn an_answer_out_of_order_ends_the_connection() {
        let mut correlator = Correlator::new(3);
        assert_eq!(correlator.answered(MessageType::PingResponse), Err(CorrelationError::Unasked(MessageType::PingResponse)));
        assert_eq!(correlator.sent(MessageType::PreVote, ()), Ok(()));
        let (expected, found) = (MessageType::PreVoteResponse, MessageType::RequestVoteResponse);
        assert_eq!(correlator.answered(found), Err(CorrelationError::OutOfOrder { expected, found }));
    }

    #[test]
    fn only_version_0_requests_are_correlated() {
        for message_type in MessageType::ALL.iter().copied() {
            let mut correlator = Correlator::new(3);
            let expected = matches!(message_type.number(), 1 | 3 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 22 | 24 | 26 | 28);
            assert_eq!(correlator.sent(message_type, ()).is_ok(), expected, "{message_type}");
        }
    }

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let mut queue = AnswerQueue::new(2);
        let (first, second) = (queue.received().unwrap(), queue.received().unwrap());
        assert_eq!(queue.received(), None);
        assert!(queue.ready(second, "second"));
        assert_eq!(queue.pop(), None);
        assert!(queue.ready(first, "first"));
        assert!(!queue.ready(first, "again"), "a place is filled once");
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some("first"), Some("second"), None));
        assert!(!queue.ready(first, "late") && !queue.ready(second, "late"), "a place is gone once its answer left");
        let third = queue.received().unwrap();
        assert!(queue.ready(third, "third"));
        assert_eq!(queue.pop(), Some("third"));
        assert!(queue.is_empty());
    }
}
