//! Which adapters stand behind the ports: chosen once, at start, from the environment and from nothing else.

use aws_config::SdkConfig;
use holdfast_domain::ports::{Host as _, StoreError};
use holdfast_domain::service::{Registration, Sessions, SignIn, StrongReads};
use holdfast_dynamodb::SessionsTable;
use holdfast_kit::config::CacheProvider;
use holdfast_kit::{ConfigError, Env, System};
use holdfast_password::Argon2id;

/// The session service over the real table.
pub type LiveSessions = Sessions<SessionsTable, StrongReads<SessionsTable>, System>;
/// Sign-in over the real table.
pub type LiveSignIn = SignIn<SessionsTable, StrongReads<SessionsTable>, Argon2id, System>;
/// Registration over the real table.
pub type LiveRegistration = Registration<SessionsTable, Argon2id, System>;

/// Clients share one configuration and so one HTTP client.
pub async fn sdk(env: &Env) -> SdkConfig {
    holdfast_aws::sdk_config(env.is_local()).await
}

async fn table(env: &Env) -> Result<SessionsTable, ConfigError> {
    let name = env.text("SESSIONS_TABLE")?;
    let table = SessionsTable::new(&sdk(env).await, name);
    // Opens the connection while the function starts, when it has more CPU than later. Trouble now is trouble then: the
    // first request finds out and says so.
    let _ = table.ping().await;
    Ok(table)
}

/// What session routes need.
pub async fn sessions(env: &Env) -> Result<LiveSessions, ConfigError> {
    let policy = env.policy()?;
    let CacheProvider::Dynamodb = env.cache_provider()?;
    let store = table(env).await?;
    Ok(Sessions { cache: StrongReads(store.clone()), store, host: System, policy })
}

/// What the sign-in route needs.
pub async fn sign_in(env: &Env) -> Result<LiveSignIn, ConfigError> {
    let (policy, limits) = (env.policy()?, env.sign_in_limits()?);
    let CacheProvider::Dynamodb = env.cache_provider()?;
    let passwords = passwords()?;
    let store = table(env).await?;
    Ok(SignIn { cache: StrongReads(store.clone()), store, passwords, host: System, policy, limits })
}

/// What the registration route needs.
pub async fn registration(env: &Env) -> Result<LiveRegistration, ConfigError> {
    let open = env.flag("REGISTRATION_ENABLED")?;
    Ok(Registration { store: table(env).await?, passwords: passwords()?, host: System, open })
}

/// The table alone, for health.
pub async fn sessions_table(env: &Env) -> Result<SessionsTable, ConfigError> {
    table(env).await
}

fn passwords() -> Result<Argon2id, ConfigError> {
    Argon2id::new(System.random())
        .map_err(|error: StoreError| ConfigError { variable: "argon2id".into(), problem: error.to_string() })
}
