//! Signing in with a second factor, with an authenticator that is not ours (the crate `totp-rs`).

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use holdfast_e2e::{Call, Person, Reply, SignIn, SignedIn};
use serde_json::json;
use totp_rs::Totp;

use crate::world::{World, redis};

const PERIOD: u64 = 30;

/// Somebody with a second factor.
pub(crate) struct Armed {
    pub(crate) person: Person,
    totp: Totp,
    recovery: Vec<String>,
    /// The session that switched it on.
    pub(crate) session: SignedIn,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Armed {
    /// Switched on with the code of the step before this one, so that this step and the next can still be used.
    pub(crate) async fn new(world: &World) -> Self {
        // A step that is about to end might end between two requests.
        while now() % PERIOD > PERIOD - 8 {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        let (person, session) = world.signed_in().await;
        let enrolled = world.api.enroll_mfa(&session.access).await.unwrap().expect(200).unwrap();
        let uri = enrolled.text("/otpauthUri").unwrap();
        assert!(uri.contains(&format!("secret={}", enrolled.text("/secret").unwrap())));
        let totp = Totp::from_url(&uri).unwrap();
        let code = totp.generate(now() - PERIOD).to_string();
        let on = world.api.activate_mfa(&session.access, &code).await.unwrap().expect(200).unwrap();
        assert_eq!(on.at("/session/mfaVerified"), true);
        let recovery: Vec<String> = serde_json::from_value(on.at("/recoveryCodes")).unwrap();
        assert_eq!(recovery.len(), 10);
        Self { person, totp, recovery, session }
    }

    /// The code of this step, or of one `ahead`.
    pub(crate) fn code(&self, ahead: u64) -> String {
        self.totp.generate(now() + ahead * PERIOD).to_string()
    }

    pub(crate) async fn login(&self, world: &World, how: &SignIn<'_>) -> Reply {
        world.api.login(&self.person.email, &self.person.password, how).await.unwrap().expect(200).unwrap()
    }

    /// `mfaSessionId` of a new sign-in.
    pub(crate) async fn challenged(&self, world: &World) -> String {
        let reply = self.login(world, &SignIn::default()).await;
        assert_eq!(reply.at("/status"), "MFA_REQUIRED", "{}", reply.fault("MFA_REQUIRED"));
        for member in ["loginSessionId", "expiresAt"] {
            reply.text(&format!("/{member}")).unwrap();
        }
        assert!(reply.at("/methods").as_array().unwrap().contains(&json!("totp")));
        assert!(reply.at("/tokens").is_null() && reply.at("/session").is_null());
        reply.text("/mfaSessionId").unwrap()
    }
}

async fn verify(world: &World, body: serde_json::Value) -> Reply {
    world.api.send(Call::new("POST", "/v1/auth/mfa/verify").json(&body)).await.unwrap()
}

#[tokio::test]
async fn an_authenticator_that_is_not_ours_signs_in() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    world.api.enroll_mfa(&armed.session.access).await.unwrap().expect_problem(409, "MFA_ALREADY_ENABLED").unwrap();
    let second = armed.challenged(&world).await;
    let reply = world.api.verify_mfa(&second, &armed.code(0)).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/status"), "AUTHENTICATED");
    assert_eq!(reply.at("/session/mfaVerified"), true);
    let signed_in = SignedIn::from_reply(&reply).unwrap();
    world.api.current(&signed_in.access).await.unwrap().expect(200).unwrap();

    // The same answer again, until the session has been refreshed.
    let again = world.api.verify_mfa(&second, &armed.code(0)).await.unwrap().expect(200).unwrap();
    assert_eq!(again.at("/tokens"), reply.at("/tokens"));
    world.api.refresh(&signed_in.refresh).await.unwrap().expect(200).unwrap();
    let late = world.api.verify_mfa(&second, &armed.code(0)).await.unwrap();
    late.expect_problem(401, "MFA_EXPIRED").unwrap();

    // A used code stands for no other sign-in.
    let other = armed.challenged(&world).await;
    let replayed = world.api.verify_mfa(&other, &armed.code(0)).await.unwrap();
    let replayed = replayed.expect_problem(401, "INVALID_MFA_CODE").unwrap();
    assert_eq!(replayed.at("/attemptsRemaining"), 4);
    // Off again with a fresh one.
    let off = world.api.remove_mfa(&armed.session.access, &armed.code(1)).await.unwrap();
    off.expect(200).unwrap();
    assert_eq!(armed.login(&world, &SignIn::default()).await.at("/status"), "AUTHENTICATED");
}

#[tokio::test]
async fn thirty_two_submits_of_one_code_are_one_session() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    let code = armed.code(0);
    let replies = join_all((0..32).map(|_| world.api.verify_mfa(&second, &code))).await;
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().expect(200).unwrap()).collect();
    for reply in &replies {
        assert_eq!(reply.at("/session/sessionId"), replies[0].at("/session/sessionId"));
        assert_eq!(reply.at("/tokens"), replies[0].at("/tokens"));
    }
    let list = world.api.sessions(&armed.session.access).await.unwrap().expect(200).unwrap();
    assert_eq!(list.at("/sessions").as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn five_codes_and_no_more() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    let near: Vec<_> = [now() - PERIOD, now(), now() + PERIOD].map(|at| armed.totp.generate(at).to_string()).to_vec();
    let wrong: Vec<_> = (0..).map(|n: u32| format!("{n:06}")).filter(|code| !near.contains(code)).take(20).collect();
    let replies = join_all(wrong.iter().map(|code| world.api.verify_mfa(&second, code))).await;
    let statuses: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 15, "{statuses:?}");
    // What was counted is not in the cache: emptying it gives nothing back.
    if let Some(url) = &world.deployment.redis_url {
        assert_eq!(redis(url, "FLUSHALL").await, "+OK");
    }
    let late = world.api.verify_mfa(&second, &armed.code(0)).await.unwrap();
    let late = late.expect_problem(429, "TOO_MANY_ATTEMPTS").unwrap();
    assert!(late.header("retry-after").is_some());
    // Who signs in anew is let in.
    let another = armed.challenged(&world).await;
    world.api.verify_mfa(&another, &armed.code(0)).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn a_recovery_code_signs_in_once() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    let code = armed.recovery[0].to_lowercase();
    let reply = verify(&world, json!({"mfaSessionId": second, "recoveryCode": code})).await.expect(200).unwrap();
    assert_eq!(reply.at("/session/mfaVerified"), true);
    let another = armed.challenged(&world).await;
    let reply = verify(&world, json!({"mfaSessionId": another, "recoveryCode": code})).await;
    reply.expect_problem(401, "INVALID_MFA_CODE").unwrap();
}

#[tokio::test]
async fn a_trusted_device_is_not_asked_for_the_code() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    let body = json!({"mfaSessionId": second, "code": armed.code(0), "trustDevice": true});
    let reply = verify(&world, body).await.expect(200).unwrap();
    assert_eq!(reply.at("/session/trusted"), true);
    let device = reply.text("/deviceToken").unwrap();
    let skipped = armed.login(&world, &SignIn { device_token: Some(&device), ..SignIn::default() }).await;
    assert_eq!(skipped.at("/status"), "AUTHENTICATED");
    assert_eq!(skipped.at("/session/mfaVerified"), false);
    let next = skipped.text("/deviceToken").unwrap();
    assert_ne!(device, next);
    let old = armed.login(&world, &SignIn { device_token: Some(&device), ..SignIn::default() }).await;
    assert_eq!(old.at("/status"), "MFA_REQUIRED", "its secret has rotated");
    // Untrusting the session that holds it deletes the device.
    let session = SignedIn::from_reply(&skipped).unwrap();
    world.api.trust(&session.access, &session.session_id, false, None).await.unwrap().expect(200).unwrap();
    let after = armed.login(&world, &SignIn { device_token: Some(&next), ..SignIn::default() }).await;
    assert_eq!(after.at("/status"), "MFA_REQUIRED");
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    let world = World::open().await;
    for (body, status, code) in [
        (json!({"mfaSessionId": "x", "code": "123456"}), 401, "MFA_EXPIRED"),
        (json!({"mfaSessionId": "x", "code": "12345"}), 400, "INVALID_REQUEST"),
        (json!({"mfaSessionId": "x"}), 400, "INVALID_REQUEST"),
        (json!({"mfaSessionId": "x", "code": "123456", "recoveryCode": "abc"}), 400, "INVALID_REQUEST"),
        (json!({"code": "123456"}), 400, "INVALID_REQUEST"),
        (json!({"mfaSessionId": "x", "code": "123456", "extra": 1}), 400, "INVALID_REQUEST"),
    ] {
        verify(&world, body).await.expect_problem(status, code).unwrap();
    }
    let (_, session) = world.signed_in().await;
    let none = world.api.activate_mfa(&session.access, "123456").await.unwrap();
    none.expect_problem(400, "INVALID_REQUEST").unwrap();
    let off = world.api.remove_mfa(&session.access, "123456").await.unwrap();
    off.expect_problem(401, "INVALID_MFA_CODE").unwrap();
}
