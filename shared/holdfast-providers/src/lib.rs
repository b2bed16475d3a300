//! Which adapters stand behind the ports: chosen once, at start, from the environment and from nothing else.

mod cache;
mod verifier;

use aws_config::SdkConfig;
use holdfast_domain::ports::{Host as _, StoreError};
use holdfast_domain::service::{FactorSettings, Registration, Sessions, SignIn};
use holdfast_dynamodb::{ActivityTable, ConnectionsTable, SessionsTable};
use holdfast_kit::{ConfigError, Env, System};
use holdfast_kms::KmsBox;
use holdfast_password::Argon2id;

pub use cache::{LiveCache, LiveServer};
pub use verifier::LiveVerifier;

/// The session service over the real table.
pub type LiveSessions = Sessions<SessionsTable, LiveCache, System>;
/// Sign-in over the real table.
pub type LiveSignIn = SignIn<SessionsTable, LiveCache, LiveVerifier, System>;
/// The second step of a sign-in, which no password is part of.
#[derive(Clone, Debug)]
pub struct LiveSecondFactor {
    /// The sign-in.
    pub sign_in: SignIn<SessionsTable, LiveCache, (), System>,
    /// What opens seeds.
    pub secrets: KmsBox,
}

/// The session service with what the second factor needs.
#[derive(Clone, Debug)]
pub struct LiveFactor {
    /// The session service.
    pub sessions: LiveSessions,
    /// Issuer, budgets, and what seals seeds.
    pub settings: FactorSettings<KmsBox>,
}

/// Registration over the real table.
pub type LiveRegistration = Registration<SessionsTable, Argon2id, System>;

/// Clients share one configuration and so one HTTP client.
pub async fn sdk(env: &Env) -> SdkConfig {
    holdfast_aws::sdk_config(env.is_local()).await
}

async fn table(env: &Env, sdk: &SdkConfig) -> Result<SessionsTable, ConfigError> {
    let name = env.text("SESSIONS_TABLE")?;
    let table = SessionsTable::new(sdk, name);
    // Opens the connection while the function starts, when it has more CPU than later. Trouble now is trouble then: the
    // first request finds out and says so.
    let _ = table.ping().await;
    Ok(table)
}

/// What session routes need.
pub async fn sessions(env: &Env) -> Result<LiveSessions, ConfigError> {
    let (policy, settings) = (env.policy()?, env.cache()?);
    let sdk = sdk(env).await;
    let store = table(env, &sdk).await?;
    let cache = cache::cache(&settings, store.clone(), policy.cache_max_age_seconds, &sdk).await?;
    Ok(Sessions { cache, store, host: System, policy })
}

/// What the sign-in route needs.
pub async fn sign_in(env: &Env) -> Result<LiveSignIn, ConfigError> {
    let sdk = sdk(env).await;
    let verifier = LiveVerifier::from_env(env, &sdk)?;
    with_verifier(env, &sdk, verifier).await
}

/// What the route of the second step needs.
pub async fn second_factor(env: &Env) -> Result<LiveSecondFactor, ConfigError> {
    let sdk = sdk(env).await;
    let secrets = secrets(env, &sdk)?;
    Ok(LiveSecondFactor { sign_in: with_verifier(env, &sdk, ()).await?, secrets })
}

/// What the routes that change a second factor need.
pub async fn factor(env: &Env) -> Result<LiveFactor, ConfigError> {
    let (issuer, limits) = (env.mfa_issuer()?, env.sign_in_limits()?);
    let secrets = secrets(env, &sdk(env).await)?;
    Ok(LiveFactor { sessions: sessions(env).await?, settings: FactorSettings { issuer, limits, secrets } })
}

/// `MFA_KEY_ID`: the key that seals seeds. There is no default: a seed is never kept in plain text.
fn secrets(env: &Env, sdk: &SdkConfig) -> Result<KmsBox, ConfigError> {
    Ok(KmsBox::new(sdk, env.text("MFA_KEY_ID")?))
}

async fn with_verifier<P>(
    env: &Env,
    sdk: &SdkConfig,
    verifier: P,
) -> Result<SignIn<SessionsTable, LiveCache, P, System>, ConfigError> {
    let (policy, limits, settings) = (env.policy()?, env.sign_in_limits()?, env.cache()?);
    let store = table(env, sdk).await?;
    let cache = cache::cache(&settings, store.clone(), policy.cache_max_age_seconds, sdk).await?;
    Ok(SignIn { cache, store, verifier, host: System, policy, limits })
}

/// Who knows whether a password is right, for the route that changes one.
pub async fn verifier(env: &Env) -> Result<LiveVerifier, ConfigError> {
    LiveVerifier::from_env(env, &sdk(env).await)
}

/// What the registration route needs.
pub async fn registration(env: &Env) -> Result<LiveRegistration, ConfigError> {
    let open = env.flag("REGISTRATION_ENABLED")?;
    let store = table(env, &sdk(env).await).await?;
    let per_network = env.registrations_per_network()?;
    Ok(Registration { store, passwords: passwords()?, host: System, open, per_network })
}

/// The table alone, for health.
pub async fn sessions_table(env: &Env) -> Result<SessionsTable, ConfigError> {
    table(env, &sdk(env).await).await
}

/// What subscribers write down.
pub async fn activity_table(env: &Env) -> Result<ActivityTable, ConfigError> {
    let name = env.text("ACTIVITY_TABLE")?;
    Ok(ActivityTable::new(&sdk(env).await, name))
}

/// What a deleted user was sent.
pub async fn connections_table(env: &Env) -> Result<ConnectionsTable, ConfigError> {
    let name = env.text("CONNECTIONS_TABLE")?;
    Ok(ConnectionsTable::new(&sdk(env).await, name))
}

/// The cache server alone, if there is one: for health, and for repairing it.
pub async fn cache_server(env: &Env) -> Result<Option<LiveServer>, ConfigError> {
    match env.cache()?.server {
        None => Ok(None),
        Some(server) => cache::connect(&server, &sdk(env).await).await.map(Some),
    }
}

/// How passwords are hashed, for operators who set them.
pub fn passwords() -> Result<Argon2id, ConfigError> {
    Argon2id::new(System.random())
        .map_err(|error: StoreError| ConfigError { variable: "argon2id".into(), problem: error.to_string() })
}
