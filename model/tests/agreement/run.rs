//! A path of the Raft world as a run of `tla/TraceRaft.tla`: what the world does is told as in `follow`, with the actions that the judge finds, and what is put on
//! its way as `Send`.

use super::{
    configuration::{LIMITS, NOTHING},
    follow::{Start, Step, follow},
    judge::{Judge, spec},
    module::{Disk, Image, Message, Node, log, name, vote},
    project::{Values, sent},
    record,
    written::{
        Event, Leg, Run,
        path::{Teller, Way, past},
        text,
    },
};
use roadstead_model::{
    Moved, Seen, World,
    raft::{Action, Bounds, Budget, Build, Group, Pace, PreVotes, RaftWorld, group::id_at},
};
use roadstead_spec::{NodeId, Term};
use std::collections::BTreeMap;

/// Three members, pre-votes message by message, disks that take as long as they like.
const BOUNDS: Bounds = Bounds {
    limits: LIMITS,
    budget: Budget { timeouts: 3, heartbeats: 2, proposals: 2, crashes: 1, ..NOTHING },
    crowd: 3,
    disk: Pace::Late,
    pre_votes: PreVotes::Steps,
    ..Bounds::SMALL
};

/// What the run passes, in this order.
const GOALS: &[&str] = &[
    "a leader is elected",
    "an entry is committed",
    "a follower learns what is committed",
    "propose",
    "a crash loses a write",
    "election timeout",
    "a pre-vote is granted",
    "a vote is granted",
    "leaders are elected in two terms",
    "entries are committed by leaders of two terms",
];

pub(crate) fn run() -> Run {
    let Way { actions, .. } = past(RaftWorld::of(BOUNDS, Build::PAPER), Silent, GOALS);
    let spec = spec(None);
    let mut run = Told { judge: Judge::new(&spec, BOUNDS.voters), messages: Vec::new(), events: Vec::new() };
    let world = RaftWorld::of(BOUNDS, record::recorded(Build::PAPER));
    let (mut group, mut highest) = (world.initial(), Term(0));
    let mut legs = Vec::new();
    for (&shows, actions) in GOALS.iter().zip(actions) {
        for action in actions {
            (group, highest) = run.follows(&world, &group, highest, action);
        }
        legs.push(Leg { shows, events: std::mem::take(&mut run.events) });
    }
    let nodes: Vec<String> = (0..usize::from(BOUNDS.voters)).map(|at| text(&name(id_at(at)))).collect();
    let mut begin = vec![
        ("RunNodes".to_owned(), format!("{{{}}}", nodes.join(", "))),
        ("RunPreVote".to_owned(), "TRUE".to_owned()),
        ("RunBegin".to_owned(), "[n \\in RunNodes |-> [term |-> 0, vote |-> \"none\", log |-> <<>>, base |-> 0, commit |-> 0]]".to_owned()),
        ("RunRoles".to_owned(), "[n \\in RunNodes |-> \"Follower\"]".to_owned()),
        ("RunMessages".to_owned(), "{}".to_owned()),
        ("RunRequests".to_owned(), "0".to_owned()),
    ];
    begin.extend(run.messages.iter().enumerate().map(|(place, message)| (named(place), message.value().to_string())));
    Run { file: "TraceRaft.world", by: "model/tests/agreement/run.rs", begin, legs }
}

/// Tells nothing: the path is followed once it is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Silent;

impl Teller<RaftWorld> for Silent {
    fn tell(&mut self, _: &Group, _: Action, _: &Group, moved: Moved) -> Option<Vec<Event>> {
        (moved == Moved::Yes).then(Vec::new)
    }
}

struct Told<'a> {
    judge: Judge<'a>,
    /// What was sent; the run calls each by its place.
    messages: Vec<Message>,
    events: Vec<Event>,
}

impl Told<'_> {
    fn follows(&mut self, world: &RaftWorld, group: &Group, highest: Term, action: Action) -> (Group, Term) {
        let mut after = group.clone();
        record::notes();
        world.step(&mut after, action, &mut Seen::default()).unwrap_or_else(|broken| panic!("{broken}"));
        let start = Start::new(&BOUNDS, group, highest);
        let steps = follow(&start, action, record::notes(), &BOUNDS, &after).unwrap_or_else(|why| panic!("{why}"));
        let arrived = match action {
            Action::Deliver(place) => group.network.get(place.into()).and_then(|packet| sent(packet, &Values::of(group))),
            _ => None,
        };
        for step in &steps {
            self.tells(step, arrived.as_ref());
        }
        let values = Values::of(&after);
        for message in after.network.iter().filter_map(|packet| sent(packet, &values)) {
            if !self.messages.contains(&message) {
                self.messages.push(message);
                let place = self.messages.len() - 1;
                self.events.push(Event::new("Send").with("node", text(&name(sender(&self.messages[place])))).with("message", named(place)));
            }
        }
        (after, steps.last().map_or(highest, |step| step.to.history.highest))
    }

    fn tells(&mut self, step: &Step, arrived: Option<&Message>) {
        let action = self.judge.judge(step).unwrap_or_else(|refusal| panic!("{refusal}"));
        let (was, is) = (&step.from.nodes[&step.node], &step.to.nodes[&step.node]);
        let event = Event::new(action.trim_end_matches("Of")).with("node", text(&name(step.node)));
        let event = match action {
            "Sync" => return self.events.push(event.with("disk", disk(&step.from.disks, &step.to.disks, step.node))),
            "LearnTerm" | "LearnTermOf" => {
                let term = is.image.term;
                let event = event.with("term", term);
                let is_told = self.messages.iter().any(|message| message.tells() == Some(term));
                if is_told { event } else { event.with("of", text("a refusal")) }
            }
            "GrantPreVote" | "GrantVote" | "AcceptAppend" | "RefuseAppend" => {
                let place = self.messages.iter().position(|message| Some(message) == arrived).expect("what arrives was sent");
                event.with("message", named(place))
            }
            "AdvanceCommit" | "Restart" => event.with("index", is.commit),
            _ => event,
        };
        self.events.push(event.with("after", after(was, is)));
    }
}

fn image(was: &Image, is: &Image) -> String {
    let log = if was.log == is.log { String::new() } else { format!(", log |-> {}", log(&is.log)) };
    format!("term |-> {}, vote |-> {}{log}", is.term, vote(is.vote))
}

fn after(was: &Node, is: &Node) -> String {
    format!("[role |-> \"{}\", commit |-> {}, {}]", is.role, is.commit, image(&was.image, &is.image))
}

fn disk(was: &BTreeMap<NodeId, Disk>, is: &BTreeMap<NodeId, Disk>, node: NodeId) -> String {
    format!("[{}]", image(&was[&node].stable, &is[&node].stable))
}

fn named(place: usize) -> String {
    format!("Message{}", place + 1)
}

fn sender(message: &Message) -> NodeId {
    match message {
        Message::PreVote { from, .. }
        | Message::PreVoteGranted { from, .. }
        | Message::RequestVote { from, .. }
        | Message::Vote { from, .. }
        | Message::Append { from, .. }
        | Message::Ack { from, .. } => *from,
    }
}
