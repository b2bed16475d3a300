//! Answers `{"ok":true|false,"cache":{…}|null}`, and counts the same as metrics for the alarms.

use std::future::Future;
use std::time::Duration;

use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::ports::StoreResult;
use holdfast_wiring::LiveClusters;
use holdfast_wiring::elasticache::{Role, Topology};
use serde_json::{Value, json};

/// Descriptions of caches.
pub trait Clusters: Send + Sync {
    /// The cache of this name; `None` if there is none. An error says nothing about the cache itself.
    fn describe(&self, name: &str) -> impl Future<Output = StoreResult<Option<Topology>>> + Send;
}

impl Clusters for LiveClusters {
    async fn describe(&self, name: &str) -> StoreResult<Option<Topology>> {
        LiveClusters::describe(self, name).await
    }
}

/// The dependencies of `ops-cache-status`.
pub struct Deps<C> {
    pub(crate) clusters: C,
    pub(crate) name: String,
}

impl Deps<LiveClusters> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let name = env.text("CACHE_NAME")?;
        Ok(Self { clusters: holdfast_wiring::clusters(env), name })
    }
}

/// Describes the cache and counts its state.
pub async fn handle<C: Clusters>(deps: &Deps<C>, _payload: Value, budget: Duration) -> Result<Value, InvocationError> {
    match tokio::time::timeout(budget, deps.clusters.describe(&deps.name)).await {
        Ok(Ok(found)) => {
            count(found.as_ref());
            Ok(answer(&deps.name, found.as_ref()))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "ElastiCache cannot be asked");
            Err(InvocationError("ElastiCache cannot be asked"))
        }
        Err(_) => Err(InvocationError("ElastiCache did not answer in time")),
    }
}

/// Sends one value each time, also for a healthy cache, so that an alarm can distinguish zero from missing data.
fn count(found: Option<&Topology>) {
    let well = found.is_some_and(Topology::is_available);
    metrics::add("CacheUnavailable", u64::from(!well));
    metrics::add("CacheWithoutFailover", u64::from(!found.is_some_and(Topology::fails_over)));
    let nodes = found.map_or(0, |cache| cache.nodes().count());
    let primaries = found.map_or(0, |cache| cache.nodes().filter(|node| node.role == Role::Primary).count());
    metrics::add("CacheNodes", nodes as u64);
    metrics::add("CachePrimaries", primaries as u64);
}

fn answer(name: &str, found: Option<&Topology>) -> Value {
    let Some(cache) = found else {
        return json!({"ok": false, "name": name, "cache": null});
    };
    let shards: Vec<Value> = cache
        .shards
        .iter()
        .map(|shard| {
            let nodes: Vec<Value> = shard
                .nodes
                .iter()
                .map(
                    |node| json!({"id": node.id, "role": node.role.as_str(), "zone": node.zone, "status": node.status}),
                )
                .collect();
            json!({"id": shard.id, "status": shard.status, "slots": shard.slots, "nodes": nodes})
        })
        .collect();
    json!({
        "ok": cache.is_available(),
        "name": name,
        "cache": {
            "kind": cache.kind.as_str(),
            "status": cache.status,
            "engine": cache.engine,
            "engineVersion": cache.version,
            "failover": cache.failover,
            "multiAz": cache.multi_az,
            "tls": cache.tls,
            "endpoint": cache.endpoint,
            "shards": shards,
        },
    })
}

#[cfg(test)]
mod tests {
    use holdfast_wiring::elasticache::{Kind, Node, Shard};

    use super::*;

    fn cache(status: &str) -> Topology {
        let node = |id: &str, role| Node { id: id.into(), zone: "us-east-1a".into(), role, status: status.into() };
        Topology {
            kind: Kind::ReplicationGroup,
            status: "available".into(),
            engine: "valkey".into(),
            version: "8.0.1".into(),
            failover: "enabled".into(),
            multi_az: true,
            tls: true,
            endpoint: "c.example:6379".into(),
            shards: vec![Shard {
                id: "0001".into(),
                status: "available".into(),
                slots: String::new(),
                nodes: vec![node("c-001", Role::Primary), node("c-002", Role::Replica)],
            }],
        }
    }

    #[test]
    fn an_answer_names_every_node_and_its_part() {
        let found = answer("c", Some(&cache("available")));
        assert_eq!(found["ok"], true);
        assert_eq!(found["cache"]["engine"], "valkey");
        assert_eq!(found["cache"]["failover"], "enabled");
        let roles: Vec<_> = (0..2).map(|n| found["cache"]["shards"][0]["nodes"][n]["role"].clone()).collect();
        assert_eq!(roles, ["primary", "replica"]);
    }

    #[test]
    fn a_node_that_is_down_is_not_ok() {
        assert_eq!(answer("c", Some(&cache("modifying")))["ok"], false);
    }

    #[test]
    fn a_cache_that_is_not_there_is_not_ok_and_is_null() {
        assert_eq!(answer("c", None), json!({"ok": false, "name": "c", "cache": null}));
    }
}
