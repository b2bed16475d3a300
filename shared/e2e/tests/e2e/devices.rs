//! Trusted devices: where they are shown, what ends them, and what the thief of one cannot do.

use std::collections::BTreeSet;

use holdfast_e2e::{Person, SignIn, SignedIn};
use serde_json::{Value, json};

use crate::mfa::Armed;
use crate::world::{World, eventually, text};

async fn listed(world: &World, access: &str) -> Vec<Value> {
    let reply = world.api.devices(access).await.unwrap().expect(200).unwrap();
    reply.at("/devices").as_array().unwrap_or_else(|| panic!("{}", reply.fault("a list of devices"))).clone()
}

/// Trusts the device of this session; its token.
async fn trust(world: &World, session: &SignedIn) -> String {
    let reply = world.api.trust(&session.access, &session.session_id, true, None).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/trusted"), true, "{}", reply.fault("trusted"));
    reply.text("/deviceToken").unwrap()
}

async fn shows_trust(world: &World, session: &SignedIn) -> bool {
    let reply = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/trusted").as_bool(), Some(!reply.at("/trustedAt").is_null()), "{}", reply.fault("one fact"));
    reply.at("/trusted") == true
}

/// A sign-in that shows this device token. Where the token works, it is the next one that comes back. The session is logged
/// out again, which leaves the device trusted.
async fn is_known(world: &World, person: &Person, token: &str) -> Option<String> {
    let how = SignIn { device_token: Some(token), ..SignIn::default() };
    let reply = world.api.login(&person.email, &person.password, &how).await.unwrap().expect(200).unwrap();
    let session = SignedIn::from_reply(&reply).unwrap();
    let next = reply.at("/deviceToken").as_str().map(str::to_owned);
    assert_eq!(reply.at("/session/trusted"), json!(next.is_some()), "{}", reply.fault("trust that is the token's"));
    world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
    next
}

#[tokio::test]
async fn a_trusted_device_is_listed_to_every_session_and_is_the_current_one_of_one() {
    let world = World::open().await;
    let (person, phone) = world.signed_in().await;
    let laptop = world.api.sign_in(&person, "laptop").await.unwrap();
    assert!(listed(&world, &phone.access).await.is_empty());
    let token = trust(&world, &phone).await;
    assert!(shows_trust(&world, &phone).await && !shows_trust(&world, &laptop).await);

    let [own] = listed(&world, &phone.access).await.try_into().unwrap();
    let [other] = listed(&world, &laptop.access).await.try_into().unwrap();
    assert_eq!((&own["name"], &own["current"], &other["current"]), (&json!("first"), &json!(true), &json!(false)));
    assert_eq!(own["deviceId"], other["deviceId"]);
    let members: BTreeSet<&str> = own.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["createdAt", "current", "deviceId", "expiresAt", "lastUsedAt", "name"];
    assert_eq!(members, BTreeSet::from(expected), "nothing of its token");
    assert!(own["expiresAt"].as_str() > own["createdAt"].as_str());

    // Using it moves its last use; logging out leaves it.
    let next = is_known(&world, &person, &token).await.expect("the device is known");
    let [used] = listed(&world, &laptop.access).await.try_into().unwrap();
    assert!(used["lastUsedAt"].as_str() > own["lastUsedAt"].as_str(), "{used} after {own}");
    world.api.log_out(&phone.access).await.unwrap().expect(200).unwrap();
    assert!(is_known(&world, &person, &next).await.is_some(), "logging out keeps the trust");
    assert_eq!(listed(&world, &laptop.access).await.len(), 1);
}

#[tokio::test]
async fn a_session_that_is_ended_takes_its_device_along() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let second = armed.challenged(&world).await;
    let body = json!({"mfaSessionId": second, "code": armed.code(0), "trustDevice": true});
    let verify = holdfast_e2e::Call::new("POST", "/v1/auth/mfa/verify").json(&body);
    let first = world.api.send(verify).await.unwrap().expect(200).unwrap();
    let how = |token| SignIn { device_token: Some(token), ..SignIn::default() };
    let stolen = first.text("/deviceToken").unwrap();
    let thief = armed.login(&world, &how(&stolen)).await;
    assert_eq!(thief.at("/status"), "AUTHENTICATED");
    let next = thief.text("/deviceToken").unwrap();
    let (thief, first) = (SignedIn::from_reply(&thief).unwrap(), SignedIn::from_reply(&first).unwrap());
    assert!(shows_trust(&world, &first).await && shows_trust(&world, &thief).await);

    // The owner sees a session that is not theirs.
    world.api.revoke(&armed.session.access, &thief.session_id).await.unwrap().expect(200).unwrap();
    for token in [&stolen, &next] {
        assert_eq!(armed.login(&world, &how(token)).await.at("/status"), "MFA_REQUIRED", "the device goes, too");
    }
    assert!(listed(&world, &armed.session.access).await.is_empty());
    assert!(!shows_trust(&world, &first).await, "the other session on that device says so");
}

#[tokio::test]
async fn removing_a_device_voids_its_token_at_once() {
    let world = World::open().await;
    let (person, phone) = world.signed_in().await;
    let laptop = world.api.sign_in(&person, "laptop").await.unwrap();
    let (phone_token, laptop_token) = (trust(&world, &phone).await, trust(&world, &laptop).await);
    let devices = listed(&world, &laptop.access).await;
    let id_of = |name: &str| {
        let device = devices.iter().find(|device| device["name"] == name).unwrap_or_else(|| panic!("{devices:?}"));
        device["deviceId"].as_str().unwrap().to_owned()
    };

    // Another user's device is refused like one that does not exist.
    let (_, stranger) = world.signed_in().await;
    for id in [&id_of("first"), "AAAAAAAAAAAAAAAAAAAAAA", "nonsense"] {
        let reply = world.api.remove_device(&stranger.access, id).await.unwrap();
        reply.expect_problem(404, "NOT_FOUND").unwrap();
    }
    assert_eq!(listed(&world, &laptop.access).await.len(), 2);

    let removed = world.api.remove_device(&laptop.access, &id_of("first")).await.unwrap().expect(200).unwrap();
    assert_eq!(removed.at("/removed"), 1);
    assert!(!shows_trust(&world, &phone).await && shows_trust(&world, &laptop).await);
    assert_eq!(is_known(&world, &person, &phone_token).await, None);
    let laptop_token = is_known(&world, &person, &laptop_token).await.expect("the other device stays");
    let again = world.api.remove_device(&laptop.access, &id_of("first")).await.unwrap();
    again.expect_problem(404, "NOT_FOUND").unwrap();

    let removed = world.api.remove_devices(&laptop.access).await.unwrap().expect(200).unwrap();
    assert_eq!(removed.at("/removed"), 1);
    assert!(!shows_trust(&world, &laptop).await);
    assert_eq!(is_known(&world, &person, &laptop_token).await, None);
    let none = world.api.remove_devices(&laptop.access).await.unwrap().expect(200).unwrap();
    assert_eq!(none.at("/removed"), 0);
    // The sessions themselves stay live.
    for session in [&phone, &laptop] {
        world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    }
    let user_id = &phone.user_id;
    eventually("two devices trusted and removed in the trail", async || {
        let trail = world.trail(user_id).await;
        let count = |kind: &str, session: &SignedIn| {
            let of = |item: &&crate::world::Item| {
                let told = text(item, "type") == kind && text(item, "sessionId") == session.session_id;
                assert!(!told || text(item, "network") == "127.0.0.0/24", "{item:?}");
                told
            };
            trail.iter().filter(of).count()
        };
        let complete = [&phone, &laptop]
            .iter()
            .all(|session| count("DEVICE_TRUSTED", session) == 1 && count("DEVICE_REMOVED", session) == 1);
        complete.then_some(())
    })
    .await;
}

#[tokio::test]
async fn ending_all_others_keeps_ones_own_device_and_no_other() {
    let world = World::open().await;
    let (person, phone) = world.signed_in().await;
    let laptop = world.api.sign_in(&person, "laptop").await.unwrap();
    let (phone_token, laptop_token) = (trust(&world, &phone).await, trust(&world, &laptop).await);
    let ended = world.api.revoke_all(&laptop.access, true).await.unwrap().expect(200).unwrap();
    assert_eq!(ended.at("/revoked"), 1);
    assert_eq!(is_known(&world, &person, &phone_token).await, None);
    assert!(shows_trust(&world, &laptop).await);
    let laptop_token = is_known(&world, &person, &laptop_token).await.expect("one's own device stays");
    let [device] = listed(&world, &laptop.access).await.try_into().unwrap();
    assert_eq!((&device["name"], &device["current"]), (&json!("laptop"), &json!(true)));

    world.api.revoke_all(&laptop.access, false).await.unwrap().expect(200).unwrap();
    assert_eq!(is_known(&world, &person, &laptop_token).await, None, "logging out everywhere ends all trust");
}

/// A session without trust keeps none by keeping itself.
#[tokio::test]
async fn a_session_without_trust_keeps_no_device() {
    let world = World::open().await;
    let (person, phone) = world.signed_in().await;
    let laptop = world.api.sign_in(&person, "laptop").await.unwrap();
    let token = trust(&world, &phone).await;
    world.api.revoke_all(&laptop.access, true).await.unwrap().expect(200).unwrap();
    assert!(!shows_trust(&world, &laptop).await && listed(&world, &laptop.access).await.is_empty());
    assert_eq!(is_known(&world, &person, &token).await, None);
}

#[tokio::test]
async fn a_changed_password_or_factor_ends_all_trust() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let token = trust(&world, &session).await;
    let next = Person { password: Person::random().password, ..person.clone() };
    let changed = world.api.change_password(&session.access, &person.password, &next.password).await.unwrap();
    changed.expect(200).unwrap();
    assert!(!shows_trust(&world, &session).await && listed(&world, &session.access).await.is_empty());
    assert_eq!(is_known(&world, &next, &token).await, None, "one's own device, too");

    let token = trust(&world, &session).await;
    let armed = Armed::with(&world, next, session).await;
    let session = &armed.session;
    let how = SignIn { device_token: Some(&token), ..SignIn::default() };
    assert_eq!(armed.login(&world, &how).await.at("/status"), "MFA_REQUIRED", "it was trusted without the factor");
    assert!(!shows_trust(&world, session).await && listed(&world, &session.access).await.is_empty());

    let token = trust(&world, session).await;
    world.api.remove_mfa(&session.access, &armed.code(0)).await.unwrap().expect(200).unwrap();
    assert!(!shows_trust(&world, session).await && listed(&world, &session.access).await.is_empty());
    assert_eq!(is_known(&world, &armed.person, &token).await, None);
}

/// Password and device token are stolen. The thief gets a session, and none of what would lock the owner out.
#[tokio::test]
async fn whoever_comes_by_a_device_changes_nothing_before_showing_the_factor() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let password = &armed.person.password;
    let token = trust(&world, &armed.session).await;
    let how = SignIn { device_token: Some(&token), ..SignIn::default() };
    let thief = SignedIn::from_reply(&armed.login(&world, &how).await).unwrap();
    let new = Person::random().password;
    let refused = async || {
        let api = &world.api;
        for reply in [
            api.change_password(&thief.access, password, &new).await,
            api.enroll_mfa(&thief.access).await,
            api.remove_mfa(&thief.access, "123456").await,
            api.renew_recovery_codes(&thief.access).await,
        ] {
            reply.unwrap().expect_problem(403, "REAUTHENTICATION_REQUIRED").unwrap();
        }
        // It is trusted already, and is given no second token.
        let still = api.trust(&thief.access, &thief.session_id, true, None).await.unwrap().expect(200).unwrap();
        assert!(still.at("/deviceToken").is_null(), "{}", still.fault("no token"));
    };
    refused().await;

    let wrong = world.api.reauthenticate(&thief.access, &new, None).await.unwrap();
    wrong.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let wrong_code = &armed.wrong_codes(1)[0];
    let wrong = world.api.reauthenticate(&thief.access, password, Some(wrong_code)).await.unwrap();
    wrong.expect_problem(401, "INVALID_MFA_CODE").unwrap();
    // The password alone makes the session recent, and verifies no factor.
    let recent = world.api.reauthenticate(&thief.access, password, None).await.unwrap().expect(200).unwrap();
    assert_eq!((recent.at("/mfaVerified"), recent.at("/current")), (json!(false), json!(true)));
    refused().await;
    let no_more = world.api.trust(&thief.access, &thief.session_id, false, None).await.unwrap().expect(200).unwrap();
    assert_eq!(no_more.at("/trusted"), false);
    let anew = world.api.trust(&thief.access, &thief.session_id, true, None).await.unwrap();
    anew.expect_problem(403, "REAUTHENTICATION_REQUIRED").unwrap();

    // The holder of the authenticator may.
    let before = world.api.current(&thief.access).await.unwrap().expect(200).unwrap();
    let shown = world.api.reauthenticate(&thief.access, password, Some(&armed.code(0))).await.unwrap();
    let shown = shown.expect(200).unwrap();
    assert_eq!((shown.at("/mfaVerified"), shown.at("/sessionId")), (json!(true), json!(thief.session_id)));
    assert!(shown.at("/authenticatedAt").as_str() > before.at("/authenticatedAt").as_str());
    assert!(shown.number("/version").unwrap() > before.number("/version").unwrap());
    assert_eq!(shown.header("etag"), Some(format!("\"{}\"", shown.at("/version")).as_str()));
    let list = world.api.sessions(&thief.access).await.unwrap().expect(200).unwrap();
    assert_eq!(list.at("/sessions").as_array().unwrap().len(), 2, "no second session is made");
    trust(&world, &thief).await;
    world.api.renew_recovery_codes(&thief.access).await.unwrap().expect(200).unwrap();
    let changed = world.api.change_password(&thief.access, password, &new).await.unwrap().expect(200).unwrap();
    assert_eq!(changed.at("/revoked"), 1);

    let (user_id, session_id) = (&thief.user_id, &thief.session_id);
    let trail = eventually("the reauthentications in the trail", async || {
        let trail = world.trail(user_id).await;
        let of = |kind: &str| -> Vec<String> {
            let ours =
                trail.iter().filter(|entry| text(entry, "type") == kind && text(entry, "sessionId") == session_id);
            ours.map(|entry| text(entry, "reason").to_owned()).collect()
        };
        let failures: BTreeSet<String> = of("REAUTHENTICATION_FAILED").into_iter().collect();
        let both = BTreeSet::from(["WRONG_CODE".to_owned(), "WRONG_PASSWORD".to_owned()]);
        let renewed = trail.iter().any(|entry| text(entry, "type") == "RECOVERY_CODES_RENEWED");
        (failures == both && of("REAUTHENTICATED").len() == 2 && renewed).then(|| trail.clone())
    })
    .await;
    let kinds = ["REAUTHENTICATED", "REAUTHENTICATION_FAILED", "RECOVERY_CODES_RENEWED", "DEVICE_TRUSTED"];
    for entry in trail.iter().filter(|entry| kinds.contains(&text(entry, "type"))) {
        assert_eq!(text(entry, "network"), "127.0.0.0/24", "{entry:?}");
    }
}

/// The answer to a factor that is not switched on proves nothing.
#[tokio::test]
async fn without_a_factor_the_password_is_enough_and_a_code_is_refused() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let reply = world.api.reauthenticate(&session.access, &person.password, Some("123456")).await.unwrap();
    reply.expect_problem(401, "INVALID_MFA_CODE").unwrap();
    let reply = world.api.reauthenticate(&session.access, &person.password, None).await.unwrap().expect(200).unwrap();
    assert_eq!((reply.at("/mfaVerified"), reply.at("/sessionId")), (json!(false), json!(session.session_id)));
    for body in [json!({}), json!({"password": ""}), json!({"password": "x", "code": "123456", "recoveryCode": "a"})] {
        let call = holdfast_e2e::Call::new("POST", "/v1/auth/reauthenticate").bearer(&session.access).json(&body);
        world.api.send(call).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
}
