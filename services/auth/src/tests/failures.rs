//! What each function answers when a call to the store, the verifier or the key fails.

use holdfast_testkit::failing::Trouble;
use holdfast_testkit::failures::{Played, Route, assert_documented};

use super::*;

const ROUTES: &[Route] = &[
    Route { function: "auth-register", ends: &["counters", "draw", "keep", "register"], passes: &[], differs: &[] },
    Route {
        function: "auth-login",
        ends: &["user_of", "user", "counters", "draw", "verify", "begin", "commit"],
        passes: &["settle"],
        differs: &[],
    },
    Route { function: "auth-refresh", ends: &["slot", "rotate"], passes: &[], differs: &[] },
    Route { function: "auth-logout", ends: &["slot", "end"], passes: &[], differs: &[] },
    Route {
        function: "auth-password",
        ends: &["slot", "user", "counters", "draw", "verify", "change", "devices", "apply"],
        passes: &["settle"],
        differs: &[],
    },
    Route {
        function: "auth-mfa-verify",
        ends: &["sign_in", "user", "open", "counters", "draw", "try_answer", "devices", "commit"],
        passes: &["settle", "remember"],
        differs: &[],
    },
    Route {
        function: "auth-mfa-enroll",
        ends: &["slot", "user", "seal", "devices", "apply"],
        passes: &[],
        differs: &[],
    },
    Route {
        function: "auth-mfa-activate",
        ends: &["slot", "user", "open", "draw", "devices", "apply"],
        passes: &["settle"],
        differs: &[],
    },
    Route {
        function: "auth-mfa-disable",
        ends: &["slot", "user", "open", "draw", "devices", "apply"],
        passes: &["settle"],
        differs: &[],
    },
    Route {
        function: "auth-mfa-recovery-codes",
        ends: &["slot", "user", "devices", "apply"],
        passes: &[],
        differs: &[],
    },
    Route {
        function: "auth-reauthenticate",
        ends: &["slot", "user", "counters", "draw", "verify", "open", "devices", "apply"],
        passes: &["settle"],
        differs: &[],
    },
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

#[test]
fn the_documentation_has_the_rows_of_auth() {
    assert_documented("service-auth", &ROUTES.iter().map(Route::row).collect::<Vec<_>>());
}
