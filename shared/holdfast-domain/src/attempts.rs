//! Attempt budgets: reserved before anything is verified, so that a burst can never verify more than the budget.

use std::net::IpAddr;

use crate::email::Email;
use crate::policy::{ACCOUNT_ATTEMPTS_FACTOR, NETWORK_ATTEMPTS_FACTOR, SignInLimits};
use crate::secret::fingerprint;

/// One counter: its key, and how much it may count in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Hash of what is counted.
    pub key: [u8; 32],
    /// The budget of a window.
    pub limit: u32,
}

/// The network of an address: /24 or /48, because one attacker holds at least that. Anything unreadable is one network.
pub fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => network(&v4.to_string()),
            None => {
                let [a, b, c, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}::/48")
            }
        },
        Err(_) => "unknown".to_owned(),
    }
}

/// What the three budgets count, in the order of [`scopes`].
pub const NAMES: [&str; 3] = ["account-network", "account", "network"];

/// The three budgets a password attempt draws on: account from this network, the account, this network.
pub fn scopes(email: &Email, ip: &str, limits: &SignInLimits) -> [Scope; 3] {
    let (account, network) = (email.key(), network(ip));
    let base = limits.max_login_attempts;
    [
        Scope { key: fingerprint("holdfast/attempts/account-network/1", &[&account, network.as_bytes()]), limit: base },
        Scope {
            key: fingerprint("holdfast/attempts/account/1", &[&account]),
            limit: base.saturating_mul(ACCOUNT_ATTEMPTS_FACTOR),
        },
        Scope {
            key: fingerprint("holdfast/attempts/network/1", &[network.as_bytes()]),
            limit: base.saturating_mul(NETWORK_ATTEMPTS_FACTOR),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.200"));
        assert_ne!(network("192.0.2.7"), network("192.0.3.7"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::1"));
        assert_ne!(network("2001:db8:1::"), network("2001:db8:2::"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
    }

    #[test]
    fn an_attacker_elsewhere_does_not_spend_the_users_own_budget() {
        let email = Email::parse("ada@example.com").unwrap();
        let limits = SignInLimits::default();
        let (home, away) = (scopes(&email, "192.0.2.1", &limits), scopes(&email, "198.51.100.1", &limits));
        assert_ne!(home[0], away[0]);
        assert_eq!(home[1], away[1]);
        assert_eq!(home.map(|s| s.limit), [5, 50, 100]);
    }
}
