//! One test for each branch of the handlers with a route.

use holdfast_domain::Millis;
use holdfast_kit::cookies::ACCESS;

use super::*;

/// The status and the code of an answer.
fn said(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.code.as_str())
}

fn ticket_call(world: &World) -> Call {
    Call::new("POST", "/v1/push/tickets").bearer(&world.access)
}

fn publish_call(body: &Value) -> Call {
    Call::new("POST", "/v1/messages").json(body).signed_by("arn:aws:sts::1:assumed-role/service/s")
}

fn note(data: u64) -> Value {
    json!({"to": {"broadcast": true}, "kind": "note", "data": data})
}

fn history_call(world: &World, channel: &str, query: &str) -> Call {
    let call = Call::new("GET", &format!("/v1/channels/{channel}/messages"));
    call.path_parameter("channel", channel).bearer(&world.access).query(query)
}

#[tokio::test]
async fn a_ticket_opens_a_socket_for_half_a_minute_and_no_longer_than_the_session() {
    let world = World::new().await;
    let (answer, _) = world.serve("push-ticket", &ticket_call(&world), TIME).await;
    let ticket = answer.body["ticket"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["url"], format!("wss://push.example.com/v1?ticket={ticket}"));
    assert_eq!(answer.body["expiresAt"], world.host.now().plus_seconds(30).to_string());
    let (answer, _) = world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await;
    assert_eq!(answer.unwrap()["statusCode"], 200);
    world.host.advance_seconds(3_590);
    let (answer, _) = world.serve("push-ticket", &ticket_call(&world), TIME).await;
    assert_eq!(answer.body["expiresAt"], world.host.now().plus_seconds(10).to_string());
}

#[tokio::test]
async fn tickets_have_a_budget() {
    let world = World::new().await;
    let mut last = (0, String::new());
    for _ in 0..200 {
        let (answer, _) = world.serve("push-ticket", &ticket_call(&world), TIME).await;
        last = (answer.status, answer.headers["retry-after"].as_str().unwrap_or_default().to_owned());
        if last.0 != 201 {
            assert_eq!(said(&answer), (429, "TOO_MANY_ATTEMPTS"));
            break;
        }
    }
    assert!(last.0 == 429 && last.1.parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{last:?}");
}

#[tokio::test]
async fn callers_without_a_live_session_get_neither_ticket_nor_history() {
    let world = World::new().await;
    for (function, call) in
        [("push-ticket", ticket_call(&world)), ("push-history", history_call(&world, "broadcast", ""))]
    {
        for stranger in [call.clone().without_header("authorization"), call.clone().bearer("junk")] {
            let (answer, _) = world.serve(function, &stranger.json(&json!({"x": 1})), TIME).await;
            assert_eq!(said(&answer), (401, "UNAUTHENTICATED"), "{function}");
        }
        for (name, bad) in [("body", call.clone().json(&json!({"x": 1}))), ("query", call.clone().query("x=1"))] {
            let (answer, _) = world.serve(function, &bad, TIME).await;
            assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}, {name}");
        }
    }
}

#[tokio::test]
async fn another_site_gets_no_ticket_by_the_cookie_of_the_session() {
    let world = World::new().await;
    let call = ticket_call(&world).without_header("authorization").cookie(ACCESS, &world.access);
    for foreign in [call.clone(), call.from_page("https://evil.example")] {
        assert_eq!(said(&world.serve("push-ticket", &foreign, TIME).await.0), (403, "FORBIDDEN"));
    }
}

#[tokio::test]
async fn only_services_publish() {
    let world = World::new().await;
    let unsigned = Call::new("POST", "/v1/messages").json(&json!({"unknown": 1})).bearer(&world.access);
    assert_eq!(said(&world.serve("push-publish", &unsigned, TIME).await.0), (403, "FORBIDDEN"));
    for bad in [json!({}), json!({"to": {}, "kind": "note", "data": 1}), json!({"unknown": 1})] {
        let (answer, _) = world.serve("push-publish", &publish_call(&bad), TIME).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{bad}");
    }
    assert!(world.queues.calm.next_job().is_none());
}

#[tokio::test]
async fn a_publish_is_accepted_and_its_repetition_says_so() {
    let world = World::new().await;
    let mut body = note(1);
    body["idempotencyKey"] = "k".into();
    let (first, _) = world.serve("push-publish", &publish_call(&body), TIME).await;
    assert_eq!((first.status, &first.body["duplicate"], &first.body["offset"]), (202, &json!(false), &json!(1)));
    assert_eq!(first.body["channel"], "broadcast");
    let (again, _) = world.serve("push-publish", &publish_call(&body), TIME).await;
    assert_eq!((again.status, &again.body["duplicate"]), (202, &json!(true)));
    assert_eq!(again.body["messageId"], first.body["messageId"]);
    // Longer than the body of other routes may be.
    body["data"] = "x".repeat(20_000).into();
    body["idempotencyKey"] = "l".into();
    assert_eq!(world.serve("push-publish", &publish_call(&body), TIME).await.0.status, 202);
    body["data"] = "x".repeat(300_000).into();
    assert_eq!(world.serve("push-publish", &publish_call(&body), TIME).await.0.status, 413);
}

#[tokio::test]
async fn a_channel_that_is_written_too_fast_says_so() {
    let world = World::new().await;
    world.table.calm.contend(usize::MAX);
    let call = publish_call(&note(1));
    let (answer, _) = while_time_passes(&world.host, world.serve("push-publish", &call, TIME)).await;
    assert_eq!(said(&answer), (503, "CHANNEL_BUSY"));
    assert!(world.queues.calm.next_job().is_none());
}

/// Publishes three messages; the epoch of their channel.
async fn three_messages(world: &World) -> String {
    for data in 1..=3 {
        assert_eq!(world.serve("push-publish", &publish_call(&note(data)), TIME).await.0.status, 202);
    }
    let (answer, _) = world.serve("push-history", &history_call(world, "broadcast", "after=3"), TIME).await;
    answer.body["epoch"].as_str().unwrap().to_owned()
}

fn offsets(answer: &Answer) -> Vec<u64> {
    answer.body["messages"].as_array().unwrap().iter().map(|message| message["offset"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_channels_history_is_read_from_a_mark_whole_or_in_part() {
    let world = World::new().await;
    let epoch = three_messages(&world).await;
    let read = async |query: &str| world.serve("push-history", &history_call(&world, "broadcast", query), TIME).await.0;
    for (query, expected, recovered) in [
        ("".to_owned(), vec![1, 2, 3], true),
        ("after=0".into(), vec![1, 2, 3], true),
        ("after=2".into(), vec![3], true),
        (format!("after=1&epoch={epoch}"), vec![2, 3], true),
        ("after=0&limit=2".into(), vec![1, 2], true),
        ("after=1&epoch=AAAAAAAAAAA".into(), vec![], false),
        ("after=1&epoch=junk".into(), vec![], false),
        ("after=9".into(), vec![], false),
    ] {
        let answer = read(&query).await;
        assert_eq!((answer.status, offsets(&answer)), (200, expected), "{query}");
        assert_eq!((&answer.body["recovered"], &answer.body["epoch"]), (&json!(recovered), &json!(epoch)), "{query}");
    }
    for bad in ["after=x", "after=-1", "limit=0", "limit=1001", "limit=x"] {
        assert_eq!(said(&read(bad).await), (400, "INVALID_REQUEST"), "{bad}");
    }
}

#[tokio::test]
async fn a_channel_that_nobody_wrote_to_has_missed_nothing() {
    let world = World::new().await;
    for (query, recovered) in [("", true), ("after=0", true), ("after=1", false), ("epoch=AAAAAAAAAAA", false)] {
        let (answer, _) = world.serve("push-history", &history_call(&world, "topic:public.x", query), TIME).await;
        assert_eq!(
            (answer.status, &answer.body),
            (200, &json!({"epoch": null, "messages": [], "recovered": recovered}))
        );
    }
}

#[tokio::test]
async fn a_channel_is_read_by_whom_it_is_for() {
    let world = World::new().await;
    let other = UserId::from_bytes([9; 16]);
    for (channel, expected) in [
        (format!("user:{}", world.at.user), (200, "")),
        (format!("user%3A{}", world.at.user), (200, "")),
        (format!("user%3a{}", world.at.user), (200, "")),
        (format!("user:{other}"), (403, "FORBIDDEN")),
        ("topic:public.x".into(), (200, "")),
        ("topic:private.x".into(), (403, "FORBIDDEN")),
        ("everybody".into(), (400, "INVALID_REQUEST")),
        (String::new(), (400, "INVALID_REQUEST")),
    ] {
        let (answer, _) = world.serve("push-history", &history_call(&world, &channel, ""), TIME).await;
        assert_eq!(said(&answer), expected, "{channel}");
    }
}

#[tokio::test]
async fn a_message_that_expired_is_shown_without_its_data() {
    let world = World::new().await;
    let mut body = note(1);
    body["ttlSeconds"] = 60.into();
    assert_eq!(world.serve("push-publish", &publish_call(&body), TIME).await.0.status, 202);
    world.host.advance_seconds(61);
    let (answer, _) = world.serve("push-history", &history_call(&world, "broadcast", "after=0"), TIME).await;
    let message = &answer.body["messages"][0];
    assert_eq!((&message["kind"], &message["data"]), (&json!("expired"), &Value::Null), "{answer:?}");
    assert!(world.host.now() > Millis::new(0));
}
