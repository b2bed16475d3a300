//! The authorizer of other APIs, with the events of the three kinds of API, and beside the other ways to check a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::cookies::{ACCESS, CSRF_HEADER};
use holdfast_testkit::failing::Trouble;
use serde_json::value::RawValue;

use super::*;
use crate::authorizer::{Deps, Requirements};

type GateDeps = Deps<TestStore, TestCache, ManualHost>;

fn gate(world: &World) -> GateDeps {
    let origins: Arc<[String]> = [PAGE.to_owned()].into();
    Deps { sessions: world.sessions(), origins, requirements: Requirements::default() }
}

async fn judge(deps: &GateDeps, event: &Value) -> (Result<Value, InvocationError>, Recorded) {
    judge_within(deps, event, Duration::from_secs(60)).await
}

async fn judge_within(deps: &GateDeps, event: &Value, budget: Duration) -> (Result<Value, InvocationError>, Recorded) {
    let event = RawValue::from_string(event.to_string()).unwrap();
    recorded(Box::pin(authorizer::handle(deps, event, budget))).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Http,
    Rest,
    Socket,
}

pub(super) const FORMS: [Form; 3] = [Form::Http, Form::Rest, Form::Socket];

/// An event as API Gateway sends it to an authorizer. `headers` are by their lower-case names.
pub(super) fn event(form: Form, method: &str, headers: &[(&str, &str)]) -> Value {
    let api = "arn:aws:execute-api:eu-central-1:111111111111:abc123";
    let mut many = BTreeMap::<&str, Vec<&str>>::new();
    for (name, value) in headers {
        many.entry(name).or_default().push(value);
    }
    // Several headers of one name are one list for an HTTP API. The others have all of them apart, and the last one beside.
    let headers: serde_json::Map<String, Value> = many
        .iter()
        .map(|(name, values)| {
            let value = if form == Form::Http { values.join(",") } else { values.last().unwrap().to_string() };
            ((*name).to_owned(), value.into())
        })
        .collect();
    match form {
        Form::Http => {
            let cookies: Vec<_> = many.get("cookie").into_iter().flatten().flat_map(|c| c.split("; ")).collect();
            json!({
                "version": "2.0", "type": "REQUEST", "routeArn": format!("{api}/$default/{method}/orders"),
                "identitySource": null, "routeKey": format!("{method} /orders"), "rawPath": "/orders", "rawQueryString": "",
                "cookies": cookies,
                "headers": headers.iter().filter(|(name, _)| *name != "cookie").map(|(n, v)| (n.clone(), v.clone())).collect::<serde_json::Map<_, _>>(),
                "requestContext": {
                    "accountId": "111111111111", "apiId": "abc123", "domainName": "abc123.execute-api.eu-central-1.amazonaws.com",
                    "http": {"method": method, "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
                    "requestId": "r-1", "routeKey": format!("{method} /orders"), "stage": "$default", "timeEpoch": 1,
                },
                "pathParameters": {}, "stageVariables": {},
            })
        }
        Form::Rest => json!({
            "type": "REQUEST", "methodArn": format!("{api}/prod/{method}/orders"), "resource": "/orders", "path": "/orders",
            "httpMethod": method, "headers": headers, "multiValueHeaders": many, "queryStringParameters": {},
            "multiValueQueryStringParameters": {}, "pathParameters": {}, "stageVariables": {},
            "requestContext": {
                "path": "/prod/orders", "accountId": "111111111111", "resourceId": "x", "stage": "prod", "requestId": "r-1",
                "identity": {"sourceIp": "192.0.2.1", "userAgent": "x"}, "resourcePath": "/orders", "httpMethod": method,
                "apiId": "abc123",
            },
        }),
        Form::Socket => json!({
            "type": "REQUEST", "methodArn": format!("{api}/v1/$connect"), "headers": headers, "multiValueHeaders": many,
            "queryStringParameters": {}, "multiValueQueryStringParameters": {}, "stageVariables": {},
            "requestContext": {
                "routeKey": "$connect", "eventType": "CONNECT", "connectionId": "c=", "connectedAt": 1, "messageDirection": "IN",
                "domainName": "abc123.execute-api.eu-central-1.amazonaws.com", "stage": "v1", "requestId": "r-1", "apiId": "abc123",
                "identity": {"sourceIp": "192.0.2.1"}, "requestTimeEpoch": 1,
            },
        }),
    }
}

/// What an answer means in the form of its event.
pub(super) fn lets_in(form: Form, answer: &Value) -> bool {
    match form {
        Form::Http => answer["isAuthorized"].as_bool().expect("a simple response"),
        Form::Rest | Form::Socket => {
            let statement = &answer["policyDocument"]["Statement"][0];
            assert_eq!(statement["Action"], "execute-api:Invoke");
            let stage = if form == Form::Rest { "prod" } else { "v1" };
            let resource = format!("arn:aws:execute-api:eu-central-1:111111111111:abc123/{stage}/*");
            assert_eq!(statement["Resource"], resource);
            assert!(matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")), "{answer}");
            statement["Effect"] == "Allow"
        }
    }
}

#[tokio::test]
async fn a_live_session_is_let_in_and_passed_on_as_texts() {
    for form in FORMS {
        let desk = Desk::new().await;
        let world = &desk.world;
        desk.run(json!({"action": "set-claims", "userId": desk.user(), "claims": {"role": "admin"}})).await;
        let bearer = format!("Bearer {}", world.access());
        let (answer, recorded) = judge(&gate(world), &event(form, "GET", &[("authorization", &bearer)])).await;
        let answer = answer.unwrap();
        assert!(lets_in(form, &answer), "{form:?}: {answer}");
        let slot = &world.session.slot;
        let expected = json!({
            "userId": slot.at.user.to_string(), "sessionId": slot.sid.to_string(), "email": world.email,
            "claims": "{\"role\":\"admin\"}", "mfaVerified": "false", "trusted": "false",
            "authenticatedAt": slot.authenticated_at.to_string(), "expiresAt": slot.idle_expires_at.to_string(),
        });
        assert_eq!(answer["context"], expected, "{form:?}");
        assert!(recorded.log.is_empty(), "{recorded:?}");
    }
}

#[tokio::test]
async fn whoever_has_no_live_session_is_refused_and_the_invocation_succeeds() {
    for form in FORMS {
        let world = World::new().await;
        let (bearer, cookie) = (format!("Bearer {}", world.refresh()), format!("{ACCESS}=junk"));
        let presented: [&[(&str, &str)]; 5] = [
            &[],
            &[("authorization", "Bearer junk")],
            &[("authorization", bearer.as_str())],
            &[("authorization", "Basic YTpi")],
            &[("cookie", cookie.as_str()), ("origin", PAGE)],
        ];
        for headers in presented {
            let (answer, recorded) = judge(&gate(&world), &event(form, "GET", headers)).await;
            let answer = answer.expect("a refusal is no failure of the function");
            assert!(!lets_in(form, &answer), "{form:?}: {headers:?}");
            assert_eq!(answer["context"], json!({"code": "UNAUTHENTICATED"}));
            assert_eq!(recorded.counts.get("UNAUTHENTICATED"), Some(&1));
            assert_eq!(recorded.log, ["INFO request refused"]);
        }
    }
}

#[tokio::test]
async fn an_ended_session_is_refused_at_once() {
    for form in FORMS {
        let world = World::new().await;
        let bearer = format!("Bearer {}", world.access());
        let asked = event(form, "GET", &[("authorization", &bearer)]);
        assert!(lets_in(form, &judge(&gate(&world), &asked).await.0.unwrap()));
        let revoke = Call::new("DELETE", "/v1/sessions").bearer(&world.access());
        assert_eq!(serve("sessions-revoke-all", &world, &revoke).await.0.status, 200);
        assert!(!lets_in(form, &judge(&gate(&world), &asked).await.0.unwrap()), "{form:?}");
    }
}

#[tokio::test]
async fn a_cookie_counts_only_where_no_other_site_can_have_sent_it() {
    let world = World::new().await;
    let cookie = format!("a=b; {ACCESS}={}", world.access());
    let own = [("cookie", cookie.as_str()), ("origin", PAGE), (CSRF_HEADER, "1")];
    let without_header = [("cookie", cookie.as_str()), ("origin", PAGE)];
    let alone = [("cookie", cookie.as_str())];
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example"), (CSRF_HEADER, "1")];
    for (form, method, headers, expected) in [
        (Form::Http, "GET", &alone[..], true),
        (Form::Http, "HEAD", &alone, true),
        (Form::Http, "POST", &own, true),
        (Form::Http, "POST", &without_header, false),
        (Form::Http, "POST", &alone, false),
        (Form::Http, "DELETE", &foreign, false),
        (Form::Rest, "GET", &alone, true),
        (Form::Rest, "PUT", &own, true),
        (Form::Rest, "PATCH", &without_header, false),
        (Form::Rest, "POST", &foreign, false),
        // A handshake cannot have a header of its own, and any site can begin one.
        (Form::Socket, "GET", &without_header, true),
        (Form::Socket, "GET", &own, true),
        (Form::Socket, "GET", &alone, false),
        (Form::Socket, "GET", &foreign, false),
    ] {
        let (answer, _) = judge(&gate(&world), &event(form, method, headers)).await;
        let answer = answer.unwrap();
        assert_eq!(lets_in(form, &answer), expected, "{form:?} {method} {headers:?}");
        if !expected {
            assert_eq!(answer["context"]["code"], "FORBIDDEN", "{form:?} {method} {headers:?}");
        }
    }
    // With a bearer, the cookie is not looked at.
    for form in FORMS {
        let headers = [("authorization", "Bearer junk"), own[0], own[1], own[2]];
        assert!(!lets_in(form, &judge(&gate(&world), &event(form, "GET", &headers)).await.0.unwrap()));
    }
}

#[tokio::test]
async fn an_api_can_ask_for_a_second_factor_and_for_a_recent_authentication() {
    for form in FORMS {
        let world = World::new().await;
        let bearer = format!("Bearer {}", world.access());
        let asked = event(form, "GET", &[("authorization", &bearer)]);
        let requiring =
            |mfa, max_age_seconds| Deps { requirements: Requirements { mfa, max_age_seconds }, ..gate(&world) };
        let (answer, _) = judge(&requiring(true, None), &asked).await;
        let answer = answer.unwrap();
        assert!(!lets_in(form, &answer) && answer["context"]["code"] == "REAUTHENTICATION_REQUIRED", "{answer}");
        assert!(lets_in(form, &judge(&requiring(false, Some(60)), &asked).await.0.unwrap()));
        world.host.advance_seconds(59);
        assert!(lets_in(form, &judge(&requiring(false, Some(60)), &asked).await.0.unwrap()));
        world.host.advance_seconds(1);
        assert!(!lets_in(form, &judge(&requiring(false, Some(60)), &asked).await.0.unwrap()));
        world.armed().await;
        assert!(
            lets_in(form, &judge(&requiring(true, None), &asked).await.0.unwrap()),
            "the session has shown its factor"
        );
    }
}

#[tokio::test]
async fn a_store_in_trouble_fails_the_invocation_and_lets_nobody_in() {
    for form in FORMS {
        let world = World::new().await;
        let bearer = format!("Bearer {}", world.access());
        let asked = event(form, "GET", &[("authorization", &bearer)]);
        for trouble in Trouble::ERRORS {
            world.fail_at("slot", &trouble);
            let (answer, recorded) = judge(&gate(&world), &asked).await;
            assert!(answer.is_err(), "{form:?} {trouble:?}: {answer:?}");
            let code = if trouble == Trouble::Corrupt { "INTERNAL" } else { "UNAVAILABLE" };
            assert_eq!(recorded.counts.get(code), Some(&1), "{recorded:?}");
            assert_eq!(recorded.log, ["ERROR the request could not be judged"]);
        }
        world.fail_at("slot", &Trouble::Silence);
        let (answer, recorded) = judge_within(&gate(&world), &asked, Duration::from_millis(20)).await;
        assert!(answer.is_err() && recorded.log == ["ERROR the request could not be judged in time"], "{recorded:?}");
        world.heal();
        world.host.advance_seconds(600);
        world.fail_at("touch", &Trouble::Unavailable);
        assert!(lets_in(form, &judge(&gate(&world), &asked).await.0.unwrap()), "what is only noted may be lost");
    }
}

#[tokio::test]
async fn an_event_of_another_kind_fails_the_invocation() {
    let world = World::new().await;
    for event in [json!(null), json!({}), json!({"type": "TOKEN", "methodArn": "a", "authorizationToken": "Bearer x"})]
    {
        let (answer, recorded) = judge(&gate(&world), &event).await;
        assert!(answer.is_err(), "{event}");
        assert_eq!(recorded.log, ["ERROR the event is not of an authorizer of the type REQUEST"]);
    }
}
