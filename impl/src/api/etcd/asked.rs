//! What a request's metadata says: the group, how long the client waits, and whether it wants an answer without a leader.

use roadstead_spec::GroupId;
use std::time::Duration;
use tonic::{Status, metadata::MetadataMap};

/// Names the group that is to serve a request, whatever its keys are.
pub(super) const GROUP_KEY: &str = "roadstead-group";
/// gRPC's own: how long the client waits.
const TIMEOUT_KEY: &str = "grpc-timeout";
/// etcd's `WithRequireLeader`: with `true` a request fails at once while there is no leader.
const REQUIRE_LEADER_KEY: &str = "hasleader";

/// The metadata that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Serves the request, if named.
    pub(super) group: Option<GroupId>,
    /// The client's patience, but at most the node's.
    pub(super) timeout: Duration,
    /// Whether to wait for a leader.
    pub(super) require_leader: bool,
}

impl Asked {
    /// Reads metadata. A deadline that makes no sense counts as none, as gRPC demands no more; a group that makes no sense is refused.
    pub(super) fn read(metadata: &MetadataMap, timeout_max: Duration) -> Result<Self, Status> {
        let group = metadata.get(GROUP_KEY).map(|value| {
            let group = value.to_str().ok().and_then(|text| text.parse().ok()).and_then(GroupId::new);
            group.ok_or_else(|| {
                Status::invalid_argument(format!(
                    "roadstead: {GROUP_KEY}: {value:?} is no group; a group is a whole number, 0 to 2147483647"
                ))
            })
        });
        let timeout = metadata.get(TIMEOUT_KEY).and_then(|value| duration(value.as_bytes()));
        Ok(Self {
            group: group.transpose()?,
            timeout: timeout.map_or(timeout_max, |timeout| timeout.min(timeout_max)),
            require_leader: metadata.get(REQUIRE_LEADER_KEY).is_some_and(|value| value == "true"),
        })
    }
}

/// One to eight digits and a unit. Source: gRPC over HTTP/2, "Timeout".
fn duration(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(5);

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Asked, Status> {
        let mut metadata = MetadataMap::new();
        pairs.iter().for_each(|(key, value)| drop(metadata.insert(*key, value.parse().unwrap())));
        Asked::read(&metadata, MAX)
    }

    #[test]
    fn metadata_is_read() {
        let nothing = Asked { group: None, timeout: MAX, require_leader: false };
        assert_eq!(read(&[]).unwrap(), nothing);
        assert_eq!(read(&[("hasleader", "true")]).unwrap(), Asked { require_leader: true, ..nothing });
        assert_eq!(read(&[("roadstead-group", "7")]).unwrap().group, GroupId::new(7));
        for bad in ["", "x", "-1", "2147483648", "7 8"] {
            let refused = read(&[("roadstead-group", bad)]).unwrap_err();
            assert!(refused.message().contains("whole number, 0 to 2147483647"), "{refused}");
        }
        for (text, expected) in
            [("1500m", 1500), ("2S", 2000), ("4999999u", 4999), ("9S", 5000), ("1H", 5000), ("7", 5000), ("123456789m", 5000)]
        {
            assert_eq!(read(&[("grpc-timeout", text)]).unwrap().timeout.as_millis(), expected, "{text}");
        }
    }
}
