//! One test for each branch of a handler.

use holdfast_runtime::cookies::{ACCESS, DEVICE, REFRESH};
use holdfast_sessions::account::Status;
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::SessionReads as _;
use holdfast_sessions::session::Slot;
use holdfast_testkit::failing::Trouble;

use super::*;

/// The status and the code of an answer.
fn said(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.code.as_str())
}

async fn account_of(world: &World) -> holdfast_sessions::account::Account {
    world.store.user(world.user).await.unwrap().unwrap().account
}

async fn live(world: &World) -> Vec<Slot> {
    use holdfast_sessions::ports::Clock as _;
    let now = world.host.now();
    let slots = world.store.user(world.user).await.unwrap().unwrap().slots;
    slots.into_iter().filter(|slot| slot.is_live(now)).collect()
}

/// Whether an access token opens a session.
async fn opens(world: &World, token: &str) -> bool {
    world.sessions().identify([token]).await.is_ok()
}

/// One more session of the user.
async fn another_session(world: &World) -> Value {
    let (answer, _) = serve("auth-login", world, &sign_in_call(world)).await;
    assert_eq!(answer.body["status"], "AUTHENTICATED", "{answer:?}");
    answer.body
}

/// Every function that changes something for a caller who is known by a cookie.
const CHANGES_BY_COOKIE: [&str; 7] = [
    "auth-logout",
    "auth-password",
    "auth-mfa-enroll",
    "auth-mfa-activate",
    "auth-mfa-disable",
    "auth-mfa-recovery-codes",
    "auth-reauthenticate",
];

/// The same call with the access token in its cookie.
fn by_cookie(call: &Call, world: &World) -> Call {
    call.clone().without_header("authorization").cookie(ACCESS, &world.access())
}

#[tokio::test]
async fn another_site_changes_nothing_by_the_cookie_of_the_session() {
    for function in CHANGES_BY_COOKIE {
        let (world, call) = ready(function).await;
        let call = by_cookie(&call, &world);
        let before = (account_of(&world).await, live(&world).await);
        for foreign in [
            call.clone(),
            call.clone().header("origin", PAGE),
            call.clone().header("x-holdfast-csrf", "1"),
            call.clone().from_page("https://evil.example"),
        ] {
            let (answer, _) = serve(function, &world, &foreign).await;
            assert_eq!(said(&answer), (403, "FORBIDDEN"), "{function}: {answer:?}");
            assert!(answer.cookies.is_empty(), "{function}: {answer:?}");
        }
        assert_eq!((account_of(&world).await, live(&world).await), before, "{function} changed something");
        let (answer, _) = serve(function, &world, &call.from_page(PAGE)).await;
        assert_eq!(answer.status, 200, "{function}: {answer:?}");
    }
}

#[tokio::test]
async fn another_site_refreshes_nothing_by_the_cookie() {
    let world = World::new().await;
    let call = Call::new("POST", "/v1/auth/refresh").cookie(REFRESH, &world.refresh());
    for foreign in [call.clone(), call.clone().header("origin", PAGE), call.clone().from_page("https://evil.example")] {
        let (answer, _) = serve("auth-refresh", &world, &foreign).await;
        assert_eq!((said(&answer), answer.cookies.len()), ((403, "FORBIDDEN"), 0));
    }
    assert!(opens(&world, &world.access()).await, "the token was not rotated");
    let (answer, _) = serve("auth-refresh", &world, &call.from_page(PAGE)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cookie(ACCESS).is_some_and(|token| !token.is_empty()) && answer.body["tokens"].is_null());
}

#[tokio::test]
async fn another_site_logs_nobody_out_by_the_cookie_of_the_refresh_token() {
    let world = World::new().await;
    let call = Call::new("POST", "/v1/auth/logout").cookie(REFRESH, &world.refresh());
    for foreign in [call.clone(), call.clone().from_page("https://evil.example")] {
        let (answer, _) = serve("auth-logout", &world, &foreign).await;
        assert_eq!((said(&answer), answer.cookies.len()), ((403, "FORBIDDEN"), 0));
    }
    assert!(opens(&world, &world.access()).await);
}

#[tokio::test]
async fn another_site_signs_nobody_in() {
    let (world, call) = ready("auth-mfa-verify").await;
    let before = live(&world).await.len();
    let (answer, recorded) =
        serve("auth-mfa-verify", &world, &call.clone().header("origin", "https://evil.example")).await;
    assert_eq!((said(&answer), live(&world).await.len()), ((403, "FORBIDDEN"), before));
    assert!(!recorded.counts.contains_key("AUTHENTICATED"));
    for own in [call.clone().header("origin", PAGE), call] {
        assert_eq!(serve("auth-mfa-verify", &world, &own).await.0.status, 200, "the same answer to the same code");
    }

    let world = World::new().await;
    let body = json!({"email": world.email, "password": world.password(), "transport": "cookie"});
    let call = post("/v1/auth/login", &body);
    let (answer, _) = serve("auth-login", &world, &call.clone().header("origin", "https://evil.example")).await;
    assert_eq!((said(&answer), answer.cookies.len()), ((403, "FORBIDDEN"), 0));
    assert_eq!(live(&world).await.len(), 1);
}

#[tokio::test]
async fn a_caller_without_a_live_session_is_refused_before_the_form_is_read() {
    for function in CHANGES_BY_COOKIE {
        let (world, call) = ready(function).await;
        for stranger in [
            call.clone().without_header("authorization"),
            call.clone().bearer("junk"),
            call.clone().bearer(&world.refresh()),
        ] {
            let (answer, _) = serve(function, &world, &stranger.json(&json!({"unknown": 1}))).await;
            assert_eq!(said(&answer), (401, "UNAUTHENTICATED"), "{function}: {answer:?}");
        }
        let (answer, _) = serve(function, &world, &call.json(&json!({"unknown": 1}))).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {answer:?}");
    }
}

#[tokio::test]
async fn a_route_without_query_parameters_refuses_every_query() {
    for function in
        ["auth-register", "auth-login", "auth-refresh", "auth-mfa-verify"].into_iter().chain(CHANGES_BY_COOKIE)
    {
        let (world, call) = ready(function).await;
        let before = (account_of(&world).await, live(&world).await);
        let (answer, _) = serve(function, &world, &call.query("x=1")).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}");
        assert_eq!((account_of(&world).await, live(&world).await), before, "{function} changed something");
    }
}

#[tokio::test]
async fn registration_answers_with_the_new_account() {
    let (world, call) = ready("auth-register").await;
    let (answer, _) = serve("auth-register", &world, &call).await;
    assert_eq!((answer.status, &answer.body["email"]), (201, &json!("new@example.com")));
    let user = answer.body["userId"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.store.user(user).await.unwrap().unwrap().account.status, Status::Active);
    assert_eq!(said(&serve("auth-register", &world, &call).await.0), (409, "EMAIL_TAKEN"));
}

#[tokio::test]
async fn closed_registration_and_weak_passwords_create_no_account() {
    let (world, call) = ready("auth-register").await;
    let closed = holdfast_sessions::service::Registration { open: false, ..world.registration() };
    let answer = answered(&env(), &[], &call, |request| register::handle(&closed, request)).await;
    assert_eq!(said(&answer), (403, "REGISTRATION_CLOSED"));
    let weak = post("/v1/users", &json!({"email": "new@example.com", "password": "12345678901234567890"}));
    assert_eq!(said(&serve("auth-register", &world, &weak).await.0), (400, "INVALID_REQUEST"));
    assert_eq!(serve("auth-register", &world, &call).await.0.status, 201, "nothing was there yet");
}

#[tokio::test]
async fn a_sign_in_answers_with_tokens_and_is_counted() {
    let (world, call) = ready("auth-login").await;
    let (answer, recorded) = serve("auth-login", &world, &call).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("AUTHENTICATED")));
    assert_eq!(answer.body["session"]["device"]["name"], "laptop");
    assert!(opens(&world, answer.body["tokens"]["accessToken"].as_str().unwrap()).await && answer.cookies.is_empty());
    assert_eq!(recorded.counts.get("AUTHENTICATED"), Some(&1));
}

#[tokio::test]
async fn a_sign_in_with_cookies_shows_no_token_to_scripts() {
    let world = World::new().await;
    let body = json!({"email": world.email, "password": world.password(), "transport": "cookie"});
    for call in [post("/v1/auth/login", &body), post("/v1/auth/login", &body).header("origin", PAGE)] {
        let (answer, _) = serve("auth-login", &world, &call).await;
        assert!(answer.body["tokens"].is_null() && answer.body["accessExpiresAt"].is_string(), "{answer:?}");
        assert!(opens(&world, answer.cookie(ACCESS).unwrap()).await && answer.cookie(REFRESH).is_some());
    }
}

#[tokio::test]
async fn a_wrong_password_makes_no_session() {
    let world = World::new().await;
    let call = post("/v1/auth/login", &json!({"email": world.email, "password": "wrong"}));
    let (answer, recorded) = serve("auth-login", &world, &call).await;
    assert_eq!((said(&answer), live(&world).await.len()), ((401, "INVALID_CREDENTIALS"), 1));
    assert!(!recorded.counts.contains_key("AUTHENTICATED"));
}

#[tokio::test]
async fn a_sign_in_with_a_second_factor_waits_for_it() {
    let world = World::new().await;
    world.armed().await;
    let (answer, recorded) = serve("auth-login", &world, &sign_in_call(&world)).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("MFA_REQUIRED")));
    assert_eq!(answer.body["methods"], json!(["totp", "recoveryCode"]));
    for name in ["loginSessionId", "mfaSessionId", "expiresAt"] {
        assert!(answer.body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert!(answer.body["tokens"].is_null() && answer.cookies.is_empty());
    assert!(!recorded.counts.contains_key("AUTHENTICATED"), "there is no session yet");
}

#[tokio::test]
async fn the_cookie_of_a_trusted_device_counts_only_where_cookies_are_asked_for() {
    let (world, call) = ready("auth-mfa-verify").await;
    let (answer, _) = serve("auth-mfa-verify", &world, &call).await;
    let device = answer.body["deviceToken"].as_str().unwrap().to_owned();
    let login = |more: Value| {
        let mut body = json!({"email": world.email, "password": world.password()});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        post("/v1/auth/login", &body)
    };
    let (answer, _) = serve("auth-login", &world, &login(json!({})).cookie(DEVICE, &device)).await;
    assert_eq!(answer.body["status"], "MFA_REQUIRED", "the cookie of another transport");
    let (answer, _) = serve("auth-login", &world, &login(json!({"transport": "cookie"})).cookie(DEVICE, &device)).await;
    assert_eq!(answer.body["status"], "AUTHENTICATED");
    let device = answer.cookie(DEVICE).unwrap().to_owned();
    assert!(answer.body["deviceToken"].is_null() && !device.is_empty());
    let (answer, _) = serve("auth-login", &world, &login(json!({"deviceToken": device}))).await;
    assert_eq!(answer.body["status"], "AUTHENTICATED");
}

#[tokio::test]
async fn the_second_step_answers_with_tokens_and_is_counted() {
    let (world, call) = ready("auth-mfa-verify").await;
    let (answer, recorded) = serve("auth-mfa-verify", &world, &call).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("AUTHENTICATED")));
    assert_eq!(
        (&answer.body["session"]["mfaVerified"], &answer.body["session"]["trusted"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(recorded.counts.get("AUTHENTICATED"), Some(&1));
}

#[tokio::test]
async fn a_device_is_trusted_only_if_the_second_step_asks_for_it() {
    let world = World::new().await;
    let armed = world.armed().await;
    let body = json!({"mfaSessionId": challenged(&world).await, "code": world.code(&armed.seed, 0)});
    let (answer, _) = serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &body)).await;
    assert!(answer.status == 200 && answer.body["deviceToken"].is_null(), "{answer:?}");
    assert_eq!(answer.body["session"]["trusted"], false);
}

#[tokio::test]
async fn a_recovery_code_is_a_second_step_once() {
    let world = World::new().await;
    let armed = world.armed().await;
    for (expected, code) in [(200, &armed.recovery[0]), (401, &armed.recovery[0]), (200, &armed.recovery[1])] {
        let body = json!({"mfaSessionId": challenged(&world).await, "recoveryCode": code});
        let (answer, _) = serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &body)).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_second_step_says_how_many_tries_are_left() {
    let world = World::new().await;
    let armed = world.armed().await;
    let id = challenged(&world).await;
    let used = json!({"mfaSessionId": id, "code": world.code(&armed.seed, -1)});
    let (answer, recorded) = serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &used)).await;
    assert_eq!((said(&answer), &answer.body["attemptsRemaining"]), ((401, "INVALID_MFA_CODE"), &json!(4)));
    assert!(!recorded.counts.contains_key("AUTHENTICATED"));
    let unknown = json!({"mfaSessionId": "junk", "code": "123456"});
    let (answer, _) = serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &unknown)).await;
    assert_eq!(said(&answer), (401, "MFA_EXPIRED"));
}

#[tokio::test]
async fn an_answer_to_the_second_factor_is_one_code() {
    let (world, _) = ready("auth-mfa-disable").await;
    let id = challenged(&world).await;
    for both in [json!({}), json!({"code": "123456", "recoveryCode": "ABCD"})] {
        let mut verify = both.clone();
        verify["mfaSessionId"] = id.clone().into();
        let (answer, _) = serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &verify)).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{both}");
        let disable = Call::new("DELETE", "/v1/auth/mfa").json(&both).bearer(&world.access());
        assert_eq!(said(&serve("auth-mfa-disable", &world, &disable).await.0), (400, "INVALID_REQUEST"), "{both}");
    }
    let mut again = json!({"code": "123456", "recoveryCode": "ABCD"});
    again["password"] = world.password().into();
    let call = post("/v1/auth/reauthenticate", &again).bearer(&world.access());
    assert_eq!(said(&serve("auth-reauthenticate", &world, &call).await.0), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_refresh_replaces_the_pair_and_is_counted() {
    let (world, call) = ready("auth-refresh").await;
    let (answer, recorded) = serve("auth-refresh", &world, &call).await;
    assert_eq!((answer.status, recorded.counts.get("SESSION_REFRESHED")), (200, Some(&1)));
    let tokens = &answer.body["tokens"];
    assert!(opens(&world, tokens["accessToken"].as_str().unwrap()).await && answer.cookies.is_empty());
    assert_ne!(tokens["refreshToken"], world.refresh());
    assert_eq!(answer.body["effective"], "immediate");
}

#[tokio::test]
async fn a_refresh_token_that_opens_nothing_is_refused_and_not_counted() {
    let world = World::new().await;
    let call = post("/v1/auth/refresh", &json!({"refreshToken": "junk"}));
    let (answer, recorded) = serve("auth-refresh", &world, &call).await;
    assert_eq!((said(&answer), answer.cookies.len()), ((401, "INVALID_REFRESH_TOKEN"), 0));
    assert!(!recorded.counts.contains_key("SESSION_REFRESHED"));
    for empty in [Call::new("POST", "/v1/auth/refresh"), post("/v1/auth/refresh", &json!({}))] {
        assert_eq!(said(&serve("auth-refresh", &world, &empty).await.0), (400, "INVALID_REQUEST"));
    }
}

#[tokio::test]
async fn the_good_cookie_counts_though_an_outdated_one_stands_before_it() {
    let world = World::new().await;
    let other = another_session(&world).await;
    let outdated = other["tokens"]["refreshToken"].as_str().unwrap();
    let current = world.sessions().identify([other["tokens"]["accessToken"].as_str().unwrap()]).await.unwrap();
    world.sessions().log_out(&current, &Origin::default()).await.unwrap();
    let call = Call::new("POST", "/v1/auth/refresh").from_page(PAGE).cookie(REFRESH, outdated);
    let (answer, _) = serve("auth-refresh", &world, &call).await;
    assert_eq!(answer.status, 401);
    assert_eq!((answer.cookie(ACCESS), answer.cookie(REFRESH)), (Some(""), Some("")), "nothing is left to refresh");
    assert_eq!(serve("auth-refresh", &world, &call.cookie(REFRESH, &world.refresh())).await.0.status, 200);

    let world = World::new().await;
    let call = Call::new("POST", "/v1/auth/logout").from_page(PAGE).cookie(REFRESH, outdated);
    let (answer, _) = serve("auth-logout", &world, &call.cookie(REFRESH, &world.refresh())).await;
    assert_eq!((answer.status, opens(&world, &world.access()).await), (200, false));
}

#[tokio::test]
async fn trouble_leaves_the_cookies_for_another_try() {
    let world = World::new().await;
    world.fail_at("slot", &Trouble::Unavailable);
    for function in ["auth-refresh", "auth-logout"] {
        let call = Call::new("POST", "/").from_page(PAGE).cookie(REFRESH, &world.refresh());
        let (answer, _) = serve(function, &world, &call).await;
        assert_eq!((said(&answer), answer.cookies.len()), ((503, "UNAVAILABLE"), 0), "{function}");
    }
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session() {
    let (world, call) = ready("auth-refresh").await;
    let (answer, _) = serve("auth-refresh", &world, &call).await;
    let next = post("/v1/auth/refresh", &json!({"refreshToken": answer.body["tokens"]["refreshToken"]}));
    let (answer, _) = serve("auth-refresh", &world, &next).await;
    let newest = answer.body["tokens"]["accessToken"].as_str().unwrap().to_owned();
    let (answer, _) = serve("auth-refresh", &world, &call).await;
    assert_eq!((said(&answer), opens(&world, &newest).await), ((401, "REFRESH_TOKEN_REUSED"), false));
}

#[tokio::test]
async fn a_logout_ends_the_session_and_deletes_the_cookies() {
    let (world, call) = ready("auth-logout").await;
    let (answer, _) = serve("auth-logout", &world, &call).await;
    assert_eq!((answer.status, &answer.body["revoked"]), (200, &json!(1)));
    assert_eq!((answer.cookie(ACCESS), answer.cookie(REFRESH), answer.cookie(DEVICE)), (Some(""), Some(""), None));
    assert!(!opens(&world, &world.access()).await);
    let (answer, _) = serve("auth-logout", &world, &call).await;
    assert_eq!((said(&answer), answer.cookie(ACCESS)), ((401, "UNAUTHENTICATED"), Some("")));
    let foreign = call.header("origin", "https://evil.example");
    assert_eq!(serve("auth-logout", &world, &foreign).await.0.cookies.len(), 0, "a foreign page signs nobody out");
}

#[tokio::test]
async fn a_refresh_cookie_logs_out_only_where_no_other_credential_was_sent() {
    let world = World::new().await;
    let call = Call::new("POST", "/v1/auth/logout").from_page(PAGE).cookie(REFRESH, &world.refresh());
    let (answer, _) = serve("auth-logout", &world, &call.clone().bearer("junk")).await;
    assert_eq!((said(&answer), opens(&world, &world.access()).await), ((401, "UNAUTHENTICATED"), true));
    let (answer, _) = serve("auth-logout", &world, &call.clone().json(&json!({"x": 1}))).await;
    assert_eq!((said(&answer), opens(&world, &world.access()).await), ((400, "INVALID_REQUEST"), true));
    let (answer, _) = serve("auth-logout", &world, &call).await;
    assert_eq!((answer.status, answer.cookie(REFRESH)), (200, Some("")));
    assert!(!opens(&world, &world.access()).await);
    let (answer, _) = serve("auth-logout", &world, &call).await;
    assert_eq!((said(&answer), answer.cookie(REFRESH)), ((401, "UNAUTHENTICATED"), Some("")));
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let (world, call) = ready("auth-password").await;
    let other = another_session(&world).await;
    let (answer, _) = serve("auth-password", &world, &call).await;
    assert_eq!((answer.status, &answer.body["revoked"]), (200, &json!(1)));
    assert!(opens(&world, &world.access()).await);
    assert!(!opens(&world, other["tokens"]["accessToken"].as_str().unwrap()).await);
    let old = serve("auth-login", &world, &sign_in_call(&world)).await.0;
    assert_eq!(said(&old), (401, "INVALID_CREDENTIALS"));
}

#[tokio::test]
async fn a_password_changes_only_for_who_knows_it_and_to_a_strong_one() {
    let (world, _) = ready("auth-password").await;
    let change = |current: &str, new: &str| {
        post("/v1/auth/password", &json!({"currentPassword": current, "newPassword": new})).bearer(&world.access())
    };
    let (answer, _) = serve("auth-password", &world, &change("wrong", "another horse battery")).await;
    assert_eq!(said(&answer), (401, "INVALID_CREDENTIALS"));
    let (answer, _) = serve("auth-password", &world, &change(world.password(), "1234567890123456")).await;
    assert_eq!(said(&answer), (400, "INVALID_REQUEST"));
    assert_eq!(serve("auth-login", &world, &sign_in_call(&world)).await.0.status, 200, "it is as it was");
}

#[tokio::test]
async fn a_seed_is_handed_out_and_its_first_code_switches_the_factor_on() {
    let (world, call) = ready("auth-mfa-enroll").await;
    let (answer, _) = serve("auth-mfa-enroll", &world, &call).await;
    let secret = answer.body["secret"].as_str().unwrap();
    assert!(answer.body["otpauthUri"].as_str().unwrap().contains(secret));
    assert!(account_of(&world).await.mfa.enabled.is_none(), "not before its first code");

    let (world, call) = ready("auth-mfa-activate").await;
    let wrong = post("/v1/auth/mfa/activate", &json!({"code": "000000"})).bearer(&world.access());
    assert_eq!(said(&serve("auth-mfa-activate", &world, &wrong).await.0), (401, "INVALID_MFA_CODE"));
    let (answer, _) = serve("auth-mfa-activate", &world, &call).await;
    assert_eq!((answer.status, answer.body["recoveryCodes"].as_array().map(Vec::len)), (200, Some(10)));
    assert_eq!(
        (&answer.body["session"]["mfaVerified"], &answer.body["session"]["current"]),
        (&json!(true), &json!(true))
    );
    assert!(account_of(&world).await.mfa.enabled.is_some());
    assert_eq!(said(&serve("auth-mfa-activate", &world, &call).await.0), (409, "MFA_ALREADY_ENABLED"));
    let enroll = Call::new("POST", "/v1/auth/mfa/enroll").bearer(&world.access());
    assert_eq!(said(&serve("auth-mfa-enroll", &world, &enroll).await.0), (409, "MFA_ALREADY_ENABLED"));
}

#[tokio::test]
async fn the_factor_goes_with_a_code_or_a_recovery_code_and_with_no_wrong_one() {
    let (world, call) = ready("auth-mfa-disable").await;
    let wrong = Call::new("DELETE", "/v1/auth/mfa").json(&json!({"code": "000000"})).bearer(&world.access());
    assert_eq!(said(&serve("auth-mfa-disable", &world, &wrong).await.0), (401, "INVALID_MFA_CODE"));
    assert!(account_of(&world).await.mfa.enabled.is_some());
    let (answer, _) = serve("auth-mfa-disable", &world, &call).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"mfaEnabled": false})));
    assert!(account_of(&world).await.mfa.enabled.is_none());

    let world = World::new().await;
    let armed = world.armed().await;
    let body = json!({"recoveryCode": armed.recovery[3]});
    let call = Call::new("DELETE", "/v1/auth/mfa").json(&body).bearer(&world.access());
    assert_eq!(serve("auth-mfa-disable", &world, &call).await.0.status, 200);
    assert!(account_of(&world).await.mfa.enabled.is_none());
}

#[tokio::test]
async fn new_recovery_codes_replace_the_old_ones() {
    let world = World::new().await;
    let call = Call::new("POST", "/v1/auth/mfa/recovery-codes").bearer(&world.access());
    assert!((400..500).contains(&serve("auth-mfa-recovery-codes", &world, &call).await.0.status), "there is no factor");
    let armed = world.armed().await;
    let (answer, _) = serve("auth-mfa-recovery-codes", &world, &call).await;
    let fresh = answer.body["recoveryCodes"].as_array().unwrap().clone();
    assert_eq!((answer.status, fresh.len()), (200, 10));
    for (expected, code) in [(401, json!(armed.recovery[0])), (200, fresh[0].clone())] {
        let body = json!({"mfaSessionId": challenged(&world).await, "recoveryCode": code});
        assert_eq!(serve("auth-mfa-verify", &world, &post("/v1/auth/mfa/verify", &body)).await.0.status, expected);
    }
}

#[tokio::test]
async fn a_reauthentication_answers_with_the_session_and_its_version() {
    let (world, call) = ready("auth-reauthenticate").await;
    world.host.advance_seconds(1);
    let before = live(&world).await.remove(0);
    let (answer, _) = serve("auth-reauthenticate", &world, &call).await;
    let after = live(&world).await.remove(0);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["etag"], format!("\"{}\"", after.version));
    assert!(after.authenticated_at > before.authenticated_at && answer.body["current"] == true);
}

#[tokio::test]
async fn a_failed_reauthentication_is_noted_and_proves_nothing() {
    let (world, _) = ready("auth-reauthenticate").await;
    let before = live(&world).await;
    for (body, code) in [
        (json!({"password": "wrong"}), "INVALID_CREDENTIALS"),
        (json!({"password": world.password(), "code": "000000"}), "INVALID_MFA_CODE"),
    ] {
        let call = post("/v1/auth/reauthenticate", &body).bearer(&world.access());
        assert_eq!(said(&serve("auth-reauthenticate", &world, &call).await.0), (401, code));
    }
    assert_eq!((world.store.calm.failed_reauthentications().len(), live(&world).await), (2, before));
}
