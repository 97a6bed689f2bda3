use super::*;
use alloc::{string::ToString, vec, vec::Vec};
use proptest::prelude::*;

const OLD: Incarnation = Incarnation(0xa);
const NEW: Incarnation = Incarnation(0xb);

fn group(id: i32) -> GroupId {
    GroupId::new(id).unwrap()
}

#[test]
fn a_number_is_registered_once() {
    let mut registry = Registry::new();
    assert_eq!(registry.register(group(7), OLD, "a", 0), Ok(()));
    for incarnation in [OLD, NEW] {
        let refused = NotRegistered::AlreadyRegistered { group: group(7), incarnation: OLD };
        assert_eq!(registry.register(group(7), incarnation, "b", 0), Err(refused));
    }
    assert_eq!(registry.route(group(7), OLD, 0), Ok(&"a"), "the refused one changed nothing");
}

#[test]
fn a_registry_tells_what_it_holds() {
    let mut registry = Registry::new();
    assert!(registry.is_empty());
    registry.register(group(3), NEW, (), 0).unwrap();
    assert!(!registry.is_empty() && registry.contains(group(3)) && !registry.contains(group(4)));
    assert_eq!((registry.len(), registry.incarnation(group(3)), registry.incarnation(group(4))), (1, Some(NEW), None));
}

/// Goal: whoever reads an error knows the group, the life where it matters, and what to do.
#[test]
fn errors_name_the_group_and_the_way_out() {
    let texts = [
        (NotRegistered::AlreadyRegistered { group: group(7), incarnation: OLD }.to_string(), "000000000000000a", "remove it first"),
        (NotRegistered::Removed { group: group(7), incarnation: OLD }.to_string(), "000000000000000a", "higher `generation`"),
        (NoSuchGroup(group(7)).to_string(), "group 7", "the list of groups"),
        (Unroutable::NoSuchGroup(group(7)).to_string(), "group 7", "the list of groups"),
        (Unroutable::WrongIncarnation { group: group(7), registered: NEW }.to_string(), "000000000000000b", "the same cluster id"),
    ];
    for (text, what, way_out) in texts {
        assert!(text.contains("group 7") && text.contains(what) && text.contains(way_out), "{text}");
    }
}

#[test]
fn what_is_not_registered_cannot_be_deregistered_or_routed() {
    let mut registry = Registry::<()>::new();
    assert_eq!(registry.deregister(group(1)), Err(NoSuchGroup(group(1))));
    assert_eq!(registry.route(group(1), OLD, 0), Err(Unroutable::NoSuchGroup(group(1))));
    assert_eq!(registry.route_any(GroupId::DEFAULT, 0), Err(Unroutable::NoSuchGroup(GroupId::DEFAULT)));
    assert_eq!((registry.last_activity(group(1)), registry.incarnation(group(1))), (None, None));
}

#[test]
fn a_new_life_does_not_hear_the_old_ones_frames() {
    let mut registry = Registry::new();
    registry.register(group(1), OLD, "old", 0).unwrap();
    registry.bury(group(1), OLD);
    assert_eq!(registry.route(group(1), OLD, 0), Ok(&"old"), "the tombstone alone does not stop it");
    assert_eq!(registry.deregister(group(1)), Ok((OLD, "old")));
    assert_eq!(registry.route(group(1), OLD, 0), Err(Unroutable::NoSuchGroup(group(1))));
    registry.register(group(1), NEW, "new", 0).unwrap();
    assert_eq!(registry.route(group(1), OLD, 0), Err(Unroutable::WrongIncarnation { group: group(1), registered: NEW }));
    assert_eq!(registry.route(group(1), NEW, 0), Ok(&"new"));
}

#[test]
fn a_removed_incarnation_is_refused_by_name_and_a_stopped_one_is_not() {
    let mut registry = Registry::new();
    registry.register(group(1), OLD, (), 0).unwrap();
    registry.deregister(group(1)).unwrap();
    assert_eq!(registry.register(group(1), OLD, (), 0), Ok(()), "stopped, not removed");
    registry.deregister(group(1)).unwrap();
    registry.bury(group(1), OLD);
    let error = registry.register(group(1), OLD, (), 0).unwrap_err();
    assert_eq!(error, NotRegistered::Removed { group: group(1), incarnation: OLD });
    assert!(error.to_string().contains("higher `generation`"), "{error}");
    assert!(registry.is_buried(group(1), OLD) && !registry.is_buried(group(2), OLD) && !registry.is_buried(group(1), NEW));
    assert_eq!(registry.register(group(2), OLD, (), 0), Ok(()), "another group is another group");
}

#[test]
fn the_ends_of_the_number_range_are_ordinary() {
    let mut registry = Registry::new();
    for id in [i32::MAX, 0, 1] {
        registry.register(group(id), OLD, id, 0).unwrap();
    }
    let listed: Vec<_> = registry.groups().map(|(group, _, mailbox)| (group.get(), *mailbox)).collect();
    assert_eq!(listed, vec![(0, 0), (1, 1), (i32::MAX, i32::MAX)]);
    assert_eq!(registry.route_any(GroupId::DEFAULT, 0), Ok(&0));
    assert_eq!(registry.len(), 3);
    assert!(!registry.is_empty());
    assert_eq!(GroupId::new(-1), None, "a negative number does not get this far");
}

#[test]
fn activity_is_what_was_routed_and_never_goes_back() {
    let mut registry = Registry::new();
    registry.register(group(1), OLD, (), 10).unwrap();
    registry.register(group(2), OLD, (), 10).unwrap();
    registry.route(group(1), OLD, 30).unwrap();
    registry.route_any(group(1), 20).unwrap();
    registry.route(group(2), NEW, 40).unwrap_err();
    assert_eq!((registry.last_activity(group(1)), registry.last_activity(group(2))), (Some(30), Some(10)));
}

#[derive(Clone, Debug)]
enum Move {
    Register,
    Deregister,
    Bury,
    Route,
}

proptest! {
    /// Against a list of everything that was ever registered: a mailbox is reached under its own names only, and only while it is in.
    #[test]
    fn no_frame_reaches_another_groups_mailbox(
        moves in proptest::collection::vec((
            prop_oneof![Just(Move::Register), Just(Move::Deregister), Just(Move::Bury), Just(Move::Route)],
            0..3i32,
            0..3u64,
        ), 0..80)
    ) {
        let mut registry = Registry::new();
        let mut live: Vec<(GroupId, Incarnation, usize)> = Vec::new();
        let mut buried = Vec::new();
        for (number, (made, id, incarnation)) in moves.into_iter().enumerate() {
            let (group, incarnation) = (group(id), Incarnation(incarnation));
            let present = live.iter().position(|(g, _, _)| *g == group);
            match made {
                Move::Register => {
                    let allowed = present.is_none() && !buried.contains(&(group, incarnation));
                    prop_assert_eq!(registry.register(group, incarnation, number, 0).is_ok(), allowed);
                    live.extend(allowed.then_some((group, incarnation, number)));
                }
                Move::Deregister => {
                    let gone = present.map(|at| live.swap_remove(at));
                    prop_assert_eq!(registry.deregister(group).ok(), gone.map(|(_, i, m)| (i, m)));
                }
                Move::Bury => {
                    registry.bury(group, incarnation);
                    buried.push((group, incarnation));
                }
                Move::Route => {
                    let expected = live.iter().find(|(g, i, _)| (*g, *i) == (group, incarnation)).map(|(_, _, m)| m);
                    prop_assert_eq!(registry.route(group, incarnation, 0).ok(), expected);
                    prop_assert_eq!(registry.route_any(group, 0).ok().copied(), present.map(|at| live[at].2));
                }
            }
            prop_assert_eq!(registry.len(), live.len());
            prop_assert_eq!(registry.contains(group), live.iter().any(|(g, _, _)| *g == group));
        }
    }
}
