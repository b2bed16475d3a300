//! What services state about a user.

use super::Sessions;
use super::change::{Plan, Reading};
use crate::account::Status;
use crate::change::{AccountEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::claims::Claims;
use crate::error::{Code, Failure};
use crate::ids::{SlotNo, UserId};
use crate::ports::{Clock, Devices, Effect, Rng, SessionCache, SessionReads, UserChanges};

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Replaces what services state about a user. Nothing ends, and no sign-in has to begin again. The result says when
    /// every validation answers with the new claims.
    ///
    /// One transaction writes the account and every slot that has not ended. It also requires that the other slots are
    /// still free: a session that a sign-in has just created is part of the next plan. A sign-in that commits later
    /// requires the new claims. The call may be repeated.
    pub async fn set_claims(&self, user: UserId, claims: &Claims, origin: &Origin) -> Result<Effect, Failure> {
        self.known(user).await?;
        let done = self
            .change(user, origin, |reading| {
                if reading.state.account.status == Status::Deleted {
                    return Err(super::admin::is_being_deleted());
                }
                let edit = AccountEdit { claims: Some(claims.clone()), ..AccountEdit::default() };
                Ok(Plan::new(()).account(reading, edit).claiming(reading, claims))
            })
            .await
            // The user was deleted while the change was planned.
            .map_err(|failure| if failure.code == Code::Unauthenticated { super::admin::unknown() } else { failure })?;
        Ok(done.effect)
    }
}

impl<T> Plan<T> {
    /// Gives these claims to every session, in the plan that gives them to the account. A slot that has a part already
    /// keeps it.
    pub(super) fn claiming(mut self, reading: &Reading<'_>, claims: &Claims) -> Self {
        for number in SlotNo::all() {
            let (seen, edit) = match reading.state.slot(number) {
                Some(slot) if slot.ended.is_none() => {
                    // Expired sessions are included, because a refresh that was checked before the expiry may still be
                    // on its way.
                    let update = SlotUpdate { claims: Some(claims.clone()), ..SlotUpdate::default() };
                    (SlotSeen::Unended(slot.sid), SlotEdit::Update(update))
                }
                _ => (SlotSeen::Free, SlotEdit::Keep),
            };
            self = self.slot(number, seen, edit);
        }
        self
    }
}
