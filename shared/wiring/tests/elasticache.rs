//! The three questions, in their order, against a server that answers what ElastiCache would.

use std::sync::{Arc, Mutex};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use holdfast_wiring::elasticache::{Clusters, Kind, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Answer = (&'static str, u16, &'static str);

/// Answers each action with a status and a body, and records the actions.
async fn elasticache(answers: &'static [Answer]) -> (Clusters, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !text.contains("Action=") {
                let read = socket.read(&mut buffer).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            let Some(action) = text.split("Action=").nth(1).and_then(|rest| rest.split('&').next()) else { continue };
            log.lock().expect("not poisoned").push(action.to_owned());
            let (status, body) = answers
                .iter()
                .find(|(name, _, _)| *name == action)
                .map_or((500, ""), |(_, status, body)| (*status, *body));
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .credentials_provider(Credentials::for_tests())
        .region("us-east-1")
        .endpoint_url(url);
    (Clusters::new(&holdfast_aws::sdk_config_with(loader, true).load().await), asked)
}

const NO_GROUP: Answer = (
    "DescribeReplicationGroups",
    404,
    "<ErrorResponse><Error><Code>ReplicationGroupNotFoundFault</Code><Message>no</Message></Error></ErrorResponse>",
);
const NO_SERVERLESS: Answer = (
    "DescribeServerlessCaches",
    404,
    "<ErrorResponse><Error><Code>ServerlessCacheNotFoundFault</Code><Message>no</Message></Error></ErrorResponse>",
);
const NO_CLUSTER: Answer = (
    "DescribeCacheClusters",
    404,
    "<ErrorResponse><Error><Code>CacheClusterNotFound</Code><Message>no</Message></Error></ErrorResponse>",
);

#[tokio::test]
async fn a_group_is_read_with_its_members() {
    let (clusters, asked) = elasticache(&[
        (
            "DescribeReplicationGroups",
            200,
            "<DescribeReplicationGroupsResponse><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup>\
             <ReplicationGroupId>c</ReplicationGroupId><Status>available</Status><AutomaticFailover>enabled</AutomaticFailover>\
             <MemberClusters><ClusterId>c-001</ClusterId></MemberClusters><NodeGroups><NodeGroup><NodeGroupId>0001</NodeGroupId>\
             <Status>available</Status><PrimaryEndpoint><Address>p.example</Address><Port>6379</Port></PrimaryEndpoint>\
             <NodeGroupMembers><NodeGroupMember><CacheClusterId>c-001</CacheClusterId><CurrentRole>primary</CurrentRole>\
             </NodeGroupMember></NodeGroupMembers></NodeGroup></NodeGroups></ReplicationGroup></ReplicationGroups>\
             </DescribeReplicationGroupsResult></DescribeReplicationGroupsResponse>",
        ),
        (
            "DescribeCacheClusters",
            200,
            "<DescribeCacheClustersResponse><DescribeCacheClustersResult><CacheClusters><CacheCluster>\
             <CacheClusterId>c-001</CacheClusterId><CacheClusterStatus>available</CacheClusterStatus><Engine>valkey</Engine>\
             <EngineVersion>8.0.1</EngineVersion></CacheCluster></CacheClusters></DescribeCacheClustersResult>\
             </DescribeCacheClustersResponse>",
        ),
    ])
    .await;
    let found = clusters.describe("c").await.expect("an answer").expect("a cache");
    assert_eq!(
        (found.kind, found.engine.as_str(), found.version.as_str()),
        (Kind::ReplicationGroup, "valkey", "8.0.1")
    );
    assert_eq!(found.nodes().map(|node| node.role).collect::<Vec<_>>(), [Role::Primary]);
    assert!(found.is_available() && found.fails_over());
    assert_eq!(*asked.lock().expect("not poisoned"), ["DescribeReplicationGroups", "DescribeCacheClusters"]);
}

#[tokio::test]
async fn what_is_no_group_is_asked_for_as_a_serverless_cache() {
    let (clusters, _) = elasticache(&[
        NO_GROUP,
        (
            "DescribeServerlessCaches",
            200,
            "<DescribeServerlessCachesResponse><DescribeServerlessCachesResult><ServerlessCaches><member>\
             <ServerlessCacheName>c</ServerlessCacheName><Status>creating</Status><Engine>valkey</Engine></member>\
             </ServerlessCaches></DescribeServerlessCachesResult></DescribeServerlessCachesResponse>",
        ),
    ])
    .await;
    let found = clusters.describe("c").await.expect("an answer").expect("a cache");
    assert_eq!((found.kind, found.is_available()), (Kind::Serverless, false));
}

#[tokio::test]
async fn a_name_that_nothing_has_is_none_after_all_three_questions() {
    let (clusters, asked) = elasticache(&[NO_GROUP, NO_SERVERLESS, NO_CLUSTER]).await;
    assert_eq!(clusters.describe("c").await, Ok(None));
    assert_eq!(
        *asked.lock().expect("not poisoned"),
        ["DescribeReplicationGroups", "DescribeServerlessCaches", "DescribeCacheClusters"]
    );
}

#[tokio::test]
async fn a_refused_question_is_an_error_and_never_an_absent_cache() {
    let (clusters, _) = elasticache(&[(
        "DescribeReplicationGroups",
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
    )])
    .await;
    let error = clusters.describe("c").await.expect_err("an error");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}
