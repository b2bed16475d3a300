//! Tokens as cookies: for browsers of an allowed origin, and of no other.

use holdfast_e2e::{Call, Reply};
use serde_json::json;

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
    let (_, gone) = cookies(&out);
    assert!(gone.len() == 2 && gone.iter().all(|cookie| cookie.contains("Max-Age=0")), "{gone:?}");
    assert_eq!(out.header("clear-site-data"), Some("\"cookies\""));
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
