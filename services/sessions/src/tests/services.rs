//! The two routes that services of a platform call: a session for a user whom they authenticated, and introspection.

use holdfast_runtime::cookies::{ACCESS, DEVICE, REFRESH};
use holdfast_testkit::failing::Trouble;

use super::*;

fn said(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.code.as_str())
}

fn of(subject: &str) -> Value {
    json!({"identity": {"provider": "https://id.example.com", "subject": subject}})
}

fn with(subject: &str, more: Value) -> Value {
    let mut body = of(subject);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn created(world: &World, body: &Value) -> Answer {
    serve("sessions-create", world, &create_call(body)).await.0
}

async fn introspected(world: &World, token: &str) -> Answer {
    serve("sessions-introspect", world, &introspect_call(token)).await.0
}

#[tokio::test]
async fn only_services_that_iam_has_authenticated_are_served() {
    let world = World::new().await;
    for (function, call) in [
        ("sessions-create", Call::new("POST", "/v1/sessions").json(&of("s"))),
        ("sessions-introspect", Call::new("POST", "/v1/sessions/introspect").json(&json!({"token": world.access()}))),
    ] {
        for stranger in [
            call.clone(),
            call.clone().bearer(&world.access()),
            call.clone().cookie(ACCESS, &world.access()).from_page(PAGE),
            call.clone().json(&json!({"unknown": 1})),
        ] {
            let (answer, _) = serve(function, &world, &stranger).await;
            assert_eq!(said(&answer), (403, "FORBIDDEN"), "{function}: {answer:?}");
        }
        let (answer, _) = serve(function, &world, &call.clone().signed_by(SERVICE).json(&json!({"unknown": 1}))).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {answer:?}");
        let (answer, _) = serve(function, &world, &call.signed_by(SERVICE).query("x=1")).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {answer:?}");
    }
}

#[tokio::test]
async fn a_direct_invocation_has_the_body_as_its_payload() {
    let world = World::new().await;
    let (answer, _) = serve("sessions-create", &world, &Call::direct(&of("s"))).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("AUTHENTICATED")));
    let token = answer.body["tokens"]["accessToken"].clone();
    let (answer, _) = serve("sessions-introspect", &world, &Call::direct(&json!({"token": token}))).await;
    assert_eq!((answer.status, &answer.body["active"]), (200, &json!(true)));
    for function in ["sessions-create", "sessions-introspect"] {
        for payload in [json!({}), json!(null), json!([]), json!({"unknown": 1})] {
            let (answer, _) = serve(function, &world, &Call::direct(&payload)).await;
            assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {payload}");
        }
    }
}

#[tokio::test]
async fn a_session_is_made_for_an_identity() {
    let world = World::new().await;
    let body = with(
        "s-1",
        json!({
            "email": "ada@example.com", "claims": {"role": "editor"}, "staySignedIn": true, "deviceName": "laptop", "mfaVerified": true,
            "client": {"ip": "2001:db8::7", "userAgent": "curl/8"}, "transport": null,
        }),
    );
    let answer = created(&world, &body).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("AUTHENTICATED")), "{answer:?}");
    let session = &answer.body["session"];
    assert_eq!(session["identity"], json!({"provider": "https://id.example.com", "subject": "s-1"}));
    assert_eq!((&session["email"], &session["claims"]), (&json!("ada@example.com"), &json!({"role": "editor"})));
    assert_eq!((&session["staySignedIn"], &session["mfaVerified"]), (&json!(true), &json!(true)));
    assert_eq!((&session["device"]["name"], &session["device"]["ip"]), (&json!("laptop"), &json!("2001:db8::7")));
    assert_eq!(answer.body["effective"], "immediate");
    assert!(answer.body.get("deviceToken").is_none() && answer.cookies.is_empty());
    let token = answer.body["tokens"]["accessToken"].as_str().unwrap();
    assert!(opens(&world, token).await);
    let again = created(&world, &of("s-1")).await;
    assert_eq!(again.body["session"]["userId"], session["userId"]);
    assert_ne!(again.body["session"]["sessionId"], session["sessionId"]);
    // The address of the calling service is nobody's device.
    assert_eq!(again.body["session"]["device"]["ip"], "");
}

#[tokio::test]
async fn a_session_for_a_browser_comes_as_cookies() {
    let world = World::new().await;
    let answer = created(&world, &with("s", json!({"transport": "cookie"}))).await;
    assert_eq!((answer.status, answer.body.get("tokens"), answer.cookie(DEVICE)), (201, None, None));
    assert!(answer.body["accessExpiresAt"].is_string() && answer.cookie(REFRESH).is_some_and(|token| token.len() > 20));
    assert!(opens(&world, answer.cookie(ACCESS).unwrap()).await);
}

#[tokio::test]
async fn a_session_that_is_named_becomes_recent_and_no_second_one_is_made() {
    let world = World::new().await;
    let made = created(&world, &of("s")).await.body;
    world.host.advance_seconds(890);
    let named = json!({"sessionId": made["session"]["sessionId"], "mfaVerified": true});
    let answer = created(&world, &with("s", named.clone())).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("AUTHENTICATED")), "{answer:?}");
    assert_eq!(answer.body["session"]["sessionId"], made["session"]["sessionId"]);
    assert_eq!(answer.body["session"]["authenticatedAt"], now(&world).to_string());
    assert_eq!(answer.body["session"]["mfaVerified"], true);
    assert!(answer.body.get("tokens").is_none() && answer.cookies.is_empty(), "the client has its tokens");
    let owner = json!({"sessionId": world.session.slot.sid.to_string()});
    for body in [with("other", named), with("s", owner), with("s", json!({"sessionId": "junk"}))] {
        assert_eq!(said(&created(&world, &body).await), (404, "NOT_FOUND"), "{body}");
    }
}

#[tokio::test]
async fn what_a_service_says_is_checked() {
    let world = World::new().await;
    for more in [
        json!({"identity": {"provider": "", "subject": "s"}}),
        json!({"identity": {"provider": "p", "subject": "s".repeat(1_025)}}),
        json!({"identity": {"provider": "p"}}),
        json!({"identity": {"provider": "p", "subject": "s", "email": "e"}}),
        json!({"email": "no address"}),
        json!({"claims": []}),
        json!({"claims": {"a": "x".repeat(2_048)}}),
        json!({"client": {"ip": "home"}}),
        json!({"client": {"port": 1}}),
        json!({"authenticatedAt": "yesterday"}),
        json!({"authenticatedAt": now(&world).plus_seconds(3_600).to_string()}),
        json!({"deviceName": "\u{202e}"}),
        json!({"transport": "mail"}),
        json!({"mfaVerified": "yes"}),
        json!({"unknown": 1}),
    ] {
        let answer = created(&world, &with("s", more.clone())).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{more}: {answer:?}");
    }
    let accepted = json!({"authenticatedAt": now(&world).plus_seconds(-7_200).to_string()});
    let answer = created(&world, &with("s", accepted.clone())).await;
    assert_eq!(answer.body["session"]["authenticatedAt"], accepted["authenticatedAt"]);
}

#[tokio::test]
async fn a_disabled_account_gets_no_session() {
    let desk = Desk::new().await;
    let user = created(&desk.world, &of("s")).await.body["session"]["userId"].clone();
    desk.run(json!({"action": "disable", "userId": user})).await;
    assert_eq!(said(&created(&desk.world, &of("s")).await), (403, "ACCOUNT_DISABLED"));
    desk.run(json!({"action": "enable", "userId": user})).await;
    assert_eq!(created(&desk.world, &of("s")).await.status, 201);
    let (listed, _) = desk.run(json!({"action": "list", "userId": user})).await;
    assert_eq!(listed["user"]["identity"], json!({"provider": "https://id.example.com", "subject": "s"}));
}

#[tokio::test]
async fn an_identity_has_no_password_to_show_or_to_change() {
    let world = World::new().await;
    let made = created(&world, &with("s", json!({"email": world.email}))).await.body;
    assert_ne!(made["session"]["userId"], world.user.to_string());
    // Its label finds nothing: the owner of the address signs in with the own password.
    assert_eq!(another_session(&world).await.slot.at.user, world.user);
}

#[tokio::test]
async fn introspection_says_what_the_owner_of_the_token_sees() {
    let desk = Desk::new().await;
    let world = &desk.world;
    desk.run(json!({"action": "set-claims", "userId": desk.user(), "claims": {"role": "admin"}})).await;
    let answer = introspected(world, &world.access()).await;
    let current = Call::new("GET", "/v1/sessions/current").bearer(&world.access());
    let (seen, _) = serve("sessions-current", world, &current).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, json!({"active": true, "session": seen.body, "claims": {"role": "admin"}}));
}

#[tokio::test]
async fn a_token_that_opens_nothing_is_inactive_and_nothing_more_is_said() {
    let world = World::new().await;
    let (access, refresh) = (world.access(), world.refresh());
    for token in ["", "junk", &refresh, &format!("{access}x"), &format!("Bearer {access}")] {
        let answer = introspected(&world, token).await;
        assert_eq!((answer.status, answer.body), (200, json!({"active": false})), "{token}");
    }
    let revoke = Call::new("DELETE", "/v1/sessions").bearer(&access);
    assert_eq!(serve("sessions-revoke-all", &world, &revoke).await.0.status, 200);
    let (answer, recorded) = serve("sessions-introspect", &world, &introspect_call(&access)).await;
    assert_eq!((answer.status, answer.body), (200, json!({"active": false})));
    assert_eq!(recorded.counts.get("INACTIVE"), Some(&1));
}

#[tokio::test]
async fn a_store_in_trouble_is_never_an_inactive_token() {
    let world = World::new().await;
    world.fail_at("slot", &Trouble::Unavailable);
    let answer = introspected(&world, &world.access()).await;
    assert_eq!((said(&answer), answer.body.get("active")), ((503, "UNAVAILABLE"), None));
    assert!(answer.headers["retry-after"].is_string());
}
