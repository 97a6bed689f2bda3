//! One connection to a node: many requests under way, answers in any order; on one that speaks version 0 in the order of the requests.
//!
//! Callers append whole frames to one buffer under a short lock; the link's task takes the buffer and writes it, so whatever was asked in one
//! turn leaves in one write. Answers of one read are matched under one lock.

use super::outcome::NoLink;
use crate::port::tune;
use bytes::{Buf, Bytes, BytesMut};
use roadstead_spec::wire::body::{ClientRequest, Operation};
use roadstead_spec::wire::legacy::translate::{Asked, Ends, Untranslatable};
use roadstead_spec::wire::negotiation::{Caller, Dialer, Link as Negotiated, Refusal, Target};
use roadstead_spec::wire::{Correlator, ExtendedHeader, Header, LegacyResponse, Limits, Version, WireError, next_frame};
use roadstead_spec::{GroupId, NodeId};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// A write buffer that grew beyond this is given back once it is written.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Bytes (and one request more) that wait for a node that reads slowly or not at all; further requests go elsewhere. Requests that were given up stay in
/// the queue, so the bound on requests under way does not bound it.
const QUEUED_BYTES_MAX: usize = 64 << 20;

/// How one attempt of a request ended.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer came; its body is not decoded yet.
    Answer(ExtendedHeader, Bytes),
    /// The answer of a node that speaks version 0.
    Legacy(LegacyResponse, Bytes),
    /// The connection ended before. `sent`: some bytes of the request may have left.
    Lost { sent: bool, why: String },
}

/// Why a request is not under way; nothing of it was sent.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// The link has ended or is stuck.
    Gone(String),
    /// The node speaks version 0, which has no room for the request.
    Legacy(String),
    /// The request cannot be put on the wire.
    Wire(WireError),
}

/// Requests under way on a version 0 connection, given up ones included.
const LEGACY_WAITING_MAX: usize = 16 << 10;

/// A connection to a node.
#[derive(Debug)]
pub(super) struct Link {
    /// Who answers there.
    pub(super) node: NodeId,
    /// The header that both ends agreed on.
    version: Version,
    state: Mutex<State>,
    /// Something waits to be written.
    wake: Notify,
    /// The link is to end.
    closing: Notify,
}

#[derive(Debug)]
struct State {
    /// Frames that are not handed to the task yet.
    out: Vec<u8>,
    /// Bytes ever appended to `out`: a request's place in the stream.
    appended: u64,
    waiting: HashMap<u64, Pending>,
    /// On a version 0 connection: the requests in their order, which is that of the answers.
    order: Correlator<u64>,
    next_id: u64,
    /// When bytes last came.
    heard: Instant,
    /// Why the link ended, once it has.
    ended: Option<String>,
}

#[derive(Debug)]
struct Pending {
    /// Where its first byte stands in the stream.
    at: u64,
    reply: oneshot::Sender<Reply>,
}

/// One request under way; dropping it forgets the answer.
#[derive(Debug)]
pub(super) struct InFlight {
    link: Arc<Link>,
    id: u64,
    reply: oneshot::Receiver<Reply>,
    settled: bool,
}

impl Link {
    /// Connects and negotiates, within `patience`. The link lives on a task of its own until either end closes it.
    pub(super) async fn open(address: &str, caller: Caller, nonce: u64, limits: Limits, patience: Duration) -> Result<Arc<Self>, NoLink> {
        let failed = |why: String| NoLink::Connect { address: address.to_owned(), why };
        let opening = async {
            let mut stream = TcpStream::connect(address).await.map_err(|error| failed(error.to_string()))?;
            tune(&stream).map_err(|error| failed(error.to_string()))?;
            let agreed = negotiate(&mut stream, address, caller, nonce).await?;
            Ok((stream, agreed))
        };
        let (stream, (node, version)) =
            timeout(patience, opening).await.map_err(|_| failed(format!("no answer within {patience:?}")))??;
        let state = State {
            out: Vec::new(),
            appended: 0,
            waiting: HashMap::new(),
            order: Correlator::new(LEGACY_WAITING_MAX),
            next_id: 1,
            heard: Instant::now(),
            ended: None,
        };
        let link = Arc::new(Self { node, version, state: Mutex::new(state), wake: Notify::new(), closing: Notify::new() });
        tokio::spawn(Arc::clone(&link).run(stream, limits));
        Ok(link)
    }

    /// Whether requests can still be sent.
    pub(super) fn is_open(&self) -> bool {
        self.lock().ended.is_none()
    }

    /// Queues a request.
    pub(super) fn begin(self: &Arc<Self>, group: GroupId, request: &ClientRequest<'_>) -> Result<InFlight, NotBegun> {
        let (sender, reply) = oneshot::channel();
        let mut state = self.lock();
        if let Some(why) = &state.ended {
            return Err(NotBegun::Gone(why.clone()));
        }
        let id = state.next_id;
        let before = state.out.len();
        if before >= QUEUED_BYTES_MAX {
            return Err(NotBegun::Gone("the node does not read its requests".to_owned()));
        }
        match self.version {
            Version::Extended => request.encode(Some(self.node), group, id, &mut state.out).map_err(NotBegun::Wire)?,
            Version::Legacy => self.begin_legacy(&mut state, group, id, &request.operation)?,
        }
        let at = state.appended;
        state.next_id += 1;
        state.appended += (state.out.len() - before) as u64;
        state.waiting.insert(id, Pending { at, reply: sender });
        drop(state);
        if before == 0 {
            self.wake.notify_one();
        }
        Ok(InFlight { link: Arc::clone(self), id, reply, settled: false })
    }

    /// Version 0 knows writes to group 0; the node waits for their outcome as long as it pleases.
    fn begin_legacy(&self, state: &mut State, group: GroupId, id: u64, operation: &Operation<'_>) -> Result<(), NotBegun> {
        let refuse = |what: &str| {
            let node = self.node;
            NotBegun::Legacy(format!(
                "PeerIsLegacy: node {node} speaks the legacy header, which carries writes to group 0 and {what}; upgrade it"
            ))
        };
        let command = match operation {
            _ if group != GroupId::DEFAULT => return Err(refuse("no other group")),
            Operation::Query { .. } => return Err(refuse("no queries")),
            Operation::Write(command) => command,
        };
        let start = state.out.len();
        let asked = Asked::encode_write(Ends::CLIENT, id, command, &mut state.out).map_err(|error| match error {
            Untranslatable::Body(roadstead_spec::wire::legacy::LegacyError::Frame(error)) => NotBegun::Wire(error),
            other => NotBegun::Gone(other.to_string()),
        })?;
        state.order.sent(asked.message_type(), id).map_err(|full| {
            state.out.truncate(start);
            NotBegun::Gone(full.to_string())
        })
    }

    /// Ends the link. Requests under way end as lost.
    pub(super) fn close(&self, why: &str) {
        self.lock().ended.get_or_insert_with(|| why.to_owned());
        self.closing.notify_one();
    }

    /// Ends the link if nothing has come on it since `since`: the node may be gone without a word.
    pub(super) fn close_if_silent(&self, since: Instant) {
        if self.lock().heard < since {
            self.close("the node has said nothing for the whole time of a request");
        }
    }

    /// A panic of another caller cannot leave the state half changed: no code under the lock calls out.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, stream: TcpStream, limits: Limits) {
        let (mut read, write) = stream.into_split();
        let mut written = 0;
        let why = tokio::select! {
            why = self.read(&mut read, &limits) => why,
            error = self.write(&write, &mut written) => error.to_string(),
            () = self.closing.notified() => "the client closed it".to_owned(),
        };
        self.fail(&why, written);
    }

    /// Writes for as long as the link lives; keeps `written` at what the system has taken.
    async fn write(&self, socket: &OwnedWriteHalf, written: &mut u64) -> io::Error {
        let mut batch = Vec::new();
        loop {
            self.wake.notified().await;
            // Whoever is ready to run may add to the same write.
            tokio::task::yield_now().await;
            loop {
                std::mem::swap(&mut batch, &mut self.lock().out);
                if batch.is_empty() {
                    break;
                }
                if let Err(error) = write_all(socket, &batch, written).await {
                    return error;
                }
                batch.clear();
                batch.shrink_to(KEPT_BYTES_MAX);
            }
        }
    }

    async fn read(&self, half: &mut OwnedReadHalf, limits: &Limits) -> String {
        let mut buffer = BytesMut::new();
        let mut answers = Vec::new();
        loop {
            if buffer.capacity() - buffer.len() < READ_BYTES / 8 {
                buffer.reserve(READ_BYTES.max(buffer.len()));
            }
            match half.read_buf(&mut buffer).await {
                Ok(0) => return "the node closed the connection".to_owned(),
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
            let outcome = take_answers(self.version, &mut buffer, limits, &mut answers);
            if let Err(why) = self.settle(&mut answers) {
                return why;
            }
            if let Err(error) = outcome {
                return error.to_string();
            }
        }
    }

    /// Hands answers to those who wait for them.
    fn settle(&self, answers: &mut Vec<(Header, Bytes)>) -> Result<(), String> {
        let mut state = self.lock();
        state.heard = Instant::now();
        for (header, body) in answers.drain(..) {
            let (id, reply) = match header {
                Header::Extended(header) => (header.index, Reply::Answer(header, body)),
                Header::LegacyResponse(header) => {
                    let id = state.order.answered(header.message_type).map_err(|error| error.to_string())?;
                    (id, Reply::Legacy(header, body))
                }
                Header::LegacyRequest(_) => return Err("the node asks where it should answer".to_owned()),
            };
            // Nobody waits any more for the answer to a request that was given up.
            if let Some(pending) = state.waiting.remove(&id) {
                let _ = pending.reply.send(reply);
            }
        }
        Ok(())
    }

    /// The link has ended. What the system never took was certainly not sent.
    fn fail(&self, why: &str, written: u64) {
        let waiting = {
            let mut state = self.lock();
            state.ended.get_or_insert_with(|| why.to_owned());
            state.out = Vec::new();
            std::mem::take(&mut state.waiting)
        };
        for pending in waiting.into_values() {
            let _ = pending.reply.send(Reply::Lost { sent: pending.at < written, why: why.to_owned() });
        }
    }
}

impl InFlight {
    /// Waits for the end of this attempt. Once this is cancelled the request counts as sent.
    pub(super) async fn reply(&mut self) -> Reply {
        let reply = (&mut self.reply).await;
        self.settled = true;
        reply.unwrap_or_else(|_| Reply::Lost { sent: true, why: "the runtime of the client ended".to_owned() })
    }

    /// The node's time is over.
    pub(super) fn give_up(self, since: Instant) {
        self.link.close_if_silent(since);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.settled {
            self.link.lock().waiting.remove(&self.id);
        }
    }
}

async fn write_all(socket: &OwnedWriteHalf, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(count) => {
                *written += count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Cuts all whole frames off in one piece; bodies are views into it.
fn take_answers(version: Version, buffer: &mut BytesMut, limits: &Limits, answers: &mut Vec<(Header, Bytes)>) -> Result<(), WireError> {
    loop {
        let Some(span) = next_frame(version, buffer, limits)? else { return Ok(()) };
        let frame = buffer.split_to(span.len()).freeze();
        answers.push((span.header, frame.slice(span.body)));
    }
}

/// Tells the node that a client calls; returns which node it is, and the header that it speaks.
async fn negotiate(stream: &mut TcpStream, address: &str, caller: Caller, nonce: u64) -> Result<(NodeId, Version), NoLink> {
    let failed = |error: io::Error| NoLink::Connect { address: address.to_owned(), why: error.to_string() };
    let refused = |refusal: Refusal| NoLink::Refused { address: address.to_owned(), refusal };
    let mut out = Vec::new();
    let mut dialer = Dialer::start(caller, Target { node: None, store: None }, nonce, &mut out);
    tokio::io::AsyncWriteExt::write_all(stream, &out).await.map_err(failed)?;
    let mut buffer = BytesMut::new();
    let mut answerer = NodeId(0);
    loop {
        if let Dialer::Done(outcome) = dialer {
            return match outcome.map_err(refused)? {
                Negotiated::Node(identity) => Ok((identity.node, Version::Extended)),
                Negotiated::Legacy => Ok((answerer, Version::Legacy)),
                Negotiated::Client { .. } => Err(refused(Refusal::Contradiction("a client answered"))),
            };
        }
        if stream.read_buf(&mut buffer).await.map_err(failed)? == 0 {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        answerer = legacy_answerer(&buffer).unwrap_or(answerer);
        let consumed = dialer.receive(&buffer);
        buffer.advance(consumed.min(buffer.len()));
    }
}

/// A node that speaks version 0 introduces itself by the source of its answer alone.
fn legacy_answerer(buffer: &[u8]) -> Option<NodeId> {
    match next_frame(Version::Legacy, buffer, &Limits::default()) {
        Ok(Some(span)) => match span.header {
            Header::LegacyResponse(header) => u32::try_from(header.src).ok().map(NodeId),
            Header::LegacyRequest(_) | Header::Extended(_) => None,
        },
        Ok(None) | Err(_) => None,
    }
}
