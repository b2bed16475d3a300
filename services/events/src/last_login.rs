//! The latest sign-in wins, in whatever order the events come.

use holdfast_domain::ports::StoreError;
use holdfast_dynamodb::ActivityTable;
use holdfast_kit::events::Event;
use holdfast_kit::{ConfigError, Env, metrics};

/// What `events-last-login` needs.
pub struct Deps {
    activity: ActivityTable,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self { activity: holdfast_providers::activity_table(env).await? })
    }
}

/// Handles one event.
pub async fn handle(deps: &'static Deps, event: Event) -> Result<(), StoreError> {
    let (Some(user), Some(session)) = (&event.user_id, &event.session_id) else { return Ok(()) };
    deps.activity.last_login(user, session, &event.at, event.device.as_deref()).await?;
    metrics::count("LastLoginNoted");
    Ok(())
}
