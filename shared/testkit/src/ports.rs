//! Ports for servers that a test starts.

use std::fs;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Above the ports of common servers, and below those that systems lend to outgoing connections.
const OWN: RangeInclusive<u16> = 15_000..=32_767;

static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// A port on 127.0.0.1 that is free, and that no outgoing connection takes before a server has it. This process gets it once.
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    let lent = lent();
    let own: Vec<u16> = OWN.filter(|port| !lent.contains(port)).collect();
    for _ in 0..own.len() {
        // Test processes that run side by side begin at different ports.
        let place = process::id() as usize * 97 + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = own[place % own.len()];
        if is_free(port) {
            return port;
        }
    }
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map(|a| a.port()).expect("a free port on loopback")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// The ports that this system lends to outgoing connections. Systems without this file lend those from 49 152.
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
        let mut given: Vec<u16> = (0..50).map(|_| free_port()).collect();
        assert!(given.iter().all(|port| !lent().contains(port)), "{given:?} and {:?}", lent());
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 50);
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let first = free_port();
        let next = (first + 1..).take(20).map_while(|port| TcpListener::bind(("127.0.0.1", port)).ok());
        let held: Vec<_> = next.collect();
        for _ in 0..20 {
            let port = free_port();
            assert!(held.iter().all(|each| each.local_addr().unwrap().port() != port), "{port} is in use");
        }
    }
}
