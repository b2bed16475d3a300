//! Tokens as cookies: for browsers of an allowed origin, and of no other.

use holdfast_e2e::{Call, Person, Reply, SignedIn};
use serde_json::{Value, json};

use crate::mfa::Armed;
use crate::world::World;

/// On the allow-list of the local environment (`infra/environments/local.tfvars`).
const ORIGIN: &str = "http://localhost:5173";

/// What a browser would keep: the `name=value` parts, and each whole `Set-Cookie`.
fn cookies(reply: &Reply) -> (String, Vec<String>) {
    let set: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, v)| v.clone()).collect();
    let kept: Vec<_> = set.iter().map(|cookie| cookie.split(';').next().unwrap_or_default().to_owned()).collect();
    (kept.join("; "), set)
}

fn own(call: Call, cookies: &str) -> Call {
    call.header("cookie", cookies).header("origin", ORIGIN).header("x-holdfast-csrf", "1")
}

/// Expires access and refresh token, leaves the device's, and touches no other host.
fn expires_tokens(reply: &Reply) {
    let (_, mut gone) = cookies(reply);
    gone.sort();
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
    let expected = ["access", "refresh"].map(|name| format!("__Host-holdfast-{name}=; {attributes}"));
    assert_eq!(gone, expected, "{}", reply.fault("expired cookies"));
    let wipes = reply.headers.iter().any(|(name, _)| name == "clear-site-data");
    assert!(!wipes, "Clear-Site-Data reaches sibling hosts");
}

async fn log_in(world: &World, person: &Person, kept: &str) -> Reply {
    let body = json!({"email": person.email, "password": person.password, "transport": "cookie"});
    let call = Call::new("POST", "/v1/auth/login").json(&body);
    let call = if kept.is_empty() { call.header("origin", ORIGIN) } else { own(call, kept) };
    world.api.send(call).await.unwrap().expect(200).unwrap()
}

fn access_cookie(token: &str) -> String {
    format!("__Host-holdfast-access={token}")
}

fn refresh_cookie(token: &str) -> String {
    format!("__Host-holdfast-refresh={token}")
}

#[tokio::test]
async fn a_browser_signs_in_refreshes_and_logs_out_without_seeing_a_token() {
    let world = World::open().await;
    let person = world.person().await;
    let body = json!({"email": person.email, "password": person.password, "transport": "cookie", "staySignedIn": true});
    let login = Call::new("POST", "/v1/auth/login").header("origin", ORIGIN).header("x-holdfast-csrf", "1");
    let signed_in = world.api.send(login.json(&body)).await.unwrap().expect(200).unwrap();
    let (jar, set) = cookies(&signed_in);
    assert_eq!(set.len(), 2, "{set:?}");
    for cookie in &set {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
            assert!(cookie.contains(attribute), "{attribute} in {cookie}");
        }
    }
    assert!(!String::from_utf8_lossy(&signed_in.body).contains("hf1."), "no token in the body");

    // Reading needs the cookie alone; changing needs to be an own page.
    let current = Call::new("GET", "/v1/sessions/current");
    world.api.send(current.clone().header("cookie", jar.clone())).await.unwrap().expect(200).unwrap();
    let ticket = Call::new("POST", "/v1/push/tickets");
    for foreign in [
        ticket.clone().header("cookie", jar.clone()),
        ticket.clone().header("cookie", jar.clone()).header("origin", ORIGIN),
        ticket.clone().header("cookie", jar.clone()).header("x-holdfast-csrf", "1"),
        ticket
            .clone()
            .header("cookie", jar.clone())
            .header("x-holdfast-csrf", "1")
            .header("origin", "https://evil.example"),
    ] {
        world.api.send(foreign).await.unwrap().expect_problem(403, "FORBIDDEN").unwrap();
    }
    world.api.send(own(ticket, &jar)).await.unwrap().expect(201).unwrap();

    let refresh = Call::new("POST", "/v1/auth/refresh");
    let foreign = world.api.send(refresh.clone().header("cookie", jar.clone())).await.unwrap();
    foreign.expect_problem(403, "FORBIDDEN").unwrap();
    let refreshed = world.api.send(own(refresh, &jar)).await.unwrap().expect(200).unwrap();
    let (next, _) = cookies(&refreshed);
    assert!(next != jar && !String::from_utf8_lossy(&refreshed.body).contains("hf1."));

    let out = world.api.send(own(Call::new("POST", "/v1/auth/logout"), &next)).await.unwrap().expect(200).unwrap();
    expires_tokens(&out);
    let after = world.api.send(current.header("cookie", next)).await.unwrap();
    after.expect_problem(401, "UNAUTHENTICATED").unwrap();
}

#[tokio::test]
async fn another_site_cannot_sign_its_visitors_in() {
    let world = World::open().await;
    let person = world.person().await;
    let body = json!({"email": person.email, "password": person.password, "transport": "cookie"});
    let login = Call::new("POST", "/v1/auth/login").header("origin", "https://evil.example");
    world.api.send(login.json(&body)).await.unwrap().expect_problem(403, "FORBIDDEN").unwrap();
}

/// The whole cookie of a device, and its `name=value`.
fn device_cookie(reply: &Reply) -> (String, String) {
    let (_, set) = cookies(reply);
    let device =
        set.into_iter().find(|cookie| cookie.starts_with("__Host-holdfast-device=")).expect("a device's cookie");
    let pair = device.split(';').next().unwrap().to_owned();
    (device, pair)
}

fn no_token_in_the_body(reply: &Reply) {
    assert!(reply.at("/deviceToken").is_null(), "{}", reply.fault("no device token in the body"));
    assert!(!String::from_utf8_lossy(&reply.body).contains("hf1."), "no token in the body");
}

#[tokio::test]
async fn a_device_token_is_a_cookie_and_in_no_body() {
    let world = World::open().await;
    let person = world.person().await;
    let signed_in = log_in(&world, &person, "").await;
    let (jar, _) = cookies(&signed_in);
    let path = format!("/v1/sessions/{}/trust", signed_in.text("/session/sessionId").unwrap());
    let trust = |trusted: bool, path: &str| Call::new("PUT", path).json(&json!({"trusted": trusted}));
    let trusted = world.api.send(own(trust(true, &path), &jar)).await.unwrap().expect(200).unwrap();
    no_token_in_the_body(&trusted);
    assert_eq!(trusted.at("/trusted"), true);
    let (whole, device) = device_cookie(&trusted);
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(whole.contains(attribute), "{attribute} in {whole}");
    }
    // It stays when the session goes, and is known at the next sign-in.
    let out = world.api.send(own(Call::new("POST", "/v1/auth/logout"), &jar)).await.unwrap().expect(200).unwrap();
    expires_tokens(&out);
    let again = log_in(&world, &person, &device).await;
    no_token_in_the_body(&again);
    assert_eq!(again.at("/session/trusted"), true);
    let (_, next) = device_cookie(&again);
    assert_ne!(next, device, "its secret has rotated");
    // No longer trusted: its cookie goes.
    let (jar, _) = cookies(&again);
    let path = format!("/v1/sessions/{}/trust", again.text("/session/sessionId").unwrap());
    let untrusted = world.api.send(own(trust(false, &path), &jar)).await.unwrap().expect(200).unwrap();
    let (whole, _) = device_cookie(&untrusted);
    assert!(whole.starts_with("__Host-holdfast-device=;") && whole.contains("Max-Age=0"), "{whole}");
    let unknown = log_in(&world, &person, &next).await;
    assert_eq!(unknown.at("/session/trusted"), false);
}

#[tokio::test]
async fn a_second_factor_by_cookie_shows_a_script_nothing() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let first = log_in(&world, &armed.person, "").await;
    assert_eq!(first.at("/status"), "MFA_REQUIRED");
    assert!(cookies(&first).1.is_empty());
    let body = json!({"mfaSessionId": first.at("/mfaSessionId"), "code": armed.code(0), "trustDevice": true});
    let verify = Call::new("POST", "/v1/auth/mfa/verify").header("origin", ORIGIN).json(&body);
    let second = world.api.send(verify).await.unwrap().expect(200).unwrap();
    no_token_in_the_body(&second);
    assert_eq!(cookies(&second).1.len(), 3);
    let (_, device) = device_cookie(&second);
    let known = log_in(&world, &armed.person, &device).await;
    assert_eq!((known.at("/status"), known.at("/session/mfaVerified")), (json!("AUTHENTICATED"), json!(false)));
    no_token_in_the_body(&known);
    // A cookie belongs to a browser: without `transport` it replaces nothing.
    let body = json!({"email": armed.person.email, "password": armed.person.password});
    let (_, device) = device_cookie(&known);
    let other = world.api.send(own(Call::new("POST", "/v1/auth/login").json(&body), &device)).await.unwrap();
    assert_eq!(other.expect(200).unwrap().at("/status"), "MFA_REQUIRED");
}

/// A browser sends the cookie of a longer path, or one that a sibling host has planted, before the good one.
#[tokio::test]
async fn a_stale_cookie_before_the_good_one_does_no_harm() {
    let world = World::open().await;
    let (person, stale) = world.signed_in().await;
    world.api.log_out(&stale.access).await.unwrap().expect(200).unwrap();
    let good = world.api.sign_in(&person, "good").await.unwrap();
    let jar = |pair: fn(&str) -> String, good: &str, stale: &str| {
        format!("{}; {}; {}", pair("junk"), pair(stale), pair(good))
    };
    let access = jar(access_cookie, &good.access, &stale.access);
    let current = Call::new("GET", "/v1/sessions/current").header("cookie", access.clone());
    let current = world.api.send(current).await.unwrap().expect(200).unwrap();
    assert_eq!(current.at("/sessionId"), json!(good.session_id));
    for (call, status) in [
        (Call::new("GET", "/v1/sessions"), 200),
        (Call::new("GET", "/v1/devices"), 200),
        (Call::new("GET", "/v1/channels/broadcast/messages?limit=1"), 200),
        (Call::new("POST", "/v1/push/tickets"), 201),
        (Call::new("POST", "/v1/auth/mfa/enroll"), 200),
        (Call::new("DELETE", "/v1/devices"), 200),
        (Call::new("DELETE", "/v1/sessions?keepCurrent=true"), 200),
    ] {
        let place = format!("{} {}", call.method, call.path);
        let reply = world.api.send(own(call, &access)).await.unwrap();
        assert_eq!(reply.status, status, "{place}: {}", reply.fault(status));
    }
    let refresh = jar(refresh_cookie, &good.refresh, &stale.refresh);
    let refreshed = world.api.send(own(Call::new("POST", "/v1/auth/refresh"), &refresh)).await.unwrap();
    let refreshed = refreshed.expect(200).unwrap();
    assert_eq!(refreshed.at("/session/sessionId"), json!(good.session_id));
}

#[tokio::test]
async fn a_refresh_by_cookie_takes_an_empty_object() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let jar = refresh_cookie(&session.refresh);
    let mut next = Vec::new();
    for body in ["", "{}", r#"{"refreshToken":null}"#] {
        let call = own(Call::new("POST", "/v1/auth/refresh").raw(body), &jar);
        let reply = world.api.send(call).await.unwrap().expect(200).unwrap();
        next.push(cookies(&reply).0);
    }
    assert!(next.iter().all(|pair| *pair == next[0]), "within the grace the same pair");
    for body in ["[]", r#"{"x":1}"#, r#"{"refreshToken":5}"#] {
        let call = own(Call::new("POST", "/v1/auth/refresh").raw(body), &jar);
        world.api.send(call).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
}

async fn is_over(world: &World, session: &SignedIn) {
    world.api.current(&session.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    world.api.refresh(&session.refresh).await.unwrap().expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
}

/// The access cookie lasts 15 minutes, so a client that logs out later has the refresh cookie alone.
#[tokio::test]
async fn logging_out_needs_the_refresh_cookie_alone() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let logout = || Call::new("POST", "/v1/auth/logout");
    let jar = refresh_cookie(&session.refresh);
    // Another site's form ends nothing.
    let bare = logout().header("cookie", jar.clone());
    let foreign = bare.clone().header("origin", "https://evil.example");
    for call in [bare.clone(), foreign.clone(), foreign.header("x-holdfast-csrf", "1"), bare.header("origin", ORIGIN)] {
        let reply = world.api.send(call).await.unwrap().expect_problem(403, "FORBIDDEN").unwrap();
        assert!(cookies(&reply).1.is_empty(), "{}", reply.fault("no cookie"));
    }
    world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    let out = world.api.send(own(logout(), &jar)).await.unwrap().expect(200).unwrap();
    assert_eq!(out.at("/revoked"), 1);
    expires_tokens(&out);
    is_over(&world, &session).await;

    // With an access cookie that opens nothing any more beside it.
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let both = format!("{}; {}", access_cookie(&session.access), refresh_cookie(&second.refresh));
    let out = world.api.send(own(logout(), &both)).await.unwrap().expect(200).unwrap();
    expires_tokens(&out);
    is_over(&world, &second).await;
}

#[tokio::test]
async fn cookies_that_open_nothing_are_taken_back() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
    let jar = format!("{}; {}", access_cookie(&session.access), refresh_cookie(&session.refresh));
    for (call, code) in [
        (Call::new("POST", "/v1/auth/logout"), "UNAUTHENTICATED"),
        (Call::new("POST", "/v1/auth/refresh"), "INVALID_REFRESH_TOKEN"),
        (Call::new("DELETE", "/v1/sessions"), "UNAUTHENTICATED"),
    ] {
        let reply = world.api.send(own(call, &jar)).await.unwrap().expect_problem(401, code).unwrap();
        expires_tokens(&reply);
    }
    // A token that was reused is taken back as well, and its session has ended.
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let mut newest = second.refresh.clone();
    for _ in 0..2 {
        let reply = world.api.refresh(&newest).await.unwrap().expect(200).unwrap();
        newest = reply.text("/tokens/refreshToken").unwrap();
    }
    let reused = own(Call::new("POST", "/v1/auth/refresh"), &refresh_cookie(&second.refresh));
    let reply = world.api.send(reused).await.unwrap().expect_problem(401, "REFRESH_TOKEN_REUSED").unwrap();
    expires_tokens(&reply);
    // Another site cannot make a browser delete these cookies.
    let foreign = Call::new("POST", "/v1/auth/logout").header("origin", "https://evil.example");
    let reply = world.api.send(foreign).await.unwrap();
    assert_eq!((reply.status >= 400, cookies(&reply).1.len()), (true, 0), "{}", reply.fault("no cookie"));
}

#[tokio::test]
async fn logging_out_everywhere_takes_the_cookies_back() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let other = world.api.sign_in(&person, "other").await.unwrap();
    let jar = access_cookie(&session.access);
    let all = |query: &str| own(Call::new("DELETE", format!("/v1/sessions{query}")), &jar);
    let kept = world.api.send(all("?keepCurrent=true")).await.unwrap().expect(200).unwrap();
    assert_eq!((kept.at("/revoked"), cookies(&kept).1.len()), (Value::from(1), 0), "the caller goes on");
    is_over(&world, &other).await;
    let gone = world.api.send(all("")).await.unwrap().expect(200).unwrap();
    assert_eq!(gone.at("/revoked"), 1);
    expires_tokens(&gone);
    is_over(&world, &session).await;
}
