//! From the service's answers to one shape for every kind of cache.

use aws_sdk_elasticache::types::{
    AutomaticFailoverStatus, CacheCluster, MultiAzStatus, ReplicationGroup, ServerlessCache,
};

/// The kinds of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shards of a primary and its replicas.
    ReplicationGroup,
    /// AWS keeps the nodes to itself.
    Serverless,
    /// One node, without a replica.
    Node,
}

impl Kind {
    /// As operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::ReplicationGroup => "replication-group",
            Kind::Serverless => "serverless",
            Kind::Node => "node",
        }
    }
}

/// The role of a node. Groups in cluster mode do not report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It accepts writes.
    Primary,
    /// Follows the primary.
    Replica,
    /// ElastiCache does not report it.
    Unknown,
}

impl Role {
    /// As operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::Unknown => "unknown",
        }
    }
}

/// A node is one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its cluster's id.
    pub id: String,
    /// Availability Zone; empty where it is not said.
    pub zone: String,
    /// The role of the node.
    pub role: Role,
    /// `available` when it is healthy; empty if it is not reported.
    pub status: String,
}

/// A part of the keys, and the nodes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its id within the group.
    pub id: String,
    /// `available` when it is healthy.
    pub status: String,
    /// Hash slots such as `0-8191`; empty without cluster mode.
    pub slots: String,
    /// The nodes of the shard.
    pub nodes: Vec<Node>,
}

/// A cache as ElastiCache describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The kind of the cache.
    pub kind: Kind,
    /// `available` when it is healthy.
    pub status: String,
    /// `valkey` or `redis`.
    pub engine: String,
    /// Its version; empty where it is not said.
    pub version: String,
    /// `enabled`, `disabled`, or on its way to one of them. AWS always does it for a serverless cache.
    pub failover: String,
    /// Whether its nodes are spread over zones.
    pub multi_az: bool,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Host and port that clients connect to; empty where there is none yet.
    pub endpoint: String,
    /// Empty for a serverless cache.
    pub shards: Vec<Shard>,
}

impl Topology {
    /// Whether it, every shard and every node that reports a status is `available`.
    pub fn is_available(&self) -> bool {
        let well = |status: &str| status == "available";
        well(&self.status)
            && self.shards.iter().all(|shard| {
                well(&shard.status) && shard.nodes.iter().all(|node| node.status.is_empty() || well(&node.status))
            })
    }

    /// Whether a primary that fails is replaced automatically.
    pub fn fails_over(&self) -> bool {
        self.failover == "enabled"
    }

    /// All nodes of all shards.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.shards.iter().flat_map(|shard| &shard.nodes)
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

#[inline]
fn address(endpoint: Option<&aws_sdk_elasticache::types::Endpoint>) -> String {
    endpoint
        .and_then(|e| e.address().map(|host| format!("{host}:{}", e.port().unwrap_or_default())))
        .unwrap_or_default()
}

#[inline]
pub(crate) fn of_group(group: &ReplicationGroup, members: &[CacheCluster]) -> Topology {
    let member = |id: &str| members.iter().find(|cluster| cluster.cache_cluster_id() == Some(id));
    let shards: Vec<Shard> = group
        .node_groups()
        .iter()
        .map(|shard| Shard {
            id: text(shard.node_group_id()),
            status: text(shard.status()),
            slots: text(shard.slots()),
            nodes: shard
                .node_group_members()
                .iter()
                .map(|node| {
                    let id = text(node.cache_cluster_id());
                    Node {
                        zone: text(node.preferred_availability_zone()),
                        role: match node.current_role() {
                            Some("primary") => Role::Primary,
                            Some("replica") => Role::Replica,
                            _ => Role::Unknown,
                        },
                        status: text(member(&id).and_then(CacheCluster::cache_cluster_status)),
                        id,
                    }
                })
                .collect(),
        })
        .collect();
    let first = group.node_groups().first();
    let endpoint = group.configuration_endpoint().or_else(|| first.and_then(|shard| shard.primary_endpoint()));
    Topology {
        kind: Kind::ReplicationGroup,
        status: text(group.status()),
        engine: text(group.engine().or_else(|| members.first().and_then(CacheCluster::engine))),
        version: text(members.first().and_then(CacheCluster::engine_version)),
        failover: text(group.automatic_failover().map(AutomaticFailoverStatus::as_str)),
        multi_az: group.multi_az() == Some(&MultiAzStatus::Enabled),
        tls: group.transit_encryption_enabled() == Some(true),
        endpoint: address(endpoint),
        shards,
    }
}

#[inline]
pub(crate) fn of_serverless(cache: &ServerlessCache) -> Topology {
    Topology {
        kind: Kind::Serverless,
        status: text(cache.status()),
        engine: text(cache.engine()),
        version: text(cache.full_engine_version().or(cache.major_engine_version())),
        // Its data is in several zones, its endpoint moves by itself, and there is no way to turn either off.
        failover: "enabled".to_owned(),
        multi_az: true,
        tls: true,
        endpoint: address(cache.endpoint()),
        shards: Vec::new(),
    }
}

#[inline]
pub(crate) fn of_node(cluster: &CacheCluster) -> Topology {
    let nodes = cluster
        .cache_nodes()
        .iter()
        .map(|node| Node {
            id: text(cluster.cache_cluster_id()),
            zone: text(node.customer_availability_zone()),
            role: Role::Primary,
            status: text(node.cache_node_status()),
        })
        .collect();
    let status = text(cluster.cache_cluster_status());
    Topology {
        kind: Kind::Node,
        engine: text(cluster.engine()),
        version: text(cluster.engine_version()),
        failover: "disabled".to_owned(),
        multi_az: false,
        tls: cluster.transit_encryption_enabled() == Some(true),
        endpoint: address(cluster.cache_nodes().first().and_then(|node| node.endpoint())),
        shards: vec![Shard {
            id: text(cluster.cache_cluster_id()),
            status: status.clone(),
            slots: String::new(),
            nodes,
        }],
        status,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::types::{CacheNode, Endpoint, NodeGroup, NodeGroupMember};

    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint::builder().address(host).port(6379).build()
    }

    fn member(id: &str, role: &str, zone: &str) -> NodeGroupMember {
        NodeGroupMember::builder().cache_cluster_id(id).current_role(role).preferred_availability_zone(zone).build()
    }

    fn cluster(id: &str, status: &str) -> CacheCluster {
        CacheCluster::builder()
            .cache_cluster_id(id)
            .cache_cluster_status(status)
            .engine("valkey")
            .engine_version("8.0.1")
            .build()
    }

    fn group(status: &str, failover: AutomaticFailoverStatus) -> ReplicationGroup {
        let shard = NodeGroup::builder()
            .node_group_id("0001")
            .status(status)
            .primary_endpoint(endpoint("primary.example"))
            .node_group_members(member("c-001", "primary", "us-east-1a"))
            .node_group_members(member("c-002", "replica", "us-east-1b"))
            .build();
        ReplicationGroup::builder()
            .replication_group_id("c")
            .status(status)
            .automatic_failover(failover)
            .multi_az(MultiAzStatus::Enabled)
            .transit_encryption_enabled(true)
            .node_groups(shard)
            .build()
    }

    #[test]
    fn a_group_says_who_is_primary_and_where() {
        let members = [cluster("c-001", "available"), cluster("c-002", "available")];
        let found = of_group(&group("available", AutomaticFailoverStatus::Enabled), &members);
        assert_eq!((found.engine.as_str(), found.version.as_str()), ("valkey", "8.0.1"));
        assert_eq!(found.endpoint, "primary.example:6379");
        let nodes: Vec<_> = found.nodes().map(|node| (node.id.as_str(), node.role, node.zone.as_str())).collect();
        assert_eq!(nodes, [("c-001", Role::Primary, "us-east-1a"), ("c-002", Role::Replica, "us-east-1b")]);
        assert!(found.is_available() && found.fails_over() && found.multi_az && found.tls);
    }

    #[test]
    fn operators_read_a_name_for_each_kind_and_role() {
        let kinds = [Kind::ReplicationGroup, Kind::Serverless, Kind::Node].map(Kind::as_str);
        assert_eq!(kinds, ["replication-group", "serverless", "node"]);
        assert_eq!([Role::Primary, Role::Replica, Role::Unknown].map(Role::as_str), ["primary", "replica", "unknown"]);
    }

    #[test]
    fn a_node_of_a_group_has_the_status_of_its_own_cluster() {
        let members = [cluster("c-001", "rebooting cache cluster nodes"), cluster("c-003", "deleting")];
        let found = of_group(&group("available", AutomaticFailoverStatus::Enabled), &members);
        let statuses: Vec<_> = found.nodes().map(|node| node.status.as_str()).collect();
        assert_eq!(statuses, ["rebooting cache cluster nodes", ""], "no cluster is described for the second");
    }

    #[test]
    fn connections_to_one_node_are_encrypted_only_where_it_says_so() {
        for (said, tls) in [(Some(true), true), (Some(false), false), (None, false)] {
            let single = CacheCluster::builder().set_transit_encryption_enabled(said).build();
            assert_eq!(of_node(&single).tls, tls, "{said:?}");
        }
    }

    #[test]
    fn in_cluster_mode_clients_are_given_the_configuration_endpoint() {
        let base = group("available", AutomaticFailoverStatus::Enabled);
        let clustered = ReplicationGroup::builder()
            .set_node_groups(Some(base.node_groups().to_vec()))
            .configuration_endpoint(endpoint("all.example"))
            .build();
        assert_eq!(of_group(&clustered, &[]).endpoint, "all.example:6379");
    }

    #[test]
    fn one_node_that_is_not_available_makes_the_cache_not_available() {
        let members = [cluster("c-001", "available"), cluster("c-002", "rebooting cache cluster nodes")];
        assert!(!of_group(&group("available", AutomaticFailoverStatus::Enabled), &members).is_available());
        assert!(!of_group(&group("modifying", AutomaticFailoverStatus::Enabled), &[]).is_available());
    }

    #[test]
    fn failover_counts_when_it_is_enabled_and_not_before() {
        for (status, expected) in [
            (AutomaticFailoverStatus::Enabled, true),
            (AutomaticFailoverStatus::Enabling, false),
            (AutomaticFailoverStatus::Disabled, false),
        ] {
            assert_eq!(of_group(&group("available", status), &[]).fails_over(), expected);
        }
    }

    #[test]
    fn a_serverless_cache_shows_no_nodes() {
        let cache = ServerlessCache::builder()
            .serverless_cache_name("c")
            .status("available")
            .engine("valkey")
            .full_engine_version("8.1")
            .endpoint(endpoint("serverless.example"))
            .build();
        let found = of_serverless(&cache);
        assert_eq!(
            (found.kind, found.nodes().count(), found.endpoint.as_str()),
            (Kind::Serverless, 0, "serverless.example:6379")
        );
        assert!(found.is_available() && found.fails_over());
    }

    #[test]
    fn a_single_node_never_fails_over() {
        let node = CacheNode::builder().cache_node_status("available").endpoint(endpoint("node.example")).build();
        let single = CacheCluster::builder()
            .cache_cluster_id("c")
            .cache_cluster_status("available")
            .engine("redis")
            .cache_nodes(node)
            .build();
        let found = of_node(&single);
        assert_eq!((found.kind, found.fails_over(), found.endpoint.as_str()), (Kind::Node, false, "node.example:6379"));
        assert_eq!(found.nodes().count(), 1);
    }
}
