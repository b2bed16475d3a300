//! Chooses the adapters of the ports once, at start, from the environment only.

mod cache;
pub mod elasticache;
pub mod event_bus;
pub mod kms;
mod verifier;

use std::sync::Arc;

use aws_config::SdkConfig;
use holdfast_aws::{Roots, Variable};
use holdfast_credentials::Argon2id;
use holdfast_dynamodb::{ActivityTable, ConnectionsTable, SessionsTable};
use holdfast_queue::{Closing, Queue};
use holdfast_runtime::{ConfigError, Env, System};
use holdfast_sessions::service::{FactorSettings, Registration, Sessions, SignIn};

use elasticache::Clusters;
use event_bus::Bus;
use kms::KmsBox;

pub use cache::{LiveCache, LiveServer};
pub use verifier::LiveVerifier;

/// The records of the sessions table's stream, for the functions that read it.
pub mod records {
    pub use holdfast_dynamodb::sessions::keys;
    pub use holdfast_dynamodb::sessions::records::{BeforeAfter, Change, change};
}

/// The session service over the real table.
pub type LiveSessions = Sessions<SessionsTable, LiveCache, System>;
/// Sign-in over the real table.
pub type LiveSignIn = SignIn<SessionsTable, LiveCache, LiveVerifier, System>;
/// Sign-in of users for whom a service vouches.
pub type LiveVouchedSignIn = SignIn<SessionsTable, LiveCache, (), System>;
/// The second step of a sign-in, which needs no verifier of passwords.
#[derive(Clone, Debug)]
pub struct SecondFactor<S, C, H, B> {
    /// The use case of signing in.
    pub sign_in: SignIn<S, C, (), H>,
    /// Opens the seeds of second factors.
    pub secrets: B,
}

/// The second step of a sign-in over the real table and key.
pub type LiveSecondFactor = SecondFactor<SessionsTable, LiveCache, System, KmsBox>;

/// The session service with the settings of second factors.
#[derive(Clone, Debug)]
pub struct Factor<S, C, H, B> {
    /// The session service.
    pub sessions: Sessions<S, C, H>,
    /// Issuer, budgets, and the box that seals seeds.
    pub settings: FactorSettings<B>,
}

/// The session service and second factors over the real table and key.
pub type LiveFactor = Factor<SessionsTable, LiveCache, System, KmsBox>;

/// Registration over the real table.
pub type LiveRegistration = Registration<SessionsTable, Argon2id, System>;
/// The table of sessions.
pub type LiveTable = SessionsTable;
/// The table of activity.
pub type LiveActivity = ActivityTable;
/// The table of connections, for what it keeps of users.
pub type LiveUserChannels = ConnectionsTable;
/// The box that seals the seeds of second factors.
pub type LiveBox = KmsBox;
/// The verifier of passwords.
pub type LivePasswords = Argon2id;
/// The event bus.
pub type LiveBus = Bus;
/// A queue that takes text.
pub type LiveQueue = Queue;
/// The queue `close`.
pub type LiveClosing = Closing;
/// Descriptions of caches.
pub type LiveClusters = Clusters;

/// The configuration of the clients. A function makes it once and shares it, because each has an HTTP client of its own.
pub fn sdk(env: &Env) -> SdkConfig {
    holdfast_aws::sdk_config(variable(env), roots(env))
}

fn variable(env: &Env) -> Variable {
    let env = env.clone();
    Arc::new(move |name| env.optional(name).map(str::to_owned))
}

fn roots(env: &Env) -> Roots {
    if env.has_amazon_certificates() { Roots::Amazon } else { Roots::System }
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
pub async fn sessions(env: &Env, sdk: &SdkConfig) -> Result<LiveSessions, ConfigError> {
    let (policy, settings) = (env.policy()?, env.cache()?);
    let store = table(env, sdk).await?;
    let cache = cache::cache(&settings, store.clone(), policy.cache_max_age_seconds, sdk).await?;
    Ok(Sessions { cache, store, host: System, policy })
}

/// What the sign-in route needs.
#[inline]
pub async fn sign_in(env: &Env, sdk: &SdkConfig) -> Result<LiveSignIn, ConfigError> {
    let verifier = LiveVerifier::from_env(env, sdk)?;
    with_verifier(env, sdk, verifier).await
}

/// What the route needs that services call for users whom they have authenticated.
pub async fn vouched_sign_in(env: &Env, sdk: &SdkConfig) -> Result<LiveVouchedSignIn, ConfigError> {
    with_verifier(env, sdk, ()).await
}

/// What the route of the second step needs.
#[inline]
pub async fn second_factor(env: &Env, sdk: &SdkConfig) -> Result<LiveSecondFactor, ConfigError> {
    let secrets = secrets(env, sdk)?;
    Ok(LiveSecondFactor { sign_in: with_verifier(env, sdk, ()).await?, secrets })
}

/// What the routes that change a second factor need.
#[inline]
pub async fn factor(env: &Env, sdk: &SdkConfig) -> Result<LiveFactor, ConfigError> {
    let (issuer, limits) = (env.mfa_issuer()?, env.sign_in_limits()?);
    let secrets = secrets(env, sdk)?;
    Ok(LiveFactor { sessions: sessions(env, sdk).await?, settings: FactorSettings { issuer, limits, secrets } })
}

/// `MFA_KEY_ID`: the key that seals seeds. There is no default: a seed is never kept in plain text.
#[inline]
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
#[inline]
pub fn verifier(env: &Env, sdk: &SdkConfig) -> Result<LiveVerifier, ConfigError> {
    LiveVerifier::from_env(env, sdk)
}

/// What the registration route needs.
pub async fn registration(env: &Env, sdk: &SdkConfig) -> Result<LiveRegistration, ConfigError> {
    let open = env.flag("REGISTRATION_ENABLED")?;
    let store = table(env, sdk).await?;
    let per_network = env.registrations_per_network()?;
    Ok(Registration { store, passwords: Argon2id::default(), host: System, open, per_network })
}

/// The table alone, for health.
pub async fn sessions_table(env: &Env, sdk: &SdkConfig) -> Result<SessionsTable, ConfigError> {
    table(env, sdk).await
}

/// The table that subscribers write to.
pub fn activity_table(env: &Env, sdk: &SdkConfig) -> Result<ActivityTable, ConfigError> {
    let name = env.text("ACTIVITY_TABLE")?;
    Ok(ActivityTable::new(sdk, name))
}

/// What a deleted user was sent.
pub fn connections_table(env: &Env, sdk: &SdkConfig) -> Result<ConnectionsTable, ConfigError> {
    let name = env.text("CONNECTIONS_TABLE")?;
    Ok(ConnectionsTable::new(sdk, name))
}

/// The targets of the relay: the event bus, the queue `close`, and the queue of records that cannot be read.
#[inline]
pub fn relay_targets(env: &Env, sdk: &SdkConfig) -> Result<(LiveBus, LiveClosing, LiveQueue), ConfigError> {
    let (bus, close, unreadable) = (env.text("EVENT_BUS")?, env.url("CLOSE_QUEUE_URL")?, env.url("RELAY_DLQ_URL")?);
    Ok((Bus::new(sdk, bus), Closing(Queue::new(sdk, close)), Queue::new(sdk, unreadable)))
}

/// The queue whose URL this variable holds.
#[inline]
pub fn queue(env: &Env, sdk: &SdkConfig, variable: &str) -> Result<LiveQueue, ConfigError> {
    let url = env.url(variable)?;
    Ok(Queue::new(sdk, url))
}

/// ElastiCache, for the function that describes the cache.
#[inline]
pub fn clusters(env: &Env) -> LiveClusters {
    Clusters::new(&holdfast_aws::sdk_config_for_control(variable(env), roots(env)))
}

/// The cache server alone, if there is one: for health, and for repairing it.
pub async fn cache_server(env: &Env, sdk: &SdkConfig) -> Result<Option<LiveServer>, ConfigError> {
    match env.cache()?.server {
        None => Ok(None),
        Some(server) => cache::connect(&server, sdk).await.map(Some),
    }
}
