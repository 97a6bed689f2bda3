//! Events, effects and messages in the few characters that a reader of a scenario needs.

use roadstead_spec::outbox::{Action, Ticket};
use roadstead_spec::raft::{Append, Effect, Event, HardState, Message, Refused, Role, Run, State};
use roadstead_spec::{Index, NodeId};

/// Runs that a refusal shows; a thousand terms should not fill a page.
const RUNS_SHOWN: usize = 6;

fn runs(runs: &[Run], last: Index) -> String {
    let ends = runs.iter().skip(1).map(|run| run.first.prev()).chain([last]);
    let one = |(run, end): (&Run, Index)| {
        if run.first == end { format!("{}@{}", end, run.term) } else { format!("{}..={}@{}", run.first, end, run.term) }
    };
    runs.iter().zip(ends).map(one).collect::<Vec<_>>().join(" ")
}

pub fn message(message: &Message) -> String {
    let verdict = |granted: &bool| if *granted { "granted" } else { "refused" };
    match message {
        Message::PreVote { term, last } => format!("PreVote term={term} last={last}"),
        Message::PreVoteResponse { term, granted } => format!("PreVoteResponse term={term} {}", verdict(granted)),
        Message::RequestVote { term, last } => format!("RequestVote term={term} last={last}"),
        Message::RequestVoteResponse { term, granted } => format!("RequestVoteResponse term={term} {}", verdict(granted)),
        Message::AppendEntries { term, slice, commit, round } => {
            let entries = runs(&slice.runs, slice.last);
            format!("AppendEntries term={term} prev={} [{entries}] commit={commit} round={}", slice.prev, round.0)
        }
        Message::AppendEntriesResponse { term, result: Ok(index), round } => {
            format!("AppendEntriesResponse term={term} holds={index} round={}", round.0)
        }
        Message::AppendEntriesResponse { term, result: Err(behind), round } => {
            let mut shown: Vec<_> = behind.runs.iter().take(RUNS_SHOWN).map(|run| format!("{}@{}", run.first, run.term)).collect();
            if behind.runs.len() > RUNS_SHOWN {
                shown.push(format!("... {} runs", behind.runs.len()));
            }
            format!("AppendEntriesResponse term={term} behind={} [{}] round={}", behind.last, shown.join(" "), round.0)
        }
        Message::ReadIndex { term, id } => format!("ReadIndex term={term} read={}.{}", id.node, id.number),
        Message::ReadIndexResponse { term, id, index } => {
            let index = index.map_or("refused".into(), |index| format!("index={index}"));
            format!("ReadIndexResponse term={term} read={}.{} {index}", id.node, id.number)
        }
    }
}

pub fn event(event: &Event) -> String {
    match event {
        Event::Receive { from, message: received } => format!("from {from}: {}", message(received)),
        Event::Propose { count } => format!("Propose {count}"),
        Event::Read { id } => format!("Read {}.{}", id.node, id.number),
        Event::ElectionTimeout => "ElectionTimeout".into(),
        Event::MinimumTimeout => "MinimumTimeout".into(),
        Event::HeartbeatTimeout => "HeartbeatTimeout".into(),
        Event::Persisted { mark } => format!("Persisted {}@{}", mark.index, mark.term),
        Event::Applied { through } => format!("Applied {through}"),
        Event::SnapshotTaken { at } => format!("SnapshotTaken {at}"),
        Event::SnapshotReceived { from, term, at } => format!("SnapshotReceived from {from} term={term} at={at}"),
        Event::SnapshotFailed { to } => format!("SnapshotFailed {to}"),
        Event::Unreachable { peer } => format!("Unreachable {peer}"),
        Event::DiskStalled => "DiskStalled".into(),
    }
}

fn hard(hard: &HardState) -> String {
    hard.vote.map_or(format!("term={}", hard.term), |vote| format!("term={} vote={vote}", hard.term))
}

fn appended(append: &Append) -> String {
    format!("append {}", runs(&append.runs, append.last))
}

/// `held`: a send that did not leave at once. `ticket`: of a write.
pub fn effect(effect: &Effect, ticket: Ticket, held: bool) -> String {
    match effect {
        Effect::Persist { hard: new, truncate_from, append, .. } => {
            let parts = [new.as_ref().map(hard), truncate_from.map(|from| format!("truncate from {from}")), append.as_ref().map(appended)];
            format!("write #{ticket}: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        Effect::InstallSnapshot { hard: new, at, keep_suffix, .. } => {
            format!("write #{ticket}: {}, install snapshot {at}{}", hard(new), if *keep_suffix { ", keep what follows" } else { "" })
        }
        Effect::Send { to, message: sent, .. } => format!("{} {to}: {}", if held { "hold for" } else { "send to" }, message(sent)),
        Effect::Apply { through } => format!("committed through {through}"),
        Effect::ReadReady { id, index } => format!("read {}.{} may be served at {index}", id.node, id.number),
        Effect::Refuse { what, leader } => format!("refuse {}, leader {}", refused(what), known(*leader)),
        Effect::SendSnapshot { to, at } => format!("send snapshot to {to}, at least {at}"),
        Effect::Compact { through } => format!("compact through {through}"),
        Effect::ResetElectionTimer => "reset election timer".into(),
        Effect::Halt { law } => format!("HALT {law:?}"),
    }
}

/// What a driver does later than the effect said it; `None` for what [`effect`] has shown.
pub fn released(action: &Action) -> Option<String> {
    match action {
        Action::Send(released) => Some(format!("release to {}: {}", released.to(), message(released.message()))),
        Action::Installed { at } => Some(format!("snapshot {at} is in place")),
        Action::Compact { through } => Some(format!("compact log through {through}")),
        Action::Overflow { to } => Some(format!("too much held, dropped for {to}")),
        Action::Write { .. }
        | Action::Persisted { .. }
        | Action::Apply { .. }
        | Action::ReadReady { .. }
        | Action::Refuse { .. }
        | Action::SendSnapshot { .. }
        | Action::ResetElectionTimer
        | Action::Halt { .. } => None,
    }
}

fn refused(what: &Refused) -> String {
    match what {
        Refused::Propose => "proposal".into(),
        Refused::Read(id) => format!("read {}.{}", id.node, id.number),
    }
}

fn known(leader: Option<NodeId>) -> String {
    leader.map_or("unknown".into(), |leader| leader.to_string())
}

pub fn role(state: &State) -> String {
    match &state.role {
        Role::Follower { leader, .. } => format!("follower of {}", known(*leader)),
        Role::PreCandidate { .. } => "pre-candidate".into(),
        Role::Candidate { .. } => "candidate".into(),
        Role::Leader(_) => "leader".into(),
    }
}
