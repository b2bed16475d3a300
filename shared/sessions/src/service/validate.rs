//! Checks the access token of a request, and lists the sessions of its user.

use super::{Current, Sessions};
use crate::error::Failure;
use crate::ports::{Clock, Conditional, Rng, SessionCache, SessionReads, SessionWrites};
use crate::session::{self, Slot};
use crate::time::Millis;
use crate::token::AccessToken;

impl<S, C, H> Sessions<S, C, H>
where
    C: SessionCache,
    H: Clock + Rng,
{
    /// Returns the session that one of these tokens opens, and writes nothing: for functions that may only read. A
    /// client may present an outdated token before the good one.
    pub async fn identify(&self, presented: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Current, Failure> {
        for token in presented.into_iter().filter_map(|text| AccessToken::parse(text.as_ref()).ok()) {
            if let Some(current) = self.look_up(&token).await? {
                return Ok(current);
            }
        }
        Err(Failure::unauthenticated())
    }

    async fn look_up(&self, token: &AccessToken) -> Result<Option<Current>, Failure> {
        let hash = token.hash();
        let found = self.cache.look_up(token.at, &hash).await?;
        // The clock is read after the session, because a read may take longer than a session has left.
        let now = self.host.now();
        let is_open = session::live(found.as_ref(), token.at.slot, &self.policy, now)
            .is_some_and(|slot| session::accepts_access_token(slot, &hash, now));
        Ok(found.filter(|_| is_open).map(|slot| Current { slot }))
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionWrites,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Returns the session that one of these tokens opens, and moves `lastUsedAt` at most every five minutes. A store
    /// error in that write never fails the request.
    pub async fn authenticate(&self, presented: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Current, Failure> {
        let current = self.identify(presented).await?;
        let now = self.host.now();
        if current.slot.wants_touch(now) { Box::pin(self.touch(current, now)).await } else { Ok(current) }
    }

    /// On the heap of its caller, because few requests write, and the others need no room for it.
    async fn touch(&self, mut current: Current, now: Millis) -> Result<Current, Failure> {
        let Slot { at, sid, .. } = current.slot;
        match self.store.touch(at, sid, now, &self.host.op()).await {
            Ok(Conditional::Done) => {
                current.slot.last_used_at = now;
                self.cache.forget(at.user, &[at.slot]).await;
            }
            Ok(Conditional::Refused(there)) => {
                let same = there.filter(|slot| slot.sid == sid && slot.is_live(now));
                match same {
                    // Another request touched it first.
                    Some(slot) => current.slot.last_used_at = slot.last_used_at,
                    None => {
                        self.cache.forget(at.user, &[at.slot]).await;
                        return Err(Failure::unauthenticated());
                    }
                }
            }
            Err(_) => {}
        }
        Ok(current)
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads,
    H: Clock + Rng,
{
    /// The caller's live sessions, most recently used first. This read is strong: a caller whom only a cache still took for
    /// live is refused.
    pub async fn list(&self, current: &Current) -> Result<Vec<Slot>, Failure> {
        let state = self.state(current).await?;
        self.own_slot(&state, current)?;
        let now = self.host.now();
        Ok(session::most_recent_first(&state.slots, &self.policy, now).into_iter().cloned().collect())
    }
}
