//! The handlers of this service over a table, a cache and ElastiCache that tests script.

use std::future::pending;
use std::time::Duration;

use holdfast_runtime::Env;
use holdfast_runtime::config::CacheProvider;
use holdfast_runtime::recording::{Answer, Call, Recorded, answered, answered_within, recorded};
use holdfast_sessions::ports::{CacheTrouble, Fence, StoreError, StoreResult};
use holdfast_testkit::failures::assert_documented;
use holdfast_wiring::elasticache::{Kind, Node, Role, Shard, Topology};
use serde_json::{Value, json};

use crate::health::Details;
use crate::{cache_status, health, not_found};

#[derive(Clone)]
struct Table(Option<StoreError>);

impl health::Table for Table {
    async fn ping(&self) -> StoreResult<()> {
        self.0.clone().map_or(Ok(()), Err)
    }
}

#[derive(Clone)]
struct Cache(Result<Fence, CacheTrouble>);

impl health::Cache for Cache {
    async fn check(&self) -> Result<Fence, CacheTrouble> {
        self.0.clone()
    }
}

/// A table that never answers.
struct SilentTable;

impl health::Table for SilentTable {
    async fn ping(&self) -> StoreResult<()> {
        pending().await
    }
}

async fn health(
    table: Option<StoreError>,
    cache: Option<Result<Fence, CacheTrouble>>,
    details: Details,
) -> (Answer, Recorded) {
    let provider = if cache.is_some() { CacheProvider::Redis } else { CacheProvider::Dynamodb };
    let (table, server) = (Table(table), cache.map(Cache));
    let deps = health::Deps { table, provider, server, version: "1.2.3".into(), details };
    let call = Call::new("GET", "/v1/health");
    recorded(Box::pin(answered(&Env::of([]), &[], &call, |request| health::handle(&deps, request)))).await
}

fn unavailable() -> Option<StoreError> {
    Some(StoreError::Unavailable("injected".into()))
}

fn trouble() -> Result<Fence, CacheTrouble> {
    Err(CacheTrouble("injected".into()))
}

/// The table, the cache, the answer, the line of the log, and the checks of table and cache.
type Row = (&'static str, &'static str, u64, &'static str, &'static str, [&'static str; 2]);

const ROWS: &[Row] = &[
    ("answers", "none", 200, "ok", "–", ["ok", "ok"]),
    ("answers", "answers", 200, "ok", "–", ["ok", "ok"]),
    ("answers", "is serverless", 200, "ok", "–", ["ok", "ok"]),
    ("answers", "hides who it is", 200, "degraded", "–", ["ok", "degraded"]),
    ("answers", "fails", 200, "degraded", "WARN the cache cannot be used", ["ok", "down"]),
    ("fails", "none", 503, "down", "ERROR DynamoDB cannot be reached", ["down", "down"]),
    ("fails", "answers", 503, "down", "ERROR DynamoDB cannot be reached", ["down", "ok"]),
    ("fails", "fails", 503, "down", "ERROR DynamoDB cannot be reached", ["down", "down"]),
];

#[tokio::test]
async fn health_says_what_is_down_and_503_only_where_nothing_works() {
    for row in ROWS {
        let (table, cache, status, said, line, checks) = row;
        let table = (*table == "fails").then(unavailable).flatten();
        let cache = match *cache {
            "none" => None,
            "answers" => Some(Ok(Fence::On)),
            "is serverless" => Some(Ok(Fence::Unproven)),
            "fails" => Some(trouble()),
            _ => Some(Ok(Fence::Off)),
        };
        let has_cache = cache.is_some();
        for details in [Details::Everyone, Details::Iam] {
            let (answer, recorded) = health(table.clone(), cache.clone(), details).await;
            assert_eq!((answer.status, &answer.body["status"]), (*status, &json!(said)), "{row:?}");
            let lines: Vec<_> = recorded.log.iter().filter(|said| said == line).collect();
            assert_eq!(lines.len(), usize::from(*line != "–"), "{row:?}: {recorded:?}");
            assert!(recorded.durations.contains(&"HealthDynamodbLatency"), "{row:?}");
            assert_eq!(recorded.durations.contains(&"HealthCacheLatency"), has_cache, "{row:?}");
            if details == Details::Iam {
                assert_eq!(answer.body, json!({"status": said}), "{row:?}");
                continue;
            }
            assert_eq!(answer.body["version"], "1.2.3");
            let found = &answer.body["checks"];
            assert_eq!(
                [&found["dynamodb"]["status"], &found["cache"]["status"]],
                checks.map(|c| json!(c)).each_ref(),
                "{row:?}"
            );
            assert_eq!(found["cache"]["provider"], if has_cache { "redis" } else { "dynamodb" });
        }
    }
}

#[tokio::test]
async fn health_without_an_answer_in_time_is_503() {
    let (provider, version) = (CacheProvider::Dynamodb, String::new());
    let deps = health::Deps { table: SilentTable, provider, server: None::<Cache>, version, details: Details::Iam };
    let call = Call::new("GET", "/v1/health");
    let budget = Duration::from_millis(50);
    let answer = answered_within(budget, &Env::of([]), &[], &call, |request| health::handle(&deps, request)).await;
    assert_eq!((answer.status, answer.code.as_str()), (503, "UNAVAILABLE"));
}

#[test]
fn the_documentation_has_the_rows_of_health() {
    let row =
        |(table, cache, status, said, line, _): &Row| format!("| {table} | {cache} | {status} `{said}` | `{line}` |");
    assert_documented("ops-health", &ROWS.iter().map(row).collect::<Vec<_>>());
}

enum Clusters {
    Found(Option<Topology>),
    Failing,
    Silent,
}

impl cache_status::Clusters for Clusters {
    async fn describe(&self, name: &str) -> StoreResult<Option<Topology>> {
        assert_eq!(name, "holdfast-cache");
        match self {
            Self::Found(found) => Ok(found.clone()),
            Self::Failing => Err(StoreError::Unavailable("injected".into())),
            Self::Silent => pending().await,
        }
    }
}

fn topology(status: &str, failover: &str) -> Topology {
    let node = |id: &str, role| Node { id: id.into(), zone: "us-east-1a".into(), role, status: "available".into() };
    let nodes = vec![node("c-001", Role::Primary), node("c-002", Role::Replica), node("c-003", Role::Replica)];
    Topology {
        kind: Kind::ReplicationGroup,
        status: status.into(),
        engine: "valkey".into(),
        version: "8.0.1".into(),
        failover: failover.into(),
        multi_az: true,
        tls: true,
        endpoint: "c.example:6379".into(),
        shards: vec![Shard { id: "0001".into(), status: "available".into(), slots: String::new(), nodes }],
    }
}

async fn status_of(clusters: Clusters) -> (Result<Value, holdfast_runtime::boot::InvocationError>, Recorded) {
    let deps = cache_status::Deps { clusters, name: "holdfast-cache".into() };
    recorded(cache_status::handle(&deps, Value::Null, Duration::from_millis(200))).await
}

#[tokio::test]
async fn the_state_of_the_cache_is_counted_also_when_all_is_well() {
    for (found, ok, counts) in [
        (Some(topology("available", "enabled")), true, [0, 0, 3, 1]),
        (Some(topology("modifying", "enabled")), false, [1, 0, 3, 1]),
        (Some(topology("available", "disabled")), true, [0, 1, 3, 1]),
        (None, false, [1, 1, 0, 0]),
    ] {
        let (answer, recorded) = status_of(Clusters::Found(found.clone())).await;
        let answer = answer.unwrap();
        assert_eq!((&answer["ok"], &answer["name"]), (&json!(ok), &json!("holdfast-cache")), "{found:?}");
        assert_eq!(answer["cache"].is_null(), found.is_none());
        let names = ["CacheUnavailable", "CacheWithoutFailover", "CacheNodes", "CachePrimaries"];
        assert_eq!(names.map(|name| recorded.counts[name]), counts, "{found:?}");
    }
}

#[tokio::test]
async fn a_cache_that_elasticache_says_nothing_of_fails_the_invocation() {
    let (answer, recorded) = status_of(Clusters::Failing).await;
    assert!(answer.is_err() && recorded.counts.is_empty(), "silence, which the alarm tells from zero");
    assert_eq!(recorded.log, ["ERROR ElastiCache cannot be asked"]);
    let (answer, recorded) = status_of(Clusters::Silent).await;
    assert!(answer.is_err() && recorded.counts.is_empty());
}

#[tokio::test]
async fn what_no_route_takes_is_answered_with_404_or_405() {
    let deps = not_found::Deps::from_routes().unwrap();
    for (method, path, status, code, allow) in [
        ("GET", "/v1/nothing", 404, "NOT_FOUND", None),
        ("OPTIONS", "/v1/nothing", 404, "NOT_FOUND", None),
        ("PATCH", "/v1/sessions", 405, "METHOD_NOT_ALLOWED", Some("DELETE, GET, HEAD, OPTIONS, POST")),
        ("GET", "/v1/auth/login", 405, "METHOD_NOT_ALLOWED", Some("OPTIONS, POST")),
        ("OPTIONS", "/v1/auth/login", 204, "", Some("OPTIONS, POST")),
        // API Gateway gives these to their routes; here they are unknown.
        ("POST", "/v1/auth/login", 404, "NOT_FOUND", None),
    ] {
        let call = Call::new(method, path);
        let answer = answered(&Env::of([]), &[], &call, |request| not_found::handle(&deps, request)).await;
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{method} {path}");
        assert_eq!(answer.headers["allow"].as_str(), allow, "{method} {path}");
    }
}
