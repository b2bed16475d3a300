//! The event bus keeps the contract of its port on a local cloud; what AWS refuses is an error.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use holdfast_sessions::ports::{BusEntry, EventBus as _, StoreError};
use holdfast_testkit::{CannedAws, LocalCloud, suites};
use holdfast_wiring::event_bus::Bus;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// A queue that receives every event of a bus.
async fn subscribed(cloud: &LocalCloud, bus: &str) -> (aws_sdk_sqs::Client, String) {
    let (events, queues) =
        (aws_sdk_eventbridge::Client::new(cloud.sdk_config()), aws_sdk_sqs::Client::new(cloud.sdk_config()));
    events.create_event_bus().name(bus).send().await.expect("a bus");
    let queue = queues.create_queue().queue_name("all").send().await.expect("a queue");
    let url = queue.queue_url().expect("its URL").to_owned();
    let asked = queues.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = asked.send().await.expect("its attributes").attributes.expect("attributes");
    let pattern = r#"{"source":[{"prefix":"holdfast."}]}"#;
    events.put_rule().name("all").event_bus_name(bus).event_pattern(pattern).send().await.expect("a rule");
    let target =
        aws_sdk_eventbridge::types::Target::builder().id("queue").arn(&attributes[&QueueAttributeName::QueueArn]);
    let targets = events.put_targets().rule("all").event_bus_name(bus).targets(target.build().expect("complete"));
    targets.send().await.expect("a target");
    (queues, url)
}

fn known(text: &str) -> &'static str {
    ["holdfast.sessions", "SESSION_CREATED", "SESSION_REVOKED"].into_iter().find(|name| *name == text).expect("a name")
}

async fn received(queues: &aws_sdk_sqs::Client, url: &str, count: usize) -> Vec<BusEntry> {
    let (began, mut entries) = (Instant::now(), Vec::new());
    // One look more than needed, to find what came twice.
    let mut looks = 0;
    while looks < 1 {
        assert!(began.elapsed() < PATIENCE, "{} of {count} arrived", entries.len());
        looks += usize::from(entries.len() >= count);
        let asked = queues.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(0);
        for message in asked.send().await.expect("messages").messages() {
            let event: Value = serde_json::from_str(message.body().expect("a body")).expect("JSON");
            entries.push(BusEntry {
                source: known(event["source"].as_str().expect("a source")),
                detail_type: known(event["detail-type"].as_str().expect("a type")),
                detail: event["detail"].to_string(),
            });
            let handle = message.receipt_handle().expect("a handle");
            queues.delete_message().queue_url(url).receipt_handle(handle).send().await.expect("it is deleted");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    entries
}

#[tokio::test]
async fn the_bus_keeps_the_contract_of_the_event_bus() {
    let cloud = LocalCloud::start().await;
    let (queues, url) = subscribed(&cloud, "domain").await;
    let bus = Bus::new(cloud.sdk_config(), "domain");
    suites::bus::all(&bus, &mut async |count| received(&queues, &url, count).await).await;
}

/// A bus whose AWS gives these answers, one a request; it does not retry.
fn answering(answers: &[(u16, &str)]) -> (Bus, CannedAws) {
    let aws = CannedAws::new(answers);
    (Bus::new(&aws.config(), "domain"), aws)
}

/// The entries of each request that was sent.
fn asked(aws: &CannedAws) -> Vec<Vec<Value>> {
    let entries = |body: &String| serde_json::from_str::<Value>(body).expect("JSON")["Entries"].as_array().cloned();
    aws.requests().iter().map(|body| entries(body).expect("entries")).collect()
}

fn entries(count: usize) -> Vec<BusEntry> {
    let detail = |number: usize| format!(r#"{{"number":{number}}}"#);
    (0..count)
        .map(|number| BusEntry { source: "holdfast.sessions", detail_type: "SESSION_CREATED", detail: detail(number) })
        .collect()
}

const ALL_TAKEN: &str = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#;

#[tokio::test]
async fn a_request_takes_ten_entries_and_nothing_is_asked_for_none() {
    let (bus, aws) = answering(&[(200, ALL_TAKEN), (200, ALL_TAKEN), (200, ALL_TAKEN)]);
    assert_eq!(bus.publish(&[]).await, Ok(()));
    assert_eq!(aws.requests().len(), 0);
    assert_eq!(bus.publish(&entries(21)).await, Ok(()));
    let requests = asked(&aws);
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 1]);
    assert!(requests.iter().flatten().all(|entry| entry["EventBusName"] == "domain"), "of this bus: {requests:?}");
}

/// EventBridge answers 200 when it has refused some of the entries.
#[tokio::test]
async fn one_refused_entry_of_ten_is_an_error_and_ends_the_work() {
    let refused = r#"{"FailedEntryCount":1,"Entries":[{"EventId":"1"},{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}"#;
    for (answers, sent) in [(vec![(200, refused), (200, ALL_TAKEN)], 1), (vec![(200, ALL_TAKEN), (200, refused)], 2)] {
        let (bus, aws) = answering(&answers);
        let result = bus.publish(&entries(20)).await;
        assert_eq!(result, Err(StoreError::Unavailable("PutEvents: 1 entries refused".into())));
        assert_eq!(aws.requests().len(), sent);
    }
}

#[tokio::test]
async fn a_bus_that_refuses_is_unavailable_and_named_by_its_code() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (400, "AccessDeniedException"),
        (400, "ResourceNotFoundException"),
        (500, "InternalException"),
    ] {
        let (bus, _) = answering(&[(status, &format!(r#"{{"__type":"{code}"}}"#))]);
        let result = bus.publish(&entries(1)).await;
        assert_eq!(result, Err(StoreError::Unavailable(format!("PutEvents: {code}"))));
    }
}
