//! What negotiations came to: both ends agree (I-W1), and nothing is heard but over a link, in the bodies of its version.

use crate::verdict::{Broken, Rule, ensure};
use roadstead_spec::{
    NodeId,
    trace::{Fact, Linked},
    wire::Version,
};
use std::collections::{BTreeMap, BTreeSet};

/// A boot of a node.
type Boot = (NodeId, u64);

/// The links of all nodes.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By whom dialled, and who accepted: what the ends that were heard so far speak. Policies do not change within a boot, so it is one version for all links
    /// of two boots.
    agreed: BTreeMap<(Boot, Boot), (Version, NodeId)>,
    /// Of each node's newest boot: from whom it may hear what.
    heard: BTreeMap<NodeId, BTreeSet<(NodeId, Version)>>,
}

impl Links {
    /// A node starts: it has none.
    pub(super) fn boots(&mut self, node: NodeId) {
        self.heard.remove(&node);
    }

    pub(super) fn hear(&mut self, (node, boot): Boot, linked: &Linked) -> Result<(), Broken> {
        let Linked { peer, boot: other, dialled, version } = *linked;
        self.heard.entry(node).or_default().insert((peer, version));
        let Some(other) = other else {
            return ensure(Rule::Link, version == Version::Legacy, || {
                format!("node {peer} speaks {version:?}, and introduced itself to nobody")
            });
        };
        let ends = if dialled { ((node, boot), (peer, other)) } else { ((peer, other), (node, boot)) };
        let (first, by) = *self.agreed.entry(ends).or_insert((version, node));
        ensure(Rule::Link, first == version, || {
            let ((dialler, _), (acceptor, _)) = ends;
            format!("I-W1 is broken: node {dialler} dialled node {acceptor}; node {by} speaks {first:?}, and node {node} {version:?}")
        })
    }

    /// What is received comes from who is linked.
    pub(super) fn carries(&self, node: NodeId, fact: &Fact) -> Result<(), Broken> {
        let Fact::Received { from, translated, .. } = fact else { return Ok(()) };
        let version = if *translated { Version::Legacy } else { Version::Extended };
        let linked = self.heard.get(&node).is_some_and(|links| links.contains(&(*from, version)));
        ensure(Rule::Link, linked, || {
            format!("a message of node {from} came in bodies of {version:?}, and no link with it speaks that in this boot")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{Extended, Legacy};
    use roadstead_spec::{
        Term,
        raft::{Message, Round},
        trace::Content,
    };

    const ONE: Boot = (NodeId(1), 3);
    const TWO: Boot = (NodeId(2), 8);

    const fn linked((peer, boot): Boot, dialled: bool, version: Version) -> Linked {
        Linked { peer, boot: Some(boot), dialled, version }
    }

    #[test]
    fn both_ends_speak_one_version() {
        let hear = |ends: &[(Boot, Linked)]| {
            let mut links = Links::default();
            ends.iter().try_for_each(|(own, linked)| links.hear(*own, linked)).map_err(|broken| broken.rule)
        };
        let (dials, accepts) = ((ONE, linked(TWO, true, Extended)), (TWO, linked(ONE, false, Extended)));
        assert_eq!(hear(&[dials, accepts, dials]), Ok(()));
        assert_eq!(hear(&[accepts, dials]), Ok(()), "in any order");
        assert_eq!(hear(&[dials, (TWO, linked(ONE, false, Legacy))]), Err(Rule::Link));
        assert_eq!(hear(&[accepts, (ONE, linked(TWO, true, Legacy))]), Err(Rule::Link));
        assert_eq!(hear(&[dials, (ONE, linked((NodeId(2), 9), true, Legacy))]), Ok(()), "another boot may be another release");
        let nobody = Linked { peer: NodeId(2), boot: None, dialled: false, version: Extended };
        assert_eq!(hear(&[(ONE, nobody)]), Err(Rule::Link));
        assert_eq!(hear(&[(ONE, Linked { version: Legacy, ..nobody })]), Ok(()));
    }

    #[test]
    fn only_who_is_linked_is_heard() {
        let message = Message::AppendEntriesResponse { term: Term(1), result: Ok(roadstead_spec::Index(1)), round: Round(1) };
        let received = |translated| Fact::Received { from: TWO.0, message: message.clone(), content: Content::none(), translated };
        let mut links = Links::default();
        assert!(links.carries(ONE.0, &received(false)).is_err());
        links.hear(ONE, &linked(TWO, false, Extended)).unwrap();
        assert_eq!(links.carries(ONE.0, &received(false)), Ok(()));
        assert!(links.carries(ONE.0, &received(true)).is_err(), "not in the bodies of the other version");
        assert!(links.carries(NodeId(3), &received(false)).is_err(), "not at another node");
        links.boots(ONE.0);
        assert!(links.carries(ONE.0, &received(false)).is_err(), "not in a later boot");
    }
}
