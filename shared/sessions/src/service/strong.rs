//! `CACHE_PROVIDER=dynamodb`: implementations of the port `SessionCache` that keep no copies. Their look-ups read the store
//! for every request.

use super::leased::forget;
use crate::cache::CacheEvent;
use crate::ids::{SlotNo, UserId};
use crate::ports::{Effect, LeaseCache, SessionCache, SessionReads, StoreResult};
use crate::secret::TokenHash;
use crate::session::Slot;
use crate::token::Address;

/// The cache of a deployment without a cache server. Every look-up is one strongly consistent read of the store, so no answer is
/// stale and every change is immediate.
#[derive(Clone, Debug)]
pub struct StrongReads<S>(pub S);

impl<S: SessionReads> SessionCache for StrongReads<S> {
    async fn look_up(&self, at: Address, _presented: &TokenHash) -> StoreResult<Option<Slot>> {
        self.0.slot(at).await
    }

    async fn forget(&self, _user: UserId, _slots: &[SlotNo]) -> Effect {
        Effect::Immediate
    }
}

/// `CACHE_PROVIDER=dynamodb` with a `REDIS_URL`: the step between the two providers. Other functions may still read the
/// cache, so this one deletes what it changes there, but neither reads nor fills.
#[derive(Clone, Debug)]
pub struct DeleteOnly<S, L> {
    /// The store, which is the source of truth.
    pub store: S,
    /// The cache others read.
    pub server: L,
    /// The maximum age of a copy (`CACHE_MAX_AGE_SECONDS`).
    pub max_age_seconds: i64,
    /// Receives every cache event.
    pub notice: fn(CacheEvent),
}

impl<S: SessionReads, L: LeaseCache> SessionCache for DeleteOnly<S, L> {
    async fn look_up(&self, at: Address, _presented: &TokenHash) -> StoreResult<Option<Slot>> {
        self.store.slot(at).await
    }

    async fn forget(&self, user: UserId, slots: &[SlotNo]) -> Effect {
        forget(&self.server, user, slots, self.max_age_seconds, self.notice).await
    }
}
