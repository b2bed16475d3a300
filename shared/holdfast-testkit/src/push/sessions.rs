//! Sessions that tests open and end by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_domain::device::Device;
use holdfast_domain::ports::{SessionReads, StoreError, Stored};
use holdfast_domain::session::{EndReason, Ended, Keys, Slot, UserState};
use holdfast_domain::token::Address;
use holdfast_domain::{Millis, SessionId, TokenHash, UserId};

#[derive(Debug, Default)]
struct Slots {
    slots: HashMap<(UserId, u8), Slot>,
    down: bool,
}

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub struct OpenSessions(Arc<Mutex<Slots>>);

impl OpenSessions {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a session there that runs out at `expires`.
    pub fn open(&self, at: Address, sid: SessionId, expires: Millis) {
        self.open_with(at, sid, expires, TokenHash::from_bytes([0; 32]));
    }

    /// The same for who shows the access token of this hash.
    pub fn open_with(&self, at: Address, sid: SessionId, expires: Millis, hash: TokenHash) {
        let slot = Slot {
            at,
            sid,
            email: "a@example.com".into(),
            identity: None,
            version: 1,
            keys: Some(Keys { access: hash, access_expires_at: expires, previous_access: None, refresh: None }),
            created_at: Millis::new(0),
            authenticated_at: Millis::new(0),
            last_used_at: Millis::new(0),
            last_updated_at: Millis::new(0),
            idle_expires_at: expires,
            absolute_expires_at: expires,
            stay_signed_in: false,
            mfa_verified_at: None,
            device: Device::default(),
            trust: None,
            op: String::new(),
            ended: None,
        };
        self.lock().slots.insert((at.user, at.slot.get()), slot);
    }

    /// Ends what lives there.
    pub fn end(&self, at: Address, now: Millis) {
        if let Some(slot) = self.lock().slots.get_mut(&(at.user, at.slot.get())) {
            slot.keys = None;
            slot.ended = Some(Ended { at: now, reason: EndReason::Revoked });
        }
    }

    /// From now on (or no longer) every read fails.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }
}

impl SessionReads for OpenSessions {
    async fn slot(&self, at: Address) -> Stored<Option<Slot>> {
        let state = self.lock();
        match state.down {
            true => Err(StoreError::Unavailable("down".into())),
            false => Ok(state.slots.get(&(at.user, at.slot.get())).cloned()),
        }
    }

    async fn user(&self, _user: UserId) -> Stored<Option<UserState>> {
        Err(StoreError::Unavailable("push reads single slots only".into()))
    }
}
