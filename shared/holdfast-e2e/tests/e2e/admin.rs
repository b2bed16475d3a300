//! `sessions-admin`, as an operator invokes it; and the repair of a cache that nobody told.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_e2e::{Call, Http, SignIn, Signer};
use serde_json::{Value, json};

use crate::world::{World, eventually, redis};

async fn admin(world: &World, command: &Value) -> Value {
    let base = world.deployment.aws_endpoint_url.as_deref().unwrap();
    let signer = Signer::new(world.deployment.credentials().await.unwrap(), &world.deployment.region, "lambda");
    let function = &world.deployment.functions["sessions-admin"];
    let call = Call::new("POST", format!("/2015-03-31/functions/{function}/invocations")).json(command);
    let reply = Http::new().send(base, call, Some(&signer)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.fault(200));
    reply.json()
}

#[tokio::test]
async fn an_operator_sees_ends_disables_and_enables() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let list = admin(&world, &json!({"action": "list", "email": person.email})).await;
    assert_eq!((list["ok"].as_bool(), list["sessions"].as_array().map(Vec::len)), (Some(true), Some(2)), "{list}");
    assert_eq!(list["user"]["userId"], first.user_id);

    let end = json!({"action": "end", "userId": first.user_id, "sessionId": first.session_id});
    assert_eq!(admin(&world, &end).await["revoked"], 1);
    world.api.current(&first.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    world.api.current(&second.access).await.unwrap().expect(200).unwrap();
    assert_eq!(admin(&world, &end).await["error"]["code"], "NOT_FOUND", "it is over");

    let disabled = admin(&world, &json!({"action": "disable", "userId": first.user_id})).await;
    assert_eq!(disabled["revoked"], 1, "{disabled}");
    world.api.current(&second.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let refused = world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap();
    refused.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let ask = json!({"action": "attempts", "email": person.email, "ip": "127.0.0.1"});
    let attempts = admin(&world, &ask).await;
    assert_eq!(attempts["attempts"][0]["count"], 1, "{attempts}");
    let cleared = admin(&world, &json!({"action": "clear-attempts", "email": person.email, "ip": "127.0.0.9"})).await;
    assert_eq!(cleared["ok"], true, "{cleared}");

    assert_eq!(admin(&world, &json!({"action": "enable", "userId": first.user_id})).await["ok"], true);
    let third = world.api.sign_in(&person, "third").await.unwrap();
    assert_eq!(admin(&world, &json!({"action": "end-all", "userId": first.user_id})).await["revoked"], 1);
    world.api.current(&third.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
    let wrong = admin(&world, &json!({"action": "drop"})).await;
    assert_eq!((wrong["ok"].as_bool(), wrong["error"]["code"].as_str()), (Some(false), Some("INVALID_REQUEST")));
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

/// A writer that dies between its commit and its delete: the stream repairs what it left.
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
