//! What each function does when a call fails.

use holdfast_testkit::failures::{Played, Route, assert_documented};

use super::*;

const ROUTES: &[Route] = &[
    Route { function: "push-ticket", ends: &["slot", "reserve", "put_ticket"], passes: &[], differs: &[] },
    Route {
        function: "push-publish",
        ends: &["begin_publish", "head", "begin", "append", "enqueue", "finish_publish"],
        passes: &[],
        differs: &[],
    },
    Route { function: "push-history", ends: &["slot", "readable", "head", "range"], passes: &[], differs: &[] },
];

/// A publish without an idempotency key, which neither takes a key nor keeps the id of its message.
const WITHOUT_KEY: Route = Route {
    function: "push-publish",
    ends: &["head", "begin", "record", "advance", "enqueue"],
    passes: &[],
    differs: &[],
};

fn publish_call() -> Call {
    let body = json!({"to": {"topic": "public.x"}, "kind": "note", "data": 1, "idempotencyKey": "k"});
    Call::new("POST", "/v1/messages").json(&body).signed_by("arn:aws:sts::1:assumed-role/service/s")
}

fn call(function: &str, world: &World) -> Call {
    match function {
        "push-ticket" => Call::new("POST", "/v1/push/tickets").bearer(&world.access),
        "push-publish" => publish_call(),
        _ => {
            let call =
                Call::new("GET", "/v1/channels/topic:public.x/messages").path_parameter("channel", "topic:public.x");
            call.bearer(&world.access).query("after=0")
        }
    }
}

async fn play(function: &str, failing: Option<(&'static str, Trouble)>) -> Played {
    play_call(function, call, failing).await
}

async fn play_call(function: &str, call: fn(&str, &World) -> Call, failing: Option<(&'static str, Trouble)>) -> Played {
    let world = World::new().await;
    if function == "push-history" {
        world.serve("push-publish", &publish_call(), TIME).await;
        world.calls();
    }
    let silent = matches!(failing, Some((_, Trouble::Silence)));
    if let Some((name, trouble)) = failing {
        world.fail_at(name, &trouble);
    }
    let budget = if silent { Duration::from_millis(50) } else { TIME };
    let call = call(function, &world);
    let serving = world.serve(function, &call, budget);
    let (answer, Recorded { log, counts, .. }) = while_time_passes(&world.host, serving).await;
    Played { calls: world.calls(), status: answer.status, code: answer.code, log, counts }
}

#[tokio::test]
async fn a_call_that_fails_ends_the_request_as_the_table_says() {
    for route in ROUTES {
        route.check(async |failing| play(route.function, failing).await).await;
    }
}

#[tokio::test]
async fn a_publish_without_a_key_fails_like_one_with_a_key() {
    let without_key = |_: &str, _: &World| {
        let body = json!({"to": {"topic": "public.x"}, "kind": "note", "data": 1});
        Call::new("POST", "/v1/messages").json(&body).signed_by("arn:aws:sts::1:assumed-role/service/s")
    };
    WITHOUT_KEY.check(async |failing| play_call(WITHOUT_KEY.function, without_key, failing).await).await;
}

/// The function, the calls that fail, the answer, the line of the log, and the metric.
type Row = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const AGAIN: &str = "the record is delivered again";
const FAILS: &str = "the invocation fails, and the client gets 500";
const ROWS: &[Row] = &[
    ("push-authorizer", &["slot", "ticket"], FAILS, "ERROR the handshake could not be judged", "–"),
    (
        "push-connect",
        &["ask", "consume", "is_gone", "of_user", "open", "slot"],
        "503",
        "ERROR the handshake could not be finished",
        "–",
    ),
    ("push-disconnect", &["forget", "mark_gone"], "503", "WARN the rows of a closed socket remain for now", "–"),
    ("push-fanout", &["head", "append", "of_user", "begin_publish", "enqueue"], AGAIN, "WARN", "–"),
    ("push-close-sockets", &["ask", "of_user"], AGAIN, "WARN the record will be delivered again", "–"),
];

#[tokio::test]
async fn a_handshake_is_neither_refused_nor_granted_by_a_store_in_trouble() {
    for (function, calls, ..) in ROWS.iter().filter(|row| ["push-authorizer", "push-connect"].contains(&row.0)) {
        for call in *calls {
            for trouble in Trouble::ERRORS {
                let world = World::new().await;
                // One socket more than a user may have: an older one is asked to close.
                let ticket = world.ticket().await;
                assert_eq!(
                    world.socket("push-connect", handshake(&world, "old=", &ticket), TIME).await.0.unwrap()["statusCode"],
                    200
                );
                world.host.advance_seconds(1);
                let ticket = world.ticket().await;
                world.fail_at(call, &trouble);
                let (answer, recorded) = match *function {
                    "push-authorizer" => world.authorize(json!({"queryStringParameters": {"ticket": ticket}})).await,
                    _ => world.socket(function, handshake(&world, "new=", &ticket), TIME).await,
                };
                let line = ROWS.iter().find(|row| row.0 == *function).unwrap().3;
                assert!(recorded.log.iter().any(|said| said == line), "{function}, {call}: {recorded:?}");
                assert!(recorded.counts.is_empty(), "{function}, {call}: {recorded:?}");
                match *function {
                    "push-authorizer" => assert!(answer.is_err(), "{call}: {answer:?}"),
                    _ => assert_eq!(answer.unwrap()["statusCode"], 503, "{call}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_closed_socket_whose_rows_stay_is_not_counted_as_closed() {
    for call in ["forget", "mark_gone"] {
        for trouble in Trouble::ERRORS {
            let world = World::new().await;
            world.fail_at(call, &trouble);
            let event = socket_event(&world, "DISCONNECT", "c=");
            let (answer, recorded) = world.socket("push-disconnect", event, TIME).await;
            assert_eq!((&answer.unwrap()["statusCode"], recorded.counts.len()), (&json!(503), 0), "{call}");
            assert_eq!(recorded.log, ["WARN the rows of a closed socket remain for now"], "{call}");
        }
    }
}

#[test]
fn the_documentation_has_the_rows_of_push() {
    assert_documented("service-push", &ROUTES.iter().map(Route::row).collect::<Vec<_>>());
    let row = |(function, calls, answer, line, metric): &Row| {
        let calls = calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", ");
        format!("| `{function}` | {calls} | {answer} | `{line}` | {metric} |")
    };
    assert_documented("push-sockets", &ROWS.iter().map(row).collect::<Vec<_>>());
}

/// The rows of the functions that read queues.
pub(super) fn records_of(function: &str) -> &'static [&'static str] {
    ROWS.iter().find(|row| row.0 == function).map(|row| row.1).unwrap_or_default()
}
