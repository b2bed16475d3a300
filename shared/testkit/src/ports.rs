//! Ports for servers that a test starts.

use std::fs;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Above the ports of common servers, and below those that systems lend to outgoing connections.
const OWN: RangeInclusive<u16> = 15_000..=32_767;

static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// A port on 127.0.0.1 that is free, and that no outgoing connection takes before a server has it. This process gets it once,
/// as long as such ports are left. Where the system lends them all, it is any free port.
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    // Test processes that run side by side begin at different ports.
    let start = (process::id() as usize).wrapping_mul(0x9E37_79B1);
    let place = || start.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
    find(&own(), place, |port| TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap_or_else(|| {
        let any = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        any.expect("a free port on loopback").port()
    })
}

/// The first free one of the ports at these places.
fn find(own: &[u16], mut place: impl FnMut() -> usize, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    (0..own.len()).map(|_| own[place() % own.len()]).find(|port| is_free(*port))
}

fn own() -> Vec<u16> {
    let lent = lent();
    OWN.filter(|port| !lent.contains(port)).collect()
}

/// The ports that this system lends to outgoing connections. Where it does not say, they are those of macOS, from 49 152.
fn lent() -> RangeInclusive<u16> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| {
            let mut ends = range.split_whitespace().map(str::parse);
            Some(ends.next()?.ok()?..=ends.next()?.ok()?)
        })
        .unwrap_or(49_152..=u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_never_one_that_the_system_lends() {
        if own().is_empty() {
            return;
        }
        let mut given: Vec<u16> = (0..50).map(|_| free_port()).collect();
        assert!(given.iter().all(|port| !lent().contains(port)), "{given:?} and {:?}", lent());
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 50);
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let own = [15_000, 15_001, 15_002];
        let found = |from: usize, free: &[u16]| {
            let mut place = from..;
            find(&own, || place.next().unwrap(), |port| free.contains(&port))
        };
        assert_eq!(found(1, &own), Some(15_001));
        assert_eq!(found(1, &[15_000, 15_002]), Some(15_002));
        assert_eq!(found(1, &[15_000]), Some(15_000));
        assert_eq!(found(usize::MAX - 3, &[15_001]), Some(15_001));
        assert_eq!(found(0, &[]), None);
    }
}
