//! What each function answers when a call to a store fails.

use std::collections::BTreeSet;

use holdfast_testkit::failing::Trouble;
use holdfast_testkit::failures::{Played, Route, assert_documented};

use super::*;

const ROUTES: &[Route] = &[
    Route { function: "sessions-list", ends: &["slot", "user"], passes: &[], differs: &[] },
    Route { function: "sessions-current", ends: &["slot"], passes: &["touch"], differs: &[] },
    Route { function: "sessions-revoke", ends: &["slot", "user", "devices", "apply"], passes: &[], differs: &[] },
    Route { function: "sessions-revoke-all", ends: &["slot", "user", "devices", "apply"], passes: &[], differs: &[] },
    Route { function: "sessions-trust", ends: &["slot", "user", "devices", "apply"], passes: &[], differs: &[] },
    Route { function: "sessions-devices", ends: &["slot", "user", "devices"], passes: &[], differs: &[] },
    Route {
        function: "sessions-remove-devices",
        ends: &["slot", "user", "devices", "apply"],
        passes: &[],
        differs: &[],
    },
    Route {
        function: "sessions-create",
        ends: &["user_of_identity", "user", "devices", "apply", "begin", "commit"],
        passes: &[],
        differs: &[],
    },
    Route { function: "sessions-introspect", ends: &["slot"], passes: &["touch"], differs: &[] },
];

async fn play(function: &str, failing: Option<(&'static str, Trouble)>) -> Played {
    let (world, call) = ready(function).await;
    let silent = matches!(failing, Some((_, Trouble::Silence)));
    if let Some((name, trouble)) = failing {
        world.fail_at(name, &trouble);
    }
    let budget = Duration::from_millis(if silent { 50 } else { 60_000 });
    let (answer, Recorded { log, counts, .. }) = serve_within(budget, function, &world, &call).await;
    Played { calls: world.calls(), status: answer.status, code: answer.code, log, counts }
}

#[tokio::test]
async fn a_call_that_fails_ends_the_request_or_changes_nothing_as_the_table_says() {
    for route in ROUTES {
        route.check(async |failing| play(route.function, failing).await).await;
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_created_makes_no_session() {
    for trouble in Trouble::ERRORS {
        let world = World::new().await;
        let call = create_call(&json!({"identity": {"provider": "p", "subject": "new"}}));
        world.fail_at("register", &trouble);
        let (answer, _) = serve("sessions-create", &world, &call).await;
        assert_eq!(answer.status, if trouble == Trouble::Corrupt { 500 } else { 503 }, "{answer:?}");
        world.heal();
        assert_eq!(serve("sessions-create", &world, &call).await.0.status, 201, "the same request again");
    }
}

/// Each command, and the calls whose failure is answered with `UNAVAILABLE`, or `INTERNAL` if a record cannot be read.
const COMMANDS: &[(&str, &[&str])] = &[
    ("find", &["devices", "user", "user_of"]),
    ("create", &["keep", "register"]),
    ("set-password", &["apply", "devices", "keep", "user"]),
    ("set-claims", &["apply", "devices", "user"]),
    ("delete", &["apply", "clear", "devices", "erase", "forget_user", "user", "user_of"]),
    ("list", &["devices", "user"]),
    ("end", &["apply", "devices", "user"]),
    ("end-all", &["apply", "devices", "user"]),
    ("remove-device", &["apply", "devices", "user"]),
    ("disable", &["apply", "devices", "user"]),
    ("enable", &["apply", "devices", "user"]),
    ("reset-mfa", &["apply", "devices", "user"]),
    ("attempts", &["counters", "user_of"]),
    ("clear-attempts", &["clear", "counters", "user_of"]),
];

async fn desk_for(action: &str) -> (Desk, Value) {
    let desk = Desk::new().await;
    let (user, email) = (desk.user(), desk.world.email.clone());
    let command = match action {
        "find" => json!({"action": action, "email": email}),
        "create" => json!({"action": action, "email": "new@example.com", "password": "correct horse battery"}),
        "set-password" => json!({"action": action, "userId": user, "password": "another horse battery"}),
        "set-claims" => json!({"action": action, "userId": user, "claims": {"role": "admin"}}),
        "end" => json!({"action": action, "userId": user, "sessionId": desk.world.session.slot.sid.to_string()}),
        "remove-device" => {
            desk.world.armed().await;
            json!({"action": action, "userId": user, "deviceId": trusted(&desk.world).await})
        }
        "attempts" | "clear-attempts" => json!({"action": action, "email": email, "ip": "192.0.2.1"}),
        _ => json!({"action": action, "userId": user}),
    };
    desk.world.calls();
    (desk, command)
}

#[tokio::test]
async fn a_command_says_that_a_store_failed_and_never_that_it_was_done() {
    for (action, expected) in COMMANDS {
        let (desk, command) = desk_for(action).await;
        let (answer, _) = desk.run(command).await;
        assert_eq!(answer["ok"], true, "{action}: {answer}");
        let mut calls: BTreeSet<_> = desk.world.calls();
        calls.extend(desk.activity.calls());
        assert_eq!(calls, expected.iter().copied().collect(), "{action}");
        for call in *expected {
            for trouble in Trouble::ERRORS {
                let (desk, command) = desk_for(action).await;
                desk.world.fail_at(call, &trouble);
                desk.activity.fail_at(call, trouble.clone());
                let (answer, recorded) = desk.run(command).await;
                let code = if trouble == Trouble::Corrupt { "INTERNAL" } else { "UNAVAILABLE" };
                assert_eq!(
                    (&answer["ok"], &answer["error"]["code"]),
                    (&json!(false), &json!(code)),
                    "{action}, {call}"
                );
                assert_eq!(recorded.counts.get(code), Some(&1), "{action}, {call}");
                assert!(recorded.log.contains(&"INFO command refused".to_owned()), "{action}, {call}: {recorded:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_deletion_that_push_cannot_finish_is_not_done_and_can_be_repeated() {
    let (desk, command) = desk_for("delete").await;
    desk.channels.fail_at("forget_user", Trouble::Unavailable);
    let (answer, _) = desk.run(command.clone()).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("UNAVAILABLE")));
    assert!(desk.world.store.user(desk.world.user).await.unwrap().is_some(), "the account goes last");
    desk.channels.heal();
    assert_eq!(desk.run(command).await.0["ok"], true);
    assert!(desk.world.store.user(desk.world.user).await.unwrap().is_none());
}

#[tokio::test]
async fn a_command_without_an_answer_in_time_says_that_nothing_is_known() {
    let (desk, command) = desk_for("end-all").await;
    desk.world.fail_at("apply", &Trouble::Silence);
    let (answer, _) = desk.run_within(Duration::from_millis(50), command).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("UNAVAILABLE")));
}

#[test]
fn the_documentation_has_the_rows_of_sessions() {
    assert_documented("service-sessions", &ROUTES.iter().map(Route::row).collect::<Vec<_>>());
    let row = |(action, calls): &(&str, &[&str])| {
        let calls = calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", ");
        format!("| `{action}` | {calls} |")
    };
    assert_documented("sessions-admin", &COMMANDS.iter().map(row).collect::<Vec<_>>());
}
