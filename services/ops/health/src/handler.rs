//! Says whether Holdfast can do its work: `ok`, `degraded` (cache trouble: slower, and nothing else), or 503 `down`
//! (DynamoDB).

use std::time::Instant;

use futures_util::future::join;
use holdfast_domain::Failure;
use holdfast_domain::ports::Fence;
use holdfast_dynamodb::SessionsTable;
use holdfast_kit::config::CacheProvider;
use holdfast_kit::{ConfigError, Env, Request, Response, metrics};
use holdfast_providers::LiveServer;
use serde_json::{Value, json};

pub(crate) struct Deps {
    table: SessionsTable,
    provider: CacheProvider,
    server: Option<LiveServer>,
    version: String,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let provider = env.cache()?.provider;
        let version = env.text("HOLDFAST_VERSION")?;
        let server = holdfast_providers::cache_server(env).await?;
        Ok(Self { table: holdfast_providers::sessions_table(env).await?, provider, server, version })
    }
}

/// One decimal is what a person reads.
fn millis_since(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}

pub(crate) async fn handle(deps: &'static Deps, _request: Request) -> Result<Response, Failure> {
    let store = async {
        let started = Instant::now();
        let reached = deps.table.ping().await;
        (reached, millis_since(started))
    };
    let cache = async {
        let started = Instant::now();
        match &deps.server {
            None => None,
            Some(server) => Some((server.check().await, millis_since(started))),
        }
    };
    let ((reached, latency), cache) = join(store, cache).await;
    metrics::millis("HealthDynamodbLatency", latency);
    if let Err(error) = &reached {
        tracing::error!(%error, "DynamoDB cannot be reached");
    }
    let dynamodb = if reached.is_ok() { "ok" } else { "down" };
    let provider = deps.provider.text();
    let (cache_ok, cache): (bool, Value) = match cache {
        // With this provider the cache is the table: one measurement is both.
        None => (true, json!({"provider": provider, "status": dynamodb, "latencyMs": latency})),
        Some((check, latency)) => {
            metrics::millis("HealthCacheLatency", latency);
            let status = match &check {
                Ok(Fence::On) => "ok",
                // It answers, but nothing it holds may be used.
                Ok(Fence::Off) => "degraded",
                Err(error) => {
                    tracing::warn!(%error, "the cache cannot be used");
                    "down"
                }
            };
            (check == Ok(Fence::On), json!({"provider": provider, "status": status, "latencyMs": latency}))
        }
    };
    let (status, code) = match (reached.is_ok(), cache_ok) {
        (true, true) => ("ok", 200),
        (true, false) => ("degraded", 200),
        (false, _) => ("down", 503),
    };
    let answer = json!({
        "status": status,
        "version": deps.version,
        "checks": {"dynamodb": {"status": dynamodb, "latencyMs": latency}, "cache": cache},
    });
    Response::json(code, &answer)
}
