//! What a sign-in, an eviction, a revocation and a socket leave in the tables.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use holdfast_e2e::path::{open_socket, ticket};
use holdfast_e2e::{Person, Socket};
use serde_json::json;

use crate::world::{Item, World, eventually, holds, secret_of, text};

const HASHES: [&str; 6] = ["accessHash", "prevAccessHash", "refreshHash", "prevRefreshHash", "familyHash", "seed"];

async fn slots(world: &World, user_id: &str) -> Vec<Item> {
    let items = world.partition(&world.deployment.tables.sessions, &format!("U#{user_id}")).await;
    items.into_iter().filter(|item| text(item, "SK").starts_with("S#")).collect()
}

fn is_live(slot: &Item) -> bool {
    !slot.contains_key("endedAt")
}

fn seconds(item: &Item, name: &str) -> i64 {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_sign_in_leaves_a_slot_with_hashes_and_a_consumed_login_row() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let slots = slots(&world, &session.user_id).await;
    let [slot] = slots.as_slice() else { panic!("one slot, not {slots:?}") };
    assert_eq!(text(slot, "sid"), session.session_id);
    assert_eq!(text(slot, "email"), person.email);
    assert!(slot.contains_key("accessHash") && slot.contains_key("refreshHash"), "{slot:?}");
    assert!(seconds(slot, "ttl") > 1_600_000_000 && seconds(slot, "ttl") < 10_000_000_000, "ttl in seconds: {slot:?}");

    let sid = AttributeValue::S(session.session_id.clone());
    let mut logins = world
        .dynamodb
        .scan()
        .table_name(&world.deployment.tables.sessions)
        .consistent_read(true)
        .filter_expression("SK = :login AND sid = :sid")
        .expression_attribute_values(":login", AttributeValue::S("LOGIN".to_owned()))
        .expression_attribute_values(":sid", sid)
        .into_paginator()
        .items()
        .send();
    let login = logins.next().await.expect("a LOGIN row that names the session").unwrap();
    assert_eq!(text(&login, "state"), "CONSUMED");
    assert!(text(&login, "PK").starts_with("L#"), "{login:?}");
    assert!(login.contains_key("ttl"), "{login:?}");
}

#[tokio::test]
async fn a_revoked_session_leaves_a_tombstone_without_hashes() {
    let world = World::open().await;
    let (person, kept) = world.signed_in().await;
    let ended = world.api.sign_in(&person, "second").await.unwrap();
    world.api.revoke(&kept.access, &ended.session_id).await.unwrap().expect(200).unwrap();

    let slots = slots(&world, &kept.user_id).await;
    let tombstone = slots.iter().find(|slot| text(slot, "sid") == ended.session_id).expect("its slot");
    assert!(tombstone.contains_key("endedAt"), "{tombstone:?}");
    assert!(!text(tombstone, "endedReason").is_empty(), "{tombstone:?}");
    for hash in HASHES {
        assert!(!tombstone.contains_key(hash), "{hash} in {tombstone:?}");
    }
    assert!(tombstone.contains_key("ttl"));
    let live: Vec<&str> = slots.iter().filter(|slot| is_live(slot)).map(|slot| text(slot, "sid")).collect();
    assert_eq!(live, [kept.session_id]);
}

#[tokio::test]
async fn however_often_somebody_signs_in_five_slots_are_live() {
    let world = World::open().await;
    let person = world.person().await;
    let mut newest = Vec::new();
    for device in 1..=8 {
        newest.push(world.api.sign_in(&person, &format!("device {device}")).await.unwrap());
    }
    let slots = slots(&world, &newest[0].user_id).await;
    let keys: BTreeSet<&str> = slots.iter().map(|slot| text(slot, "SK")).collect();
    assert_eq!(keys, BTreeSet::from(["S#0", "S#1", "S#2", "S#3", "S#4"]));
    let live: BTreeSet<&str> = slots.iter().filter(|slot| is_live(slot)).map(|slot| text(slot, "sid")).collect();
    assert_eq!(live, newest[3..].iter().map(|session| session.session_id.as_str()).collect());
}

#[tokio::test]
async fn four_more_at_once_still_leave_five() {
    let world = World::open().await;
    let person = world.person().await;
    let mut all = Vec::new();
    for device in 1..=4 {
        all.push(world.api.sign_in(&person, &format!("device {device}")).await.unwrap());
    }
    // Not more at once: each holds one of the five attempts of its account and network until it is done.
    let at_once = join_all((5..=8).map(async |device: i32| {
        let name = format!("device {device}");
        world.api.sign_in(&person, &name).await.unwrap()
    }))
    .await;
    all.extend(at_once);
    let slots = slots(&world, &all[0].user_id).await;
    let live: BTreeSet<&str> = slots.iter().filter(|slot| is_live(slot)).map(|slot| text(slot, "sid")).collect();
    assert_eq!(live.len(), 5, "{live:?}");
    for session in &all {
        let accepted = world.api.current(&session.access).await.unwrap().status == 200;
        assert_eq!(accepted, live.contains(session.session_id.as_str()), "{}", session.session_id);
    }
}

#[tokio::test]
async fn a_socket_has_rows_while_it_is_open_and_none_afterwards() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let table = &world.deployment.tables.connections;
    let partition = format!("USER#{}", session.user_id);

    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    socket.ping().await.unwrap();
    let twins = world.partition(table, &partition).await;
    let [twin] = twins.as_slice() else { panic!("one twin, not {twins:?}") };
    let connection = text(twin, "SK").to_owned();
    assert!(connection.starts_with("CONNECTION#"), "{twin:?}");
    let rows = world.partition(table, &connection).await;
    let metadata = rows.iter().find(|row| text(row, "SK") == "METADATA").expect("a METADATA row");
    assert_eq!(text(metadata, "userId"), session.user_id);
    assert_eq!(text(metadata, "sid"), session.session_id);
    assert!(metadata.contains_key("ttl") && metadata.contains_key("connectedAt"), "{metadata:?}");

    socket.close().await;
    eventually("the rows of a closed socket to go", async || {
        let twins = world.partition(table, &partition).await;
        let rows = world.partition(table, &connection).await;
        // The row GONE records the end of the socket, and DynamoDB deletes it later.
        (twins.is_empty() && rows.iter().all(|row| text(row, "SK") == "GONE")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_rows_of_a_socket_go_when_its_session_is_revoked() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
    socket.expect_bye("SESSION_ENDED", false).await.unwrap();
    let partition = format!("USER#{}", session.user_id);
    eventually("the rows of a revoked session's socket to go", async || {
        world.partition(&world.deployment.tables.connections, &partition).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_stored_hashed_and_gone_once_used() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let table = &world.deployment.tables.connections;
    let tickets = async || -> Vec<Item> {
        let items = world.everything(table).await;
        items
            .into_iter()
            .filter(|item| text(item, "sid") == session.session_id && text(item, "SK") == "TICKET")
            .collect()
    };
    let url = ticket(&world.api, &session.access).await.unwrap();
    let value = url.split("ticket=").nth(1).unwrap();
    let rows = tickets().await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(!holds(&rows[0], value), "{rows:?}");
    let socket = Socket::connect("A", &url, None).await.unwrap().open().unwrap();
    assert!(tickets().await.is_empty());
    socket.close().await;
}

#[tokio::test]
async fn nothing_in_the_tables_can_sign_anybody_in() {
    let world = World::open().await;
    let person = Person::random();
    world.api.register(&person).await.unwrap().expect(201).unwrap();
    let first = world.api.sign_in(&person, "first").await.unwrap();
    let refreshed = world.api.refresh(&first.refresh).await.unwrap().expect(200).unwrap();
    let trusted = world.api.trust(&first.access, &first.session_id, true, None).await.unwrap().expect(200).unwrap();
    let ticket = world.api.ticket(&first.access).await.unwrap().expect(201).unwrap();
    let device = trusted.text("/deviceToken").unwrap();
    let ticket = ticket.text("/ticket").unwrap();
    let body = json!({"to": {"userIds": [first.user_id]}, "kind": "note", "data": {}, "idempotencyKey": "key"});
    world.api.publish(&body).await.unwrap().expect(202).unwrap();

    let tokens = [
        first.access,
        first.refresh,
        refreshed.text("/tokens/accessToken").unwrap(),
        refreshed.text("/tokens/refreshToken").unwrap(),
    ];
    let mut needles = vec![person.password.as_str(), &device, &ticket];
    for token in &tokens {
        needles.extend([token.as_str(), secret_of(token)]);
    }
    for table in [&world.deployment.tables.sessions, &world.deployment.tables.connections] {
        let items = world.everything(table).await;
        assert!(!items.is_empty());
        for item in items {
            let found = needles.iter().position(|needle| holds(&item, needle));
            assert_eq!(found, None, "{table}: {} {}", text(&item, "PK"), text(&item, "SK"));
        }
    }
}
