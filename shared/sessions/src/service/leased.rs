//! The cache protocol: lease-fenced and delete-only.
//!
//! A reader that misses gets a lease, reads the store *after* that, and may fill only while the lease is valid. A
//! writer commits, then deletes copy and lease, then answers. So a reader that a writer has overtaken has no lease any
//! more, without any clock. Only the holder of a lease ever writes a value.

use std::pin::pin;

use futures_util::future::{Either, select};

use crate::cache::{self, AUDIT_ONE_IN, CacheEvent, Cached, HEDGE_MILLIS, Lease};
use crate::ids::{SlotNo, UserId};
use crate::ports::{
    CacheTrouble, Clock, Effect, Fence, Found, LeaseCache, Rng, SessionCache, SessionReads, StoreResult,
};
use crate::secret::TokenHash;
use crate::session::Slot;
use crate::token::Address;

/// A change older than this has had its delete: two tries with all their deadlines fit in.
const SETTLED_MILLIS: i64 = 2_000;

/// `CACHE_PROVIDER=redis`: copies in a cache server in front of the store.
#[derive(Clone, Debug)]
pub struct LeasedCache<S, L, H> {
    /// The store, which is the source of truth.
    pub store: S,
    /// The cache server.
    pub server: L,
    /// Clock, randomness, patience.
    pub host: H,
    /// `CACHE_MAX_AGE_SECONDS`: the longest a copy is served.
    pub max_age_seconds: i64,
    /// Receives every cache event.
    pub notice: fn(CacheEvent),
}

impl<S, L, H> SessionCache for LeasedCache<S, L, H>
where
    S: SessionReads,
    L: LeaseCache,
    H: Clock + Rng,
{
    async fn look_up(&self, at: Address, presented: &TokenHash) -> StoreResult<Option<Slot>> {
        let asked = pin!(self.server.read(at));
        let patience = pin!(self.host.sleep(HEDGE_MILLIS));
        match select(asked, patience).await {
            Either::Left((Ok(Found::Hit(copy)), _)) if copy.admits(at, presented, self.host.now()) => {
                if u64::from_be_bytes(self.host.random()).is_multiple_of(AUDIT_ONE_IN) {
                    // On the heap, as what follows a miss: a hit waits for none of it, and its future has no room for it.
                    return Box::pin(self.audit(at, copy.slot)).await;
                }
                (self.notice)(CacheEvent::Hit);
                Ok(Some(copy.slot))
            }
            Either::Left((answer, _)) => Box::pin(self.without_hit(at, presented, answer)).await,
            Either::Right(((), asked)) => {
                (self.notice)(CacheEvent::Hedged);
                // This read was sent before the cache's answer is known, so it may answer the caller but must never fill.
                let strong = pin!(self.store.slot(at));
                match select(asked, strong).await {
                    Either::Left((Ok(Found::Hit(copy)), strong)) => {
                        if copy.admits(at, presented, self.host.now()) {
                            Ok(Some(copy.slot))
                        } else {
                            strong.await
                        }
                    }
                    Either::Left((_, strong)) => strong.await,
                    Either::Right((slot, _)) => slot,
                }
            }
        }
    }

    async fn forget(&self, user: UserId, slots: &[SlotNo]) -> Effect {
        forget(&self.server, user, slots, self.max_age_seconds, self.notice).await
    }
}

impl<S, L, H> LeasedCache<S, L, H>
where
    S: SessionReads,
    L: LeaseCache,
    H: Clock + Rng,
{
    /// The store's slot, after an answer of the cache that does not admit the request.
    async fn without_hit(
        &self,
        at: Address,
        presented: &TokenHash,
        answer: Result<Found, CacheTrouble>,
    ) -> StoreResult<Option<Slot>> {
        match answer {
            Ok(Found::Miss(Some(lease))) => {
                (self.notice)(CacheEvent::Miss);
                self.read_and_fill(at, presented, &lease).await
            }
            Ok(Found::Miss(None)) => {
                (self.notice)(CacheEvent::Miss);
                self.store.slot(at).await
            }
            Ok(Found::Hit(_)) => {
                (self.notice)(CacheEvent::Mismatch);
                self.store.slot(at).await
            }
            Ok(Found::Unreadable) => {
                (self.notice)(CacheEvent::Mismatch);
                self.forget(at.user, &[at.slot]).await;
                self.store.slot(at).await
            }
            Err(_) => {
                (self.notice)(CacheEvent::Fallback);
                self.store.slot(at).await
            }
        }
    }

    async fn read_and_fill(&self, at: Address, presented: &TokenHash, lease: &Lease) -> StoreResult<Option<Slot>> {
        let read_at = self.host.now();
        let found = self.store.slot(at).await?;
        let Some(slot) = &found else { return Ok(found) };
        let now = self.host.now();
        // Only what admits this request is worth a place: a stranger cannot fill the cache.
        let copy = Cached::of(slot, read_at, self.max_age_seconds).filter(|copy| copy.admits(at, presented, now));
        let life = copy.as_ref().and_then(|copy| copy.life_millis(now, self.max_age_seconds));
        if let (Some(copy), Some(life)) = (copy, life) {
            let fill = pin!(self.server.fill(at, lease, &copy, life));
            // The caller does not wait for a slow cache; a fill given up here may still happen, and may do so rightly.
            if let Either::Left((Ok(false), _)) = select(fill, pin!(self.host.sleep(HEDGE_MILLIS))).await {
                (self.notice)(CacheEvent::LeaseRejected);
            }
        }
        Ok(found)
    }

    /// Answers with the store's slot, and reports a copy that disagrees with it and stays in the cache.
    async fn audit(&self, at: Address, copy: Slot) -> StoreResult<Option<Slot>> {
        let truth = self.store.slot(at).await?;
        if cache::agrees(&copy, truth.as_ref()) {
            (self.notice)(CacheEvent::Hit);
            return Ok(truth);
        }
        // A writer may have committed in between. Then its delete is done, or is in progress and the writer has not
        // answered yet.
        let settled = self.host.now().plus_millis(-SETTLED_MILLIS);
        let changed_long_ago = truth.as_ref().is_none_or(|truth| truth.last_updated_at < settled);
        if changed_long_ago && matches!(self.server.read(at).await, Ok(Found::Hit(again)) if again.slot == copy) {
            (self.notice)(CacheEvent::Inconsistent);
            self.forget(at.user, &[at.slot]).await;
        }
        Ok(truth)
    }
}

/// Deletes, once more if that was not confirmed. Unconfirmed deletes are repeated by the reader of the table's stream.
pub(super) async fn forget<L: LeaseCache>(
    server: &L,
    user: UserId,
    slots: &[SlotNo],
    max_age_seconds: i64,
    notice: fn(CacheEvent),
) -> Effect {
    for _ in 0..2 {
        match server.delete(user, slots).await {
            Ok(Fence::On) => return Effect::Immediate,
            Ok(Fence::Unproven) => return Effect::Bounded(max_age_seconds),
            Ok(Fence::Off) => break,
            Err(_) => {}
        }
    }
    notice(CacheEvent::Unconfirmed);
    Effect::Bounded(max_age_seconds)
}
