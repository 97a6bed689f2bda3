//! The module as a judge of single steps, within this process.

use super::{
    follow::Step,
    module::{BATCH_MAX, Message, Module, name},
};
use roadstead_spec::NodeId;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    path::PathBuf,
};
use tla_eval::{Blocked, Directory, Evaluator, Spec, State, Value};

/// `Next` of the module with its quantifiers filled in: who steps is known, and what may have been received. What it guards is guarded here otherwise: its bounds
/// are large constants, and a step changes something. Each disjunct has a name, so that a refusal says which conjunct of which action fails.
///
/// Arguments of an action are bound here: the evaluator reads the name of a variable in the module where the action is defined, which knows no `hint`.
const STEP: &str = r#"
---- MODULE Step ----
EXTENDS Raft
VARIABLE hint
Who == {hint.node}
Heard == hint.received \cap messages
LosesLeader == \E n \in Who : LoseLeader(n)
StepsDown == \E n \in Who : StepDown(n)
AsksPreVote == \E n \in Who : AskPreVote(n)
Campaigns == \E n \in Who : Campaign(n, messages)
BecomesLeader == \E n \in Who : BecomeLeader(n, messages)
Proposes == \E n \in Who : Propose(n)
Commits == \E n \in Who : \E i \in DOMAIN node[n].log : AdvanceCommit(n, i, messages)
Syncs == \E n \in Who : Sync(n)
Restarts == \E n \in Who : \E commit \in 0 .. node[n].commit : Restart(n, commit)
GrantsPreVote == \E n \in Who, m \in Heard : GrantPreVote(n, m)
GrantsVote == \E n \in Who, m \in Heard : GrantVote(n, m)
Accepts == \E n \in Who, m \in Heard : AcceptAppend(n, m)
Refuses == \E n \in Who, m \in Heard : RefuseAppend(n, m)
Learns == \E n \in Who, m \in Heard : LearnTerm(n, m)
LearnsOf == \E n \in Who : \E term \in 1 .. history.highest : LearnTermOf(n, term)
====
"#;

/// The disjuncts, in the order in which they are tried, and the action of the module that each of them is.
pub(crate) const ACTIONS: &[(&str, &str)] = &[
    ("Syncs", "Sync"),
    ("Accepts", "AcceptAppend"),
    ("GrantsVote", "GrantVote"),
    ("GrantsPreVote", "GrantPreVote"),
    ("LosesLeader", "LoseLeader"),
    ("AsksPreVote", "AskPreVote"),
    ("Campaigns", "Campaign"),
    ("BecomesLeader", "BecomeLeader"),
    ("Proposes", "Propose"),
    ("Commits", "AdvanceCommit"),
    ("Learns", "LearnTerm"),
    ("LearnsOf", "LearnTermOf"),
    ("Restarts", "Restart"),
    ("Refuses", "RefuseAppend"),
    ("StepsDown", "StepDown"),
];

/// One in so many steps is asked of `Next` as it is written, too.
const SAMPLE: usize = 5;

/// The folder of the modules.
pub(crate) fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tla")
}

/// The module, or one with other lines in the place of these.
pub(crate) fn spec(change: Option<(&str, &str)>) -> Spec {
    struct Changed<'a>(Directory, Option<(&'a str, &'a str)>);
    impl tla_eval::Modules for Changed<'_> {
        fn source(&self, name: &str) -> Option<String> {
            let text = self.0.source(name)?;
            let Some((old, new)) = self.1.filter(|_| name == "Raft") else { return Some(text) };
            assert_eq!(text.matches(old).count(), 1, "the lines to replace are there once");
            Some(text.replace(old, new))
        }
    }
    Spec::load(STEP, &Changed(Directory(modules()), change)).expect("the evaluator reads the modules")
}

/// A judge, who remembers what was asked.
pub(crate) struct Judge<'a> {
    evaluator: Evaluator<'a>,
    allowed: HashMap<Step, &'static str>,
    typed: HashSet<Module>,
    /// How many different steps each action made.
    pub(crate) actions: BTreeMap<&'static str, usize>,
}

/// Why no action allows a step.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The action that comes closest.
    pub(crate) action: &'static str,
    /// The conjunct of it that fails.
    pub(crate) conjunct: String,
    conjuncts: (usize, usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, conjunct, conjuncts: (hold, all) } = self;
        write!(f, "no action of the module allows it; closest is {action}: {hold} of {all} conjuncts hold, `{conjunct}` does not")
    }
}

impl<'a> Judge<'a> {
    pub(crate) fn new(spec: &'a Spec, voters: u8) -> Self {
        let many = Value::Int(6);
        let nodes = (1..=u32::from(voters)).map(|id| Value::string(name(NodeId(id))));
        let budgets = ["MaxTerm", "MaxRequests", "MaxCrashes", "MaxStepDowns", "MaxCompactions", "MaxReads", "MaxPending"];
        let constants = [
            ("Node", Value::set(nodes)),
            ("None", Value::string("none")),
            ("PreVote", Value::Bool(true)),
            ("MaxBatch", Value::Int(BATCH_MAX as i64)),
        ];
        let constants = constants.into_iter().chain(budgets.map(|budget| (budget, many.clone())));
        let constants = constants.map(|(constant, value)| (constant.to_owned(), value)).collect();
        let evaluator = Evaluator::new(spec, constants).expect("every constant has a value");
        Self { evaluator, allowed: HashMap::new(), typed: HashSet::new(), actions: BTreeMap::new() }
    }

    /// Whether the module may begin like this.
    pub(crate) fn begins(&self, module: &Module) -> bool {
        self.holds("Init", &module.state())
    }

    /// How many different steps were judged.
    pub(crate) fn judged(&self) -> usize {
        self.allowed.len()
    }

    /// Which action allows this step.
    pub(crate) fn judge(&mut self, step: &Step) -> Result<&'static str, Refusal> {
        if let Some(action) = self.allowed.get(step) {
            return Ok(action);
        }
        assert_ne!(step.from, step.to, "what changes nothing is no step");
        let (mut from, to) = (step.from.state(), step.to.state());
        // What has the wrong type is false, and no error: it is asked first.
        assert!(!self.typed.insert(step.to.clone()) || self.holds("TypeOK", &to), "the projection has a type of its own: {:?}", step.to);
        let hint = [("node", Value::string(name(step.node))), ("received", Value::set(step.received.iter().map(Message::value)))];
        from.insert("hint".to_owned(), Value::record(hint.map(|(field, value)| (field.to_owned(), value))));
        let allows = |(disjunct, _): &&(&str, &str)| {
            self.evaluator.step_allowed(disjunct, &from, &to).unwrap_or_else(|error| panic!("{disjunct}: {error}"))
        };
        let Some((_, action)) = ACTIONS.iter().find(allows) else { return Err(self.refusal(&from, &to)) };
        if self.judged().is_multiple_of(SAMPLE) {
            let is_next = self.evaluator.step_allowed("Next", &from, &to);
            assert_eq!(is_next, Ok(true), "{action} allows it, and Next as it is written does not: {step:?}");
        }
        self.allowed.insert(step.clone(), action);
        *self.actions.entry(action).or_default() += 1;
        Ok(action)
    }

    fn holds(&self, predicate: &str, state: &State) -> bool {
        self.evaluator.holds_at(predicate, state).unwrap_or_else(|error| panic!("{predicate}: {error}"))
    }

    fn refusal(&self, from: &State, to: &State) -> Refusal {
        let mut closest: Option<(&'static str, Blocked)> = None;
        for (disjunct, action) in ACTIONS {
            let blocked = self.evaluator.why_not(disjunct, from, to).expect("Next is evaluated");
            let Some(blocked) = blocked.into_iter().next() else { continue };
            let share = |blocked: &Blocked| blocked.satisfied as f64 / blocked.total as f64;
            if closest.as_ref().is_none_or(|(_, other)| share(&blocked) > share(other)) {
                closest = Some((action, blocked));
            }
        }
        let (action, blocked) = closest.expect("some action of the module has conjuncts");
        Refusal { action, conjunct: blocked.conjunct, conjuncts: (blocked.satisfied, blocked.total) }
    }
}
