//! Names and addresses: the cluster's id, where a peer is reached, the admin token.

use std::{fmt, str::FromStr};

/// What tells one cluster from another: nodes of different clusters refuse each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u128);

impl ClusterId {
    /// What [`ClusterId::parse`] understands.
    pub const ALLOWED: &'static str = "a name of 1 to 64 printable characters without spaces, or 0x and 32 hexadecimal digits";

    /// `0x` and 32 hexadecimal digits are the id itself; any other name is hashed.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("0x") {
            let well_formed = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return well_formed.then(|| u128::from_str_radix(digits, 16).ok().map(Self)).flatten();
        }
        let printable = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
        (printable && (1..=64).contains(&text.chars().count())).then(|| Self::of_name(text))
    }

    /// The id of a named cluster: FNV-1a, 128 bits. It is written to disk and exchanged by peers, so it never changes. It guards against
    /// wrong wiring, not against malice: whoever may open a connection may also copy an id.
    pub fn of_name(name: &str) -> Self {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        Self(name.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

/// `HOST:PORT` of a peer. A name is looked up anew at each attempt to connect, so that a peer may move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A name or an IP address; a v6 address without its brackets.
    pub host: String,
    /// `1..=65535`.
    pub port: u16,
}

/// The text is not `HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write HOST:PORT, for example 10.0.0.1:7400, node1.example:7400 or [::1]:7400, with a port of 1 to 65535")]
pub struct NotHostPort;

impl FromStr for HostPort {
    type Err = NotHostPort;

    fn from_str(text: &str) -> Result<Self, NotHostPort> {
        let (host, port) = text.rsplit_once(':').ok_or(NotHostPort)?;
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(NotHostPort)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| NotHostPort)?.to_string(),
            None => host.to_owned(),
        };
        let v6 = host.contains(':') && text.starts_with('[');
        let name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if v6 || name { Ok(Self { host, port }) } else { Err(NotHostPort) }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// The secret that lets a request from another machine change something. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// What [`Token::parse`] understands.
    pub const ALLOWED: &'static str = "16 to 256 printable ASCII characters without spaces";

    /// A token that is long enough not to be guessed and can travel in an HTTP header.
    pub fn parse(text: &str) -> Option<Self> {
        ((16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// Whether `offered` is this token; takes the same time wherever they differ.
    pub fn matches(&self, offered: &[u8]) -> bool {
        let (own, mut difference) = (self.0.as_bytes(), self.0.len() ^ offered.len());
        for (place, &byte) in own.iter().enumerate() {
            difference |= usize::from(byte ^ offered.get(place).copied().unwrap_or(0));
        }
        difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{ClusterId, HostPort, Token};

    #[test]
    fn a_cluster_name_hashes_to_the_published_fnv_value_and_hex_is_taken_as_it_is() {
        // Values of the FNV authors' test suite, 128 bits, FNV-1a of "a" and of "foobar".
        assert_eq!(ClusterId::of_name("a").to_string(), "0xd228cb696f1a8caf78912b704e4a8964");
        assert_eq!(ClusterId::of_name("foobar").to_string(), "0x343e1662793c64bf6f0d3597ba446f18");
        assert_eq!(ClusterId::parse("0x0000000000000000000000000000002a"), Some(ClusterId(42)));
        for bad in ["", "0x", "0x2a", "two words", "0x+000000000000000000000000000002a", &"x".repeat(65)] {
            assert_eq!(ClusterId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn addresses_parse_and_print_alike() {
        for good in ["127.0.0.1:7400", "node-1.example:1", "[::1]:65535", "localhost:7400"] {
            assert_eq!(good.parse::<HostPort>().map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "127.0.0.1", "host:0", "host:65536", ":7400", "::1:7400", "[::1]", "[host]:1", "ho st:1", "a/b:1"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_matches_itself_only() {
        let token = Token::parse("0123456789abcdef").expect("16 characters");
        assert!(token.matches(b"0123456789abcdef"));
        for other in [&b""[..], b"0123456789abcdeF", b"0123456789abcdef0", b"0123456789abcde"] {
            assert!(!token.matches(other), "{other:?}");
        }
        assert!(Token::parse("short").is_none() && Token::parse("0123456789 abcdef").is_none());
    }
}
