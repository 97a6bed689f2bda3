//! Records in a line each, for people.

use roadstead_spec::{
    EntryId, Index,
    outbox::Write,
    raft::{Append, Effect, Event, Gate, HardState, Message, Role, Slice},
    trace::{Content, Dispatched, Fact, Linked, Record, What, Written},
    wire::Version,
};

/// A whole record.
pub fn record(record: &Record) -> String {
    let what = match &record.what {
        What::Booted { .. } => "the process starts".to_owned(),
        What::Ended => "the process ends in order".to_owned(),
        What::Group { group, fact, .. } => format!("group {group}: {}", self::fact(fact)),
        What::Dispatched(step) => dispatched(step),
        What::Linked(Linked { peer, boot, dialled, version }) => format!(
            "{} node {peer}{}, and both speak the {} header",
            if *dialled { "has dialled" } else { "was dialled by" },
            boot.map_or_else(String::new, |boot| format!(" (boot {boot})")),
            if *version == Version::Extended { "extended" } else { "legacy" }
        ),
    };
    format!("{} node {} {what}", record.sequence, record.node)
}

/// A record of a dump: a state is where the group stands then, and need not be its start.
pub fn kept(record: &Record) -> String {
    match &record.what {
        What::Group { group, fact: Fact::Recovered { state, .. }, .. } => {
            let role = match state.role {
                Role::Follower { .. } => "a follower",
                Role::PreCandidate { .. } => "a pre-candidate",
                Role::Candidate { .. } => "a candidate",
                Role::Leader(_) => "the leader",
            };
            let (hard, log) = (hard(&state.hard), &state.log);
            let (base, last) = (id(log.base()), id(log.last_id()));
            let (commit, applied) = (state.commit, state.applied);
            format!(
                "{} node {} group {group}: is {role} in {hard}, log {base} to {last}, commit {commit}, applied {applied}",
                record.sequence, record.node
            )
        }
        _ => self::record(record),
    }
}

fn dispatched(step: &Dispatched) -> String {
    match step {
        Dispatched::Register { group, incarnation, refused: None } => format!("registers group {group} ({incarnation})"),
        Dispatched::Register { group, incarnation, refused: Some(why) } => {
            format!("does not register group {group} ({incarnation}): {why}")
        }
        Dispatched::Remove { group, incarnation } => format!("removes group {group} ({incarnation})"),
        Dispatched::Refuse { from, group, incarnation, why } => {
            format!("refuses a frame of node {from} for group {group} ({incarnation}): {why}")
        }
    }
}

fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Recovered { state, .. } => format!(
            "comes up in {}, log {} to {}, applied {}",
            hard(&state.hard),
            id(state.log.base()),
            id(state.log.last_id()),
            state.applied
        ),
        Fact::Stepped { event, effects, .. } => format!("steps {} -> [{}]", self::event(event), self::effects(effects)),
        Fact::Issued { ticket, write, content } => format!("issues write {ticket}: {}, {}", written(write), self::content(content)),
        Fact::Compacted { through } => format!("gives up the log through {through}"),
        Fact::Durable { through } => format!("is told that write {through} is durable"),
        Fact::Sent { to, message, after, .. } => format!("sends to {to} behind write {after}: {}", self::message(message)),
        Fact::Dropped { to, message, after } => format!("drops what goes to {to} behind write {after}: {}", self::message(message)),
        Fact::Received { from, message, .. } => format!("receives from {from}: {}", self::message(message)),
        Fact::Applied { content } => format!("has applied {}", self::content(content)),
        Fact::Installed { at } => format!("goes on from snapshot {}", id(*at)),
    }
}

fn id(id: EntryId) -> String {
    format!("{}@{}", id.index, id.term)
}

fn hard(hard: &HardState) -> String {
    format!("term {} with a vote for {}", hard.term, hard.vote.map_or("nobody".to_owned(), |vote| vote.to_string()))
}

/// Entries by id.
pub fn content(content: &Content) -> String {
    let ids: Vec<_> =
        (content.first.0..).zip(&content.entries).map(|(index, (term, _))| id(EntryId { term: *term, index: Index(index) })).collect();
    match &ids[..] {
        [] => "no entries".to_owned(),
        [one] => format!("entry {one}"),
        [first, .., last] => format!("entries {first} to {last}"),
    }
}

fn slice(slice: &Slice) -> String {
    if slice.is_empty() {
        format!("no entries behind {}", id(slice.prev))
    } else {
        format!("entries behind {} to {}", id(slice.prev), id(slice.last_id()))
    }
}

/// A message with what matters in it.
pub fn message(message: &Message) -> String {
    match message {
        Message::PreVote { term, last } => format!("PreVote(term {term}, last {})", id(*last)),
        Message::PreVoteResponse { term, granted } => format!("PreVoteResponse(term {term}, granted {granted})"),
        Message::RequestVote { term, last } => format!("RequestVote(term {term}, last {})", id(*last)),
        Message::RequestVoteResponse { term, granted } => format!("RequestVoteResponse(term {term}, granted {granted})"),
        Message::AppendEntries { term, slice, commit, round } => {
            format!("AppendEntries(term {term}, {}, commit {commit}, round {})", self::slice(slice), round.0)
        }
        Message::AppendEntriesResponse { term, result: Ok(matched), round } => {
            format!("AppendEntriesResponse(term {term}, matched {matched}, round {})", round.0)
        }
        Message::AppendEntriesResponse { term, result: Err(behind), round } => {
            format!("AppendEntriesResponse(term {term}, behind at {}, round {})", behind.last, round.0)
        }
        Message::ReadIndex { term, id } => format!("ReadIndex(term {term}, read {} of node {})", id.number, id.node),
        Message::ReadIndexResponse { term, id, index } => {
            let index = index.map_or("none".to_owned(), |index| index.to_string());
            format!("ReadIndexResponse(term {term}, read {} of node {}, index {index})", id.number, id.node)
        }
    }
}

/// An event.
pub fn event(event: &Event) -> String {
    match event {
        Event::Receive { from, message } => format!("Receive from {from} {}", self::message(message)),
        Event::Propose { count } => format!("Propose({count})"),
        Event::Read { id } => format!("Read({})", id.number),
        Event::Persisted { mark } => format!("Persisted({}@{})", mark.index, mark.term),
        Event::Applied { through } => format!("Applied({through})"),
        Event::SnapshotTaken { at } => format!("SnapshotTaken({})", id(*at)),
        Event::SnapshotReceived { from, term, at } => format!("SnapshotReceived(from {from}, term {term}, {})", id(*at)),
        Event::SnapshotFailed { to } => format!("SnapshotFailed({to})"),
        Event::Unreachable { peer } => format!("Unreachable({peer})"),
        Event::ElectionTimeout | Event::MinimumTimeout | Event::HeartbeatTimeout | Event::DiskStalled => {
            crate::coverage::event_kind(event).to_owned()
        }
    }
}

/// Effects, in order.
pub fn effects(effects: &[Effect]) -> String {
    effects.iter().map(effect).collect::<Vec<_>>().join("; ")
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Persist { hard, truncate_from, append, .. } => format!("Persist({})", persist(*hard, *truncate_from, append.as_ref())),
        Effect::InstallSnapshot { at, .. } => format!("InstallSnapshot({})", id(*at)),
        Effect::Send { to, message, gate } => {
            let gate = if *gate == Gate::AfterPersist { ", gated" } else { "" };
            format!("Send(to {to}{gate}, {})", self::message(message))
        }
        Effect::Apply { through } => format!("Apply({through})"),
        Effect::Compact { through } => format!("Compact({through})"),
        Effect::SendSnapshot { to, at } => format!("SendSnapshot(to {to}, {})", id(*at)),
        Effect::ReadReady { id, index } => format!("ReadReady({} at {index})", id.number),
        Effect::Refuse { .. } | Effect::ResetElectionTimer => crate::coverage::effect_kind(effect).to_owned(),
        Effect::Halt { law } => format!("Halt({law:?})"),
    }
}

fn persist(new: Option<HardState>, truncate_from: Option<Index>, append: Option<&Append>) -> String {
    let truncate = truncate_from.map(|from| format!("truncate from {from}"));
    let append = append.map(|append| format!("append {} to {}", append.runs.first().map_or(append.last, |run| run.first), append.last));
    let parts: Vec<_> = truncate.into_iter().chain(append).chain(new.map(|new| hard(&new))).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// A write as the outbox lets it out.
pub fn write(write: &Write) -> String {
    match write {
        Write::Persist { hard, truncate_from, append } => persist(*hard, *truncate_from, append.as_ref()),
        Write::InstallSnapshot { at, keep_suffix, .. } => format!("install snapshot {}, keep what is behind it: {keep_suffix}", id(*at)),
    }
}

/// A write as the disk was told.
pub fn written(written: &Written) -> String {
    match written {
        Written::Persist { hard, truncate_from } => persist(*hard, *truncate_from, None),
        Written::Install { at, keep_suffix, .. } => format!("install snapshot {}, keep what is behind it: {keep_suffix}", id(*at)),
    }
}
