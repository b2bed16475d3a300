//! Around every HTTP request: what is checked before its handler, and what is done with the handler's answer.
//!
//! For every event, the answer is the handler's or a problem document with a request id.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use holdfast_sessions::{Code, Failure};
use serde_json::value::RawValue;

use crate::config::{ConfigError, Env};
use crate::http::event::Event;
use crate::http::proxy::Cloudfront;
use crate::http::{ApiGatewayResponse, Rejection, Request, Response, problem};
use crate::metrics;

/// One invocation, before its event is read.
pub(crate) struct Invocation {
    pub(crate) payload: Box<RawValue>,
    /// Lambda's id of the invocation.
    pub(crate) id: String,
    /// The time it may use.
    pub(crate) budget: Duration,
}

/// What is the same for all requests of a function.
pub(crate) struct Edge {
    /// Empty where `ALLOWED_ORIGINS` is not set: then no origin is allowed.
    origins: Arc<[String]>,
    /// Set where every request has to come through a content delivery network.
    proxy: Option<Cloudfront>,
    /// The query parameters that the route takes.
    parameters: &'static [&'static str],
}

impl Edge {
    pub(crate) fn from_env(env: &Env, parameters: &'static [&'static str]) -> Result<Self, ConfigError> {
        Ok(Self { origins: env.list("ALLOWED_ORIGINS").into(), proxy: Cloudfront::from_env(env)?, parameters })
    }

    /// Answers one request in API Gateway's format.
    pub(crate) async fn answer<H, HF, E>(&self, invocation: &Invocation, handle: H) -> ApiGatewayResponse
    where
        H: FnOnce(Request) -> HF,
        HF: Future<Output = Result<Response, E>>,
        E: Into<Rejection>,
    {
        let text = invocation.payload.get();
        let Some(request) = Event::with(text, |event| Request::from_payload(event, &invocation.id, self.parameters))
        else {
            let failure = Failure::new(Code::InvalidRequest, "The request cannot be read.");
            return refused(&Request::from_payload(Event::default(), &invocation.id, &[]), failure.into());
        };
        let request = request.allowing(self.origins.clone()).invoked_with(text);
        let viewer = self.proxy.as_ref().map(|proxy| proxy.viewer(&request)).transpose();
        let request = match viewer {
            Ok(address) => request.seen_from(address.flatten()),
            Err(failure) => return refused(&request, failure.into()),
        };
        let outcome = match tokio::time::timeout(invocation.budget, caught(|| handle(request.clone()))).await {
            Ok(Some(outcome)) => outcome.map_err(Into::into),
            Ok(None) => {
                Err(Failure::new(Code::Internal, "The request failed; it may or may not have happened.").into())
            }
            Err(_) => {
                let detail = "The request took too long; it may or may not have happened.";
                Err(Failure::new(Code::Unavailable, detail).into())
            }
        };
        // A handler refuses a query that its route does not take when it reads the form. Here nothing is forgotten.
        match outcome.and_then(|response| request.only_known_query().map(|()| response).map_err(Into::into)) {
            Ok(response) if request.method() == "HEAD" => response.without_body().into_event(request.id()),
            Ok(response) => response.into_event(request.id()),
            Err(rejection) => refused(&request, rejection),
        }
    }
}

fn refused(request: &Request, rejection: Rejection) -> ApiGatewayResponse {
    let Rejection { failure, expire_tokens, headers } = rejection;
    metrics::count(failure.code.as_str());
    let (code, route, request_id) = (failure.code.as_str(), request.route(), request.id());
    if problem::status(failure.code) >= 500 {
        tracing::error!(code, detail = %failure.detail, %route, %request_id, "request failed");
    } else {
        tracing::info!(code, %route, %request_id, "request refused");
    }
    let mut response = Response::problem(&failure, request.id());
    for (name, value) in headers {
        response = response.with_header(name, value);
    }
    if expire_tokens && request.no_foreign_origin().is_ok() {
        response = response.without_tokens();
    }
    if request.method() == "HEAD" {
        response = response.without_body();
    }
    response.into_event(request.id())
}

/// Runs a handler; nothing where it panics. What it was doing is dropped, as after a timeout.
async fn caught<F: Future>(start: impl FnOnce() -> F) -> Option<F::Output> {
    let mut running = pin!(catch_unwind(AssertUnwindSafe(start)).ok()?);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{Asked, Form};
    use crate::http::{by_tree, payload};
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};
    use std::time::Duration;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Body {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        trusted: bool,
        #[serde(default)]
        to: Option<Vec<u8>>,
        #[serde(default)]
        claims: serde_json::Map<String, Value>,
        #[serde(default)]
        data: Option<Box<RawValue>>,
    }

    /// Asks a request for everything that a handler can ask for.
    async fn everything(request: Request) -> Result<Response, Rejection> {
        let _ = (request.bearer(), request.device_cookie(), request.refresh_cookies(), request.source_ip());
        let _ =
            (request.header("user-agent"), request.iam_caller(), request.path(), request.path_parameter("sessionId"));
        request.access_tokens().map_err(|failure| Rejection::from(failure).expiring_tokens())?;
        let version = request.if_match()?.and_then(|versions| versions.first().copied());
        let flag = request.query_flag("keepCurrent")?;
        let body: Body = request.json_or_empty()?;
        let seen = json!({"version": version, "flag": flag, "name": body.name, "trusted": body.trusted,
                          "to": body.to, "claims": body.claims, "data": body.data.map(|data| data.get().len())});
        Ok(Response::json(200, &seen)?.with_device("t", 1))
    }

    fn edge(parameters: &'static [&'static str]) -> Edge {
        Edge::from_env(&Env::of([("ALLOWED_ORIGINS", "https://app.example.com")]), parameters).unwrap()
    }

    fn invocation(payload: String) -> Option<Invocation> {
        // What is not JSON never reaches a handler: Lambda's runtime refuses it.
        let payload = RawValue::from_string(payload).ok()?;
        Some(Invocation { payload, id: "lambda-1".to_owned(), budget: Duration::from_secs(5) })
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// The answer as API Gateway reads it.
    fn read(answer: ApiGatewayResponse) -> Value {
        serde_json::to_value(answer).unwrap()
    }

    fn answer(payload: String) -> Option<Value> {
        let invocation = invocation(payload)?;
        Some(read(run(edge(&["keepCurrent"]).answer(&invocation, everything))))
    }

    /// An answer is a success, or a problem that says what a client needs; it is never a fault of the service.
    fn well_formed(answer: &Value) -> Result<u64, String> {
        let headers = &answer["headers"];
        let id = headers["x-request-id"].as_str().unwrap_or_default();
        let status = answer["statusCode"].as_u64().unwrap_or_default();
        let text = answer["body"].as_str().ok_or("no body")?;
        let body: Value =
            if text.is_empty() { Value::Null } else { serde_json::from_str(text).map_err(|e| e.to_string())? };
        let common =
            !id.is_empty() && headers["cache-control"] == "no-store" && headers["x-content-type-options"] == "nosniff";
        let problem = headers["content-type"] == "application/problem+json"
            && (text.is_empty() || (body["requestId"] == id && body["status"] == status && body["detail"].is_string()));
        let good = match status {
            200 => headers["content-type"] == "application/json",
            400..=499 => problem,
            _ => false,
        };
        if common && good { Ok(status) } else { Err(answer.to_string()) }
    }

    fn event() -> Value {
        json!({
            "version": "2.0", "routeKey": "PUT /v1/sessions/{sessionId}/trust", "rawPath": "/v1/sessions/abc/trust",
            "rawQueryString": "keepCurrent=true",
            "queryStringParameters": {"keepCurrent": "true"},
            "cookies": ["a=b", "__Host-holdfast-device=junk"],
            "headers": {"authorization": "Bearer hf1.x", "if-match": "\"7\"", "user-agent": "x", "cookie": "n=1",
                        "content-type": "application/json", "x-forwarded-for": "6.6.6.6"},
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": "$default", "requestId": "r-1", "time": "", "timeEpoch": 0,
                "http": {"method": "PUT", "path": "/v1/sessions/abc/trust", "protocol": "HTTP/1.1",
                         "sourceIp": "192.0.2.1", "userAgent": "x"},
                "authorizer": {"iam": {"userArn": "arn:aws:iam::1:role/r"}}
            },
            "pathParameters": {"sessionId": "abc"}, "stageVariables": null,
            "body": "{\"trusted\":true}", "isBase64Encoded": false
        })
    }

    /// Pointers to every value of a tree.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        let children: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            places(child, &format!("{at}/{name}"), found);
        }
    }

    /// What bug reports and attacks had in the fields of requests.
    const CORPUS: &[&str] = &[
        "",
        " ",
        "\u{0}",
        "\u{1f}\u{7f}",
        "\u{ff}",
        "\u{feff}{}",
        "é",
        "\u{202e}",
        "a\r\nx: y",
        "null",
        "{}",
        "[]",
        "5",
        "keepCurrent=false&keepCurrent=true",
        "keepCurrent=",
        "keepCurrent[]=true",
        "KEEPCURRENT=true",
        "keepCurrent=a%2Cb",
        "%",
        "%zz=%",
        "&&&=",
        "\"7\", \"0\"",
        "\"+7\"",
        "W/\"7\"",
        "*",
        "\"",
        "7",
        "Bearer",
        "Bearer  x",
        "Bearer a, Bearer b",
        "bearer\tx",
        "__Host-holdfast-access=junk",
        ";;==;",
        "{\"trusted\":null}",
        "{\"trusted\":5}",
        "{\"a\":1,\"a\":2}",
        "{\"claims\":{\"a\":1e999}}",
        "{\"name\":\"\\ud800\"}",
        "{\"to\":[256]}",
        "{\"to\":{}}",
        "{\"data\":null}",
        "%%%",
        "HEAD",
        "OPTIONS",
        "get",
        "https://evil.example",
        "..",
        "a%2Fb",
    ];

    fn odd() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            4 => proptest::sample::select(CORPUS).prop_map(str::to_owned),
            1 => ".{0,40}",
            1 => "[\\x00-\\x20\\x7f-\u{ff}]{0,40}",
            1 => (0..3_usize).prop_map(|size| "a=".repeat(10_usize.pow(1 + 2 * u32::try_from(size).unwrap()))),
            1 => (1..200_usize).prop_map(|depth| format!("{{\"claims\":{}{}}}", "{\"a\":".repeat(depth), "}".repeat(depth))),
        ];
        let leaf = prop_oneof![
            5 => text.prop_map(Value::from),
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<f64>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let name = prop_oneof![proptest::sample::select(CORPUS).prop_map(str::to_owned), "[a-zA-Z-]{1,12}"];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    type Changes = Vec<(proptest::sample::Index, Option<Value>)>;

    /// Changes at some places of an event; nothing means that the value is dropped.
    fn changes() -> impl Strategy<Value = Changes> {
        proptest::collection::vec((any::<proptest::sample::Index>(), proptest::option::weighted(0.85, odd())), 0..6)
    }

    fn changed(mut event: Value, changes: Changes) -> Value {
        for (place, change) in changes {
            let mut found = Vec::new();
            places(&event, "", &mut found);
            let at = place.get(&found).clone();
            match (change, at.rsplit_once('/')) {
                (Some(value), _) => *event.pointer_mut(&at).unwrap() = value,
                // Dropped.
                (None, Some((parent, name))) => {
                    if let Some(fields) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                        fields.remove(&name.replace("~1", "/"));
                    }
                }
                (None, None) => {}
            }
        }
        event
    }

    /// The event of an authorizer of a REST API, or with `connectionId` of a WebSocket API.
    fn of_authorizer(is_socket: bool) -> Value {
        let arn = "arn:aws:execute-api:r:1:abc/prod/GET/orders/7";
        let mut event = json!({
            "type": "REQUEST", "methodArn": arn, "httpMethod": "POST", "path": "/orders/7", "headers": {"A": "1", "cookie": "c=3"},
            "multiValueHeaders": {"Authorization": ["Bearer a"], "Cookie": ["a=1; b=2", "c=3"], "Origin": ["https://x"], "b": []},
            "requestContext": {"requestId": "r-2", "identity": {"sourceIp": "192.0.2.2"}}
        });
        if is_socket {
            event["requestContext"]["connectionId"] = "c".into();
        }
        event
    }

    /// What is read of a text is what a tree of its values has.
    fn is_read_alike(text: &str) -> Result<(), TestCaseError> {
        let tree = payload::parse(text);
        let read = Event::with(text, |event| Request::from_payload(event, "i", &["keepCurrent"]));
        let expected = tree.as_ref().map(|event| by_tree::request(event, "i", &["keepCurrent"]));
        let shown = |request: &Option<Request>| format!("{:?}", request.as_ref().map(Request::parts));
        prop_assert!(read == expected, "{text}\n{}\n{}", shown(&read), shown(&expected));
        let asked = RawValue::from_string(text.to_owned()).ok().and_then(|raw| Asked::read(&raw, [].into()));
        let Some(asked) = asked else { return Ok(()) };
        let event = tree.unwrap();
        let expected = match asked.form {
            Form::Http => by_tree::request(&event, "", &[]),
            Form::Rest | Form::Socket => by_tree::request(&by_tree::of_http_api(&event), "", &[]),
        };
        let (read, expected) = (Some(asked.request), Some(expected));
        prop_assert!(read == expected, "{text}\n{}\n{}", shown(&read), shown(&expected));
        Ok(())
    }

    #[test]
    fn repeated_fields_and_escapes_are_read_as_in_a_tree() {
        for text in [
            r#"{"requestContext":{"requestId":"a","http":{"method":"GET"}},"requestContext":{"http":{"path":"/x"}}}"#,
            r#"{"requestContext":{"http":{"method":"GET"},"http":null},"requestContext":null}"#,
            r#"{"headers":{"b":"1","a":"2","b":"3","B":"4","a":null},"cookies":["a=1",true,1.50,-0,1e3,18446744073709551615]}"#,
            r#"{"headers":{"b":"1","b":["2",3,null,[],{}],"c":[],"d":{"x":1},"e":false}}"#,
            r#"{"headers":{"\u0061":"1","a":"2"},"\u0062ody":"\u0078\n","body":"y","body":"\ud83d\ude00"}"#,
            r#"{"headers":{"a":"\ud800"},"body":"\udc00x","rawPath":"\\ud800"}"#,
            r#"{"body":"eA==","isBase64Encoded":"true"}"#,
            r#"{"body":"eA==","isBase64Encoded":true,"isBase64Encoded":1}"#,
            r#"{"body":{"a":[1,{}]},"rawQueryString":5,"queryStringParameters":{"keepCurrent":["true","x"]}}"#,
            r#"{"queryStringParameters":{"keepCurrent":true},"pathParameters":{"b":"2","a":1}}"#,
            r#"{"requestContext":{"authorizer":{"iam":{"userArn":"a","userArn":5}}}}"#,
            r#"{"requestContext":{"authorizer":{"iam":{"userArn":"a"},"iam":[]},"requestId":" "}}"#,
            r#"{"version":"2.0","type":"REQUEST","methodArn":5,"requestContext":{"connectionId":"c"}}"#,
            r#"{"version":2.0,"type":"REQUEST","methodArn":"","multiValueHeaders":{"cookie":"a=b"},"headers":{"x":"y"}}"#,
            r#"{"type":"REQUEST","methodArn":"a","multiValueHeaders":{},"headers":{"Cookie":7,"COOKIE":[1,"b=c"],"x":null}}"#,
            "[[[]]]",
            "5",
            "\"x\"",
            "null",
            "{",
            "{\"a\":01}",
            "{\"x\":1e999}",
            "{} x",
        ] {
            is_read_alike(text).unwrap_or_else(|error| panic!("{error}"));
        }
        for depth in [100, 126, 127, 128, 129, 500] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let deep = format!("{}1{}", open.repeat(depth - 1), close.repeat(depth - 1));
                for name in ["headers", "cookies", "body", "requestContext", "isBase64Encoded", "other"] {
                    is_read_alike(&format!("{{\"{name}\":{deep}}}")).unwrap_or_else(|error| panic!("{error}"));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_form_of_event_is_read_as_in_a_tree(form in 0..4, changes in changes()) {
            let event = match form {
                0 => event(),
                1 => json!({"type": "REQUEST", "version": "2.0", "routeArn": "a", "cookies": ["a=b"], "headers": {"x": "y"},
                            "requestContext": {"requestId": "r", "http": {"method": "GET", "path": "/", "sourceIp": "192.0.2.1"}}}),
                form => of_authorizer(form == 3),
            };
            is_read_alike(&changed(event, changes).to_string())?;
        }

        #[test]
        fn any_text_is_read_as_in_a_tree(text in r#"\{("(headers|body|cookies|type)":([{}\[\],:"0-9a-d .e+-]{0,20}|"\\ud8[0-9a-f]{2}")){0,3}\}"#) {
            is_read_alike(&text)?;
        }

        #[test]
        fn whatever_an_event_holds_it_is_answered(changes in changes()) {
            let event = changed(event(), changes);
            let answer = answer(event.to_string()).unwrap();
            prop_assert!(well_formed(&answer).is_ok(), "{}", well_formed(&answer).unwrap_err());
        }

        #[test]
        fn whatever_a_payload_is_it_is_answered(text in r#"[{}\[\],:"\\u0-9a-d .e+-]{0,60}|"(\\ud8[0-9a-f]{2}|\\uDC00|a){0,5}""#) {
            if let Some(answer) = answer(text) {
                prop_assert!(well_formed(&answer).is_ok(), "{}", well_formed(&answer).unwrap_err());
            }
        }
    }

    /// Changes one field of a good event and says how it is answered.
    fn status(place: &str, value: Value) -> u64 {
        let mut event = event();
        *event.pointer_mut(place).unwrap() = value;
        well_formed(&answer(event.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn each_known_case_is_answered_as_documented() {
        assert_eq!(status("/version", "2.0".into()), 200, "the event itself is good");
        for odd in ["\u{0}", "\u{1}\u{7f}ÿ", "a\r\nb", "é"] {
            assert_eq!(status("/headers/user-agent", odd.into()), 200, "{odd:?}");
            assert_eq!(status("/headers/content-type", odd.into()), 200, "{odd:?}");
            assert_eq!(status("/requestContext/requestId", odd.into()), 200, "{odd:?}");
        }
        for (place, value, expected) in [
            ("/headers", Value::Null, 200),
            ("/cookies", json!([null, 5, {}]), 200),
            ("/cookies", "a=b".into(), 200),
            ("/stageVariables", json!(5), 200),
            ("/requestContext", Value::Null, 200),
            ("/pathParameters", "x".into(), 200),
            ("/isBase64Encoded", Value::Null, 200),
            ("/isBase64Encoded", true.into(), 400),
            ("/isBase64Encoded", "true".into(), 400),
            ("/body", Value::Null, 200),
            ("/body", json!({"trusted": true}), 400),
            ("/body", "{\"trusted\":null}".into(), 200),
            ("/body", "{\"trusted\":5}".into(), 400),
            ("/body", "{\"claims\":{\"a\":1,\"a\":1}}".into(), 400),
            ("/body", "\u{feff}{}".into(), 400),
            ("/body", "x".repeat(17_000).into(), 413),
            ("/rawQueryString", "keepCurrent=false&keepCurrent=true".into(), 400),
            ("/rawQueryString", "keepCurrent=".into(), 400),
            ("/rawQueryString", "keepCurrent[]=true".into(), 400),
            ("/rawQueryString", "KEEPCURRENT=true".into(), 400),
            ("/rawQueryString", "".into(), 200),
            ("/headers/if-match", "\"7\", \"0\"".into(), 200),
            ("/headers/if-match", "7".into(), 400),
        ] {
            assert_eq!(status(place, value.clone()), expected, "{place} {value}");
        }
    }

    #[test]
    fn an_event_that_cannot_be_read_is_a_problem_too() {
        let deep = format!("{{\"headers\":{}{}}}", "[".repeat(500), "]".repeat(500));
        for payload in [deep, "{\"x\":1e999}".to_owned()] {
            let answer = answer(payload).unwrap();
            assert_eq!(well_formed(&answer), Ok(400));
            assert_eq!(answer["headers"]["x-request-id"], "lambda-1");
        }
        assert_eq!(well_formed(&answer("{\"body\":\"\\ud800\"}".to_owned()).unwrap()), Ok(400));
        assert_eq!(well_formed(&answer("{\"headers\":{\"x\":\"\\ud800\"}}".to_owned()).unwrap()), Ok(200));
    }

    fn with(edge: &Edge, event: &Value, outcome: Result<Response, Rejection>) -> Value {
        read(run(edge.answer(&invocation(event.to_string()).unwrap(), |_| async { outcome })))
    }

    #[test]
    fn a_route_without_parameters_refuses_any_query_even_if_its_handler_forgets() {
        let good = || Ok(Response::json(200, &json!({})).unwrap());
        assert_eq!(with(&edge(&[]), &event(), good())["statusCode"], 400);
        assert_eq!(with(&edge(&["keepCurrent"]), &event(), good())["statusCode"], 200);
        // What the handler says about the caller goes first.
        let refused = || Err(Failure::unauthenticated().into());
        assert_eq!(with(&edge(&[]), &event(), refused())["statusCode"], 401);
    }

    #[test]
    fn a_refusal_expires_the_tokens_but_not_for_another_site() {
        let refused = || Err(Rejection::from(Failure::unauthenticated()).expiring_tokens().with_header("allow", "GET"));
        let mut event = event();
        let answer = with(&edge(&["keepCurrent"]), &event, refused());
        assert_eq!((&answer["statusCode"], &answer["headers"]["allow"]), (&json!(401), &json!("GET")));
        let cookies = answer["cookies"].to_string();
        assert!(cookies.contains("holdfast-access=;") && cookies.contains("holdfast-refresh=;"), "{cookies}");
        assert!(!cookies.contains("holdfast-device"), "{cookies}");
        event["headers"]["origin"] = "https://app.example.com".into();
        assert_eq!(with(&edge(&["keepCurrent"]), &event, refused())["cookies"].as_array().unwrap().len(), 2);
        for foreign in ["https://evil.example", "null", ""] {
            event["headers"]["origin"] = foreign.into();
            assert_eq!(with(&edge(&["keepCurrent"]), &event, refused())["cookies"], Value::Null, "{foreign}");
        }
    }

    #[test]
    fn head_is_get_without_a_body() {
        let mut event = event();
        event["requestContext"]["http"]["method"] = "HEAD".into();
        let answer = with(&edge(&["keepCurrent"]), &event, Ok(Response::json(200, &json!({"a": 1})).unwrap()));
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("")));
        assert_eq!(answer["headers"]["content-type"], "application/json");
        let answer = with(&edge(&["keepCurrent"]), &event, Err(Failure::unauthenticated().into()));
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(401), &json!("")));
    }

    #[test]
    fn a_handler_that_panics_or_takes_too_long_is_a_problem() {
        type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Response, Rejection>>>>;
        let run = |handle: fn(Request) -> Answer| {
            let invocation =
                Invocation { budget: Duration::from_millis(1), ..invocation(event().to_string()).unwrap() };
            let answer = read(run(edge(&["keepCurrent"]).answer(&invocation, handle)));
            (answer["statusCode"].as_u64().unwrap(), answer["headers"]["content-type"].as_str().unwrap().to_owned())
        };
        let problem = "application/problem+json".to_owned();
        assert_eq!(run(|_| panic!("at once")), (500, problem.clone()));
        assert_eq!(run(|_| Box::pin(async { panic!("later") })), (500, problem.clone()));
        assert_eq!(run(|_| Box::pin(std::future::pending())), (503, problem));
    }

    #[test]
    fn behind_a_proxy_the_handler_sees_the_viewer_and_others_are_refused() {
        let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let env = Env::of([("TRUSTED_PROXY", "cloudfront"), ("ORIGIN_SECRET_SHA256", digest)]);
        let edge = Edge::from_env(&env, &["keepCurrent"]).unwrap();
        let seen = |headers: Value| {
            let mut event = event();
            event["headers"] = headers;
            event["requestContext"]["authorizer"] = Value::Null;
            let handle = |request: Request| async move { Response::json(200, &json!(request.source_ip())) };
            read(run(edge.answer(&invocation(event.to_string()).unwrap(), handle)))
        };
        let good = seen(
            json!({"x-origin-secret": "secret", "cloudfront-viewer-address": "203.0.113.7:1", "x-forwarded-for": "6.6.6.6"}),
        );
        assert_eq!(good["body"], "\"203.0.113.7\"");
        let malformed = seen(json!({"x-origin-secret": "secret", "cloudfront-viewer-address": "6.6.6.6"}));
        assert_eq!(malformed["body"], "\"192.0.2.1\"");
        let round = seen(json!({"cloudfront-viewer-address": "203.0.113.7:1"}));
        assert_eq!((&round["statusCode"], well_formed(&round)), (&json!(403), Ok(403)));
    }
}
