//! Exchanging a refresh token.

use super::{Sessions, Tokens, retry};
use crate::change::Origin;
use crate::error::{Code, Failure};
use crate::ports::{Clock, Conditional, Effect, Rng, SessionCache, SessionReads, SessionWrites, StoreError};
use crate::rotation::{self, RefreshVerdict};
use crate::session::{EndReason, Slot};
use crate::token::{Address, RefreshToken};

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Returns the next pair for `presented`. Every client that presents it within the grace receives the same pair. An
    /// older generation ends the session before this answers.
    pub async fn refresh(&self, presented: &str, origin: &Origin) -> Result<(Slot, Tokens, Effect), Failure> {
        let invalid = || Failure::new(Code::InvalidRefreshToken, "Sign in again.");
        let token = RefreshToken::parse(presented).map_err(|_| invalid())?;
        let mut seen = self.store.slot(token.at).await?;
        // A successor whose write got no answer. If it is stored, this request stored it, so `presented` was not
        // stolen.
        let mut sent: Option<RefreshToken> = None;
        for attempt in 0..retry::MAX_TRIES {
            let now = self.host.now();
            let Some(slot) = seen.as_ref() else { return Err(invalid()) };
            if let Some(own) = sent.take().filter(|own| rotation::is_current(slot, own, &self.policy, now)) {
                let effect = self.cache.forget(token.at.user, &[token.at.slot]).await;
                return Ok((slot.clone(), Tokens::of(own), effect));
            }
            match rotation::judge(Some(slot), token.at.slot, &token, &self.policy, now) {
                RefreshVerdict::Unknown => return Err(invalid()),
                RefreshVerdict::Repeat(successor) => {
                    // Nothing is written; the rotation it repeats has already been made effective, or is being so by
                    // the request that did it. Doing it again here is what makes this answer's `effective` true.
                    let effect = self.cache.forget(token.at.user, &[token.at.slot]).await;
                    return Ok((slot.clone(), Tokens::of(successor), effect));
                }
                RefreshVerdict::Current => {
                    let seed = self.host.random();
                    let (next, successor) = rotation::rotate(slot, &token, seed, &self.policy, now, self.host.op());
                    match self.store.rotate(&next, &token.hash(), now).await {
                        Ok(Conditional::Done) => {
                            let effect = self.cache.forget(token.at.user, &[token.at.slot]).await;
                            return Ok((next, Tokens::of(successor), effect));
                        }
                        // Another tab was first, or the session ended meanwhile: check the slot as it is now.
                        Ok(Conditional::Refused(there)) => seen = there,
                        // The write may have happened. Then the next read finds the pair that was stored, so a lost
                        // reply loses nothing.
                        Err(StoreError::Conflict(_) | StoreError::Unavailable(_)) => {
                            sent = Some(successor);
                            retry::pause(&self.host, attempt).await;
                            seen = self.read_again(token.at, attempt).await?;
                        }
                        Err(other) => return Err(other.into()),
                    }
                }
                RefreshVerdict::Reused => {
                    self.end_slot(slot, EndReason::TokenReused, origin).await?;
                    return Err(Failure::new(
                        Code::RefreshTokenReused,
                        "This refresh token was replaced earlier, so it may have been copied. Its session has been ended; sign in again.",
                    ));
                }
            }
        }
        Err(StoreError::Conflict("refresh".into()).into())
    }

    /// Reads until an answer comes, because the caller has sent a write whose outcome only a read can tell.
    async fn read_again(&self, at: Address, before: u32) -> Result<Option<Slot>, Failure> {
        for attempt in before..retry::MAX_TRIES {
            match self.store.slot(at).await {
                Ok(seen) => return Ok(seen),
                Err(StoreError::Corrupt(what)) => return Err(StoreError::Corrupt(what).into()),
                Err(_) => retry::pause(&self.host, attempt).await,
            }
        }
        Err(StoreError::Unavailable("refresh".into()).into())
    }
}
