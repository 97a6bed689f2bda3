//! The dispatcher of one boot: its registry, executed again (I-D1 to I-D3).

use crate::verdict::{Broken, Rule, ensure};
use roadstead_spec::{
    GroupId, Incarnation,
    dispatch::Registry,
    trace::{Dispatched, Fact},
};

/// Which groups are registered.
#[derive(Debug, Default)]
pub(super) struct Dispatcher(Registry<()>);

impl Dispatcher {
    pub(super) fn hear(&mut self, step: &Dispatched) -> Result<(), Broken> {
        let Self(registry) = self;
        match step {
            Dispatched::Register { group, incarnation, refused } => {
                let again = registry.register(*group, *incarnation, (), 0).err();
                ensure(Rule::Dispatch, again == *refused, || {
                    format!(
                        "group {group} ({incarnation}) is registered: {}; the node recorded {}",
                        told(again.as_ref()),
                        told(refused.as_ref())
                    )
                })
            }
            Dispatched::Remove { group, incarnation } => {
                let removed = registry.deregister(*group).ok().map(|(incarnation, ())| incarnation);
                registry.bury(*group, *incarnation);
                ensure(Rule::Dispatch, removed == Some(*incarnation), || match removed {
                    None => format!("group {group} is removed, and is not registered"),
                    Some(other) => format!("group {group} ({incarnation}) is removed; registered is {other}"),
                })
            }
            Dispatched::Refuse { from, group, incarnation, why } => {
                let again = registry.route(*group, *incarnation, 0).err();
                ensure(Rule::Dispatch, again == Some(*why), || {
                    let frame = format!("a frame of node {from} for group {group} ({incarnation}) was refused: {why}");
                    format!("{frame}; executed again: {}", told(again.as_ref()))
                })
            }
        }
    }

    /// Only a registered group acts.
    pub(super) fn lets(&mut self, group: GroupId, incarnation: Incarnation, fact: &Fact) -> Result<(), Broken> {
        if !matches!(fact, Fact::Recovered { .. } | Fact::Received { .. } | Fact::Stepped { .. }) {
            return Ok(());
        }
        let found = self.0.route(group, incarnation, 0).map(drop);
        found.map_err(|why| Broken {
            rule: Rule::Dispatch,
            why: format!("group {group} ({incarnation}) acts, and is not registered: {why}"),
        })
    }
}

fn told(refused: Option<&impl ToString>) -> String {
    refused.map_or_else(|| "done".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::{
        NodeId,
        dispatch::{NotRegistered, Unroutable},
        outbox::Ticket,
        raft::Event,
        trace::Digest,
    };

    const GROUP: GroupId = GroupId::DEFAULT;
    const FIRST: Incarnation = Incarnation(1);
    const SECOND: Incarnation = Incarnation(2);

    const fn register(incarnation: Incarnation, refused: Option<NotRegistered>) -> Dispatched {
        Dispatched::Register { group: GROUP, incarnation, refused }
    }

    const fn refuse(incarnation: Incarnation, why: Unroutable) -> Dispatched {
        Dispatched::Refuse { from: NodeId(2), group: GROUP, incarnation, why }
    }

    fn hears(steps: &[Dispatched]) -> Result<Dispatcher, Broken> {
        let mut dispatcher = Dispatcher::default();
        steps.iter().try_for_each(|step| dispatcher.hear(step)).map(|()| dispatcher)
    }

    #[test]
    fn what_the_registry_says_is_what_it_said() {
        let removed = NotRegistered::Removed { group: GROUP, incarnation: FIRST };
        let remove = |incarnation| Dispatched::Remove { group: GROUP, incarnation };
        let other = Unroutable::WrongIncarnation { group: GROUP, registered: SECOND };
        let nobody = Unroutable::NoSuchGroup(GROUP);
        let life = [register(FIRST, None), remove(FIRST), register(FIRST, Some(removed)), register(SECOND, None), refuse(FIRST, other)];
        assert!(hears(&life).is_ok());
        let first = register(FIRST, None);
        for wrong in [
            [first, first],
            [first, remove(SECOND)],
            [first, register(SECOND, Some(removed))],
            [first, refuse(FIRST, nobody)],
            [first, refuse(SECOND, nobody)],
            [remove(FIRST), first],
        ] {
            let broken = hears(&wrong).map(drop).unwrap_err();
            assert_eq!(broken.rule, Rule::Dispatch, "{wrong:?}: {}", broken.why);
        }
    }

    #[test]
    fn who_is_not_registered_hears_nothing() {
        let step = Fact::Stepped { event: Event::HeartbeatTimeout, effects: Vec::new(), after: Digest(0) };
        let mut dispatcher = hears(&[register(FIRST, None)]).unwrap();
        assert_eq!(dispatcher.lets(GROUP, FIRST, &step), Ok(()));
        assert!(dispatcher.lets(GROUP, SECOND, &step).is_err());
        assert_eq!(dispatcher.lets(GROUP, SECOND, &Fact::Durable { through: Ticket(1) }), Ok(()), "the disk may be late");
    }
}
