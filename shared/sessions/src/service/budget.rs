//! Attempt budgets around a password check: drawn on before anything is verified, given back when the password was right.

use futures_util::future::join_all;

use super::retry;
use crate::attempts::{self, Counter, Passwords, Scope};
use crate::error::{Code, Failure};
use crate::ids::{DeviceId, SessionId};
use crate::policy::SignInLimits;
use crate::ports::{AttemptReservation, Attempts, Clock, Rng};
use crate::time::Millis;

/// What is known of a client that sends a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing, unless the network is known.
    Stranger,
    /// A live session of the account.
    Session(SessionId),
    /// A trusted device of the account.
    Device(DeviceId),
}

/// What a password attempt has drawn.
#[derive(Debug)]
pub(super) struct Drawn {
    reservations: Vec<AttemptReservation>,
    account_network: Scope,
}

impl Drawn {
    /// The password was right.
    pub(super) async fn settle<S: Attempts>(&self, store: &S) {
        settle(store, &self.reservations, None).await;
    }

    /// The sign-in is complete: the network is known from now on.
    pub(super) async fn complete<S: Attempts>(&self, store: &S, now: Millis) {
        let until = attempts::known_until(now);
        let is_known = |r: &AttemptReservation| r.scope.key == self.account_network.key;
        let settled = self.reservations.iter().map(|r| store.settle(r, is_known(r).then_some(until)));
        let by_device = !self.reservations.iter().any(|r| r.scope.key == self.account_network.key);
        join_all(settled).await;
        if by_device {
            let _ = store.remember(&self.account_network, until).await;
        }
    }
}

/// Failing to return an attempt costs the user one, and nothing else.
pub(super) async fn settle<S: Attempts>(store: &S, reservations: &[AttemptReservation], known_until: Option<Millis>) {
    join_all(reservations.iter().map(|reservation| store.settle(reservation, known_until))).await;
}

/// Draws on the budgets of an account (`key`, of its e-mail) in their order and stops at the first refusal. Where a budget is
/// already spent nothing is written.
pub(super) async fn reserve<S: Attempts, H: Clock + Rng>(
    store: &S,
    host: &H,
    limits: &SignInLimits,
    (key, ip): (&[u8; 32], &str),
    standing: Standing,
) -> Result<Drawn, Failure> {
    let now = host.now();
    let budgets = Passwords::new(key, ip, limits);
    let scopes = match standing {
        Standing::Device(id) => vec![attempts::device(key, id, limits)],
        Standing::Session(session) => vec![attempts::session(session, limits)],
        Standing::Stranger => budgets.in_order().to_vec(),
    };
    let mut counters = store.counters(&scopes).await?;
    let mut scopes = scopes;
    if standing == Standing::Stranger && counters.get(1).is_some_and(|counter| counter.is_known(now)) {
        scopes.truncate(2);
        counters.truncate(2);
    }
    let reservations = draw(store, host, &scopes, &counters, now).await?;
    Ok(Drawn { reservations, account_network: budgets.account_network })
}

/// Draws on these budgets in order. What was drawn before one that refuses is given back.
pub(super) async fn draw<S: Attempts, H: Clock + Rng>(
    store: &S,
    host: &H,
    scopes: &[Scope],
    counters: &[Counter],
    now: Millis,
) -> Result<Vec<AttemptReservation>, Failure> {
    if let Some(until) = scopes.iter().zip(counters).find_map(|(scope, counter)| counter.refuses(scope, now)) {
        return Err(too_many(now, until));
    }
    let mut reserved = Vec::with_capacity(scopes.len());
    for scope in scopes {
        match retry::while_busy(host, || store.draw(scope, None, now)).await? {
            Ok(reservation) => reserved.push(reservation),
            // A parallel attempt took the last one since the counters were read.
            Err(until) => {
                join_all(reserved.iter().map(|reservation| store.give_back(reservation))).await;
                return Err(too_many(now, until));
            }
        }
    }
    Ok(reserved)
}

fn too_many(now: Millis, until: Millis) -> Failure {
    Failure::new(Code::TooManyAttempts, "Too many attempts; wait and try again.").retry_after(until.retry_after(now))
}
