//! Whom a run asks: `PROTOCOL://HOST:PORT,…?OPTION=VALUE&…`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::HostPort;

/// How requests are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    /// This project's own, over one pipelined connection.
    Native,
    /// etcd's v3 API over gRPC, of whoever speaks it.
    Etcd,
}

impl Protocol {
    /// As in a target's address.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Etcd => "etcd",
        }
    }
}

/// A target as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// How it is spoken to.
    pub(super) protocol: Protocol,
    /// Its nodes; empty: those of `--endpoints`.
    pub(super) endpoints: Vec<HostPort>,
    /// Options that are its own, as name and value.
    pub(super) overrides: Vec<(String, String)>,
}

/// A target with the name under which a comparison speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedTarget {
    /// Short.
    pub(super) name: String,
    /// Whom it means.
    pub(super) target: Target,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, options) = text.split_once('?').unwrap_or((text, ""));
        let (protocol, nodes) = address.split_once("://").unwrap_or((address, ""));
        let protocol = match protocol {
            "native" => Protocol::Native,
            "etcd" if cfg!(feature = "etcd") => Protocol::Etcd,
            "etcd" => return Err("this program was built without the feature `etcd`; build it with that, or use native://".to_owned()),
            other => return Err(format!("`{other}` is no protocol; write native://HOST:PORT,… or etcd://HOST:PORT,…")),
        };
        let endpoints = nodes.split(',').filter(|node| !node.is_empty());
        let endpoints = endpoints.map(|node| node.parse::<HostPort>().map_err(|error| format!("`{node}`: {error}")));
        let overrides = options.split('&').filter(|option| !option.is_empty()).map(|option| {
            let (name, value) = option.split_once('=').ok_or_else(|| format!("`{option}`: write OPTION=VALUE behind the question mark"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        Ok(Self { protocol, endpoints: endpoints.collect::<Result<_, String>>()?, overrides: overrides.collect::<Result<_, String>>()? })
    }
}

impl FromStr for NamedTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, target) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty() && !name.contains(['/', ':', '?']))
            .ok_or_else(|| format!("`{text}` has no name; write NAME=PROTOCOL://HOST:PORT,…, such as etcd=etcd://127.0.0.1:2379"))?;
        Ok(Self { name: name.to_owned(), target: target.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::{NamedTarget, Protocol, Target};

    #[test]
    fn addresses_are_read() {
        let named: NamedTarget = "five=native://127.0.0.1:7400,localhost:7401?groups=5&clients=1,64".parse().unwrap();
        assert_eq!((named.name.as_str(), named.target.protocol), ("five", Protocol::Native));
        let endpoints: Vec<String> = named.target.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, ["127.0.0.1:7400", "localhost:7401"]);
        let pairs: Vec<(&str, &str)> = named.target.overrides.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("groups", "5"), ("clients", "1,64")]);
        assert!("native".parse::<Target>().unwrap().endpoints.is_empty());
    }

    #[test]
    fn wrong_addresses_are_refused_with_what_to_write() {
        for (text, part) in [
            ("http://127.0.0.1:1", "is no protocol; write native://"),
            ("native://nowhere", "`nowhere`"),
            ("native://127.0.0.1:1?groups", "write OPTION=VALUE"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        for text in ["native://127.0.0.1:1", "=native://127.0.0.1:1", "native://127.0.0.1:1?groups=5"] {
            assert!(text.parse::<NamedTarget>().unwrap_err().contains("has no name"), "{text}");
        }
    }
}
