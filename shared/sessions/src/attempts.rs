//! Attempt budgets: drawn on before anything is verified, so that a burst can never verify more than a budget holds.
//!
//! A **stranger** draws on three budgets in this order: the network, the account from this network, the account. A
//! network that signed the account in within [`KNOWN_SECONDS`] is *known*, and it does not draw on the account's
//! budget. A trusted device draws first on a budget of its own, and a live session draws only on its own budget. So an
//! attacker who guesses from another network can never lock the owner out.
//!
//! Four kinds of budgets also count failures in a row, across windows: those of an account's strangers, of a device, of
//! a session and of a second factor. After [`RUN_LIMIT`] failures each further attempt has to wait. The wait doubles up
//! to a day (NIST SP 800-63B-4 §3.2.2 allows at most 100 consecutive failures).

use std::net::IpAddr;

use crate::ids::{DeviceId, SessionId, UserId};
use crate::policy::{
    ACCOUNT_ATTEMPTS_FACTOR, ATTEMPT_WINDOW_SECONDS, KNOWN_SECONDS, MFA_ACCOUNT_ATTEMPTS_FACTOR,
    NETWORK_ATTEMPTS_FACTOR, REGISTRATION_WINDOW_SECONDS, RUN_LIMIT, RUN_MEMORY_SECONDS, RUN_WAIT_MAX_SECONDS,
    RUN_WAIT_SECONDS, SignInLimits,
};
use crate::secret::fingerprint;
use crate::time::Millis;

/// One budget: its key, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name for operators.
    pub name: &'static str,
    /// Hash of what is counted.
    pub key: [u8; 32],
    /// Attempts in one window.
    pub limit: u32,
    /// Length of a window.
    pub window_seconds: i64,
    /// Whether failures in a row are counted over windows.
    pub counts_runs: bool,
}

/// A budget's counter as it is stored. The default is a counter that was never used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Attempts in the window that ends at `window_ends`.
    pub count: u32,
    /// When the window ends.
    pub window_ends: Millis,
    /// Failures in a row.
    pub run: u32,
    /// When the run is forgotten.
    pub run_ends: Millis,
    /// No attempt before this time, after a long run.
    pub wait_until: Millis,
    /// Until when this network or device is known to the account.
    pub known_until: Millis,
}

impl Counter {
    /// Returns when the next attempt is admitted, if none is admitted now.
    pub fn refuses(&self, scope: &Scope, now: Millis) -> Option<Millis> {
        let waits = scope.counts_runs && now < self.wait_until;
        let spent = now < self.window_ends && self.count >= scope.limit;
        match (waits, spent) {
            (true, true) => Some(self.wait_until.max(self.window_ends)),
            (true, false) => Some(self.wait_until),
            (false, true) => Some(self.window_ends),
            (false, false) => None,
        }
    }

    /// The counter after one more attempt.
    #[must_use]
    pub fn drawn(&self, scope: &Scope, now: Millis) -> Self {
        let is_open = now < self.window_ends;
        let (count, window_ends) =
            if is_open { (self.count + 1, self.window_ends) } else { (1, now.plus_seconds(scope.window_seconds)) };
        let mut next = Self { count, window_ends, ..*self };
        if scope.counts_runs {
            next.run = if now < self.run_ends { self.run.saturating_add(1) } else { 1 };
            next.run_ends = now.plus_seconds(RUN_MEMORY_SECONDS);
            next.wait_until = if next.run >= RUN_LIMIT { now.plus_seconds(wait(next.run)) } else { Millis::default() };
        }
        next
    }

    /// The counter after an attempt that was drawn in the window that ends at `window_ends` has been given back.
    #[must_use]
    pub fn returned(&self, window_ends: Millis) -> Self {
        let count = if self.window_ends == window_ends { self.count.saturating_sub(1) } else { self.count };
        Self { count, run: self.run.saturating_sub(1), ..*self }
    }

    /// The counter after such an attempt succeeded: the attempt is given back, and the run of failures ends.
    #[must_use]
    pub fn settled(&self, window_ends: Millis, known_until: Option<Millis>) -> Self {
        Self {
            run: 0,
            wait_until: Millis::default(),
            known_until: known_until.map_or(self.known_until, |until| until.max(self.known_until)),
            ..self.returned(window_ends)
        }
    }

    /// Whether this network or device signed the account in within [`KNOWN_SECONDS`].
    pub fn is_known(&self, now: Millis) -> bool {
        now < self.known_until
    }

    /// When nothing of it matters any more.
    pub fn ends(&self) -> Millis {
        self.window_ends.max(self.run_ends).max(self.wait_until).max(self.known_until)
    }
}

/// Seconds to wait after a run of at least [`RUN_LIMIT`] failures.
fn wait(run: u32) -> i64 {
    let doublings = run.saturating_sub(RUN_LIMIT).min(20);
    (RUN_WAIT_SECONDS << doublings).min(RUN_WAIT_MAX_SECONDS)
}

/// When a network or device that signs in now stops being known.
pub fn known_until(now: Millis) -> Millis {
    now.plus_seconds(KNOWN_SECONDS)
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

fn scope(name: &'static str, parts: &[&[u8]], limit: u32, counts_runs: bool) -> Scope {
    let key = fingerprint(&format!("holdfast/attempts/{name}/1"), parts);
    Scope { name, key, limit, window_seconds: ATTEMPT_WINDOW_SECONDS, counts_runs }
}

/// The budgets that passwords of one account from one network draw on.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Every account from this network.
    pub network: Scope,
    /// This account from this network.
    pub account_network: Scope,
    /// This account from every network that is not known.
    pub account: Scope,
}

impl Passwords {
    /// `account` is the key of the e-mail address, so that unknown addresses have budgets like known ones.
    pub fn new(account: &[u8; 32], ip: &str, limits: &SignInLimits) -> Self {
        let network = network(ip);
        let base = limits.max_login_attempts;
        Self {
            network: scope("network", &[network.as_bytes()], base.saturating_mul(NETWORK_ATTEMPTS_FACTOR), false),
            account_network: scope("account-network", &[account, network.as_bytes()], base, false),
            account: scope("account", &[account], base.saturating_mul(ACCOUNT_ATTEMPTS_FACTOR), true),
        }
    }

    /// All of them, in the order they are drawn on.
    pub const fn in_order(&self) -> [Scope; 3] {
        [self.network, self.account_network, self.account]
    }
}

/// The budget of passwords that a trusted device shows its token with.
pub fn device(account: &[u8; 32], device: DeviceId, limits: &SignInLimits) -> Scope {
    scope("account-device", &[account, device.as_bytes()], limits.max_login_attempts, true)
}

fn second_factor_limit(limits: &SignInLimits) -> u32 {
    u32::from(limits.max_mfa_attempts).saturating_mul(MFA_ACCOUNT_ATTEMPTS_FACTOR)
}

/// The budget of answers to an account's second factor, across its sign-ins, from networks that are not known.
pub fn second_factor(user: UserId, limits: &SignInLimits) -> Scope {
    scope("second-factor", &[user.as_bytes()], second_factor_limit(limits), true)
}

/// The budget of answers to an account's second factor from one known network.
pub fn second_factor_network(user: UserId, ip: &str, limits: &SignInLimits) -> Scope {
    let network = network(ip);
    scope("second-factor-network", &[user.as_bytes(), network.as_bytes()], second_factor_limit(limits), true)
}

/// The budget of answers that one live session gives. Its holder is known already; networks do not multiply it.
pub fn second_factor_session(session: SessionId, limits: &SignInLimits) -> Scope {
    scope("second-factor-session", &[session.as_bytes()], second_factor_limit(limits), true)
}

/// The budget of passwords that one live session shows.
pub fn session(session: SessionId, limits: &SignInLimits) -> Scope {
    scope("account-session", &[session.as_bytes()], limits.max_login_attempts, true)
}

/// The budget of registrations from one network.
pub fn registrations(ip: &str, limit: u32) -> Scope {
    let network = network(ip);
    let scope = scope("registrations", &[network.as_bytes()], limit, false);
    Scope { window_seconds: REGISTRATION_WINDOW_SECONDS, ..scope }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: [u8; 32] = [7; 32];

    fn budgets(ip: &str) -> Passwords {
        Passwords::new(&ACCOUNT, ip, &SignInLimits::default())
    }

    #[test]
    fn neighbours_share_a_network() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.200"));
        assert_ne!(network("192.0.2.7"), network("192.0.3.7"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::1"));
        assert_ne!(network("2001:db8:1::"), network("2001:db8:2::"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
    }

    #[test]
    fn the_account_is_one_from_everywhere_and_its_networks_are_apart() {
        let (home, away) = (budgets("192.0.2.1"), budgets("198.51.100.1"));
        assert_ne!(home.account_network, away.account_network);
        assert_ne!(home.network, away.network);
        assert_eq!(home.account, away.account);
        assert_eq!(home.in_order().map(|s| s.limit), [100, 5, 50]);
    }

    #[test]
    fn a_window_holds_its_limit_and_the_next_one_as_much() {
        let scope = budgets("192.0.2.1").network;
        let mut counter = Counter::default();
        for _ in 0..scope.limit {
            assert_eq!(counter.refuses(&scope, Millis::new(5)), None);
            counter = counter.drawn(&scope, Millis::new(5));
        }
        let ends = Millis::new(900_005);
        assert_eq!(counter.refuses(&scope, Millis::new(6)), Some(ends));
        assert_eq!(counter.refuses(&scope, ends), None);
        assert_eq!(counter.drawn(&scope, ends).count, 1);
        assert_eq!(counter.returned(ends).refuses(&scope, Millis::new(6)), None);
        assert_eq!(counter.returned(Millis::new(1)).count, scope.limit, "of another window");
    }

    #[test]
    fn after_a_hundred_failures_in_a_row_the_wait_doubles_up_to_a_day() {
        let scope = budgets("192.0.2.1").account;
        let mut counter = Counter::default();
        let mut now = Millis::new(0);
        let mut waits = Vec::new();
        for _ in 0..112 {
            while let Some(until) = counter.refuses(&scope, now) {
                if counter.run >= RUN_LIMIT {
                    waits.push((until.get() - now.get()) / 1000);
                }
                now = until;
            }
            counter = counter.drawn(&scope, now);
        }
        assert_eq!(waits, [900, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 86_400, 86_400, 86_400, 86_400, 86_400]);
        let after = counter.settled(counter.window_ends, None);
        assert_eq!((after.run, after.refuses(&scope, now)), (0, None), "a success ends the run");
        let later = now.plus_seconds(RUN_MEMORY_SECONDS);
        assert_eq!(counter.drawn(&scope, later).run, 1, "a run is forgotten in the end");
    }

    #[test]
    fn who_signed_in_is_known_for_thirty_days() {
        let counter = Counter::default().settled(Millis::new(0), Some(known_until(Millis::new(0))));
        assert!(counter.is_known(Millis::new(2_591_999_999)));
        assert!(!counter.is_known(Millis::new(2_592_000_000)));
        assert!(!Counter::default().is_known(Millis::new(0)));
    }

    #[test]
    fn an_attempt_that_is_given_back_leaves_the_count_and_the_run() {
        let drawn = Counter { count: 3, run: 7, window_ends: Millis::new(9), ..Counter::default() };
        let returned = drawn.returned(Millis::new(9));
        assert_eq!((returned.count, returned.run), (2, 6));
        let of_another_window = drawn.returned(Millis::new(8));
        assert_eq!((of_another_window.count, of_another_window.run), (3, 6));
    }

    #[test]
    fn registrations_are_counted_by_the_hour() {
        let scope = registrations("192.0.2.1", 5);
        assert_eq!((scope.window_seconds, scope.limit, scope.counts_runs), (3_600, 5, false));
        assert_eq!(scope, registrations("192.0.2.200", 5), "one network");
        assert_ne!(scope, registrations("198.51.100.1", 5));
    }
}
