//! What may be cached of a session, for how long, and when a cached copy is good enough to let a request in.
//!
//! The protocol around it is [`service::LeasedCache`](crate::service::LeasedCache); the operations of the server are
//! [`ports::LeaseCache`](crate::ports::LeaseCache). A cached copy never holds the hashes that a refresh token is
//! checked against.

use crate::secret::TokenHash;
use crate::session::{self, Keys, Slot};
use crate::time::Millis;
use crate::token::Address;

/// How long the server keeps a lease, in milliseconds. A read of the store that takes longer fills nothing.
pub const LEASE_MILLIS: i64 = 2_000;

/// How long the cache may be silent, in milliseconds, before the store is read as well. The value is about ten times
/// the 99.9th percentile of a healthy server in the same zone (about 1 ms), and users do not notice it. With a timer's
/// slack and a task switch, a silent cache costs a request less than 15 ms.
pub const HEDGE_MILLIS: u64 = 12;

/// One in this many hits is compared with the store, so that a metric shows an incorrect cache before users notice it.
pub const AUDIT_ONE_IN: u64 = 1_024;

/// A server's permission to fill a cache entry once. Any delete invalidates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease(pub Vec<u8>);

/// A session as a cache holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The slot, without the hashes that a refresh token is checked against.
    pub slot: Slot,
    /// The copy must not be used from this time on, even if the server returns it.
    pub valid_until: Millis,
}

impl Cached {
    /// The copy to cache of a live `slot` whose read was sent at `read_at`.
    pub fn of(slot: &Slot, read_at: Millis, max_age_seconds: i64) -> Option<Self> {
        let keys = slot.keys.as_ref()?;
        let valid_until = read_at.plus_seconds(max_age_seconds).min(keys.access_expires_at).min(slot.expires_at());
        let keys = Keys { refresh: None, ..keys.clone() };
        Some(Self { slot: Slot { keys: Some(keys), ..slot.clone() }, valid_until })
    }

    /// How long the server may keep it, in milliseconds; `None` when it is not worth keeping. A lease's life is taken
    /// off the maximum age, because the fill may come that much later than the read it stems from.
    pub fn life_millis(&self, now: Millis, max_age_seconds: i64) -> Option<u64> {
        let age = max_age_seconds.saturating_mul(1_000).saturating_sub(LEASE_MILLIS);
        let life = self.valid_until.get().saturating_sub(now.get());
        u64::try_from(age.min(life)).ok().filter(|millis| *millis >= 1)
    }

    /// Whether the copy accepts `presented` for the slot at `at`. A copy that does not accept it refuses nothing: the
    /// store is read instead.
    pub fn admits(&self, at: Address, presented: &TokenHash, now: Millis) -> bool {
        now < self.valid_until
            && self.slot.at == at
            && self.slot.is_live(now)
            && session::accepts_access_token(&self.slot, presented, now)
    }
}

/// Whether a cached slot still agrees with the slot in the store: same session, same version and no tombstone.
pub fn agrees(cached: &Slot, truth: Option<&Slot>) -> bool {
    truth.is_some_and(|truth| truth.sid == cached.sid && truth.version == cached.version && truth.ended.is_none())
}

/// What happened at the cache; each is a metric of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheEvent {
    /// The cache answered the request.
    Hit,
    /// The cache had no entry, so the store was read.
    Miss,
    /// The entry did not accept this request, so the store was read.
    Mismatch,
    /// The cache could not be asked, or returned an error, so the store was read.
    Fallback,
    /// The cache was silent too long, so the store was read as well.
    Hedged,
    /// A fill was refused because its lease was no longer valid. The protocol expects this.
    LeaseRejected,
    /// A delete was not confirmed, so the change is effective within the maximum age.
    Unconfirmed,
    /// A sampled hit did not agree with the store, and the entry was still there afterwards.
    Inconsistent,
}

impl CacheEvent {
    /// All events, in a fixed order.
    pub const ALL: [CacheEvent; 8] = [
        CacheEvent::Hit,
        CacheEvent::Miss,
        CacheEvent::Mismatch,
        CacheEvent::Fallback,
        CacheEvent::Hedged,
        CacheEvent::LeaseRejected,
        CacheEvent::Unconfirmed,
        CacheEvent::Inconsistent,
    ];

    /// Name of its metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            CacheEvent::Hit => "CACHE_HIT",
            CacheEvent::Miss => "CACHE_MISS",
            CacheEvent::Mismatch => "CACHE_MISMATCH",
            CacheEvent::Fallback => "CACHE_FALLBACK",
            CacheEvent::Hedged => "CACHE_HEDGED",
            CacheEvent::LeaseRejected => "CACHE_LEASE_REJECTED",
            CacheEvent::Unconfirmed => "CACHE_DELETE_UNCONFIRMED",
            CacheEvent::Inconsistent => "CACHE_INCONSISTENT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SlotNo, UserId};
    use crate::session::tests::slot;
    use crate::session::{EndReason, Ended};

    /// The test slot: access until 900 s, idle until 3 600 s.
    fn cached(read_at: i64, max_age: i64) -> Cached {
        Cached::of(&slot(0, 0), Millis::new(read_at), max_age).unwrap()
    }

    #[test]
    fn a_copy_is_valid_until_the_earliest_of_age_access_and_session() {
        assert_eq!(cached(1_000, 60).valid_until, Millis::new(61_000));
        assert_eq!(cached(1_000, 3_600).valid_until, Millis::new(900_000));
        let short = Slot { idle_expires_at: Millis::new(5_000), ..slot(0, 0) };
        assert_eq!(Cached::of(&short, Millis::new(0), 60).unwrap().valid_until, Millis::new(5_000));
    }

    #[test]
    fn nothing_that_judges_refresh_tokens_is_copied() {
        let copy = cached(0, 60);
        assert_eq!(copy.slot.keys.unwrap().refresh, None);
        let tombstone = Slot { keys: None, ..slot(0, 0) };
        assert_eq!(Cached::of(&tombstone, Millis::new(0), 60), None);
    }

    #[test]
    fn the_server_keeps_it_for_the_age_less_a_lease_and_never_past_its_validity() {
        let copy = cached(0, 60);
        assert_eq!(copy.life_millis(Millis::new(0), 60), Some(58_000));
        assert_eq!(copy.life_millis(Millis::new(2_500), 60), Some(57_500));
        assert_eq!(copy.life_millis(Millis::new(59_999), 60), Some(1));
        assert_eq!(copy.life_millis(Millis::new(60_000), 60), None);
        assert_eq!(copy.life_millis(Millis::new(60_001), 60), None);
        // An age no longer than a lease caches nothing.
        assert_eq!(cached(0, 2).life_millis(Millis::new(0), 2), None);
        assert_eq!(cached(0, 3).life_millis(Millis::new(0), 3), Some(1_000));
    }

    #[test]
    fn a_copy_admits_its_own_token_in_its_own_slot_in_its_own_time() {
        let copy = cached(0, 60);
        let at = copy.slot.at;
        let token = copy.slot.keys.as_ref().unwrap().access;
        assert!(copy.admits(at, &token, Millis::new(59_999)));
        assert!(!copy.admits(at, &token, Millis::new(60_000)), "too old");
        assert!(!copy.admits(at, &TokenHash::from_bytes([0; 32]), Millis::new(1)), "another token");
        let elsewhere = Address { slot: SlotNo::new(1).unwrap(), ..at };
        assert!(!copy.admits(elsewhere, &token, Millis::new(1)), "another slot");
        let stranger = Address { user: UserId::from_bytes([9; 16]), ..at };
        assert!(!copy.admits(stranger, &token, Millis::new(1)), "another user");
        let mut ended = copy.clone();
        ended.slot.ended = Some(Ended { at: Millis::new(0), reason: EndReason::Logout });
        assert!(!ended.admits(at, &token, Millis::new(1)), "a tombstone");
        let mut over = copy;
        over.slot.absolute_expires_at = Millis::new(1);
        assert!(!over.admits(at, &token, Millis::new(1)), "an expired session");
    }

    #[test]
    fn a_copy_agrees_with_the_truth_only_if_nothing_changed() {
        let copy = slot(0, 0);
        assert!(agrees(&copy, Some(&slot(0, 77))), "a touch changes nothing that admits");
        assert!(!agrees(&copy, None));
        assert!(!agrees(&copy, Some(&slot(1, 0))), "another session");
        assert!(!agrees(&copy, Some(&Slot { version: 2, ..slot(0, 0) })));
        let ended = Ended { at: Millis::new(0), reason: EndReason::Logout };
        assert!(!agrees(&copy, Some(&Slot { ended: Some(ended), ..slot(0, 0) })));
    }

    #[test]
    fn every_event_has_a_metric_of_its_own() {
        let names: std::collections::HashSet<_> = CacheEvent::ALL.iter().map(|event| event.as_str()).collect();
        assert_eq!(names.len(), CacheEvent::ALL.len());
        assert!(names.iter().all(|name| name.starts_with("CACHE_")));
    }
}
