//! Tests of the handlers over a store in memory: the table of failures, and one test for each branch.

mod agreement;
mod answers;
mod commands;
mod failures;
mod gates;
mod kit;
mod revocations;
mod services;

use std::time::Duration;

use holdfast_runtime::Env;
use holdfast_runtime::recording::{Answer, Call, Recorded, answered_within, recorded};
use holdfast_sessions::Millis;
use holdfast_sessions::policy::SignInLimits;
use holdfast_sessions::ports::{Clock as _, SessionReads as _};
use holdfast_sessions::service::{FirstStep, Registration, SignIn, SignInRequest, SignedIn};
use holdfast_sessions::session::Slot;
use holdfast_testkit::ManualHost;
use holdfast_testkit::activity::MemoryActivity;
use holdfast_testkit::failing::Failing;
use holdfast_testkit::suites::sessions::PlainPasswords;
use holdfast_testkit::world::{TestCache, TestStore, World};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

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
    macro_rules! through {
        ($query:expr, $deps:expr, $handle:path) => {{
            let deps = $deps;
            recorded(Box::pin(answered_within(budget, &env, $query, call, |request| $handle(&deps, request)))).await
        }};
    }
    match function {
        "sessions-list" => through!(&[], sessions, list::handle),
        "sessions-current" => through!(&[], sessions, current::handle),
        "sessions-revoke" => through!(&[], sessions, revoke::handle),
        "sessions-revoke-all" => through!(revoke_all::QUERY, sessions, revoke_all::handle),
        "sessions-trust" => {
            let trust_seconds = SignInLimits::default().device_trust_seconds;
            through!(&[], trust::Deps { sessions, trust_seconds }, trust::handle)
        }
        "sessions-devices" => through!(&[], sessions, devices::handle),
        "sessions-remove-devices" => through!(&[], sessions, remove_devices::handle),
        "sessions-create" => through!(&[], vouching(world), create::handle),
        "sessions-introspect" => through!(&[], sessions, introspect::handle),
        other => panic!("{other} is no function of this service with a route"),
    }
}

/// Sign-in of users for whom a service vouches.
fn vouching(world: &World) -> SignIn<TestStore, TestCache, (), ManualHost> {
    let SignIn { store, cache, host, policy, limits, .. } = world.sign_in();
    SignIn { store, cache, verifier: (), host, policy, limits }
}

/// A service of the platform, as API Gateway names it.
const SERVICE: &str = "arn:aws:sts::111111111111:assumed-role/orders/i-1";

/// `POST /v1/sessions`, as a service sends it.
fn create_call(body: &Value) -> Call {
    Call::new("POST", "/v1/sessions").json(body).signed_by(SERVICE)
}

/// `POST /v1/sessions/introspect`, as a service sends it.
fn introspect_call(token: &str) -> Call {
    Call::new("POST", "/v1/sessions/introspect").json(&json!({"token": token})).signed_by(SERVICE)
}

/// Signs the user in once more.
async fn another_session(world: &World) -> SignedIn {
    let request = SignInRequest {
        email: world.email.clone(),
        password: world.password().into(),
        ip: holdfast_testkit::world::HOME.into(),
        ..SignInRequest::default()
    };
    match world.sign_in().sign_in(&request).await.unwrap() {
        FirstStep::Authenticated(signed_in) => *signed_in,
        FirstStep::MfaRequired(_) => panic!("no second factor was set up"),
    }
}

/// The user's live sessions in the store.
async fn live(world: &World) -> Vec<Slot> {
    let now = world.host.now();
    let slots = world.store.user(world.user).await.unwrap().unwrap().slots;
    slots.into_iter().filter(|slot| slot.is_live(now)).collect()
}

/// Whether an access token opens a session.
async fn opens(world: &World, token: &str) -> bool {
    world.sessions().identify([token]).await.is_ok()
}

/// `PUT /v1/sessions/{sessionId}/trust` for a session.
fn trust_call(sid: &str, trusted: bool) -> Call {
    Call::new("PUT", &format!("/v1/sessions/{sid}/trust"))
        .path_parameter("sessionId", sid)
        .json(&json!({"trusted": trusted}))
}

/// Trusts the device of the user's own session; the device's id.
async fn trusted(world: &World) -> String {
    let call = trust_call(&world.session.slot.sid.to_string(), true).bearer(&world.access());
    let (answer, _) = serve("sessions-trust", world, &call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    live(world).await[0].trust.unwrap().device.to_string()
}

/// A world in which this function has something to do, and the call that does it.
async fn ready(function: &str) -> (World, Call) {
    let world = World::new().await;
    let own = world.session.slot.sid.to_string();
    let call = match function {
        "sessions-introspect" => {
            // Long enough that the session is touched.
            world.host.advance_seconds(600);
            introspect_call(&world.access())
        }
        "sessions-create" => {
            let body = |role: &str| json!({"identity": {"provider": "p", "subject": "s"}, "claims": {"role": role}});
            let (answer, _) = serve(function, &world, &create_call(&body("reader"))).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            create_call(&body("editor"))
        }
        "sessions-list" => Call::new("GET", "/v1/sessions"),
        "sessions-current" => {
            // Long enough that the session is touched.
            world.host.advance_seconds(600);
            Call::new("GET", "/v1/sessions/current")
        }
        "sessions-revoke" => {
            let sid = another_session(&world).await.slot.sid.to_string();
            Call::new("DELETE", &format!("/v1/sessions/{sid}")).path_parameter("sessionId", &sid)
        }
        "sessions-revoke-all" => {
            another_session(&world).await;
            Call::new("DELETE", "/v1/sessions")
        }
        "sessions-trust" => trust_call(&own, true),
        "sessions-devices" => {
            trusted(&world).await;
            Call::new("GET", "/v1/devices")
        }
        "sessions-remove-devices" => {
            let id = trusted(&world).await;
            Call::new("DELETE", &format!("/v1/devices/{id}")).path_parameter("deviceId", &id)
        }
        other => panic!("{other} is no function of this service with a route"),
    };
    let is_of_service = matches!(function, "sessions-create" | "sessions-introspect");
    let call = if is_of_service { call } else { call.bearer(&world.access()) };
    world.calls();
    (world, call)
}

/// What operators' commands run on.
struct Desk {
    world: World,
    activity: Failing<MemoryActivity>,
    channels: Failing<MemoryActivity>,
}

type DeskDeps = admin::Deps<
    TestStore,
    TestCache,
    ManualHost,
    Failing<PlainPasswords>,
    Failing<MemoryActivity>,
    Failing<MemoryActivity>,
>;

impl Desk {
    async fn new() -> Self {
        Self { world: World::new().await, activity: Failing::default(), channels: Failing::default() }
    }

    fn deps(&self) -> DeskDeps {
        admin::Deps {
            sessions: self.world.sessions(),
            registration: Registration { per_network: u32::MAX, ..self.world.registration() },
            activity: self.activity.clone(),
            connections: self.channels.clone(),
            limits: SignInLimits::default(),
        }
    }

    async fn run(&self, command: Value) -> (Value, Recorded) {
        self.run_within(Duration::from_secs(60), command).await
    }

    async fn run_within(&self, budget: Duration, command: Value) -> (Value, Recorded) {
        let deps = self.deps();
        let command = to_raw_value(&command).expect("JSON");
        let (answer, recorded) = recorded(Box::pin(admin::handle(&deps, command, budget))).await;
        (answer.expect("a refused command is an answer"), recorded)
    }

    fn user(&self) -> String {
        self.world.user.to_string()
    }
}

fn now(world: &World) -> Millis {
    world.host.now()
}
