//! Tests of the handlers over a store in memory, through the HTTP edge: the table of failures, and one test for each branch.

mod answers;
mod failures;

use holdfast_kit::Env;
use holdfast_kit::recording::{Answer, Call, Recorded, answered, answered_within, recorded};
use holdfast_providers::{Factor, SecondFactor};
use holdfast_testkit::world::World;
use serde_json::{Value, json};
use std::time::Duration;

use crate::*;

/// The origin that pages may call from.
const PAGE: &str = "https://app.example.com";

fn env() -> Env {
    Env::of([("ALLOWED_ORIGINS", PAGE)])
}

/// Answers a call as the function of this name does.
async fn serve(function: &str, world: &World, call: &Call) -> (Answer, Recorded) {
    serve_within(Duration::from_secs(60), function, world, call).await
}

async fn serve_within(budget: Duration, function: &str, world: &World, call: &Call) -> (Answer, Recorded) {
    let (env, sessions) = (env(), world.sessions());
    let factor = Factor { sessions: world.sessions(), settings: world.factor_settings() };
    let limits = world.factor_settings().limits;
    macro_rules! through {
        ($deps:expr, $handle:path) => {{
            let deps = $deps;
            recorded(Box::pin(answered_within(budget, &env, &[], call, |request| $handle(&deps, request)))).await
        }};
    }
    match function {
        "auth-register" => through!(world.registration(), register::handle),
        "auth-login" => through!(world.sign_in(), login::handle),
        "auth-refresh" => through!(sessions, refresh::handle),
        "auth-logout" => through!(sessions, logout::handle),
        "auth-password" => {
            through!(password::Deps { sessions, verifier: world.passwords.clone(), limits }, password::handle)
        }
        "auth-mfa-verify" => {
            let second = SecondFactor { sign_in: world.sign_in_with(()), secrets: world.secrets.clone() };
            through!(second, mfa_verify::handle)
        }
        "auth-mfa-enroll" => through!(factor, mfa_enroll::handle),
        "auth-mfa-activate" => through!(factor, mfa_activate::handle),
        "auth-mfa-disable" => through!(factor, mfa_disable::handle),
        "auth-mfa-recovery-codes" => through!(sessions, mfa_recovery_codes::handle),
        "auth-reauthenticate" => {
            through!(reauthenticate::Deps { factor, verifier: world.passwords.clone() }, reauthenticate::handle)
        }
        other => panic!("{other} is no function of this service"),
    }
}

fn post(path: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body)
}

/// The first step of a sign-in with the right password.
fn sign_in_call(world: &World) -> Call {
    post("/v1/auth/login", &json!({"email": world.email, "password": world.password(), "deviceName": "laptop"}))
}

/// The id of a sign-in that waits for its second step.
async fn challenged(world: &World) -> String {
    let (answer, _) = serve("auth-login", world, &sign_in_call(world)).await;
    assert_eq!(answer.body["status"], "MFA_REQUIRED", "{answer:?}");
    answer.body["mfaSessionId"].as_str().unwrap().to_owned()
}

/// A world in which this function has something to do, and the call that does it.
async fn ready(function: &str) -> (World, Call) {
    let world = World::new().await;
    let access = world.access();
    let call = match function {
        "auth-register" => post("/v1/users", &json!({"email": "new@example.com", "password": "correct horse battery"})),
        "auth-login" => sign_in_call(&world),
        "auth-refresh" => post("/v1/auth/refresh", &json!({"refreshToken": world.refresh()})),
        "auth-logout" => Call::new("POST", "/v1/auth/logout").bearer(&access),
        "auth-password" => {
            let body = json!({"currentPassword": world.password(), "newPassword": "another horse battery"});
            post("/v1/auth/password", &body).bearer(&access)
        }
        "auth-mfa-verify" => {
            let armed = world.armed().await;
            let body = json!({"mfaSessionId": challenged(&world).await, "code": world.code(&armed.seed, 0), "trustDevice": true});
            post("/v1/auth/mfa/verify", &body)
        }
        "auth-mfa-enroll" => Call::new("POST", "/v1/auth/mfa/enroll").bearer(&access),
        "auth-mfa-activate" => {
            let seed = world.enrolled().await;
            post("/v1/auth/mfa/activate", &json!({"code": world.code(&seed, 0)})).bearer(&access)
        }
        "auth-mfa-disable" => {
            let armed = world.armed().await;
            let body = json!({"code": world.code(&armed.seed, 0)});
            Call::new("DELETE", "/v1/auth/mfa").json(&body).bearer(&access)
        }
        "auth-mfa-recovery-codes" => {
            world.armed().await;
            Call::new("POST", "/v1/auth/mfa/recovery-codes").bearer(&access)
        }
        "auth-reauthenticate" => {
            let armed = world.armed().await;
            let body = json!({"password": world.password(), "code": world.code(&armed.seed, 0)});
            post("/v1/auth/reauthenticate", &body).bearer(&access)
        }
        other => panic!("{other} is no function of this service"),
    };
    world.calls();
    (world, call)
}
