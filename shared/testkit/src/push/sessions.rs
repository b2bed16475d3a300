//! Sessions that tests open and end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_sessions::device::Device;
use holdfast_sessions::ports::{SessionReads, StoreError, StoreResult};
use holdfast_sessions::session::{EndReason, Ended, Keys, Slot, UserState};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, TokenHash, UserId};

#[derive(Debug, Default)]
struct Slots {
    slots: HashMap<(UserId, u8), Slot>,
    down: bool,
}

/// The store of sessions, which clones share.
#[derive(Clone, Debug, Default)]
pub struct OpenSessions(Arc<Mutex<Slots>>);

impl OpenSessions {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session that expires at `expires`.
    pub fn open(&self, at: Address, sid: SessionId, expires: Millis) {
        self.open_with(at, sid, expires, TokenHash::from_bytes([0; 32]));
    }

    /// Opens a session whose access token has this hash.
    pub fn open_with(&self, at: Address, sid: SessionId, expires: Millis, hash: TokenHash) {
        let slot = Slot {
            at,
            sid,
            email: "a@example.com".into(),
            identity: None,
            claims: holdfast_sessions::claims::Claims::default(),
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

    /// Ends the session of a slot.
    pub fn end(&self, at: Address, now: Millis) {
        if let Some(slot) = self.lock().slots.get_mut(&(at.user, at.slot.get())) {
            slot.keys = None;
            slot.ended = Some(Ended { at: now, reason: EndReason::Revoked });
        }
    }

    /// Makes every read fail from now on, or succeed again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }
}

impl SessionReads for OpenSessions {
    async fn slot(&self, at: Address) -> StoreResult<Option<Slot>> {
        let state = self.lock();
        match state.down {
            true => Err(StoreError::Unavailable("down".into())),
            false => Ok(state.slots.get(&(at.user, at.slot.get())).cloned()),
        }
    }

    async fn user(&self, _user: UserId) -> StoreResult<Option<UserState>> {
        Err(StoreError::Unavailable("push reads single slots only".into()))
    }
}
