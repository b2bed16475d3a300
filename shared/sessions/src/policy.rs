//! Limits and lifetimes, and the ranges that configuration may move them in.

use crate::time::Millis;

/// Sign in again after this long before a sensitive change ("recent" in the contract).
pub const RECENT_SECONDS: i64 = 900;
/// `lastUsedAt` is moved at most this often, so that the hot path writes rarely.
pub const TOUCH_SECONDS: i64 = 300;
/// How long a row outlives its logical expiry before DynamoDB may delete it.
pub const TTL_GRACE_SECONDS: i64 = 86_400;
/// How long the tombstone of an ended session stays readable for the stream and for a replayed request.
pub const TOMBSTONE_SECONDS: i64 = 3_600;
/// Window of every attempt budget at a sign-in.
pub const ATTEMPT_WINDOW_SECONDS: i64 = 900;
/// Window of the registrations from one network.
pub const REGISTRATION_WINDOW_SECONDS: i64 = 3_600;
/// How long a network or device that signed an account in is known to it.
pub const KNOWN_SECONDS: i64 = 2_592_000;
/// Failures in a row after which an account's strangers have to wait (NIST SP 800-63B-4 §3.2.2: at most 100).
pub const RUN_LIMIT: u32 = 100;
/// The first of those waits; each further failure doubles it.
pub const RUN_WAIT_SECONDS: i64 = 900;
/// The longest of them.
pub const RUN_WAIT_MAX_SECONDS: i64 = 86_400;
/// How long a run of failures is stored after its last failure.
pub const RUN_MEMORY_SECONDS: i64 = 2_592_000;
/// Trusted devices that a user may have. One more replaces the device that was used longest ago.
pub const MAX_DEVICES: usize = 20;
/// Whole-account budget, in multiples of the account-and-network budget.
pub const ACCOUNT_ATTEMPTS_FACTOR: u32 = 10;
/// Whole-network budget, in multiples of the account-and-network budget.
pub const NETWORK_ATTEMPTS_FACTOR: u32 = 20;

/// Distinct answers to the second factor per account and window, in multiples of the budget of one MFA session. Without
/// this limit, each new sign-in would bring a new budget ("AuthQuake", Oasis Security 2024).
pub const MFA_ACCOUNT_ATTEMPTS_FACTOR: u32 = 2;

/// The limits and lifetimes of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Live sessions a user may hold, 1 to 10.
    pub max_sessions: u8,
    /// Life of an access token.
    pub access_seconds: i64,
    /// A session ends if it is not refreshed for this long.
    pub idle_seconds: i64,
    /// A session ends after this long, even if it is refreshed.
    pub absolute_seconds: i64,
    /// The idle lifetime with "stay signed in".
    pub stay_idle_seconds: i64,
    /// The absolute lifetime with "stay signed in".
    pub stay_absolute_seconds: i64,
    /// How long a rotated token still answers with its successor.
    pub refresh_grace_seconds: i64,
    /// The longest a cache may be wrong.
    pub cache_max_age_seconds: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_sessions: 5,
            access_seconds: 900,
            idle_seconds: 3_600,
            absolute_seconds: 86_400,
            stay_idle_seconds: 1_209_600,
            stay_absolute_seconds: 2_592_000,
            refresh_grace_seconds: 10,
            cache_max_age_seconds: 60,
        }
    }
}

impl Policy {
    /// When a session that starts now ends at the latest.
    pub fn absolute_expiry(&self, now: Millis, stay: bool) -> Millis {
        now.plus_seconds(if stay { self.stay_absolute_seconds } else { self.absolute_seconds })
    }

    /// When a session used now becomes idle; never later than its absolute end.
    pub fn idle_expiry(&self, now: Millis, stay: bool, absolute: Millis) -> Millis {
        now.plus_seconds(if stay { self.stay_idle_seconds } else { self.idle_seconds }).min(absolute)
    }

    /// When an access token that is made now expires. It does not outlive its session.
    pub fn access_expiry(&self, now: Millis, idle: Millis) -> Millis {
        now.plus_seconds(self.access_seconds).min(idle)
    }
}

/// How a sign-in is bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInLimits {
    /// Life of the parent (`LOGIN_SESSION_TTL_SECONDS`, 300 to 600).
    pub login_seconds: i64,
    /// Life of the child.
    pub mfa_seconds: i64,
    /// Password failures per account from one network and window.
    pub max_login_attempts: u32,
    /// Distinct answers to the second factor per MFA session (`MAX_MFA_ATTEMPTS`).
    pub max_mfa_attempts: u8,
    /// How long a device is trusted (`DEVICE_TRUST_SECONDS`).
    pub device_trust_seconds: i64,
    /// How long the previous secret of a trusted device still works (`REFRESH_GRACE_SECONDS`), so that two tabs that show
    /// it at once both get in.
    pub device_grace_seconds: i64,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self {
            login_seconds: 600,
            mfa_seconds: 300,
            max_login_attempts: 5,
            max_mfa_attempts: 5,
            device_trust_seconds: 2_592_000,
            device_grace_seconds: 10,
        }
    }
}
