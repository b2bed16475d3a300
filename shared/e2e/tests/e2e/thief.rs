//! A thief who has read the answer of the first step: no credential of the second follows from it.
//!
//! Version 0.1.0 derived everything about a session from the secret in `mfaSessionId`. So any script of the page could
//! compute tokens that were meant to be in HttpOnly cookies, and the device token of thirty days. The derivations here
//! are those of that version.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use holdfast_e2e::{Call, Reply, SignIn, SignedIn};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::mfa::Armed;
use crate::world::World;

const LABELS: [&str; 10] = [
    "holdfast/session-name/1",
    "holdfast/first-seed/1",
    "holdfast/first-family/1",
    "holdfast/first-refresh/1",
    "holdfast/next-refresh/1",
    "holdfast/access-of-refresh/1",
    "holdfast/device-name/1",
    "holdfast/device-secret/1",
    "holdfast/next-device/1",
    "holdfast/attempt/1",
];

/// HMAC-SHA-256 over `label \0 context`.
fn derive(key: &[u8], label: &str, context: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(context);
    mac.finalize().into_bytes().to_vec()
}

/// What is inside a token: `hf1.<owner>.<place>.<secret>.<crc32>`.
#[derive(Clone)]
struct Token {
    owner: Vec<u8>,
    place: String,
    secret: Vec<u8>,
}

impl Token {
    fn read(text: &str) -> Self {
        let parts: Vec<&str> = text.split('.').collect();
        let ["hf1", owner, place, secret, _] = parts.as_slice() else { panic!("{} parts are no token", parts.len()) };
        let bytes = |text: &str| BASE64URL.decode(text).unwrap();
        Self { owner: bytes(owner), place: (*place).to_owned(), secret: bytes(secret) }
    }

    fn write(&self) -> String {
        let (owner, secret) = (BASE64URL.encode(&self.owner), BASE64URL.encode(&self.secret));
        let text = format!("hf1.{owner}.{}.{secret}", self.place);
        let sum = crc32fast::hash(text.as_bytes()).to_be_bytes();
        format!("{text}.{}", BASE64URL.encode(sum))
    }
}

/// Everything secret that the second step gives out, and the session's name.
struct Given {
    session_id: String,
    access: Token,
    refresh: Token,
    device: Token,
}

impl Given {
    fn new(session_id: &str, [access, refresh, device]: [&str; 3]) -> Self {
        let read = Token::read;
        let given =
            Self { session_id: session_id.into(), access: read(access), refresh: read(refresh), device: read(device) };
        // The assumptions of this test about tokens hold. Otherwise it would pass on any system.
        for (token, text) in [(&given.access, access), (&given.refresh, refresh), (&given.device, device)] {
            assert_eq!(token.write(), text, "a token is written as this test writes it");
        }
        assert_eq!(derive(&given.refresh.secret, "holdfast/access-of-refresh/1", b""), given.access.secret);
        given
    }

    /// Each part that an attacker could compute and use.
    fn parts(&self) -> Vec<(&'static str, Vec<u8>)> {
        let (family, rotating) = self.refresh.secret.split_at(16);
        let (device_id, device_secret) = self.device.secret.split_at(16);
        vec![
            ("the session's id", BASE64URL.decode(&self.session_id).unwrap()),
            ("the access token", self.access.secret.clone()),
            ("the family of the refresh token", family.to_vec()),
            ("the refresh token", rotating.to_vec()),
            ("the device's id", device_id.to_vec()),
            ("the device token", device_secret.to_vec()),
        ]
    }
}

/// What follows from these secrets: every label over every context, and once more over what that gave.
fn closure(secrets: &[&[u8]], contexts: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    let mut known: BTreeSet<Vec<u8>> = secrets.iter().map(|secret| secret.to_vec()).collect();
    let mut contexts = contexts.to_vec();
    for _ in 0..2 {
        let keys: Vec<Vec<u8>> = known.iter().cloned().collect();
        for key in &keys {
            for label in LABELS {
                for context in &contexts {
                    known.insert(derive(key, label, context));
                }
            }
        }
        contexts.extend(secrets.iter().map(|secret| derive(secret, "holdfast/first-seed/1", b"")));
    }
    // The first half of a derived secret was a name.
    let halves: Vec<Vec<u8>> =
        known.iter().filter(|value| value.len() >= 16).map(|value| value[..16].to_vec()).collect();
    known.extend(halves);
    known
}

/// The contexts that a thief has: everything in the answer of the first step, and what is no secret.
fn contexts(first: &Reply, user: &[u8]) -> Vec<Vec<u8>> {
    let token = Token::read(&first.text("/mfaSessionId").unwrap());
    let login = first.text("/loginSessionId").unwrap();
    let hashed = Sha256::new().chain_update(b"holdfast/mfa/1\0").chain_update(&token.secret).finalize().to_vec();
    vec![
        Vec::new(),
        vec![0; 32],
        token.secret.clone(),
        token.owner,
        BASE64URL.decode(&login).unwrap(),
        login.into_bytes(),
        user.to_vec(),
        hashed,
        derive(&token.secret, "holdfast/first-seed/1", b""),
    ]
}

fn nothing_follows(first: &Reply, given: &Given) {
    let stolen = Token::read(&first.text("/mfaSessionId").unwrap());
    let contexts = contexts(first, &given.access.owner);
    let known = closure(&[&stolen.secret], &contexts);
    for (what, part) in given.parts() {
        assert!(!known.contains(&part), "{what} follows from mfaSessionId");
    }
    // Nothing follows from the other values that a script may have seen, either.
    let (access, device) = (given.access.secret.as_slice(), &given.device.secret[16..]);
    for (secrets, may_not) in [
        (vec![stolen.secret.as_slice(), access], vec!["the refresh token", "the device token"]),
        (vec![stolen.secret.as_slice(), device], vec!["the refresh token", "the access token"]),
    ] {
        let known = closure(&secrets, &contexts);
        let parts = given.parts();
        for (what, part) in parts.iter().filter(|(what, _)| may_not.contains(what)) {
            assert!(!known.contains(part), "{what} follows from other credentials");
        }
    }
}

/// Presents what version 0.1.0 would have given out.
async fn nothing_opens(world: &World, armed: &Armed, first: &Reply, given: &Given) {
    let stolen = Token::read(&first.text("/mfaSessionId").unwrap());
    let origin = &stolen.secret;
    let at = |secret: Vec<u8>| Token { secret, ..given.access.clone() };
    let mut devices = Vec::new();
    for seed in contexts(first, &given.access.owner) {
        let family = derive(origin, "holdfast/first-family/1", &seed);
        let rotating = derive(origin, "holdfast/first-refresh/1", &seed);
        let refresh = at([&family[..16], &rotating].concat());
        let access = at(derive(&refresh.secret, "holdfast/access-of-refresh/1", b""));
        let name = derive(origin, "holdfast/device-name/1", &seed);
        let secret = derive(origin, "holdfast/device-secret/1", &seed);
        let guessed = [&name[..16], &secret].concat();
        let own_name = [&given.device.secret[..16], &secret].concat();
        for secret in [guessed, own_name] {
            devices.push(Token { secret, ..given.device.clone() }.write());
        }
        let current = world.api.current(&access.write()).await.unwrap();
        current.expect_problem(401, "UNAUTHENTICATED").unwrap();
        // A token of the same family would end the session as reused.
        let refreshed = world.api.refresh(&refresh.write()).await.unwrap();
        refreshed.expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    }
    // The secret itself is none of the tokens.
    for token in [stolen.write(), at(origin.clone()).write()] {
        world.api.current(&token).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
        world.api.refresh(&token).await.unwrap().expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    }
    for token in devices {
        let reply = armed.login(world, &SignIn { device_token: Some(&token), ..SignIn::default() }).await;
        assert_eq!(reply.at("/status"), "MFA_REQUIRED", "a device token that was computed stands in for the factor");
    }
}

#[tokio::test]
async fn nothing_that_the_second_step_gives_out_follows_from_the_first() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let first = armed.login(&world, &SignIn::default()).await;
    let body = json!({"mfaSessionId": first.at("/mfaSessionId"), "code": armed.code(0), "trustDevice": true});
    let verify = Call::new("POST", "/v1/auth/mfa/verify").json(&body);
    let second = world.api.send(verify).await.unwrap().expect(200).unwrap();
    let session = SignedIn::from_reply(&second).unwrap();
    let device = second.text("/deviceToken").unwrap();
    let given = Given::new(&session.session_id, [&session.access, &session.refresh, &device]);
    nothing_follows(&first, &given);
    nothing_opens(&world, &armed, &first, &given).await;
    // What was really given out works, and the thief has ended nothing.
    world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    world.api.refresh(&session.refresh).await.unwrap().expect(200).unwrap();
    let by_device = armed.login(&world, &SignIn { device_token: Some(&device), ..SignIn::default() }).await;
    assert_eq!(by_device.at("/status"), "AUTHENTICATED");
}

#[tokio::test]
async fn cookies_do_not_follow_from_what_a_script_can_read() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let person = &armed.person;
    let body = json!({"email": person.email, "password": person.password, "transport": "cookie"});
    let first = world.api.send(Call::new("POST", "/v1/auth/login").json(&body)).await.unwrap().expect(200).unwrap();
    assert_eq!(first.at("/status"), "MFA_REQUIRED");
    let body = json!({"mfaSessionId": first.at("/mfaSessionId"), "code": armed.code(0), "trustDevice": true});
    let verify = Call::new("POST", "/v1/auth/mfa/verify").json(&body);
    let second = world.api.send(verify).await.unwrap().expect(200).unwrap();
    assert!(!String::from_utf8_lossy(&second.body).contains("hf1."), "no token in the body");
    let cookie = |name: &str| {
        let start = format!("__Host-holdfast-{name}=");
        let set = second.headers.iter().filter(|(header, _)| header == "set-cookie");
        let value = set.filter_map(|(_, value)| value.strip_prefix(&start)).next();
        value.and_then(|value| value.split(';').next()).unwrap_or_else(|| panic!("no cookie {name}")).to_owned()
    };
    let (access, refresh, device) = (cookie("access"), cookie("refresh"), cookie("device"));
    let given = Given::new(&second.text("/session/sessionId").unwrap(), [&access, &refresh, &device]);
    nothing_follows(&first, &given);
    nothing_opens(&world, &armed, &first, &given).await;
    world.api.current(&access).await.unwrap().expect(200).unwrap();
}
