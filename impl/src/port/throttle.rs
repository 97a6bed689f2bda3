//! Keeps a log readable: one line per remote address and minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Addresses that are remembered; beyond it all are forgotten, so somebody is logged once more.
const ADDRESSES_MAX: usize = 1024;
/// One line per this.
const QUIET: Duration = Duration::from_secs(60);

/// Remembers who was logged when.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: HashMap<IpAddr, Duration>,
}

impl Throttle {
    /// Whether a line about `address` is due.
    pub(crate) fn admits(&mut self, now: Duration, address: IpAddr) -> bool {
        if self.last.get(&address).is_some_and(|last| now.saturating_sub(*last) < QUIET) {
            return false;
        }
        if self.last.len() >= ADDRESSES_MAX {
            self.last.clear();
        }
        self.last.insert(address, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_line_per_address_and_minute_in_bounded_memory() {
        let mut throttle = Throttle::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let second = Duration::from_secs;
        assert!(throttle.admits(second(1), address));
        assert!(!throttle.admits(second(60), address));
        assert!(throttle.admits(second(61), address));
        for number in 0..5000_u32 {
            assert!(throttle.admits(second(62), IpAddr::V4(Ipv4Addr::from(number))));
            assert!(throttle.last.len() <= ADDRESSES_MAX);
        }
    }
}
