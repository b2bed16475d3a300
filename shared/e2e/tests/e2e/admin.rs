//! `sessions-admin`, as an operator invokes it, and the repair of a cache that missed a change.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_e2e::{Person, SignIn};
use serde_json::{Value, json};

use crate::world::{World, eventually, redis, text};

#[tokio::test]
async fn an_operator_sees_ends_disables_and_enables() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let list = world.admin(&json!({"action": "list", "email": person.email})).await;
    assert_eq!((list["ok"].as_bool(), list["sessions"].as_array().map(Vec::len)), (Some(true), Some(2)), "{list}");
    assert_eq!(list["user"]["userId"], first.user_id);

    let end = json!({"action": "end", "userId": first.user_id, "sessionId": first.session_id});
    assert_eq!(world.admin(&end).await["revoked"], 1);
    world.api.current(&first.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    world.api.current(&second.access).await.unwrap().expect(200).unwrap();
    assert_eq!(world.admin(&end).await["error"]["code"], "NOT_FOUND", "it is over");

    let disabled = world.admin(&json!({"action": "disable", "userId": first.user_id})).await;
    assert_eq!(disabled["revoked"], 1, "{disabled}");
    world.api.current(&second.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let refused = world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap();
    refused.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let ask = json!({"action": "attempts", "email": person.email, "ip": "127.0.0.1"});
    let attempts = world.admin(&ask).await;
    let budgets = attempts["attempts"].as_array().unwrap();
    let scopes: Vec<&str> = budgets.iter().map(|budget| budget["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["account-network", "account", "network", "second-factor", "second-factor-network"]);
    let [own, account, ..] = budgets.as_slice() else { panic!("{attempts}") };
    assert_eq!((&own["count"], &own["limit"]), (&json!(1), &json!(5)), "{attempts}");
    assert!(own["windowEndsAt"].is_string() && own["waitUntil"].is_null(), "{attempts}");
    assert!(own["knownUntil"].is_string(), "this network has signed the account in: {attempts}");
    assert_eq!(account["count"], 0, "known networks do not draw on it: {attempts}");
    assert!(budgets.iter().all(|budget| budget["limit"].as_u64().is_some_and(|limit| limit > 0)), "{attempts}");
    let nobody = json!({"action": "attempts", "email": Person::random().email, "ip": "127.0.0.1"});
    assert_eq!(world.admin(&nobody).await["attempts"].as_array().map(Vec::len), Some(3));
    let cleared = world.admin(&json!({"action": "clear-attempts", "email": person.email, "ip": "127.0.0.9"})).await;
    assert_eq!((&cleared["ok"], &cleared["attempts"][0]["count"]), (&json!(true), &json!(0)), "{cleared}");

    assert_eq!(world.admin(&json!({"action": "enable", "userId": first.user_id})).await["ok"], true);
    let third = world.api.sign_in(&person, "third").await.unwrap();
    assert_eq!(world.admin(&json!({"action": "end-all", "userId": first.user_id})).await["revoked"], 1);
    world.api.current(&third.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let wrong = world.admin(&json!({"action": "drop"})).await;
    assert_eq!((wrong["ok"].as_bool(), wrong["error"]["code"].as_str()), (Some(false), Some("INVALID_REQUEST")));
}

#[tokio::test]
async fn an_operator_creates_finds_gives_a_password_and_deletes() {
    let world = World::open().await;
    let (person, actor) = (Person::random(), "ops/ada");
    let by = |command: Value| {
        let mut command = command;
        command["actor"] = actor.into();
        command
    };
    let error = |answer: &Value| answer["error"]["code"].as_str().unwrap_or_default().to_owned();
    let find = json!({"action": "find", "email": person.email.to_uppercase()});
    assert_eq!(error(&world.admin(&find).await), "NOT_FOUND");

    // The rules of registration hold for operators, too.
    let create = |password: &str| by(json!({"action": "create", "email": person.email, "password": password}));
    let weak = world.admin(&create("123456789012")).await;
    assert_eq!(error(&weak), "INVALID_REQUEST", "{weak}");
    assert!(weak["error"]["detail"].as_str().unwrap().contains("too easy to guess"), "{weak}");
    let created = world.admin(&create(&person.password)).await;
    assert_eq!((&created["ok"], &created["user"]["email"]), (&json!(true), &json!(person.email)), "{created}");
    assert_eq!((&created["user"]["status"], &created["user"]["mfaEnabled"]), (&json!("ACTIVE"), &json!(false)));
    let user_id = created["user"]["userId"].as_str().unwrap().to_owned();
    assert_eq!(error(&world.admin(&create(&person.password)).await), "EMAIL_TAKEN");
    let session = world.api.sign_in(&person, "first").await.unwrap();
    assert_eq!(session.user_id, user_id);
    let token = world.api.trust(&session.access, &session.session_id, true, None).await.unwrap().expect(200).unwrap();
    let token = token.text("/deviceToken").unwrap();
    let found = world.admin(&find).await;
    assert_eq!(found["user"]["userId"], user_id.as_str(), "{found}");
    assert_eq!(found["sessions"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["devices"][0]["name"], "first", "{found}");

    let next = Person { password: Person::random().password, ..person.clone() };
    let set = |password: &str| by(json!({"action": "set-password", "userId": user_id, "password": password}));
    assert_eq!(error(&world.admin(&set(&person.email)).await), "INVALID_REQUEST", "one's own e-mail is no password");
    world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    let changed = world.admin(&set(&next.password)).await;
    assert_eq!((&changed["ok"], &changed["revoked"]), (&json!(true), &json!(1)), "{changed}");
    world.api.current(&session.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let old = world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap();
    old.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let how = SignIn { device_token: Some(&token), ..SignIn::default() };
    let signed_in = world.api.login(&next.email, &next.password, &how).await.unwrap().expect(200).unwrap();
    assert_eq!((signed_in.at("/session/trusted"), signed_in.at("/deviceToken")), (json!(false), Value::Null));

    // Subscribers have recorded everything, so they write nothing after the deletion.
    let (activity, key) = (&world.deployment.tables.activity, format!("U#{user_id}"));
    let last = signed_in.text("/session/sessionId").unwrap();
    eventually("the last sign-in", async || {
        let rows = world.partition(activity, &key).await;
        let noted = rows.iter().any(|row| text(row, "SK") == "LAST_LOGIN" && text(row, "sessionId") == last);
        let names = rows.iter().find_map(|row| row.get("deviceNames")?.as_bs().ok()).map_or(0, Vec::len);
        (noted && names == 2).then_some(())
    })
    .await;
    let deleted = world.admin(&by(json!({"action": "delete", "email": person.email}))).await;
    assert_eq!((&deleted["ok"], &deleted["revoked"]), (&json!(true), &json!(1)), "{deleted}");
    let access = signed_in.text("/tokens/accessToken").unwrap();
    world.api.current(&access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let refused = world.api.login(&next.email, &next.password, &SignIn::default()).await.unwrap();
    refused.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    for gone in [find, json!({"action": "list", "userId": user_id}), by(json!({"action": "delete", "userId": user_id}))]
    {
        assert_eq!(error(&world.admin(&gone).await), "NOT_FOUND");
    }
    assert!(world.partition(&world.deployment.tables.sessions, &key).await.is_empty(), "rows of a deleted user");

    // Events stay, say who did it, and hold no e-mail.
    let told = ["ACCOUNT_CREATED", "PASSWORD_CHANGED", "SESSION_REVOKED", "DEVICE_REMOVED", "ACCOUNT_DELETED"];
    let trail = eventually("the trail of an operator's actions", async || {
        let trail = world.trail(&user_id).await;
        let has = |kind: &&str| trail.iter().any(|entry| text(entry, "type") == *kind && text(entry, "actor") == actor);
        told.iter().all(has).then_some(trail)
    })
    .await;
    assert!(!format!("{trail:?}").contains(&person.email), "no e-mail in the trail");
    let kept = world.partition(activity, &key).await;
    assert!(kept.iter().all(|row| text(row, "SK").starts_with("E#")), "of a deleted user only events are kept");

    // The address is free again for another user.
    let again = world.api.register(&person).await.unwrap().expect(201).unwrap();
    assert_ne!(again.text("/userId").unwrap(), user_id);
    world.api.sign_in(&person, "new").await.unwrap();
}

/// Whether the cache server has this key.
async fn is_cached(world: &World, key: &str) -> bool {
    let url = world.deployment.redis_url.as_deref().expect("a cache server");
    match redis(url, &format!("EXISTS {key}")).await.as_str() {
        ":1" => true,
        ":0" => false,
        other => panic!("EXISTS: {other}"),
    }
}

/// A writer crashes between its commit and its delete, and the stream repairs the cache.
#[tokio::test]
async fn a_change_whose_writer_never_deleted_is_repaired() {
    let world = World::open().await;
    if world.deployment.cache_provider != "redis" {
        eprintln!("this deployment has no cache to repair");
        return;
    }
    let (_, session) = world.signed_in().await;
    let slot: String = session.access.split('.').nth(2).unwrap().into();
    let key = format!("s:{{{}}}:{slot}:v", session.user_id);
    let cached = eventually("a cached session", async || {
        world.api.current(&session.access).await.unwrap().expect(200).unwrap();
        is_cached(&world, &key).await.then_some(())
    });
    cached.await;
    // What a logout commits, without what follows it.
    world
        .dynamodb
        .update_item()
        .table_name(&world.deployment.tables.sessions)
        .key("PK", AttributeValue::S(format!("U#{}", session.user_id)))
        .key("SK", AttributeValue::S(format!("S#{slot}")))
        .update_expression(
            "SET endedAt = lastUsedAt, endedReason = :reason REMOVE accessHash, accessExpiresAt, refreshHash, familyHash, seed",
        )
        .expression_attribute_values(":reason", AttributeValue::S("LOGOUT".into()))
        .send()
        .await
        .unwrap();
    let began = tokio::time::Instant::now();
    eventually("the end of the cached session", async || (!is_cached(&world, &key).await).then_some(())).await;
    world.api.current(&session.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
}
