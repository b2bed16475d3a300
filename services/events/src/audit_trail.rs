//! Appends events to the audit trail. An entry is never changed: the role of this function may only put items.

use holdfast_runtime::events::Event;
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{AuditEntry, AuditTrail, Clock, Rng, StoreError};
use holdfast_wiring::LiveActivity;

/// The dependencies of `events-audit-trail`.
pub struct Deps<A, H> {
    pub(crate) trail: A,
    pub(crate) host: H,
    pub(crate) keep_seconds: i64,
}

impl Deps<LiveActivity, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let keep_seconds = keep_seconds(env)?;
        let trail = holdfast_wiring::activity_table(env, &holdfast_wiring::sdk(env))?;
        Ok(Self { trail, host: System, keep_seconds })
    }
}

/// How long an entry is kept: `AUDIT_RETENTION_DAYS`.
fn keep_seconds(env: &Env) -> Result<i64, ConfigError> {
    Ok(env.int("AUDIT_RETENTION_DAYS", 1..=3_650, 400)? * 86_400)
}

/// Handles one event.
pub async fn handle<A: AuditTrail, H: Clock + Rng>(deps: &Deps<A, H>, event: Event) -> Result<(), StoreError> {
    // A sign-in with an e-mail that has no account: anybody can cause any number of these.
    let Some(user) = event.user_id.as_deref() else { return Ok(()) };
    let entry = AuditEntry {
        id: &event.id,
        seq: &event.seq,
        kind: &event.kind,
        at: &event.at,
        user,
        session: event.session_id.as_deref(),
        login: event.login_session_id.as_deref(),
        reason: event.reason.as_deref(),
        device: event.device.as_deref(),
        network: event.network.as_deref(),
        actor: event.actor.as_deref(),
    };
    deps.trail.append(&entry, deps.host.now().plus_seconds(deps.keep_seconds)).await?;
    metrics::count("AuditEntryWritten");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_for_the_days_that_are_configured() {
        let kept = |days: &str| keep_seconds(&Env::of([("AUDIT_RETENTION_DAYS", days)]));
        assert_eq!(keep_seconds(&Env::of([])), Ok(34_560_000), "400 days");
        assert_eq!((kept("1"), kept("3650")), (Ok(86_400), Ok(315_360_000)));
        assert!(kept("0").is_err() && kept("3651").is_err());
    }
}
