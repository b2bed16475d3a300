//! What ElastiCache says of the cache: its engine, its shards, who is primary, whether it fails over. Reads only.
//!
//! A cache is a replication group, a serverless cache or a single node; all three are asked for by the one name that an
//! environment's cache has.

mod topology;

use aws_config::SdkConfig;
use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::error::{ProvideErrorMetadata, SdkError};
use holdfast_sessions::ports::{StoreError, StoreResult};

pub use topology::{Kind, Node, Role, Shard, Topology};

/// ElastiCache, as an operator sees it.
#[derive(Clone, Debug)]
pub struct Clusters {
    client: Client,
}

impl Clusters {
    /// Builds the client once.
    #[inline]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// The cache of this name, of any kind; `None` if there is none. An error says nothing about the cache itself.
    #[inline]
    pub async fn describe(&self, name: &str) -> StoreResult<Option<Topology>> {
        if let Some(found) = self.replication_group(name).await? {
            return Ok(Some(found));
        }
        if let Some(found) = self.serverless(name).await? {
            return Ok(Some(found));
        }
        self.single_node(name).await
    }

    #[inline]
    async fn replication_group(&self, name: &str) -> StoreResult<Option<Topology>> {
        let answer = self.client.describe_replication_groups().replication_group_id(name).send().await;
        let Some(answer) = found("DescribeReplicationGroups", answer)? else { return Ok(None) };
        let Some(group) = answer.replication_groups().first() else { return Ok(None) };
        // Zones and the engine's version are said of the members only.
        let mut members = Vec::new();
        for member in group.member_clusters() {
            let answer =
                self.client.describe_cache_clusters().cache_cluster_id(member).show_cache_node_info(true).send().await;
            // A member that has gone in between is no trouble: the group's own list is what counts.
            if let Some(answer) = found("DescribeCacheClusters", answer)? {
                members.extend(answer.cache_clusters().iter().cloned());
            }
        }
        Ok(Some(topology::of_group(group, &members)))
    }

    #[inline]
    async fn serverless(&self, name: &str) -> StoreResult<Option<Topology>> {
        let answer = self.client.describe_serverless_caches().serverless_cache_name(name).send().await;
        Ok(found("DescribeServerlessCaches", answer)?
            .and_then(|answer| answer.serverless_caches().first().map(topology::of_serverless)))
    }

    #[inline]
    async fn single_node(&self, name: &str) -> StoreResult<Option<Topology>> {
        let answer =
            self.client.describe_cache_clusters().cache_cluster_id(name).show_cache_node_info(true).send().await;
        Ok(found("DescribeCacheClusters", answer)?
            .and_then(|answer| answer.cache_clusters().first().map(topology::of_node)))
    }
}

/// An answer; `None` where the service knows nothing of that name.
fn found<T, E: ProvideErrorMetadata>(what: &str, answer: Result<T, SdkError<E>>) -> StoreResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match error.code() {
            Some("ReplicationGroupNotFoundFault" | "ServerlessCacheNotFoundFault" | "CacheClusterNotFound") => Ok(None),
            Some("CacheClusterNotFoundFault") => Ok(None),
            code => Err(StoreError::Unavailable(format!("{what}: {}", code.unwrap_or("not reached")))),
        },
    }
}
