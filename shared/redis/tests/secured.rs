//! Servers that authenticate their clients: TLS with a private authority, users with rights, tokens that are renewed.

mod common;
mod patient;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use holdfast_redis::iam::{IamTokens, RENEW_AFTER};
use holdfast_redis::{RedisCache, RedisConfig, TimeLimits};
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::ports::{Fence, Found, LeaseCache, Rng as _};
use holdfast_sessions::service::LeasedCache;
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, UserId};
use holdfast_testkit::MemoryStore;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::ports::free_port;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::cache::server as suite;
use holdfast_testkit::suites::sessions::Bench;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// All rights that the scripts need, on our keys alone. An ElastiCache user has the same rights.
const RIGHTS: &[&str] = &[
    "resetkeys",
    "~s:{*",
    "-@all",
    "+eval",
    "+evalsha",
    "+fcall",
    "+function|load",
    "+info",
    "+time",
    "+get",
    "+set",
    "+del",
];

fn anybody() -> Address {
    Address { user: UserId::from_bytes(RealHost.random()), slot: SlotNo::new(3).expect("a slot") }
}

/// An authority, and a server with its certificate for `localhost`.
struct Secured {
    server: RedisServer,
    url: String,
    authority: Vec<u8>,
    directory: PathBuf,
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

impl Secured {
    fn start() -> Self {
        let issuer = authority();
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned()];
        let certificate =
            CertificateParams::new(names).expect("names").signed_by(&key, &issuer).expect("a certificate");
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("holdfast-tls-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let file = |name: &str, text: String| {
            let path = directory.join(name);
            std::fs::write(&path, text).expect("a file");
            path.to_string_lossy().into_owned()
        };
        let (ca, crt) = (file("ca.pem", issuer.pem()), file("server.pem", certificate.pem()));
        let secret = file("server.key", key.serialize_pem());
        let tls_port = port.to_string();
        let arguments = [
            "--tls-port",
            &tls_port,
            "--tls-cert-file",
            &crt,
            "--tls-key-file",
            &secret,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            "no",
        ];
        let server = RedisServer::start(&arguments);
        Self { server, url: format!("rediss://localhost:{port}/0"), authority: issuer.pem().into_bytes(), directory }
    }

    fn config(&self) -> RedisConfig {
        RedisConfig { url: self.url.clone(), cluster: false, tokens: None, authority: Some(self.authority.clone()) }
    }
}

fn cache(config: &RedisConfig) -> RedisCache<RealHost> {
    patient::cache(config)
}

fn notice(_: CacheEvent) {}

/// Checks that the cache's error names the reason, and that the service accepts the user from the store.
async fn is_a_miss_with_a_reason(config: &RedisConfig, reason: &str) {
    // A server may be silent, so the time limits count.
    let server = RedisCache::new(config, RealHost).expect("a good address");
    let trouble = server.read(anybody()).await.expect_err("no connection");
    assert!(trouble.to_string().to_lowercase().contains(reason), "{trouble} does not say {reason}");
    let store = MemoryStore::default();
    let behind = LeasedCache { store: store.clone(), server, host: RealHost, max_age_seconds: 60, notice };
    let bench = Bench::behind(store, behind, RealHost).await;
    let signed_in = bench.sign_in().await;
    let sessions = bench.sessions();
    assert!(sessions.identify(Some(&signed_in.tokens.access.text())).await.is_ok());
}

async fn admin(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    common::connection(&server.url()).await
}

async fn set_user(connection: &mut redis::aio::MultiplexedConnection, name: &str, password: &str) {
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(name).arg("reset").arg("on").arg(format!(">{password}"));
    for right in RIGHTS {
        command.arg(right);
    }
    command.exec_async(connection).await.expect("a user");
}

#[tokio::test]
async fn a_server_with_tls_keeps_the_contract() {
    let secured = Secured::start();
    suite::all(&cache(&secured.config()), &RealHost).await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_believed() {
    let secured = Secured::start();
    let stranger = RedisConfig { authority: Some(authority().pem().into_bytes()), ..secured.config() };
    is_a_miss_with_a_reason(&stranger, "certificate").await;
    let public = RedisConfig { authority: None, ..secured.config() };
    is_a_miss_with_a_reason(&public, "certificate").await;
}

#[tokio::test]
async fn a_server_of_another_name_is_not_believed() {
    let secured = Secured::start();
    let by_address = RedisConfig { url: secured.url.replace("localhost", "127.0.0.1"), ..secured.config() };
    is_a_miss_with_a_reason(&by_address, "certificate").await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    // It listens and never answers a handshake.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("its address").port();
    let url = format!("rediss://127.0.0.1:{port}/0");
    is_a_miss_with_a_reason(
        &RedisConfig { url, cluster: false, tokens: None, authority: None },
        "i/o error: timed out",
    )
    .await;
}

#[tokio::test]
async fn a_user_with_exactly_these_rights_is_enough() {
    let server = RedisServer::start(&[]);
    let mut connection = admin(&server).await;
    set_user(&mut connection, "app", "secret-of-app").await;
    let url = |password: &str| format!("redis://app:{password}@127.0.0.1:{}/0", server.port());
    let config = |password: &str| RedisConfig { url: url(password), cluster: false, tokens: None, authority: None };
    redis::cmd("ACL").arg("SETUSER").arg("default").arg("off").exec_async(&mut connection).await.expect("off");
    let app = cache(&config("secret-of-app"));
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut connection).await.expect("no statistics");
    app.check().await.expect("a primary");
    assert!(matches!(app.read(anybody()).await, Ok(Found::Miss(Some(_)))));
    // It refuses two commands only: the script and the function that it does not know yet.
    let told: String = redis::cmd("INFO").arg("errorstats").query_async(&mut connection).await.expect("statistics");
    let refused: Vec<_> = told.lines().filter(|line| line.starts_with("errorstat_")).collect();
    assert_eq!(refused, ["errorstat_ERR:count=1", "errorstat_NOSCRIPT:count=1"]);
    suite::all(&app, &RealHost).await;
    is_a_miss_with_a_reason(&config("wrong"), "wrongpass").await;
    is_a_miss_with_a_reason(&RedisConfig { url: server.url(), ..config("") }, "noauth").await;
}

/// Credentials that a test exchanges, as a role's are exchanged under a function that runs for hours.
#[derive(Debug)]
struct Exchanged(std::sync::Mutex<Result<Credentials, ()>>);

impl aws_credential_types::provider::ProvideCredentials for Exchanged {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        let found = self.0.lock().map_or(Err(()), |credentials| credentials.clone());
        Provided::ready(found.map_err(|()| CredentialsError::provider_error("the role is gone")))
    }
}

fn tokens(renew_after: Duration) -> (IamTokens, Arc<Exchanged>) {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let exchanged = Arc::new(Exchanged(std::sync::Mutex::new(Ok(credentials))));
    let tokens = IamTokens {
        user: "holdfast-app".into(),
        cache: "holdfast-test".into(),
        serverless: false,
        region: "eu-central-1".into(),
        credentials: SharedCredentialsProvider::new(Shared(exchanged.clone())),
        renew_after,
    };
    (tokens, exchanged)
}

#[derive(Debug)]
struct Shared(Arc<Exchanged>);

impl aws_credential_types::provider::ProvideCredentials for Shared {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        self.0.provide_credentials()
    }
}

/// ElastiCache checks the signature of a token. Here the user has `nopass`, so the server accepts any token of the right
/// user.
async fn accept_any_token(connection: &mut redis::aio::MultiplexedConnection) {
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("holdfast-app").arg("reset").arg("on").arg("nopass");
    for right in RIGHTS {
        command.arg(right);
    }
    command.exec_async(connection).await.expect("a user");
}

/// The server's own count of AUTH, which shows how often it received a token.
async fn renewals(connection: &mut redis::aio::MultiplexedConnection) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(connection).await.expect("statistics");
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_auth:calls="));
    calls.and_then(|rest| rest.split(',').next()).and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// The client renews no more after a renewal that failed. So one that takes longer than a command may take must not fail.
#[tokio::test]
async fn a_renewal_that_takes_long_is_followed_by_others() {
    let secured = Secured::start();
    let mut connection = admin(&secured.server).await;
    accept_any_token(&mut connection).await;
    let (tokens, _) = tokens(Duration::from_millis(100));
    let config = RedisConfig { tokens: Some(Arc::new(tokens)), ..secured.config() };
    let limits = TimeLimits { connect: Duration::from_secs(20), ..TimeLimits::default() };
    let cache = RedisCache::with_time_limits(&config, RealHost, limits).expect("a good address");
    cache.warm_up().await;
    redis::cmd("CLIENT").arg(&["PAUSE", "400"]).exec_async(&mut connection).await.expect("a pause");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let before = renewals(&mut connection).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = renewals(&mut connection).await;
    assert!(after >= before + 2, "renewed {} times in half a second", after - before);
}

#[tokio::test]
async fn a_connection_signs_in_with_tokens_and_renews_them() {
    let secured = Secured::start();
    let mut connection = admin(&secured.server).await;
    accept_any_token(&mut connection).await;
    let (tokens, exchanged) = tokens(Duration::from_millis(100));
    let config = RedisConfig { tokens: Some(Arc::new(tokens)), ..secured.config() };
    let cache = cache(&config);
    suite::all(&cache, &RealHost).await;
    let before = renewals(&mut connection).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = renewals(&mut connection).await;
    assert!(after >= before + 2, "renewed {} times in half a second", after - before);
    // The role's credentials are unavailable from now on. The open connection continues, and nothing breaks.
    *exchanged.0.lock().expect("not poisoned") = Err(());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let at = anybody();
    assert!(matches!(cache.read(at).await, Ok(Found::Miss(_))), "an authenticated connection stays one");
}

/// A proxy that shows one id for every server behind it would make an entry a hit again that was deleted before a
/// failover. Only its age limits that.
#[tokio::test]
async fn a_serverless_cache_is_used_and_its_deletes_are_never_final() {
    let secured = Secured::start();
    accept_any_token(&mut admin(&secured.server).await).await;
    let (tokens, _) = tokens(RENEW_AFTER);
    let config = RedisConfig { tokens: Some(Arc::new(IamTokens { serverless: true, ..tokens })), ..secured.config() };
    let cache = cache(&config);
    assert_eq!(cache.check().await, Ok(Fence::Unproven));
    let at = anybody();
    assert!(matches!(cache.read(at).await, Ok(Found::Miss(Some(_)))), "it may be filled");
    assert_eq!(cache.delete(at.user, &[at.slot]).await, Ok(Fence::Unproven));
}

#[tokio::test]
async fn a_token_of_another_user_is_refused() {
    let secured = Secured::start();
    let (tokens, _) = tokens(RENEW_AFTER);
    let config = RedisConfig { tokens: Some(Arc::new(tokens)), ..secured.config() };
    is_a_miss_with_a_reason(&config, "wrongpass").await;
}
