//! Session events on the bus, seen by a subscriber of our own.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use holdfast_e2e::{Person, SignIn, random_text};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::World;

/// A rule on the bus with a queue behind it.
struct Subscription {
    sqs: aws_sdk_sqs::Client,
    eventbridge: aws_sdk_eventbridge::Client,
    bus: String,
    rule: String,
    queue: String,
}

impl Subscription {
    async fn open(world: &World) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&world.config);
        let eventbridge = aws_sdk_eventbridge::Client::new(&world.config);
        let bus = world.deployment.event_bus.clone();
        let rule = format!("holdfast-e2e-{}", random_text());
        let queue = sqs.create_queue().queue_name(&rule).send().await.unwrap().queue_url.unwrap();
        let subscription = Self { sqs, eventbridge, bus, rule, queue };
        subscription.connect().await;
        subscription
    }

    async fn connect(&self) {
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.queue)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .unwrap();
        let arn = attributes.attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        let pattern = json!({"source": [{"prefix": "holdfast."}]}).to_string();
        self.eventbridge
            .put_rule()
            .name(&self.rule)
            .event_bus_name(&self.bus)
            .event_pattern(pattern)
            .send()
            .await
            .unwrap();
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build().unwrap();
        let put = self
            .eventbridge
            .put_targets()
            .rule(&self.rule)
            .event_bus_name(&self.bus)
            .targets(target)
            .send()
            .await
            .unwrap();
        assert_eq!(put.failed_entry_count, 0);
    }

    /// Collects events until `enough` returns `true`, for at most 20 seconds.
    async fn collect(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut events = Vec::new();
        while Instant::now() < deadline && !enough(&events) {
            let batch = self
                .sqs
                .receive_message()
                .queue_url(&self.queue)
                .max_number_of_messages(10)
                .wait_time_seconds(1)
                .send()
                .await
                .unwrap();
            for message in batch.messages.unwrap_or_default() {
                events.push(serde_json::from_str(message.body().unwrap_or_default()).unwrap());
                let handle = message.receipt_handle().unwrap_or_default();
                self.sqs.delete_message().queue_url(&self.queue).receipt_handle(handle).send().await.unwrap();
            }
        }
        events
    }

    async fn close(self) {
        let removed =
            self.eventbridge.remove_targets().rule(&self.rule).event_bus_name(&self.bus).ids("queue").send().await;
        let deleted = self.eventbridge.delete_rule().name(&self.rule).event_bus_name(&self.bus).send().await;
        let gone = self.sqs.delete_queue().queue_url(&self.queue).send().await;
        assert!(removed.is_ok() && deleted.is_ok() && gone.is_ok(), "the test's own rule and queue are removed");
    }
}

/// Events that name this user, by `id`: what came twice counts once.
fn about<'a>(events: &'a [Value], user_id: &str) -> Vec<&'a Value> {
    let theirs = events.iter().filter(|event| event["detail"]["userId"] == user_id);
    let by_id: BTreeMap<&str, &Value> =
        theirs.map(|event| (event["detail"]["id"].as_str().unwrap_or_default(), event)).collect();
    by_id.into_values().collect()
}

fn of_type<'a>(events: &[&'a Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["detail"]["type"] == kind).map(|event| &event["detail"]).collect()
}

#[tokio::test]
async fn the_life_of_sessions_is_told_on_the_bus() {
    let world = World::open().await;
    let subscription = Subscription::open(&world).await;
    // The rule and the queue are deleted even if the test fails.
    let outcome = tokio::spawn(async move {
        let checked = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(tell(&world, &subscription)));
        let outcome = checked.await;
        subscription.close().await;
        outcome
    });
    if let Err(panic) = outcome.await.unwrap() {
        std::panic::resume_unwind(panic);
    }
}

async fn tell(world: &World, subscription: &Subscription) {
    let person = world.person().await;
    let refused = world.api.login(&person.email, &Person::random().password, &SignIn::default()).await.unwrap();
    refused.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let mut sessions = Vec::new();
    for device in 1..=6 {
        sessions.push(world.api.sign_in(&person, &format!("device {device}")).await.unwrap());
    }
    world.api.revoke(&sessions[5].access, &sessions[1].session_id).await.unwrap().expect(200).unwrap();
    let user_id = sessions[0].user_id.clone();

    let wanted = [
        ("ACCOUNT_CREATED", 1),
        ("AUTH_FAILED", 1),
        ("LOGIN_STARTED", 7),
        ("SESSION_CREATED", 6),
        ("SESSION_EVICTED", 1),
        ("SESSION_REVOKED", 1),
    ];
    let counts = |events: &[Value]| wanted.map(|(kind, _)| (kind, of_type(&about(events, &user_id), kind).len()));
    let events = subscription.collect(|events| counts(events) == wanted).await;
    assert_eq!(counts(&events), wanted);

    let mine = about(&events, &user_id);
    for event in &mine {
        let detail = &event["detail"];
        for member in ["id", "seq", "type", "at"] {
            assert!(detail[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {event}");
        }
        assert!(event["source"].as_str().is_some_and(|source| source.starts_with("holdfast.")), "{event}");
        let known = [
            "id",
            "seq",
            "type",
            "at",
            "userId",
            "sessionId",
            "loginSessionId",
            "reason",
            "device",
            "network",
            "actor",
        ];
        assert!(detail.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())), "{event}");
        // Clients did all of this, from one network; no operator did anything.
        assert_eq!((&detail["network"], &detail["actor"]), (&json!("127.0.0.0/24"), &Value::Null), "{event}");
    }

    let created = of_type(&mine, "SESSION_CREATED");
    let ids: Vec<&str> = created.iter().filter_map(|detail| detail["sessionId"].as_str()).collect();
    assert!(sessions.iter().all(|session| ids.contains(&session.session_id.as_str())), "{created:?}");
    assert_eq!(of_type(&mine, "SESSION_EVICTED")[0]["sessionId"], sessions[0].session_id);
    let revoked = of_type(&mine, "SESSION_REVOKED")[0];
    assert_eq!(revoked["sessionId"], sessions[1].session_id);
    let created = created.iter().find(|detail| detail["sessionId"] == revoked["sessionId"]).unwrap();
    assert!(created["seq"].as_str() < revoked["seq"].as_str(), "a session begins before it ends");
    let failed = of_type(&mine, "AUTH_FAILED")[0];
    let started = of_type(&mine, "LOGIN_STARTED");
    let started = started.iter().find(|detail| detail["loginSessionId"] == failed["loginSessionId"]).unwrap();
    assert!(started["seq"].as_str() < failed["seq"].as_str(), "a sign-in begins before it fails");

    // No event holds these secrets, not even one of another user.
    for event in &events {
        let text = event.to_string();
        let mut secrets = vec![person.email.as_str(), person.password.as_str(), "hf1."];
        secrets.extend(sessions.iter().flat_map(|session| [session.access.as_str(), session.refresh.as_str()]));
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}
