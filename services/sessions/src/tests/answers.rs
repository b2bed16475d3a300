//! One test for each branch of a handler with a route.

use holdfast_kit::cookies::{ACCESS, DEVICE, REFRESH};

use super::*;

/// The status and the code of an answer.
fn said(answer: &Answer) -> (u64, &str) {
    (answer.status, answer.code.as_str())
}

const ALL: [&str; 7] = [
    "sessions-list",
    "sessions-current",
    "sessions-revoke",
    "sessions-revoke-all",
    "sessions-trust",
    "sessions-devices",
    "sessions-remove-devices",
];
/// Those that change something.
const CHANGES: [&str; 4] = ["sessions-revoke", "sessions-revoke-all", "sessions-trust", "sessions-remove-devices"];

#[tokio::test]
async fn another_site_changes_nothing_by_the_cookie_of_the_session() {
    for function in CHANGES {
        let (world, call) = ready(function).await;
        let call = call.without_header("authorization").cookie(ACCESS, &world.access());
        let before = live(&world).await;
        for foreign in [
            call.clone(),
            call.clone().header("origin", PAGE),
            call.clone().header("x-holdfast-csrf", "1"),
            call.clone().from_page("https://evil.example"),
        ] {
            let (answer, _) = serve(function, &world, &foreign).await;
            assert_eq!((said(&answer), answer.cookies.len()), ((403, "FORBIDDEN"), 0), "{function}: {answer:?}");
        }
        assert_eq!(live(&world).await, before, "{function} changed something");
        assert_eq!(serve(function, &world, &call.from_page(PAGE)).await.0.status, 200, "{function}");
    }
}

#[tokio::test]
async fn what_only_reads_takes_the_cookie_without_more() {
    for function in ["sessions-list", "sessions-current", "sessions-devices"] {
        let (world, call) = ready(function).await;
        let call = call.without_header("authorization").cookie(ACCESS, &world.access());
        assert_eq!(serve(function, &world, &call).await.0.status, 200, "{function}");
    }
}

#[tokio::test]
async fn a_caller_without_a_live_session_is_refused_before_the_form_is_read() {
    for function in ALL {
        let (world, call) = ready(function).await;
        let before = live(&world).await;
        for stranger in [call.clone().without_header("authorization"), call.clone().bearer("junk")] {
            let (answer, _) = serve(function, &world, &stranger.json(&json!({"unknown": 1}))).await;
            assert_eq!(said(&answer), (401, "UNAUTHENTICATED"), "{function}: {answer:?}");
        }
        let (answer, _) = serve(function, &world, &call.clone().json(&json!({"unknown": 1}))).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {answer:?}");
        let (answer, _) = serve(function, &world, &call.query("x=1")).await;
        assert_eq!(said(&answer), (400, "INVALID_REQUEST"), "{function}: {answer:?}");
        let sids = |slots: Vec<Slot>| slots.into_iter().map(|slot| slot.sid).collect::<Vec<_>>();
        assert_eq!(sids(live(&world).await), sids(before), "{function} changed something");
    }
}

#[tokio::test]
async fn ending_all_without_a_word_ends_the_callers_session_too() {
    let (world, call) = ready("sessions-revoke-all").await;
    let (answer, _) = serve("sessions-revoke-all", &world, &call).await;
    assert_eq!((answer.status, &answer.body["revoked"], live(&world).await.len()), (200, &json!(2), 0));
    assert_eq!((answer.cookie(ACCESS), answer.cookie(REFRESH), answer.cookie(DEVICE)), (Some(""), Some(""), None));
    let (answer, _) = serve("sessions-revoke-all", &world, &call).await;
    assert_eq!((said(&answer), answer.cookie(ACCESS)), ((401, "UNAUTHENTICATED"), Some("")));

    let (world, call) = ready("sessions-revoke-all").await;
    assert_eq!(serve("sessions-revoke-all", &world, &call.query("keepCurrent=false")).await.0.body["revoked"], 2);
    assert_eq!(live(&world).await.len(), 0);
}

#[tokio::test]
async fn ending_all_others_keeps_the_callers_session_and_its_cookies() {
    let (world, call) = ready("sessions-revoke-all").await;
    let (answer, _) = serve("sessions-revoke-all", &world, &call.query("keepCurrent=true")).await;
    assert_eq!((answer.status, &answer.body["revoked"], answer.cookies.len()), (200, &json!(1), 0));
    assert!(opens(&world, &world.access()).await && live(&world).await.len() == 1);
}

#[tokio::test]
async fn a_query_that_is_no_answer_ends_nothing() {
    let (world, call) = ready("sessions-revoke-all").await;
    for raw in
        ["keepCurrent=", "keepCurrent=yes", "keepCurrent", "keepcurrent=true", "keepCurrent=true&keepCurrent=true"]
    {
        let (answer, _) = serve("sessions-revoke-all", &world, &call.clone().query(raw)).await;
        assert_eq!((said(&answer), answer.cookies.len()), ((400, "INVALID_REQUEST"), 0), "{raw}");
    }
    assert_eq!(live(&world).await.len(), 2);
}

#[tokio::test]
async fn trouble_leaves_the_cookies_for_another_try() {
    let (world, call) = ready("sessions-revoke-all").await;
    world.fail_at("apply", &holdfast_testkit::failing::Trouble::Unavailable);
    let (answer, _) = serve("sessions-revoke-all", &world, &call).await;
    assert_eq!((said(&answer), answer.cookies.len()), ((503, "UNAVAILABLE"), 0));
}

#[tokio::test]
async fn one_session_of_the_caller_is_ended_and_no_other() {
    let (world, call) = ready("sessions-revoke").await;
    let (answer, _) = serve("sessions-revoke", &world, &call).await;
    assert_eq!((answer.status, &answer.body["revoked"], answer.cookies.len()), (200, &json!(1), 0));
    assert!(opens(&world, &world.access()).await && live(&world).await.len() == 1);
    assert_eq!(said(&serve("sessions-revoke", &world, &call).await.0), (404, "NOT_FOUND"), "it is over");
    for unknown in ["junk", "AQEBAQEBAQEBAQEBAQEBAQ"] {
        let call = call.clone().path_parameter("sessionId", unknown);
        assert_eq!(said(&serve("sessions-revoke", &world, &call).await.0), (404, "NOT_FOUND"), "{unknown}");
    }
    let stranger = World::new().await;
    let foreign = call.path_parameter("sessionId", &stranger.session.slot.sid.to_string());
    assert_eq!(said(&serve("sessions-revoke", &world, &foreign).await.0), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn who_ends_the_own_session_loses_its_cookies() {
    let world = World::new().await;
    let sid = world.session.slot.sid.to_string();
    let call = Call::new("DELETE", &format!("/v1/sessions/{sid}")).path_parameter("sessionId", &sid);
    let (answer, _) = serve("sessions-revoke", &world, &call.bearer(&world.access())).await;
    assert_eq!((answer.status, answer.cookie(ACCESS), answer.cookie(REFRESH)), (200, Some(""), Some("")));
    assert!(!opens(&world, &world.access()).await);
}

#[tokio::test]
async fn a_list_says_which_session_asks() {
    let (world, call) = ready("sessions-list").await;
    another_session(&world).await;
    let (answer, _) = serve("sessions-list", &world, &call).await;
    let list = answer.body["sessions"].as_array().unwrap().clone();
    let current: Vec<_> = list.iter().filter(|session| session["current"] == true).collect();
    assert_eq!((list.len(), current.len()), (2, 1));
    assert_eq!(current[0]["sessionId"], world.session.slot.sid.to_string());
}

#[tokio::test]
async fn the_current_session_is_shown_with_its_version_and_touched() {
    let (world, call) = ready("sessions-current").await;
    let (answer, _) = serve("sessions-current", &world, &call).await;
    assert_eq!((answer.status, &answer.body["current"]), (200, &json!(true)));
    assert_eq!(answer.headers["etag"], format!("\"{}\"", world.session.slot.version));
    assert_eq!(live(&world).await[0].last_used_at, now(&world));
    assert_eq!(answer.body["lastUsedAt"], now(&world).to_string());
}

#[tokio::test]
async fn a_device_that_asks_by_token_is_given_its_token_in_the_answer() {
    let (world, call) = ready("sessions-trust").await;
    let (answer, _) = serve("sessions-trust", &world, &call).await;
    let slot = live(&world).await.remove(0);
    assert_eq!((answer.status, &answer.body["trusted"]), (200, &json!(true)));
    assert_eq!(answer.headers["etag"], format!("\"{}\"", slot.version));
    assert!(answer.body["deviceToken"].is_string() && answer.cookies.is_empty() && slot.trust.is_some());
}

#[tokio::test]
async fn a_device_that_asks_by_cookie_is_given_its_token_as_a_cookie() {
    let (world, call) = ready("sessions-trust").await;
    let by_cookie = |call: Call| call.without_header("authorization").cookie(ACCESS, &world.access()).from_page(PAGE);
    let (answer, _) = serve("sessions-trust", &world, &by_cookie(call)).await;
    assert!(answer.body["deviceToken"].is_null() && answer.cookie(DEVICE).is_some_and(|token| !token.is_empty()));
    let off = by_cookie(trust_call(&world.session.slot.sid.to_string(), false));
    let (answer, _) = serve("sessions-trust", &world, &off).await;
    assert_eq!((&answer.body["trusted"], answer.cookie(DEVICE)), (&json!(false), Some("")));
    assert!(live(&world).await[0].trust.is_none());
}

#[tokio::test]
async fn who_stops_trusting_another_device_keeps_the_own_cookie() {
    let world = World::new().await;
    let other = another_session(&world).await.slot.sid.to_string();
    for call in [
        trust_call(&other, false).cookie(ACCESS, &world.access()).from_page(PAGE),
        trust_call(&world.session.slot.sid.to_string(), false).bearer(&world.access()),
    ] {
        let (answer, _) = serve("sessions-trust", &world, &call).await;
        assert_eq!((answer.status, answer.cookies.len()), (200, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn trust_is_set_at_the_version_that_was_read() {
    let (world, call) = ready("sessions-trust").await;
    let version = world.session.slot.version;
    let (answer, _) = serve("sessions-trust", &world, &call.clone().header("if-match", "\"99\"")).await;
    assert_eq!((said(&answer), live(&world).await[0].trust), ((412, "PRECONDITION_FAILED"), None));
    let matching = call.clone().header("if-match", &format!("\"{version}\""));
    assert_eq!(serve("sessions-trust", &world, &matching).await.0.status, 200);
    assert_eq!(said(&serve("sessions-trust", &world, &call.header("if-match", "7")).await.0), (400, "INVALID_REQUEST"));
    for unknown in ["junk", "AQEBAQEBAQEBAQEBAQEBAQ"] {
        let call = trust_call(unknown, true).bearer(&world.access());
        assert_eq!(said(&serve("sessions-trust", &world, &call).await.0), (404, "NOT_FOUND"), "{unknown}");
    }
}

#[tokio::test]
async fn trusted_devices_are_listed_and_the_own_one_is_marked() {
    let (world, call) = ready("sessions-devices").await;
    let (answer, _) = serve("sessions-devices", &world, &call).await;
    let list = answer.body["devices"].as_array().unwrap();
    assert_eq!((answer.status, list.len(), &list[0]["current"]), (200, 1, &json!(true)));
    assert_eq!(list[0]["deviceId"], live(&world).await[0].trust.unwrap().device.to_string());
}

#[tokio::test]
async fn one_device_or_all_of_them_are_no_longer_trusted() {
    let (world, call) = ready("sessions-remove-devices").await;
    for unknown in ["junk", "", "AQEBAQEBAQEBAQEBAQEBAQ"] {
        let call = Call::new("DELETE", &format!("/v1/devices/{unknown}")).path_parameter("deviceId", unknown);
        let (answer, _) = serve("sessions-remove-devices", &world, &call.bearer(&world.access())).await;
        assert_eq!(said(&answer), (404, "NOT_FOUND"), "{unknown:?}");
    }
    assert!(live(&world).await[0].trust.is_some());
    let (answer, _) = serve("sessions-remove-devices", &world, &call).await;
    assert_eq!((answer.status, &answer.body["removed"]), (200, &json!(1)));
    assert!(live(&world).await[0].trust.is_none());

    let (world, _) = ready("sessions-remove-devices").await;
    let all = Call::new("DELETE", "/v1/devices").bearer(&world.access());
    let (answer, _) = serve("sessions-remove-devices", &world, &all).await;
    assert_eq!((&answer.body["removed"], &answer.body["effective"]), (&json!(1), &json!("immediate")));
    assert_eq!(serve("sessions-remove-devices", &world, &all).await.0.body["removed"], 0);
}
