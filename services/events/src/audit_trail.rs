//! Append-only: an event that is there is left alone, and the role of this function can do nothing but put.

use holdfast_domain::ports::{Host as _, StoreError};
use holdfast_dynamodb::ActivityTable;
use holdfast_dynamodb::activity::Entry;
use holdfast_kit::events::Event;
use holdfast_kit::{ConfigError, Env, System, metrics};

/// What `events-audit-trail` needs.
pub struct Deps {
    activity: ActivityTable,
    keep_seconds: i64,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let days = env.int("AUDIT_RETENTION_DAYS", 1..=3_650, 400)?;
        Ok(Self { activity: holdfast_providers::activity_table(env).await?, keep_seconds: days * 86_400 })
    }
}

/// Handles one event.
pub async fn handle(deps: &'static Deps, event: Event) -> Result<(), StoreError> {
    // A sign-in with an e-mail that has no account: anybody can cause any number of these.
    let Some(user) = event.user_id.as_deref() else { return Ok(()) };
    let entry = Entry {
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
    deps.activity.append(&entry, System.now().plus_seconds(deps.keep_seconds)).await?;
    metrics::count("AuditEntryWritten");
    Ok(())
}
