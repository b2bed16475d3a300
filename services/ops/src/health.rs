//! Shows the health of Holdfast: `ok`, `degraded` (the cache fails, and requests are only slower), or 503 `down`
//! (DynamoDB). `HEALTH_DETAILS` decides which callers see the version and the checks.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join;
use holdfast_runtime::config::CacheProvider;
use holdfast_runtime::{ConfigError, Env, Request, Response, metrics};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::{CacheTrouble, Fence, StoreResult};
use holdfast_wiring::{LiveServer, LiveTable};
use serde_json::{Value, json};

/// A table that can be asked whether it is there.
pub trait Table: Send + Sync {
    /// Reads from it once.
    fn ping(&self) -> impl Future<Output = StoreResult<()>> + Send;
}

impl Table for LiveTable {
    async fn ping(&self) -> StoreResult<()> {
        LiveTable::ping(self).await
    }
}

/// A cache server that can be asked whether it can be used.
pub trait Cache: Send + Sync {
    /// Asks it once.
    fn check(&self) -> impl Future<Output = Result<Fence, CacheTrouble>> + Send;
}

impl Cache for LiveServer {
    async fn check(&self) -> Result<Fence, CacheTrouble> {
        LiveServer::check(self).await
    }
}

/// The dependencies of `ops-health`.
pub struct Deps<T, L> {
    pub(crate) table: T,
    pub(crate) provider: CacheProvider,
    pub(crate) server: Option<L>,
    pub(crate) version: String,
    pub(crate) details: Details,
}

/// Callers that see the version and the checks. An attacker learns from them which version runs and when it is weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Details {
    /// All callers of the route.
    Everyone,
    /// Only who may invoke the function itself, as IAM decides.
    Iam,
}

impl Details {
    /// Reads `HEALTH_DETAILS`: `everyone`, or `iam` (also when it is not set).
    #[inline]
    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.optional("HEALTH_DETAILS") {
            None | Some("iam") => Ok(Self::Iam),
            Some("everyone") => Ok(Self::Everyone),
            Some(_) => Err(ConfigError {
                variable: "HEALTH_DETAILS".to_owned(),
                problem: "must be everyone or iam".to_owned(),
            }),
        }
    }

    fn are_told(self, request: &Request) -> bool {
        self == Self::Everyone || request.is_direct() || request.iam_caller().is_some()
    }
}

impl Deps<LiveTable, LiveServer> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let provider = env.cache()?.provider;
        let version = env.text("HOLDFAST_VERSION")?;
        let details = Details::from_env(env)?;
        let sdk = holdfast_wiring::sdk(env);
        let server = holdfast_wiring::cache_server(env, &sdk).await?;
        Ok(Self { table: holdfast_wiring::sessions_table(env, &sdk).await?, provider, server, version, details })
    }
}

/// One decimal is what a person reads.
fn millis(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Serves `GET /v1/health`.
pub async fn handle<T: Table, L: Cache>(deps: &Deps<T, L>, request: Request) -> Result<Response, Failure> {
    let store = async {
        let started = Instant::now();
        let reached = deps.table.ping().await;
        (reached, millis(started.elapsed()))
    };
    let cache = async {
        let started = Instant::now();
        match &deps.server {
            None => None,
            Some(server) => Some((server.check().await, millis(started.elapsed()))),
        }
    };
    let ((reached, latency), cache) = join(store, cache).await;
    metrics::millis("HealthDynamodbLatency", latency);
    if let Err(error) = &reached {
        tracing::error!(%error, "DynamoDB cannot be reached");
    }
    let dynamodb = if reached.is_ok() { "ok" } else { "down" };
    let provider = deps.provider.as_str();
    let (cache_ok, cache): (bool, Value) = match cache {
        // With this provider the cache is the table: one measurement is both.
        None => (true, json!({"provider": provider, "status": dynamodb, "latencyMs": latency})),
        Some((check, latency)) => {
            metrics::millis("HealthCacheLatency", latency);
            let status = match &check {
                Ok(Fence::On | Fence::Unproven) => "ok",
                // It answers, but nothing it holds may be used.
                Ok(Fence::Off) => "degraded",
                Err(error) => {
                    tracing::warn!(%error, "the cache cannot be used");
                    "down"
                }
            };
            (status == "ok", json!({"provider": provider, "status": status, "latencyMs": latency}))
        }
    };
    let (status, code) = match (reached.is_ok(), cache_ok) {
        (true, true) => ("ok", 200),
        (true, false) => ("degraded", 200),
        (false, _) => ("down", 503),
    };
    let checks = json!({"dynamodb": {"status": dynamodb, "latencyMs": latency}, "cache": cache});
    Response::json(code, &answer(status, deps.details.are_told(&request).then_some((deps.version.as_str(), checks))))
}

fn answer(status: &str, details: Option<(&str, Value)>) -> Value {
    match details {
        Some((version, checks)) => json!({"status": status, "version": version, "checks": checks}),
        None => json!({"status": status}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_told_in_milliseconds_with_one_decimal() {
        for (micros, told) in [(0, 0.0), (40, 0.0), (60, 0.1), (1_260, 1.3), (7_000, 7.0), (2_500_000, 2_500.0)] {
            assert_eq!(millis(Duration::from_micros(micros)), told, "{micros}");
        }
    }

    #[test]
    fn details_are_told_to_everyone_only_where_it_says_so() {
        let read = |value| Details::from_env(&Env::of([("HEALTH_DETAILS", value)]));
        assert_eq!(Details::from_env(&Env::of([])), Ok(Details::Iam));
        assert_eq!(
            (read("iam"), read("everyone"), read("")),
            (Ok(Details::Iam), Ok(Details::Everyone), Ok(Details::Iam))
        );
        assert_eq!(read("true").unwrap_err().variable, "HEALTH_DETAILS");
    }

    #[test]
    fn callers_without_iam_learn_the_status_and_nothing_else() {
        let route = json!({"requestContext": {"http": {"method": "GET"}}});
        let signed = json!({"requestContext": {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:role/r"}}}});
        let told = |event: &Value, details: Details| details.are_told(&Request::from_event(event));
        assert!(!told(&route, Details::Iam) && told(&route, Details::Everyone));
        assert!(told(&json!({}), Details::Iam) && told(&signed, Details::Iam));
        assert_eq!(answer("ok", None), json!({"status": "ok"}));
        let full = answer("ok", Some(("1.2.3", json!({"cache": {}}))));
        assert_eq!(full, json!({"status": "ok", "version": "1.2.3", "checks": {"cache": {}}}));
    }
}
