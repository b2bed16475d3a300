//! Stores the latest sign-in of each user, in any order of the events.

use holdfast_runtime::events::Event;
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::ports::{LastLogins, StoreError};
use holdfast_wiring::LiveActivity;

/// The dependencies of `events-last-login`.
pub struct Deps<L> {
    pub(crate) logins: L,
}

impl Deps<LiveActivity> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self { logins: holdfast_wiring::activity_table(env, &holdfast_wiring::sdk(env))? })
    }
}

/// Handles one event.
pub async fn handle<L: LastLogins>(deps: &Deps<L>, event: Event) -> Result<(), StoreError> {
    let (Some(user), Some(session)) = (&event.user_id, &event.session_id) else { return Ok(()) };
    deps.logins.last_login(user, session, &event.at, event.device.as_deref()).await?;
    metrics::count("LastLoginNoted");
    Ok(())
}
