//! Which group has which keys, for clients that know no groups.
//!
//! The routes cut the keyspace into segments, each of one group: with a default of 1 and `/orders/` at 3 they are `..` 1, `/orders/..` 3, `/orders0..` 1.
//! A request belongs to the group of all its keys and ranges; if they lie in segments of two groups, nobody could carry it out atomically.

use bytes::Bytes;
use roadstead_spec::GroupId;
use std::{collections::BTreeMap, fmt, ops::Bound};

use crate::{
    config::{EtcdConfig, Route},
    service::kv::prefix_end,
};

/// The segments.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    /// Where each segment begins; it ends where the next one begins. The first begins at the empty key. `None`: no group is meant for it.
    segments: BTreeMap<Bytes, Option<GroupId>>,
}

/// Why a request has no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoGroup {
    /// Its keys belong to two groups, or one of its ranges does.
    #[error(
        "roadstead: the request spans group {first_group} ({first}) and group {second_group} ({second}); send one request to each, or name the group \
         that is to serve all of it in the request's metadata, as roadstead-group"
    )]
    Spans { first: Place, first_group: GroupId, second: Place, second_group: GroupId },
    /// No route covers a key, and there is no default group.
    #[error(
        "roadstead: no group is meant for {0}; set default_group under [etcd] in the node's configuration, add a [[route]], or name a group in the \
         request's metadata, as roadstead-group"
    )]
    Unrouted(Place),
    /// The request names no key, and there is no default group.
    #[error(
        "roadstead: the request has no key that could tell its group; set default_group under [etcd] in the node's configuration, or name a group in \
         the request's metadata, as roadstead-group"
    )]
    NoDefault,
}

/// Where in the keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A key.
    Key(Bytes),
    /// What lies behind a key, or is it.
    From(Bytes),
}

/// Keys of a place that an error shows at most; keys of clients may be long.
const SHOWN_MAX: usize = 64;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, key) = match self {
            Self::Key(key) => ("key", key),
            Self::From(key) => ("keys from", key),
        };
        let shown = key.get(..SHOWN_MAX).unwrap_or(key);
        write!(f, "{word} \"{}\"{}", shown.escape_ascii(), if shown.len() < key.len() { ".." } else { "" })
    }
}

impl Keyspace {
    /// The segments of a configuration. `only` is the default where none is set.
    pub(super) fn new(config: &EtcdConfig, only: Option<GroupId>) -> Self {
        let mut segments = BTreeMap::from([(Bytes::new(), config.default_group.or(only))]);
        let mut routes: Vec<&Route> = config.routes.iter().collect();
        // A longer prefix lies inside of a shorter one or apart from it, so it cuts its piece out later.
        routes.sort_by_key(|route| route.prefix.len());
        for route in routes {
            let start = Bytes::copy_from_slice(route.prefix.as_bytes());
            // Text holds no byte 0xff, so every prefix has an end.
            let end = prefix_end(&start);
            let behind = segments.range(..=end.clone()).next_back().and_then(|(_, group)| *group);
            let inside: Vec<Bytes> = segments.range(start.clone()..end.clone()).map(|(key, _)| key.clone()).collect();
            for key in inside {
                segments.remove(&key);
            }
            segments.insert(start, Some(route.group));
            segments.entry(end).or_insert(behind);
        }
        Self { segments }
    }

    /// The group of requests that have no key.
    pub(super) fn default_group(&self) -> Result<GroupId, NoGroup> {
        self.segments.values().next().copied().flatten().ok_or(NoGroup::NoDefault)
    }

    /// The groups that the routes and the default name, each once.
    pub(super) fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.segments.values().flatten().copied().collect::<std::collections::BTreeSet<_>>().into_iter()
    }

    /// The one group of all these ranges, each as etcd writes it: a key, and an end that is empty (the key alone), a zero byte (no end) or itself.
    pub(super) fn group_of<'a>(&self, ranges: impl IntoIterator<Item = (&'a Bytes, &'a Bytes)>) -> Result<GroupId, NoGroup> {
        let mut found: Option<(Place, GroupId)> = None;
        for (key, range_end) in ranges {
            let first = self.segments.range::<[u8], _>((Bound::Unbounded, Bound::Included(&key[..]))).next_back();
            let later = self.segments.range::<[u8], _>((Bound::Excluded(&key[..]), Bound::Unbounded));
            let later = later.take_while(|(start, _)| match &range_end[..] {
                [] => false,
                [0] => true,
                end => &start[..] < end,
            });
            let first = first.map(|(_, group)| (Place::Key(key.clone()), *group));
            for (place, group) in first.into_iter().chain(later.map(|(start, group)| (Place::From(start.clone()), *group))) {
                let Some(group) = group else { return Err(NoGroup::Unrouted(place)) };
                match &found {
                    None => found = Some((place, group)),
                    Some((first, first_group)) if *first_group != group => {
                        return Err(NoGroup::Spans { first: first.clone(), first_group: *first_group, second: place, second_group: group });
                    }
                    Some(_) => {}
                }
            }
        }
        found.map_or_else(|| self.default_group(), |(_, group)| Ok(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: i32) -> GroupId {
        GroupId::new(id).unwrap()
    }

    fn keyspace(default: Option<i32>, routes: &[(&str, i32)]) -> Keyspace {
        let routes = routes.iter().map(|(prefix, id)| Route { prefix: (*prefix).to_owned(), group: group(*id) }).collect();
        Keyspace::new(&EtcdConfig { default_group: default.map(group), routes }, None)
    }

    fn ask(keyspace: &Keyspace, ranges: &[(&str, &str)]) -> Result<i32, NoGroup> {
        let ranges: Vec<(Bytes, Bytes)> =
            ranges.iter().map(|(key, end)| (Bytes::from(key.to_string()), Bytes::from(end.to_string()))).collect();
        keyspace.group_of(ranges.iter().map(|(key, end)| (key, end))).map(GroupId::get)
    }

    /// Goal: each key has the group of the longest prefix that covers it. Method: against a search through the list, keys around every border.
    #[test]
    fn a_key_belongs_to_the_longest_prefix() {
        let routes = [("/orders/", 3), ("/orders/eu/", 4), ("/orders/eu/x", 3), ("/p", 5), ("/orders0", 6), ("/", 7)];
        for default in [None, Some(1)] {
            let keyspace = keyspace(default, &routes);
            let naive = |key: &str| {
                let covering = routes.iter().filter(|(prefix, _)| key.starts_with(prefix));
                covering.max_by_key(|(prefix, _)| prefix.len()).map(|(_, group)| *group).or(default)
            };
            for (prefix, _) in routes {
                let end = String::from_utf8(prefix_end(prefix.as_bytes()).to_vec()).unwrap();
                for key in [prefix.to_owned(), format!("{prefix}a"), format!("{prefix}~~~"), end.clone(), format!("{end}a"), "a".to_owned()]
                {
                    assert_eq!(ask(&keyspace, &[(&key, "")]).ok(), naive(&key), "{key}");
                }
            }
        }
    }

    #[test]
    fn ranges_must_stay_in_one_group() {
        let keyspace = keyspace(Some(1), &[("/orders/", 3), ("/stock/", 1)]);
        assert_eq!(ask(&keyspace, &[("/orders/", "/orders0")]), Ok(3));
        assert_eq!(ask(&keyspace, &[("/orders/a", "/orders/b"), ("/orders/x", "")]), Ok(3));
        assert_eq!(ask(&keyspace, &[("/orders0", "\0")]), Ok(1), "segments of the same group are one");
        assert_eq!(ask(&keyspace, &[]), Ok(1));
        for ranges in [
            &[("\0", "\0")][..],
            &[("/orders/a", "\0")],
            &[("/orders/a", "/orders1")],
            &[("/a", "/orders/a")],
            &[("/a", ""), ("/orders/a", "")],
        ] {
            let refused = ask(&keyspace, ranges).unwrap_err();
            let NoGroup::Spans { first_group, second_group, .. } = &refused else { panic!("{refused}") };
            assert_eq!([first_group.get(), second_group.get()].iter().sum::<i32>(), 4, "{refused}");
        }
        assert_eq!(
            ask(&keyspace, &[("/a", "/z")]).unwrap_err().to_string(),
            "roadstead: the request spans group 1 (key \"/a\") and group 3 (keys from \"/orders/\"); send one request to each, or name the group that is \
             to serve all of it in the request's metadata, as roadstead-group"
        );
    }

    #[test]
    fn without_a_default_only_routes_serve() {
        let keyspace = keyspace(None, &[("/orders/", 3)]);
        assert_eq!(ask(&keyspace, &[("/orders/a", "")]), Ok(3));
        assert_eq!(ask(&keyspace, &[]), Err(NoGroup::NoDefault));
        assert_eq!(ask(&keyspace, &[("/a", "")]), Err(NoGroup::Unrouted(Place::Key("/a".into()))));
        assert_eq!(ask(&keyspace, &[("/orders/a", "\0")]), Err(NoGroup::Unrouted(Place::From("/orders0".into()))));
    }
}
