//! `boot` as a whole: a function in a process of its own, driven by a Runtime API of ours with events as AWS builds them.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod runtime_api;

use std::time::Duration;

use holdfast_runtime::boot::{self, InvocationError};
use holdfast_runtime::events::Event;
use holdfast_runtime::websocket::{SocketEvent, status};
use holdfast_runtime::{ConfigError, Env, Request, Response, metrics};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::StoreError;
use serde_json::{Value, json};

use runtime_api::{Finished, Invocation, Posted, run};

/// A secret as one would reach a log by mistake.
const SECRET: &str = "hf1.AAAAAAAAAAAAAAAAAAAAAA.0.c2VjcmV0LXNlY3JldC1zZWNyZXQ.Zm9v";
/// Long after every invocation of these tests has been answered.
const AN_HOUR: i64 = 3_600_000;

#[derive(Debug)]
struct Deps {
    table: String,
}

async fn deps(env: Env) -> Result<Deps, ConfigError> {
    env.policy()?;
    Ok(Deps { table: env.text("SESSIONS_TABLE")? })
}

async fn forever() {
    std::future::pending::<()>().await;
}

async fn route(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    request.no_body()?;
    tracing::info!(header = request.header("x-note"), "a request for {SECRET}");
    match request.path() {
        "/v1/panic" => panic!("a defect"),
        "/v1/slow" => forever().await,
        "/v1/down" => return Err(StoreError::Unavailable("GetItem: timed out".into()).into()),
        "/v1/none" => return Ok(Response::no_content()),
        "/v1/denied" => return Err(Failure::unauthenticated()),
        _ => {}
    }
    metrics::count("ROUTE_SERVED");
    Response::json(200, &json!({"table": deps.table, "flag": request.query("flag")}))
}

async fn frame(_: &'static Deps, event: SocketEvent, budget: Duration) -> Result<Value, InvocationError> {
    match event.body.as_deref() {
        Some("broken") => return Err(InvocationError("the frame cannot be served")),
        Some("panic") => panic!("a defect"),
        _ => {}
    }
    metrics::millis("FRAME_TIME", 1.5);
    tracing::info!(connection = event.connection_id, budget = u64::try_from(budget.as_millis()).unwrap(), "served");
    Ok(status(if event.event_type == "MESSAGE" { 200 } else { 403 }))
}

async fn numbers(_: &'static Deps, numbers: Vec<i64>, budget: Duration) -> Result<Value, InvocationError> {
    match numbers.first() {
        None => panic!("a defect"),
        Some(0) => return Err(InvocationError("nothing to add")),
        Some(_) => {}
    }
    let budget = u64::try_from(budget.as_millis()).unwrap();
    Ok(json!({"sum": numbers.iter().sum::<i64>(), "budget": budget}))
}

async fn subscriber(_: &'static Deps, event: Event) -> Result<(), StoreError> {
    match event.kind.as_str() {
        "SLOW" => forever().await,
        "PANIC" => panic!("a defect"),
        "DOWN" => return Err(StoreError::Conflict("UpdateItem: conflict".into())),
        _ => {}
    }
    metrics::count("EVENT_HANDLED");
    Ok(())
}

/// Tests nothing: the other tests run this binary again to be the function that this variable names.
#[test]
fn a_function_in_a_process_of_its_own() {
    let Ok(name) = std::env::var("HOLDFAST_TEST_FUNCTION") else { return };
    let code = match name.as_str() {
        "http" => boot::http(deps, route),
        "http_with_query" => boot::http_with_query(&["flag"], deps, route),
        "socket" => boot::socket(deps, frame),
        "event" => boot::event(deps, numbers),
        "subscriber" => boot::subscriber(deps, subscriber),
        other => panic!("{other}"),
    };
    // `ExitCode` cannot be read back, but compared by what it prints.
    let failed = format!("{code:?}") == format!("{:?}", std::process::ExitCode::FAILURE);
    std::process::exit(if failed { 23 } else { 0 });
}

const ENVIRONMENT: [(&str, &str); 4] = [
    ("SESSIONS_TABLE", "sessions"),
    ("HOLDFAST_ENV", "staging"),
    ("FUNCTION_KEY", "sessions-list"),
    ("ALLOWED_ORIGINS", "https://app.example.com"),
];

fn invoke(payload: impl ToString) -> Invocation {
    Invocation { payload: payload.to_string(), time: AN_HOUR }
}

fn late(payload: impl ToString) -> Invocation {
    Invocation { payload: payload.to_string(), time: 100 }
}

fn event_of(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": "",
        "headers": {"x-note": format!("Bearer {SECRET}")},
        "requestContext": {"requestId": "r-1", "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        "isBase64Encoded": false
    })
}

fn responses(finished: &Finished) -> Vec<&Value> {
    finished.posted.iter().inspect(|posted| assert_eq!(posted.kind, "response")).map(|posted| &posted.body).collect()
}

fn error(message: &str) -> Posted {
    Posted { kind: "error".into(), body: json!({"errorType": "Holdfast", "errorMessage": message}) }
}

fn is_panic(posted: &Posted) -> bool {
    posted.kind == "error" && posted.body["errorMessage"].to_string().contains("a defect")
}

/// For every request, Lambda receives an answer for the client, with the headers that every answer has.
#[test]
fn every_request_is_answered_with_the_headers_of_every_answer() {
    let mut bodiless = event_of("HEAD", "/v1/denied");
    bodiless["body"] = Value::Null;
    let mut queried = event_of("GET", "/v1/list");
    queried["rawQueryString"] = "flag=1".into();
    let cases = [
        (invoke(event_of("GET", "/v1/list")), 200, ""),
        (invoke(event_of("GET", "/v1/none")), 204, ""),
        (invoke(event_of("GET", "/v1/denied")), 401, "UNAUTHENTICATED"),
        (invoke(bodiless), 401, ""),
        (invoke(event_of("GET", "/v1/panic")), 500, "INTERNAL"),
        (invoke(event_of("GET", "/v1/down")), 503, "UNAVAILABLE"),
        (late(event_of("GET", "/v1/slow")), 503, "UNAVAILABLE"),
        (invoke(queried), 400, "INVALID_REQUEST"),
        (invoke("\"no event\""), 200, ""),
        (invoke("5"), 200, ""),
        // After all that, the function still serves.
        (invoke(event_of("GET", "/v1/list")), 200, ""),
    ];
    let (invocations, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(invocation, status, code)| (invocation, (status, code))).unzip();
    let finished = run("http", &ENVIRONMENT, invocations);
    let answers = responses(&finished);
    assert_eq!(answers.len(), expected.len(), "{}", finished.text);
    for (answer, (status, code)) in answers.iter().zip(expected) {
        assert_eq!(answer["statusCode"], status, "{answer}");
        let headers = answer["headers"].as_object().unwrap();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!headers["x-request-id"].as_str().unwrap().is_empty());
        assert_eq!(answer["isBase64Encoded"], false);
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or(Value::Null);
        assert_eq!(body["code"].as_str().unwrap_or_default(), code, "{answer}");
        let kind = if status == 200 { "application/json" } else { "application/problem+json" };
        assert!(headers.get("content-type").is_none_or(|found| found == kind), "{answer}");
        assert_eq!(headers.contains_key("content-type"), status != 204);
        assert_eq!(headers.contains_key("retry-after"), status == 503);
        assert_eq!(headers.contains_key("www-authenticate"), status == 401);
    }
    let body: Value = serde_json::from_str(answers[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"table": "sessions", "flag": null}));
    assert_eq!(answers[3]["body"], "", "HEAD has no body");

    let failed = finished.logged("request failed");
    assert_eq!(failed.len(), 3, "{}", finished.text);
    assert!(failed.iter().all(|line| line["level"] == "ERROR" && line["request_id"] == "r-1"));
    assert_eq!(failed[0]["route"], "GET /v1/panic");
    assert_eq!(failed[2]["detail"], "The request took too long; it may or may not have happened.");
    let refused = finished.logged("request refused");
    assert_eq!(
        refused.iter().map(|line| line["code"].as_str().unwrap()).collect::<Vec<_>>(),
        ["UNAUTHENTICATED", "UNAUTHENTICATED", "INVALID_REQUEST"]
    );
    assert!(refused.iter().all(|line| line["level"] == "INFO"));
    for (metric, count) in [("ROUTE_SERVED", 4.0), ("UNAUTHENTICATED", 2.0), ("INTERNAL", 1.0), ("UNAVAILABLE", 2.0)] {
        assert_eq!(finished.counted(metric), count, "{metric}: {}", finished.text);
    }
    let records: Vec<_> = finished.lines.iter().filter(|line| line["_aws"].is_object()).collect();
    assert!(records.iter().all(|record| record["env"] == "staging" && record["function"] == "sessions-list"));
    assert_eq!(records.len(), 10, "one record of each invocation that counted something");
}

/// No secret is written, however it gets into a line: as a message, in a field, in an error.
#[test]
fn no_secret_reaches_the_log() {
    let finished = run("http", &ENVIRONMENT, vec![invoke(event_of("GET", "/v1/list"))]);
    let [line] = finished.logged("a request for hf1.[masked]")[..] else { panic!("{}", finished.text) };
    assert_eq!(line["header"], "Bearer [masked]");
    assert_eq!((&line["level"], line["target"].is_string()), (&json!("INFO"), true));
    assert!(!finished.text.contains("AAAAAAAA") && !finished.text.contains("c2VjcmV0"), "{}", finished.text);
}

#[test]
fn the_level_of_the_log_is_configured() {
    for (level, lines) in [("debug", 1), ("INFO", 1), ("nonsense", 1), ("", 1), ("warn", 0), ("error", 0)] {
        let environment: Vec<_> = ENVIRONMENT.into_iter().chain([("LOG_LEVEL", level)]).collect();
        let finished = run("http", &environment, vec![invoke(event_of("GET", "/v1/list"))]);
        let logged = finished.logged("a request for hf1.[masked]").len();
        assert_eq!((finished.posted.len(), logged), (1, lines), "{level}");
    }
}

#[test]
fn a_route_takes_the_query_that_it_names_and_no_other() {
    let of = |query: &str| {
        let mut event = event_of("GET", "/v1/list");
        event["rawQueryString"] = query.into();
        invoke(event)
    };
    let finished = run("http_with_query", &ENVIRONMENT, vec![of("flag=x"), of("flag=x&more=1"), of("")]);
    let answers = responses(&finished);
    assert_eq!(answers.iter().map(|answer| &answer["statusCode"]).collect::<Vec<_>>(), [200, 400, 200]);
    assert!(answers[0]["body"].as_str().unwrap().contains(r#""flag":"x""#));
}

/// A function that is not configured says which variable, on one line, and takes no invocation.
#[test]
fn a_function_that_is_not_configured_takes_no_invocation() {
    type Changes = [(&'static str, &'static str)];
    let cases: [(&Changes, &str, &str); 4] = [
        (&[], "SESSIONS_TABLE", "is not set"),
        (&[("SESSIONS_TABLE", "")], "SESSIONS_TABLE", "is not set"),
        (
            &[("SESSIONS_TABLE", "t"), ("REFRESH_GRACE_SECONDS", "61")],
            "REFRESH_GRACE_SECONDS",
            "must be a whole number from 0 to 60",
        ),
        (
            &[("SESSIONS_TABLE", "t"), ("CACHE_MAX_AGE_SECONDS", "0")],
            "CACHE_MAX_AGE_SECONDS",
            "must be a whole number from 1 to 3600",
        ),
    ];
    for (environment, variable, problem) in cases {
        for name in ["http", "http_with_query", "socket", "event", "subscriber"] {
            let finished = run(name, environment, vec![invoke("{}")]);
            assert_eq!((finished.posted.len(), finished.code), (0, Some(23)), "{name} without {variable}");
            let [line] = &finished.lines[..] else { panic!("one line: {}", finished.text) };
            assert_eq!(line["level"], "ERROR");
            assert_eq!((&line["variable"], &line["problem"]), (&json!(variable), &json!(problem)));
        }
    }
    let proxy = [("SESSIONS_TABLE", "t"), ("TRUSTED_PROXY", "nginx")];
    let finished = run("http", &proxy, vec![invoke("{}")]);
    assert_eq!((finished.posted.len(), finished.code), (0, Some(23)));
    assert_eq!(finished.lines[0]["variable"], "TRUSTED_PROXY");
}

#[test]
fn a_socket_function_answers_with_a_status_or_fails_as_a_whole() {
    let frame = |kind: &str, body: &str| json!({"requestContext": {"routeKey": "$default", "eventType": kind, "connectionId": "c1"}, "body": body});
    let invocations = vec![
        invoke(frame("MESSAGE", "{}")),
        invoke(frame("CONNECT", "{}")),
        invoke(frame("MESSAGE", "broken")),
        invoke(frame("MESSAGE", "panic")),
        invoke("[]"),
        late(frame("MESSAGE", "{}")),
    ];
    let finished = run("socket", &ENVIRONMENT, invocations);
    let [message, connect, broken, panic, odd, last] = &finished.posted[..] else { panic!("{}", finished.text) };
    assert_eq!(message, &Posted { kind: "response".into(), body: json!({"statusCode": 200}) });
    assert_eq!(connect.body, json!({"statusCode": 403}));
    assert_eq!(broken, &error("the frame cannot be served"));
    assert!(is_panic(panic), "{panic:?}");
    assert_eq!((odd.kind.as_str(), &odd.body), ("response", &json!({"statusCode": 403})));
    assert_eq!(last.body, json!({"statusCode": 200}));
    let served = finished.logged("served");
    assert_eq!(served[0]["connection"], "c1");
    let budgets: Vec<_> = served.iter().map(|line| line["budget"].as_i64().unwrap()).collect();
    // A reserve for answering is kept back, and a late invocation gets a moment to answer.
    assert!(budgets[..3].iter().all(|budget| (AN_HOUR / 2..=AN_HOUR - 300).contains(budget)), "{budgets:?}");
    assert_eq!(budgets[3], 50);
    assert_eq!(finished.lines.iter().filter(|line| line["FRAME_TIME"] == 1.5).count(), 4);
}

#[test]
fn a_function_of_events_answers_or_fails_as_a_whole() {
    let invocations = vec![
        invoke("[1,2]"),
        invoke("[0]"),
        invoke("[]"),
        invoke(r#"{"not":"numbers"}"#),
        invoke("[1.5]"),
        invoke("[3]"),
    ];
    let finished = run("event", &ENVIRONMENT, invocations);
    let [sum, broken, panic, object, fraction, last] = &finished.posted[..] else { panic!("{}", finished.text) };
    assert_eq!((sum.kind.as_str(), &sum.body["sum"]), ("response", &json!(3)));
    assert!((AN_HOUR / 2..=AN_HOUR - 300).contains(&sum.body["budget"].as_i64().unwrap()));
    assert_eq!(broken, &error("nothing to add"));
    assert!(is_panic(panic), "{panic:?}");
    for odd in [object, fraction] {
        assert_eq!(odd, &error("the event is not of the expected form"));
    }
    assert_eq!(last.body["sum"], 3);
    let logged = finished.logged("event is not of the expected form");
    assert_eq!(logged.len(), 2);
    assert!(logged.iter().all(|line| line["level"] == "ERROR" && line["category"] == "Data"), "{logged:?}");
}

#[test]
fn a_subscriber_acknowledges_what_it_has_handled_and_nothing_else() {
    let envelope = |kind: &str| {
        json!({"version": "0", "source": "holdfast.auth", "detail-type": kind,
               "detail": {"id": "e-0", "seq": "1", "type": kind, "at": "2026-01-01T00:00:00.000Z"}})
    };
    let invocations = vec![
        invoke(envelope("SESSION_CREATED")),
        invoke(envelope("DOWN")),
        late(envelope("SLOW")),
        invoke(envelope("PANIC")),
        invoke(json!({"detail": {"id": "e"}})),
        invoke(json!({})),
        invoke(envelope("SESSION_CREATED")),
    ];
    let finished = run("subscriber", &ENVIRONMENT, invocations);
    let done = Posted { kind: "response".into(), body: Value::Null };
    let [first, down, slow, panic, cut, empty, last] = &finished.posted[..] else { panic!("{}", finished.text) };
    assert_eq!((first, last), (&done, &done));
    assert_eq!(down, &error("a store is in trouble"));
    assert_eq!(slow, &error("out of time"));
    assert!(is_panic(panic), "{panic:?}");
    assert_eq!([cut, empty], [&error("the event is not of the expected form"); 2]);
    assert_eq!((finished.counted("EVENT_HANDLED"), finished.counted("SubscriberRetried")), (2.0, 2.0));
    let [line] = finished.logged("the event will be delivered again")[..] else { panic!("{}", finished.text) };
    assert_eq!(line["error"], "store busy: UpdateItem: conflict");
    assert_eq!(finished.logged("out of time; the event will be delivered again").len(), 1);
}
