//! Attempt budgets around a password check: drawn on before anything is verified, given back when it was right.

use futures_util::future::join_all;

use super::retry;
use crate::attempts;
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::policy::SignInLimits;
use crate::ports::{Attempts, Host, Reservation};

/// Draws on all three budgets; gives back what it drew if one of them is spent.
pub(super) async fn reserve<S: Attempts, H: Host>(
    store: &S,
    host: &H,
    limits: &SignInLimits,
    email: &Email,
    ip: &str,
) -> Result<Vec<Reservation>, Failure> {
    let now = host.now();
    let scopes = attempts::scopes(email, ip, limits);
    let answers = join_all(scopes.iter().map(|scope| retry::while_busy(host, move || store.reserve(scope, now)))).await;
    let (mut reserved, mut refusal) = (Vec::with_capacity(scopes.len()), None);
    for answer in answers {
        match answer {
            Ok(Ok(reservation)) => reserved.push(reservation),
            Ok(Err(window_ends)) => refusal = refusal.max(Some(window_ends)),
            // What was drawn elsewhere stays drawn until the window ends: too few attempts, never too many.
            Err(trouble) => return Err(trouble.into()),
        }
    }
    let Some(window_ends) = refusal else { return Ok(reserved) };
    release(store, reserved).await;
    Err(Failure::new(Code::TooManyAttempts, "Too many failed attempts; wait and try again.")
        .retry_after(window_ends.retry_after(now)))
}

/// Failing to return an attempt costs the user one, and nothing else.
pub(super) async fn release<S: Attempts>(store: &S, reserved: Vec<Reservation>) {
    join_all(reserved.into_iter().map(|reservation| store.release(reservation))).await;
}
