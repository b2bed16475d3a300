//! The check of a presented refresh token. The first check of a request and every later one apply the same rules in the
//! same order.

use crate::ids::SlotNo;
use crate::policy::Policy;
use crate::session::{self, Keys, RefreshKeys, Slot};
use crate::time::Millis;
use crate::token::{AccessToken, RefreshToken};

/// The verdict on a presented refresh token.
#[derive(Clone, Debug)]
pub enum RefreshVerdict {
    /// Missing, ended, expired, another session's, or garbage: nothing is written.
    Unknown,
    /// The current one: rotate.
    Current,
    /// The one before, within the grace: answer with the same successor, write nothing.
    Repeat(RefreshToken),
    /// An older generation of this very session: theft. End it.
    Reused,
}

/// Checks `presented` against the slot it names. Expiry comes before theft: an old token of a session that has ended or
/// expired raises no alarm.
pub fn judge(
    slot: Option<&Slot>,
    number: SlotNo,
    presented: &RefreshToken,
    policy: &Policy,
    now: Millis,
) -> RefreshVerdict {
    let live = session::live(slot, number, policy, now);
    let Some(keys) = live.and_then(|slot| slot.keys.as_ref()).and_then(|keys| keys.refresh.as_ref()) else {
        return RefreshVerdict::Unknown;
    };
    let hash = presented.hash();
    if hash == keys.current {
        return RefreshVerdict::Current;
    }
    let within_grace = now <= keys.rotated_at.plus_seconds(policy.refresh_grace_seconds);
    if within_grace && keys.previous == Some(hash) {
        return RefreshVerdict::Repeat(presented.next(&keys.seed));
    }
    if presented.family_hash() == keys.family { RefreshVerdict::Reused } else { RefreshVerdict::Unknown }
}

/// Whether `token` is the current one of the live session in `slot`.
pub fn is_current(slot: &Slot, token: &RefreshToken, policy: &Policy, now: Millis) -> bool {
    matches!(judge(Some(slot), slot.at.slot, token, policy, now), RefreshVerdict::Current)
}

/// The slot after rotating `presented` with a fresh `seed`. The caller has checked that it is
/// [`RefreshVerdict::Current`].
pub fn rotate(
    slot: &Slot,
    presented: &RefreshToken,
    seed: [u8; 32],
    policy: &Policy,
    now: Millis,
    op: String,
) -> (Slot, RefreshToken) {
    let successor = presented.next(&seed);
    let idle_expires_at = policy.idle_expiry(now, slot.stay_signed_in, slot.absolute_expires_at);
    let old = slot.keys.as_ref();
    let grace_ends = now.plus_seconds(policy.refresh_grace_seconds);
    let keys = Keys {
        access: AccessToken::of(&successor).hash(),
        access_expires_at: policy.access_expiry(now, idle_expires_at),
        previous_access: old.map(|k| (k.access, k.access_expires_at.min(grace_ends))),
        refresh: Some(RefreshKeys {
            generation: old.and_then(|k| k.refresh.as_ref()).map_or(0, |k| k.generation) + 1,
            family: successor.family_hash(),
            current: successor.hash(),
            previous: Some(presented.hash()),
            seed,
            rotated_at: now,
        }),
    };
    let next = Slot {
        version: slot.version + 1,
        keys: Some(keys),
        last_used_at: now.max(slot.last_used_at),
        last_updated_at: now,
        idle_expires_at,
        op,
        ..slot.clone()
    };
    (next, successor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::session::tests::slot;

    fn first() -> (Slot, RefreshToken) {
        let slot = slot(0, 0);
        let token = RefreshToken::first(slot.at, &Secret::new([0; 32]), &[2; 32]);
        (slot, token)
    }

    #[test]
    fn a_rotation_is_an_edit_that_is_used_noted_and_named() {
        let (slot, token) = first();
        let (next, _) = rotate(&slot, &token, [5; 32], &Policy::default(), Millis::new(7_000), "op-7".into());
        assert_eq!((next.version, next.op.as_str()), (slot.version + 1, "op-7"));
        assert_eq!((next.last_used_at, next.last_updated_at), (Millis::new(7_000), Millis::new(7_000)));
        let generation = |slot: &Slot| slot.keys.as_ref().unwrap().refresh.as_ref().unwrap().generation;
        assert_eq!(generation(&next), 1);
        let used_later = Slot { last_used_at: Millis::new(9_000), ..slot };
        let (next, _) = rotate(&used_later, &token, [5; 32], &Policy::default(), Millis::new(7_000), String::new());
        assert_eq!(next.last_used_at, Millis::new(9_000), "use only moves forward");
    }

    fn verdict(slot: &Slot, token: &RefreshToken, now: i64) -> &'static str {
        match judge(Some(slot), slot.at.slot, token, &Policy::default(), Millis::new(now)) {
            RefreshVerdict::Unknown => "unknown",
            RefreshVerdict::Current => "current",
            RefreshVerdict::Repeat(_) => "repeat",
            RefreshVerdict::Reused => "reused",
        }
    }

    fn rotated(slot: &Slot, token: &RefreshToken, seed: u8, now: i64) -> (Slot, RefreshToken) {
        rotate(slot, token, [seed; 32], &Policy::default(), Millis::new(now), String::new())
    }

    #[test]
    fn two_tabs_that_present_the_same_token_get_the_same_pair() {
        let (slot, r0) = first();
        let (slot, r1) = rotated(&slot, &r0, 7, 1_000);
        let RefreshVerdict::Repeat(again) =
            judge(Some(&slot), slot.at.slot, &r0, &Policy::default(), Millis::new(11_000))
        else {
            panic!("the previous token is good until the end of the grace");
        };
        assert_eq!(again.hash(), r1.hash());
        assert_eq!(verdict(&slot, &r1, 1_000), "current");
    }

    #[test]
    fn the_previous_token_after_the_grace_is_theft() {
        let (slot, r0) = first();
        let (slot, _) = rotated(&slot, &r0, 7, 1_000);
        assert_eq!(verdict(&slot, &r0, 11_000), "repeat");
        assert_eq!(verdict(&slot, &r0, 11_001), "reused");
    }

    #[test]
    fn an_older_generation_is_theft_even_within_the_grace() {
        let (slot, r0) = first();
        let (slot, r1) = rotated(&slot, &r0, 7, 1_000);
        let (slot, _) = rotated(&slot, &r1, 8, 2_000);
        assert_eq!(verdict(&slot, &r0, 2_000), "reused");
        assert_eq!(verdict(&slot, &r1, 2_000), "repeat");
    }

    #[test]
    fn only_the_newest_token_of_a_live_session_is_current() {
        let (slot, r0) = first();
        let is_current = |slot: &Slot, token: &RefreshToken, now: i64| {
            super::is_current(slot, token, &Policy::default(), Millis::new(now))
        };
        let (next, r1) = rotated(&slot, &r0, 7, 1_000);
        assert!(is_current(&slot, &r0, 0) && is_current(&next, &r1, 1_000));
        assert!(!is_current(&next, &r0, 1_000));
        assert!(!is_current(&next, &r1, 3_601_000), "expired");
    }

    #[test]
    fn an_old_token_of_an_expired_session_is_no_alarm() {
        let (slot, r0) = first();
        let (slot, _) = rotated(&slot, &r0, 7, 1_000);
        assert_eq!(verdict(&slot, &r0, 3_601_000), "unknown");
    }

    #[test]
    fn another_sessions_token_changes_nothing() {
        let (slot, _) = first();
        let stranger = RefreshToken::first(slot.at, &Secret::new([99; 32]), &[2; 32]);
        assert_eq!(verdict(&slot, &stranger, 0), "unknown");
    }

    #[test]
    fn rotation_moves_the_idle_expiry_but_never_the_absolute_one() {
        let (slot, r0) = first();
        let (next, _) = rotated(&slot, &r0, 7, 3_000_000);
        assert_eq!(next.idle_expires_at, Millis::new(6_600_000));
        assert_eq!(next.absolute_expires_at, slot.absolute_expires_at);
        let late = Slot { absolute_expires_at: Millis::new(3_000_500), ..slot };
        let (next, _) = rotated(&late, &r0, 7, 3_000_000);
        assert_eq!(next.idle_expires_at, Millis::new(3_000_500));
        assert_eq!(next.keys.unwrap().access_expires_at, Millis::new(3_000_500));
    }

    #[test]
    fn the_old_access_token_dies_with_the_grace_or_by_itself() {
        let (slot, r0) = first();
        let old = slot.keys.as_ref().unwrap().access;
        let (next, _) = rotated(&slot, &r0, 7, 1_000);
        assert_eq!(next.keys.as_ref().unwrap().previous_access, Some((old, Millis::new(11_000))));
        let (next, _) = rotated(&slot, &r0, 7, 895_000);
        assert_eq!(next.keys.unwrap().previous_access, Some((old, Millis::new(900_000))));
    }

    #[test]
    fn a_thief_with_the_old_token_cannot_compute_the_new_one_without_the_seed() {
        let (_, r0) = first();
        assert_ne!(r0.next(&[1; 32]).hash(), r0.next(&[2; 32]).hash());
    }
}
