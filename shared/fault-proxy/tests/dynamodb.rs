//! The session store through a wire that throttles, conflicts and loses: what the local cloud never does.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use holdfast_dynamodb::SessionsTable;
use holdfast_fault_proxy::{DynamoDbProxy, Fault, Plan};
use holdfast_sessions::change::Origin;
use holdfast_testkit::LocalCloud;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::suites::sessions::{self, Bench};

async fn proxy(cloud: &LocalCloud, plan: &Plan) -> (DynamoDbProxy, aws_config::SdkConfig) {
    let upstream = cloud.endpoint().trim_start_matches("http://");
    let proxy = DynamoDbProxy::start(upstream, plan.clone()).await.expect("a proxy");
    // The retries of the functions' own clients (holdfast-aws).
    let retries = aws_config::retry::RetryConfig::standard().with_max_attempts(3);
    let config = cloud.sdk_config().to_builder().endpoint_url(proxy.endpoint()).retry_config(retries).build();
    (proxy, config)
}

fn rounds(default: usize) -> usize {
    std::env::var("HOLDFAST_WIRE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let cloud = LocalCloud::start().await;
    let direct = aws_sdk_dynamodb::Client::new(cloud.sdk_config());
    let item = |key: &str| AttributeValue::S(key.to_owned());
    let is_there = async |key: &str| {
        let answer = direct.get_item().table_name(LocalCloud::SESSIONS).key("PK", item(key)).key("SK", item("x"));
        answer.consistent_read(true).send().await.expect("read").item.is_some()
    };
    for (fault, written, said) in [
        (Fault::Throttle, false, "ProvisionedThroughputExceededException"),
        (Fault::Conflict, false, "TransactionConflictException"),
        (Fault::ErrorBefore, false, "InternalServerError"),
        (Fault::ErrorAfter, true, "InternalServerError"),
        (Fault::LostReply, true, "dispatch failure"),
        (Fault::LostRequest, false, "dispatch failure"),
        (Fault::Delay(Duration::from_millis(5)), true, ""),
    ] {
        let plan = Plan::new(1).with("PutItem", fault, 1000);
        let (_proxy, config) = proxy(&cloud, &plan).await;
        let once = aws_sdk_dynamodb::config::Builder::from(&config)
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled());
        let client = aws_sdk_dynamodb::Client::from_conf(once.build());
        let key = format!("{fault:?}");
        let put = client.put_item().table_name(LocalCloud::SESSIONS).item("PK", item(&key)).item("SK", item("x"));
        let outcome = put.send().await;
        match &outcome {
            Ok(_) => assert_eq!(said, "", "{fault:?}"),
            Err(error) => {
                let text = format!("{:?} {error}", error.as_service_error());
                assert!(text.contains(said), "{fault:?}: {text}");
            }
        }
        assert_eq!(is_there(&key).await, written, "{fault:?}");
        assert_eq!(plan.total(), 1);
    }
}

#[tokio::test]
async fn a_stale_read_is_stale_only_where_staleness_is_allowed() {
    let cloud = LocalCloud::start().await;
    let plan = Plan::new(1).with("GetItem", Fault::Stale, 1000);
    let (_proxy, config) = proxy(&cloud, &plan).await;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let write = async |value: &str| {
        let put = client.put_item().table_name(LocalCloud::SESSIONS).item("PK", text("k")).item("SK", text("x"));
        put.item("v", text(value)).send().await.expect("written");
    };
    let read = async |strong: bool| {
        let get = client.get_item().table_name(LocalCloud::SESSIONS).key("PK", text("k")).key("SK", text("x"));
        let item = get.consistent_read(strong).send().await.expect("read").item.expect("there");
        item["v"].as_s().expect("a text").clone()
    };
    write("old").await;
    assert_eq!(read(false).await, "old");
    write("new").await;
    assert_eq!(read(true).await, "new");
    assert_eq!(read(false).await, "old", "what it said before");
    assert_eq!(read(false).await, "new");
}

/// A throttled table refuses a caller after the client's few retries, and no caller adds load.
#[tokio::test]
async fn what_is_throttled_is_told_so_without_a_storm_of_retries() {
    let cloud = LocalCloud::start().await;
    let calm = SessionsTable::new(cloud.sdk_config(), LocalCloud::SESSIONS);
    let bench = Bench::new(calm, RealHost).await;
    let signed_in = bench.sign_in().await;
    let throttled = |plan: Plan, operation: &'static str| plan.with(operation, Fault::Throttle, 1000);
    let plan = ["GetItem", "Query", "UpdateItem", "TransactWriteItems"].into_iter().fold(Plan::new(1), throttled);
    let (_proxy, config) = proxy(&cloud, &plan).await;
    let sessions = holdfast_sessions::service::Sessions {
        store: SessionsTable::new(&config, LocalCloud::SESSIONS),
        cache: holdfast_sessions::service::StrongReads(SessionsTable::new(&config, LocalCloud::SESSIONS)),
        host: RealHost,
        policy: holdfast_sessions::policy::Policy::default(),
    };
    let refusal = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect_err("throttled");
    assert_eq!(refusal.code, holdfast_sessions::error::Code::Unavailable, "never 401");
    assert_eq!(plan.total(), 3, "the client's own tries");
    let refusal = sessions.refresh(&signed_in.tokens.refresh.text(), &Origin::default()).await.expect_err("throttled");
    assert_eq!(refusal.code, holdfast_sessions::error::Code::Unavailable);
    assert_eq!(plan.total(), 6);
    let current =
        bench.sessions().identify(Some(&signed_in.tokens.access.text())).await.expect("nothing happened to it");
    let refusal = sessions.revoke_all(&current, false, &Origin::default()).await.expect_err("throttled");
    assert_eq!(refusal.code, holdfast_sessions::error::Code::Unavailable);
    assert_eq!(plan.total(), 9);
}

/// Sign-ins and refreshes of one user at once, over a wire on which a third of the transactions conflict and one in ten
/// answers is lost.
#[tokio::test]
async fn sessions_survive_the_wire() {
    let cloud = LocalCloud::start().await;
    let mut injected = 0;
    for seed in 0..u64::try_from(rounds(2)).expect("small") {
        let plan = Plan::new(seed)
            .with("TransactWriteItems", Fault::Conflict, 300)
            .with("TransactWriteItems", Fault::LostReply, 50)
            .with("TransactWriteItems", Fault::ErrorAfter, 50)
            .with("TransactWriteItems", Fault::ErrorBefore, 50)
            .with("UpdateItem", Fault::Conflict, 30)
            .with("UpdateItem", Fault::LostReply, 10)
            .with("GetItem", Fault::Throttle, 20)
            .with("Query", Fault::Throttle, 20);
        let (_proxy, config) = proxy(&cloud, &plan).await;
        let table = SessionsTable::new(&config, LocalCloud::SESSIONS);
        Box::pin(sessions::concurrent_sign_ins_never_exceed_the_limit(table.clone(), RealHost, 12)).await;
        Box::pin(sessions::thirty_two_submits_of_one_code_make_one_session(table.clone(), RealHost)).await;
        Box::pin(sessions::twenty_refreshes_of_one_token_make_one_generation(table.clone(), RealHost)).await;
        // Every session that was acknowledged is there, or an eviction took its place.
        let bench = Bench::new(table, RealHost).await;
        let made = join_all((0..5).map(|_| bench.sign_in())).await;
        let live = bench.live().await;
        assert!(made.iter().all(|session| live.iter().any(|slot| slot.sid == session.slot.sid)), "seed {seed}");
        injected += plan.total();
    }
    eprintln!("{injected} faults on the wire to DynamoDB");
    assert!(injected > 20, "hardly a fault was injected: this shows nothing");
}
