//! Publishing: who may, what is accepted, and who receives it.

use holdfast_e2e::path::open_socket;
use holdfast_e2e::{Call, Reply, SignedIn, random_text};
use serde_json::{Value, json};

use crate::world::World;

fn note(to: &[&SignedIn], text: &str) -> Value {
    let ids: Vec<&str> = to.iter().map(|session| session.user_id.as_str()).collect();
    json!({"to": {"userIds": ids}, "kind": "note", "data": {"text": text}})
}

async fn publish(world: &World, body: &Value) -> String {
    let reply = world.api.publish(body).await.unwrap().expect(202).unwrap();
    assert_eq!(reply.at("/duplicate"), false);
    reply.text("/messageId").unwrap()
}

#[tokio::test]
async fn a_message_reaches_its_user_on_every_socket_and_nobody_else() {
    let world = World::open().await;
    let (_, mine) = world.signed_in().await;
    let (_, theirs) = world.signed_in().await;
    let mut a = open_socket(&world.api, &mine.access, "A").await.unwrap();
    let mut b = open_socket(&world.api, &mine.access, "B").await.unwrap();
    let mut other = open_socket(&world.api, &theirs.access, "other").await.unwrap();

    let text = random_text();
    let id = publish(&world, &note(&[&mine], &text)).await;
    for socket in [&mut a, &mut b] {
        let frame = socket.expect_message(&id).await.unwrap();
        assert_eq!(frame["channel"], format!("user:{}", mine.user_id));
        assert_eq!((&frame["kind"], &frame["data"]), (&json!("note"), &json!({"text": text})));
    }
    // A later message to the other one has come, so an earlier one to them would have been on its way for long enough.
    let later = publish(&world, &note(&[&theirs], "later")).await;
    other.expect_message(&later).await.unwrap();
    for socket in [&mut a, &mut b, &mut other] {
        socket.ping().await.unwrap();
        assert_eq!(socket.repeats(&id), 0);
    }
    for socket in [a, b, other] {
        socket.close().await;
    }
}

#[tokio::test]
async fn offsets_of_a_channel_count_without_gaps() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let mut frames = Vec::new();
    for number in 0..5 {
        let reply = world.api.publish(&note(&[&session], &number.to_string())).await.unwrap().expect(202).unwrap();
        let frame = socket.expect_message(&reply.text("/messageId").unwrap()).await.unwrap();
        assert_eq!(reply.at("/offset"), frame["offset"]);
        assert_eq!(reply.at("/channel"), frame["channel"]);
        frames.push(frame);
    }
    for pair in frames.windows(2) {
        assert_eq!(pair[1]["offset"].as_u64().unwrap(), pair[0]["offset"].as_u64().unwrap() + 1);
        assert_eq!(pair[1]["epoch"], pair[0]["epoch"]);
    }
    socket.close().await;
}

#[tokio::test]
async fn several_users_each_receive_the_message() {
    let world = World::open().await;
    let (_, one) = world.signed_in().await;
    let (_, two) = world.signed_in().await;
    let mut a = open_socket(&world.api, &one.access, "one").await.unwrap();
    let mut b = open_socket(&world.api, &two.access, "two").await.unwrap();
    let id = publish(&world, &note(&[&one, &two], "both")).await;
    a.expect_message(&id).await.unwrap();
    b.expect_message(&id).await.unwrap();
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn one_idempotency_key_is_one_message_whatever_the_body() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let mut body = note(&[&session], "first");
    body["idempotencyKey"] = random_text().into();
    let first = world.api.publish(&body).await.unwrap().expect(202).unwrap();
    assert_eq!(first.at("/duplicate"), false);
    let id = first.text("/messageId").unwrap();
    socket.expect_message(&id).await.unwrap();

    body["data"] = json!({"text": "second"});
    let second = world.api.publish(&body).await.unwrap().expect(202).unwrap();
    assert_eq!(second.at("/duplicate"), true);
    for member in ["messageId", "channel", "offset"] {
        assert_eq!(second.at(&format!("/{member}")), first.at(&format!("/{member}")), "{member}");
    }
    let later = publish(&world, &note(&[&session], "later")).await;
    socket.expect_message(&later).await.unwrap();
    assert_eq!(socket.repeats(&id), 0);
    socket.close().await;
}

#[tokio::test]
async fn publishing_needs_a_signature() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let body = note(&[&session], "forged");
    let call = || Call::new("POST", "/v1/messages").json(&body);
    let unsigned = world.api.send(call()).await.unwrap();
    assert_eq!(unsigned.status, 403, "{}", unsigned.fault(403));
    // A user's access token is no signature. API Gateway refuses it; the local cloud passes it on and we refuse.
    let bearer = world.api.send(call().bearer(&session.access)).await.unwrap();
    assert!(matches!(bearer.status, 401 | 403), "{}", bearer.fault("401 or 403"));
}

#[tokio::test]
async fn what_cannot_be_published_is_refused() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let with = |name: &str, value: Value| {
        let mut body = note(&[&session], "x");
        body[name] = value;
        body
    };
    let mut without_kind = note(&[&session], "x");
    without_kind.as_object_mut().unwrap().remove("kind");
    let cases = [
        with("to", json!({})),
        with("to", json!({"userIds": []})),
        with("to", json!({"userIds": [session.user_id], "broadcast": true})),
        with("to", json!({"topic": "news", "userIds": [session.user_id]})),
        with("to", json!({"broadcast": false})),
        with("to", json!({"everybody": true})),
        with("ttlSeconds", json!(86_401)),
        with("ttlSeconds", json!(-1)),
        with("extra", json!(1)),
        without_kind,
        json!([]),
    ];
    let mut faults = Vec::new();
    for case in cases {
        if let Err(fault) = world.api.publish(&case).await.unwrap().expect_any_problem(&[400]) {
            faults.push(format!("{fault}; sent {case}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let large = with("data", json!("x".repeat(32 * 1024)));
    world.api.publish(&large).await.unwrap().expect_any_problem(&[413]).unwrap();
}

#[tokio::test]
async fn data_of_32_kib_is_delivered() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let mut body = note(&[&session], "x");
    // With its two quotes exactly at the limit, as compact JSON.
    body["data"] = json!("x".repeat(32 * 1024 - 2));
    let reply = world.api.publish(&body).await.unwrap().expect(202).unwrap();
    let frame = socket.expect_message(&reply.text("/messageId").unwrap()).await;
    assert!(frame.is_ok_and(|frame| frame["data"] == body["data"]), "32 KiB of data arrive as they were sent");
    socket.close().await;
}

#[tokio::test]
async fn a_users_history_is_theirs_alone() {
    let world = World::open().await;
    let (_, mine) = world.signed_in().await;
    let (_, theirs) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &mine.access, "A").await.unwrap();
    let id = publish(&world, &note(&[&mine], "kept")).await;
    let frame = socket.expect_message(&id).await.unwrap();
    socket.close().await;

    let channel = format!("user:{}", mine.user_id);
    let epoch = frame["epoch"].as_str().map_or_else(|| frame["epoch"].to_string(), str::to_owned);
    let before = frame["offset"].as_u64().unwrap() - 1;
    let reply = world.api.history(&mine.access, &channel, before, &epoch).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/recovered"), true, "{}", reply.fault("recovered"));
    assert_eq!(reply.at("/messages/0/id"), json!(id), "{}", reply.fault("the message"));
    assert_eq!(reply.at("/epoch"), frame["epoch"]);
    let refused = world.api.history(&theirs.access, &channel, before, &epoch).await.unwrap();
    refused.expect_any_problem(&[403]).unwrap();
}

#[tokio::test]
async fn history_is_read_page_by_page() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        let body = json!({"to": {"userIds": [session.user_id]}, "kind": "note", "data": number});
        let reply = world.api.publish(&body).await.unwrap().expect(202).unwrap();
        sent.push(reply.text("/messageId").unwrap());
    }
    let channel = format!("user:{}", session.user_id);
    let page = async |query: &str| world.api.history_page(&session.access, &channel, query).await.unwrap();
    let ids = |reply: &Reply| -> Vec<String> {
        let messages = reply.at("/messages").as_array().cloned().unwrap_or_default();
        messages.iter().filter(|m| m["kind"] == "note").map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    let (mut read, mut query) = (Vec::new(), "limit=2".to_owned());
    for _ in 0..20 {
        let reply = page(&query).await.expect(200).unwrap();
        assert_eq!(reply.at("/recovered"), true, "{}", reply.fault("recovered"));
        let messages = reply.at("/messages").as_array().cloned().unwrap();
        assert!(messages.len() <= 2);
        let Some(last) = messages.last() else { break };
        read.extend(ids(&reply));
        query = format!("limit=2&epoch={}&after={}", reply.text("/epoch").unwrap(), last["offset"]);
    }
    assert_eq!(read, sent);
    assert_eq!(ids(&page("").await.expect(200).unwrap()), sent, "all of it at once");
    for bad in ["limit=0", "limit=1001", "limit=x", "after=x", "after=-1"] {
        page(bad).await.expect_any_problem(&[400]).unwrap();
    }
}

/// Services that may send to the queue need not come by the door; a record is one message, however often it is delivered.
#[tokio::test]
async fn a_publish_may_come_by_the_queue() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let queue = aws_sdk_sqs::Client::new(&world.config);
    let message = json!({"v": 1, "kind": "publish", "publish": note(&[&session], "queued")});
    let url = &world.deployment.queues.push;
    queue.send_message().queue_url(url).message_body(message.to_string()).send().await.unwrap();
    let frame = socket.expect("message").await.unwrap();
    assert_eq!((&frame["data"], &frame["offset"]), (&json!({"text": "queued"}), &json!(1)));
    socket.close().await;
}

#[tokio::test]
async fn one_unreadable_record_among_ten_costs_the_others_nothing() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&world.config);
    let entry = |n: usize| {
        let body = match n {
            4 => "{\"v\":1,\"kind\":\"deliver\",".to_owned(),
            _ => {
                let publish = json!({"to": {"userIds": [session.user_id]}, "kind": "note", "data": {"number": n}});
                json!({"v": 1, "kind": "publish", "publish": publish}).to_string()
            }
        };
        aws_sdk_sqs::types::SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(body)
            .build()
            .unwrap()
    };
    let queue = &world.deployment.queues.push;
    let entries = (0..10).map(entry).collect();
    let sent = sqs.send_message_batch().queue_url(queue).set_entries(Some(entries)).send().await.unwrap();
    assert!(sent.failed().is_empty());
    let mut numbers = Vec::new();
    while numbers.len() < 9 {
        let frame = socket.expect("message").await.unwrap();
        numbers.push(frame["data"]["number"].as_u64().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 5, 6, 7, 8, 9], "each once, on its first delivery");
    socket.ping().await.unwrap();
    socket.close().await;
}
