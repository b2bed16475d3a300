//! Signing in with a second factor, with an authenticator that is not ours (the crate `totp-rs`).

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use holdfast_e2e::{Call, Person, Reply, SignIn, SignedIn};
use serde_json::json;
use totp_rs::Totp;

use crate::world::{World, redis, text};

const PERIOD: u64 = 30;

/// A user with a second factor.
pub(crate) struct Armed {
    pub(crate) person: Person,
    totp: Totp,
    pub(crate) recovery: Vec<String>,
    /// The session that switched it on.
    pub(crate) session: SignedIn,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Armed {
    /// Switched on with the code of the step before this one, so that this step and the next can still be used.
    pub(crate) async fn new(world: &World) -> Self {
        let (person, session) = world.signed_in().await;
        Self::with(world, person, session).await
    }

    /// The same for a user who is signed in already.
    pub(crate) async fn with(world: &World, person: Person, session: SignedIn) -> Self {
        // A step that is about to end might end between two requests.
        while now() % PERIOD > PERIOD - 8 {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
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

    /// Codes that are wrong now and will be for a minute.
    pub(crate) fn wrong_codes(&self, count: usize) -> Vec<String> {
        let near = [now() - PERIOD, now(), now() + PERIOD, now() + 2 * PERIOD];
        let near = near.map(|at| self.totp.generate(at).to_string());
        (0..).map(|n: u32| format!("{n:06}")).filter(|code| !near.contains(code)).take(count).collect()
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
    let wrong = armed.wrong_codes(20);
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
    // A new sign-in is accepted.
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
    let by = async |token: &str| armed.login(&world, &SignIn { device_token: Some(token), ..SignIn::default() }).await;
    // Two tabs show it at once: both get in, and both are given the same next one.
    let both = join_all([by(&device), by(&device)]).await;
    for skipped in &both {
        assert_eq!(skipped.at("/status"), "AUTHENTICATED");
        assert_eq!(
            skipped.at("/session/mfaVerified"),
            false,
            "the device stands in for the factor, it does not show it"
        );
        assert_eq!(skipped.at("/session/trusted"), true);
    }
    let next = both[0].text("/deviceToken").unwrap();
    assert_ne!(device, next);
    assert_eq!(both[1].text("/deviceToken").unwrap(), next);
    // After the grace only the new one works.
    let user_id = &armed.session.user_id;
    let rows = world.partition(&world.deployment.tables.sessions, &format!("U#{user_id}")).await;
    let row = rows.iter().find(|row| text(row, "SK").starts_with("D#")).expect("a device's row");
    world.move_back(&world.deployment.tables.sessions, row, "rotatedAt", 11).await;
    assert_eq!(by(&device).await.at("/status"), "MFA_REQUIRED", "its secret has rotated");
    let last = by(&next).await;
    assert_eq!(last.at("/status"), "AUTHENTICATED");
    // Ending the trust of a session deletes its device, and every session on that device shows it.
    let session = SignedIn::from_reply(&last).unwrap();
    world.api.trust(&session.access, &session.session_id, false, None).await.unwrap().expect(200).unwrap();
    assert_eq!(by(&last.text("/deviceToken").unwrap()).await.at("/status"), "MFA_REQUIRED");
    assert_eq!(by(&next).await.at("/status"), "MFA_REQUIRED");
    let list = world.api.sessions(&session.access).await.unwrap().expect(200).unwrap();
    let list = list.at("/sessions").as_array().unwrap().clone();
    assert!(list.iter().all(|session| session["trusted"] == false && session["trustedAt"].is_null()), "{list:?}");
}

#[tokio::test]
async fn a_code_is_read_as_authenticators_show_it() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    for code in ["12 34 5", "1234567", "123.456", "123_456", "١٢٣٤٥٦", ""] {
        world.api.verify_mfa(&second, code).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
    let code = armed.code(0);
    let grouped = format!("{} {}", &code[..3], &code[3..]);
    world.api.verify_mfa(&second, &grouped).await.unwrap().expect(200).unwrap();
    let code = armed.code(1);
    let third = armed.challenged(&world).await;
    let grouped = format!(" {}-{}-{} ", &code[..2], &code[2..4], &code[4..]);
    world.api.verify_mfa(&third, &grouped).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn two_enrolments_at_once_are_given_one_secret() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let answers = join_all((0..4).map(|_| world.api.enroll_mfa(&session.access))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().expect(200).unwrap()).collect();
    let later = world.api.enroll_mfa(&session.access).await.unwrap().expect(200).unwrap();
    for answer in &answers {
        assert_eq!(answer.text("/secret").unwrap(), later.text("/secret").unwrap());
        assert_eq!(answer.text("/otpauthUri").unwrap(), later.text("/otpauthUri").unwrap());
    }
    // A seed that was not activated within 15 minutes is invalid.
    let user = world.partition(&world.deployment.tables.sessions, &format!("U#{}", session.user_id)).await;
    let account = user.iter().find(|row| text(row, "SK") == "META").expect("the account's row");
    world.move_back(&world.deployment.tables.sessions, account, "mfaPendingAt", 901).await;
    let totp = Totp::from_url(later.text("/otpauthUri").unwrap()).unwrap();
    let late = world.api.activate_mfa(&session.access, &totp.generate(now()).to_string()).await.unwrap();
    late.expect_problem(400, "INVALID_REQUEST").unwrap();
    let fresh = world.api.enroll_mfa(&session.access).await.unwrap().expect(200).unwrap();
    assert_ne!(fresh.text("/secret").unwrap(), later.text("/secret").unwrap());
}

#[tokio::test]
async fn new_recovery_codes_void_the_old_ones() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let renewed = world.api.renew_recovery_codes(&armed.session.access).await.unwrap().expect(200).unwrap();
    let new: Vec<String> = serde_json::from_value(renewed.at("/recoveryCodes")).unwrap();
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !armed.recovery.contains(code)));
    let second = armed.challenged(&world).await;
    let old = verify(&world, json!({"mfaSessionId": second, "recoveryCode": armed.recovery[0]})).await;
    old.expect_problem(401, "INVALID_MFA_CODE").unwrap();
    verify(&world, json!({"mfaSessionId": second, "recoveryCode": new[0]})).await.expect(200).unwrap();

    let (_, without) = world.signed_in().await;
    let none = world.api.renew_recovery_codes(&without.access).await.unwrap();
    none.expect_problem(403, "FORBIDDEN").unwrap();
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
