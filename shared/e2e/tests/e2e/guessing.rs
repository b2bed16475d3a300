//! Guessing passwords and codes from many networks: which users it locks out, what it costs, and when it ends.
//!
//! The local cloud reports 127.0.0.1 as the address of every client, so that is where the owners are. Attackers are in
//! networks of their own, each drawn at random.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use holdfast_e2e::{Person, SignIn};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::mfa::Armed;
use crate::world::{Item, World, eventually, holds, network_of, now_millis, stranger, text};

async fn sign_in_from(world: &World, ip: &str, body: &Value) -> (u64, Value) {
    world.request_from(ip, "auth-login", "/v1/auth/login", body).await
}

async fn guess(world: &World, ip: &str, email: &str) -> u64 {
    let body = json!({"email": email, "password": Person::random().password});
    let (status, answer) = sign_in_from(world, ip, &body).await;
    let code = if status == 429 { "TOO_MANY_ATTEMPTS" } else { "INVALID_CREDENTIALS" };
    assert_eq!(answer["code"], code, "{answer}");
    status
}

async fn budget(world: &World, email: &str, ip: &str, scope: &str) -> Value {
    let answer = world.admin(&json!({"action": "attempts", "email": email, "ip": ip})).await;
    let budgets = answer["attempts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    budgets.iter().find(|budget| budget["scope"] == scope).unwrap_or_else(|| panic!("{scope} in {answer}")).clone()
}

#[tokio::test]
async fn strangers_in_ten_networks_lock_no_owner_out() {
    let world = World::open().await;
    world.clear_network().await;
    let (person, session) = world.signed_in().await;
    let trusted = world.api.trust(&session.access, &session.session_id, true, None).await.unwrap().expect(200).unwrap();
    let device = trusted.text("/deviceToken").unwrap();
    let networks: Vec<String> = (0..10).map(|_| stranger()).collect();
    let statuses = join_all(networks.iter().map(async |ip| {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(guess(&world, ip, &person.email).await);
        }
        statuses
    }))
    .await;
    for statuses in &statuses {
        assert_eq!(statuses, &[401, 401, 401, 401, 401, 429], "five from each network");
    }
    assert_eq!(budget(&world, &person.email, "127.0.0.1", "account").await["count"], 50);

    // From another network even the right password is refused now. Otherwise guessing could continue.
    let right = json!({"email": person.email, "password": person.password});
    let (status, refused) = sign_in_from(&world, &stranger(), &right).await;
    assert_eq!((status, &refused["code"]), (429, &json!("TOO_MANY_ATTEMPTS")), "{refused}");
    // The owner is where they were before, or has their device with them.
    let away = stranger();
    world.api.sign_in(&person, "at home").await.unwrap();
    let mut by_device = right.clone();
    by_device["deviceToken"] = device.into();
    let (status, answer) = sign_in_from(&world, &away, &by_device).await;
    assert_eq!((status, &answer["status"]), (200, &json!("AUTHENTICATED")), "{}", answer["code"]);
    // That network is known from now on.
    let (status, _) = sign_in_from(&world, &away, &right).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn wrong_codes_of_strangers_do_not_use_up_the_owners() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let right = json!({"email": armed.person.email, "password": armed.person.password});
    let wrong = armed.wrong_codes(12);
    let mut refused = Vec::new();
    // The password is known to them: each sign-in brings five answers, and all of them together ten.
    for codes in wrong.chunks(4) {
        let ip = stranger();
        let (status, first) = sign_in_from(&world, &ip, &right).await;
        assert_eq!((status, &first["status"]), (200, &json!("MFA_REQUIRED")));
        for code in codes {
            let body = json!({"mfaSessionId": first["mfaSessionId"], "code": code});
            let (status, _) = world.request_from(&ip, "auth-mfa-verify", "/v1/auth/mfa/verify", &body).await;
            refused.push(status);
        }
    }
    assert_eq!(refused, [[401; 10].as_slice(), &[429; 2]].concat());
    let second = armed.challenged(&world).await;
    world.api.verify_mfa(&second, &armed.code(0)).await.unwrap().expect(200).unwrap();
}

/// The sign-ins that were begun from a network.
async fn sign_ins_of(world: &World, network: &str) -> Vec<Item> {
    let mut pages = world
        .dynamodb
        .scan()
        .table_name(&world.deployment.tables.sessions)
        .consistent_read(true)
        .filter_expression("SK = :login AND #network = :network")
        .expression_attribute_names("#network", "network")
        .expression_attribute_values(":login", AttributeValue::S("LOGIN".to_owned()))
        .expression_attribute_values(":network", AttributeValue::S(network.to_owned()))
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.unwrap());
    }
    items
}

/// A client needs no session to send sign-ins, so their cost must end with the budget.
#[tokio::test]
async fn a_refused_attempt_writes_nothing() {
    let world = World::open().await;
    let (ip, email) = (stranger(), Person::random().email);
    let network = network_of(&ip);
    for _ in 0..5 {
        assert_eq!(guess(&world, &ip, &email).await, 401);
    }
    let scopes = ["network", "account-network", "account"];
    let counted = async || {
        let mut budgets = Vec::new();
        for scope in scopes {
            budgets.push(budget(&world, &email, &ip, scope).await);
        }
        budgets
    };
    let before = counted().await;
    assert!(before.iter().all(|budget| budget["count"] == 5), "{before:?}");
    let answers = join_all((0..10).map(|_| guess(&world, &ip, &email))).await;
    assert_eq!(answers, [429; 10]);
    assert_eq!(counted().await, before, "no counter has moved");
    assert_eq!(sign_ins_of(&world, &network).await.len(), 5, "no sign-in was begun");

    // The same where the whole network has used its budget up: a fresh e-mail address makes no row any more.
    for _ in 0..19 {
        let email = Person::random().email;
        let answers = join_all((0..5).map(|_| guess(&world, &ip, &email))).await;
        assert_eq!(answers, [401; 5]);
    }
    let fresh = Person::random().email;
    let answers = join_all((0..10).map(|_| guess(&world, &ip, &fresh))).await;
    assert_eq!(answers, [429; 10]);
    assert_eq!(sign_ins_of(&world, &network).await.len(), 100);
    for (scope, count) in [("network", 100), ("account-network", 0), ("account", 0)] {
        let budget = budget(&world, &fresh, &ip, scope).await;
        assert_eq!((&budget["count"], budget["windowEndsAt"].is_null()), (&json!(count), count == 0), "{budget}");
    }
}

/// Any client can cause events about accounts that do not exist, any number of times.
#[tokio::test]
async fn the_audit_trail_keeps_nothing_about_unknown_accounts() {
    let world = World::open().await;
    let person = world.person().await;
    let ip = stranger();
    assert_eq!(guess(&world, &ip, &Person::random().email).await, 401);
    // A later event about an existing account has been recorded, so an earlier one would have been, too.
    assert_eq!(guess(&world, &ip, &person.email).await, 401);
    let activity = &world.deployment.tables.activity;
    let network = network_of(&ip);
    let told = eventually("the failed sign-in of a known account", async || {
        let entries = world.everything(activity).await;
        let here: Vec<Item> = entries.into_iter().filter(|entry| text(entry, "network") == network).collect();
        here.iter().any(|entry| text(entry, "type") == "AUTH_FAILED").then_some(here)
    })
    .await;
    let owners: Vec<&str> = told.iter().map(|entry| text(entry, "userId")).collect();
    assert!(owners.iter().all(|owner| !owner.is_empty() && *owner == owners[0]), "{told:?}");
    let unknown = sign_ins_of(&world, &network).await;
    let unknown: Vec<&Item> = unknown.iter().filter(|row| !row.contains_key("userId")).collect();
    let [unknown] = unknown.as_slice() else { panic!("one sign-in of nobody, not {unknown:?}") };
    let id = text(unknown, "PK").trim_start_matches("L#").to_owned();
    assert!(!world.everything(activity).await.iter().any(|entry| holds(entry, &id)), "an entry about nobody");
}

fn fingerprint(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// NIST SP 800-63B-4 §3.2.2: not more than a hundred failures in a row.
#[tokio::test]
async fn after_a_hundred_failures_in_a_row_strangers_wait_longer_each_time() {
    use base64::Engine;
    let world = World::open().await;
    world.clear_network().await;
    let (person, _) = world.signed_in().await;
    assert_eq!(guess(&world, &stranger(), &person.email).await, 401);
    let account = fingerprint("holdfast/email/1", &[person.email.as_bytes()]);
    let key = fingerprint("holdfast/attempts/account/1", &[&account]);
    let key = format!("A#{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key));
    let table = &world.deployment.tables.sessions;
    let update = async |expression: &str, value: u64| {
        world
            .dynamodb
            .update_item()
            .table_name(table)
            .key("PK", AttributeValue::S(key.clone()))
            .key("SK", AttributeValue::S("ATTEMPTS".to_owned()))
            .update_expression(expression)
            .condition_expression("attribute_exists(#run)")
            .expression_attribute_names("#run", "run")
            .expression_attribute_values(":value", AttributeValue::N(value.to_string()))
            .send()
            .await
            .unwrap();
    };
    assert_eq!(budget(&world, &person.email, "127.0.0.1", "account").await["failuresInARow"], 1);
    update("SET #run = :value", 98).await;
    assert_eq!(guess(&world, &stranger(), &person.email).await, 401, "the 99th");
    assert_eq!(guess(&world, &stranger(), &person.email).await, 401, "the 100th");
    let wait = async || {
        let budget = budget(&world, &person.email, "127.0.0.1", "account").await;
        assert!(budget["waitUntil"].is_string(), "{budget}");
        let body = json!({"email": person.email, "password": person.password});
        let (status, refused) = sign_in_from(&world, &stranger(), &body).await;
        assert_eq!((status, &refused["code"]), (429, &json!("TOO_MANY_ATTEMPTS")), "{refused}");
        (budget["failuresInARow"].as_u64().unwrap(), refused["retryAfterSeconds"].as_u64().unwrap())
    };
    let (run, first) = wait().await;
    assert!(run == 100 && (1..=900).contains(&first), "{run}: {first}");
    update("SET waitUntil = :value", now_millis() - 1_000).await;
    assert_eq!(guess(&world, &stranger(), &person.email).await, 401, "the wait is over");
    let (run, second) = wait().await;
    assert!(run == 101 && (901..=1_800).contains(&second), "{run}: {second}");
    // The owner has not noticed any of it.
    world.api.sign_in(&person, "at home").await.unwrap();
    let how = SignIn::default();
    world.api.login(&person.email, &person.password, &how).await.unwrap().expect(200).unwrap();
}
