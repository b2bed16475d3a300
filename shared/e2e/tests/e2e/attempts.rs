//! Password attempts run out alike for accounts that exist and accounts that do not.
//!
//! Budget: this file uses up to 2 × 5 failed attempts of the network's 100. A refused attempt (429) takes none; one that is
//! on its way holds one. What attackers in other networks can do is in `guessing.rs`.

use holdfast_e2e::{Person, Reply, SignIn};
use serde_json::Value;

use crate::world::World;

/// More than the default of 5; a deployment with a high `max_login_attempts` must not eat up the network's budget.
const TRIES: usize = 8;

/// What came before the 429, and the 429.
struct Exhausted {
    failed: usize,
    refusal: Value,
    limit: Reply,
}

/// Fails with `email` until there is a 429.
async fn exhaust(world: &World, email: &str) -> Exhausted {
    let mut refusal: Option<Value> = None;
    for failed in 0..TRIES {
        let reply = world.api.login(email, &Person::random().password, &SignIn::default()).await.unwrap();
        if reply.status == 429 {
            let limit = reply.expect_problem(429, "TOO_MANY_ATTEMPTS").unwrap();
            return Exhausted { failed, refusal: refusal.expect("a refusal before the limit"), limit };
        }
        let reply = reply.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
        let shape = shape(&reply);
        assert_eq!(*refusal.get_or_insert(shape.clone()), shape, "every refusal is the same");
    }
    panic!("no 429 after {TRIES} wrong passwords: is max_login_attempts higher than 5 here?");
}

/// Everything that a caller sees, except what differs between any two requests.
fn shape(reply: &Reply) -> Value {
    let mut body = reply.json();
    for member in ["requestId", "retryAfterSeconds"] {
        if let Some(value) = body.get_mut(member) {
            *value = Value::from(value.is_string());
        }
    }
    let mut names: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    serde_json::json!({"status": reply.status, "headers": names, "body": body})
}

#[tokio::test]
async fn known_and_unknown_accounts_run_out_of_attempts_alike() {
    let world = World::open().await;
    world.clear_network().await;
    let known = world.person().await;
    let unknown = Person::random();

    let known_says = exhaust(&world, &known.email).await;
    let unknown_says = exhaust(&world, &unknown.email).await;
    assert_eq!(known_says.refusal, unknown_says.refusal, "an unknown account is refused like a wrong password");
    assert_eq!(known_says.failed, unknown_says.failed);
    assert_eq!(shape(&known_says.limit), shape(&unknown_says.limit));
    for reply in [&known_says.limit, &unknown_says.limit] {
        let seconds = reply.number("/retryAfterSeconds").unwrap();
        assert!((1..=900).contains(&seconds), "{}", reply.fault("up to 900 seconds"));
        assert_eq!(reply.header("retry-after"), Some(seconds.to_string().as_str()));
    }

    // The right password is refused now, too. Otherwise an attacker could tell it from a wrong one.
    let reply = world.api.login(&known.email, &known.password, &SignIn::default()).await.unwrap();
    reply.expect_problem(429, "TOO_MANY_ATTEMPTS").unwrap();
    // No other account is affected.
    world.signed_in().await;
}

#[tokio::test]
async fn signing_in_uses_up_no_attempts() {
    let world = World::open().await;
    let person = world.person().await;
    for _ in 0..TRIES {
        world.api.sign_in(&person, "again").await.unwrap();
    }
}
