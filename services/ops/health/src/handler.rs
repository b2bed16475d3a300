//! Says whether Holdfast can do its work: `ok`, `degraded` (cache trouble), or 503 `down` (DynamoDB).

use std::time::Instant;

use holdfast_domain::Failure;
use holdfast_dynamodb::SessionsTable;
use holdfast_kit::config::CacheProvider;
use holdfast_kit::{ConfigError, Env, Request, Response, metrics};
use serde_json::json;

pub(crate) struct Deps {
    table: SessionsTable,
    provider: CacheProvider,
    version: String,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let provider = env.cache_provider()?;
        let version = env.text("HOLDFAST_VERSION")?;
        Ok(Self { table: holdfast_providers::sessions_table(env).await?, provider, version })
    }
}

pub(crate) async fn handle(deps: &'static Deps, _request: Request) -> Result<Response, Failure> {
    let started = Instant::now();
    let reached = deps.table.ping().await;
    let latency = (started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    metrics::millis("HealthDynamodbLatency", latency);
    let (status, code) = if reached.is_ok() { ("ok", 200) } else { ("down", 503) };
    if let Err(error) = &reached {
        tracing::error!(%error, "DynamoDB cannot be reached");
    }
    let dynamodb = if reached.is_ok() { "ok" } else { "down" };
    // With this provider the cache is the table: one measurement is both.
    let answer = json!({
        "status": status,
        "version": deps.version,
        "checks": {
            "dynamodb": {"status": dynamodb, "latencyMs": latency},
            "cache": {"provider": deps.provider.text(), "status": dynamodb, "latencyMs": latency},
        },
    });
    Response::json(code, &answer)
}
