//! One test for each branch of a handler.

use holdfast_sessions::SlotNo;
use holdfast_sessions::token::Address;
use holdfast_testkit::suites::activity::Look as _;

use super::*;

#[tokio::test]
async fn a_record_that_cannot_be_read_is_set_aside_and_holds_up_nobody() {
    let world = World::new();
    let mut poison = kinds::revocation("10");
    poison["eventID"] = "poison".into();
    poison["dynamodb"]["NewImage"] = json!({"PK": {"S": "x"}});
    let keys = poison["dynamodb"]["Keys"].clone();
    let (answer, recorded) = world.stream("events-relay", vec![poison, kinds::revocation("11")], TIME).await;
    assert_eq!(answer.unwrap(), done());
    let notes = world.texts.calm.sent();
    assert_eq!(notes.len(), 1, "somebody has to find it");
    let note = &notes[0];
    assert_eq!((&note["v"], &note["eventId"], &note["keys"]), (&json!(1), &json!("poison"), &keys));
    assert!(note["sequenceNumber"] == "10" && note["error"].as_str().is_some_and(|text| !text.is_empty()), "{note}");
    assert_eq!(recorded.counts.get("RelayUnreadable"), Some(&1));
    assert!(recorded.log.contains(&"ERROR a stream record was set aside".to_owned()));
    assert_eq!(world.bus.calm.published().len(), 1, "the record after it is relayed");
}

#[tokio::test]
async fn sockets_are_closed_before_events_are_told() {
    let world = World::new();
    world.fail_at("publish", &Trouble::Unavailable);
    let (answer, recorded) = world.stream("events-relay", vec![kinds::revocation("10")], TIME).await;
    assert_eq!(answer.unwrap(), again_from("10"));
    assert!(world.close.calm.next_close().is_some());
    assert!(!recorded.counts.contains_key("SESSION_REVOKED"), "what was not published is not counted");
}

#[tokio::test]
async fn an_empty_batch_is_done() {
    let world = World::new();
    for function in ["events-relay", "events-cache-repair"] {
        assert_eq!(world.stream(function, vec![], TIME).await.0.unwrap(), done(), "{function}");
    }
    assert!(world.bus.calls().is_empty() && world.server.calls().is_empty());
}

#[tokio::test]
async fn copies_of_changed_slots_are_deleted_and_counted() {
    let world = World::new();
    let at = Address { user: user(), slot: SlotNo::new(3).unwrap() };
    let lease =
        || async { matches!(world.server.calm.read(at).await, Ok(holdfast_sessions::ports::Found::Miss(Some(_)))) };
    assert!(lease().await && !lease().await, "somebody is filling");
    let records = vec![slot_record(1, 3, "10"), slot_record(2, 0, "11"), slot_record(1, 3, "12")];
    let (answer, recorded) = world.stream("events-cache-repair", records, TIME).await;
    assert_eq!((answer.unwrap(), recorded.counts.get("CacheRepaired")), (done(), Some(&2)));
    assert!(lease().await, "the lease of the filler is deleted");
}

#[tokio::test]
async fn a_record_that_names_no_row_is_counted_and_passed_over() {
    let world = World::new();
    let mut unknown = slot_record(1, 3, "10");
    unknown["dynamodb"]["Keys"] = json!({"PK": {"S": "X#1"}, "SK": {"S": "X"}});
    // A row of a later version is passed over, too, and is no trouble.
    let records = vec![json!({"eventID": "poison"}), unknown, slot_record(1, 3, "11")];
    let (answer, recorded) = world.stream("events-cache-repair", records, TIME).await;
    assert_eq!((answer.unwrap(), recorded.counts.get("RepairUnreadable")), (done(), Some(&1)));
    assert!(recorded.log.contains(&"ERROR a stream record names no row of ours".to_owned()));
    assert_eq!(recorded.counts.get("CacheRepaired"), Some(&1));
}

#[tokio::test]
async fn an_entry_of_the_audit_trail_is_kept_as_long_as_configured() {
    let world = World::new();
    for _ in 0..2 {
        let (answer, recorded) = world.event("events-audit-trail", &event("MFA_DISABLED", "e1-0"), TIME).await;
        assert!(answer.is_ok());
        assert_eq!(recorded.counts.get("AuditEntryWritten"), Some(&1));
    }
    let trail = world.activity.calm.whole_trail();
    assert_eq!(trail.len(), 1, "delivered twice, it is written once");
    assert_eq!((&*trail[0].fields["type"], &*trail[0].fields["userId"]), ("MFA_DISABLED", &*user().to_string()));
    assert_eq!(trail[0].delete_after, world.host.now().plus_seconds(86_400));
}

#[tokio::test]
async fn an_event_of_nobody_is_acknowledged_and_kept_nowhere() {
    let world = World::new();
    let mut nobody = event("AUTH_FAILED", "e1-0");
    nobody.as_object_mut().unwrap().remove("userId");
    nobody["reason"] = "WRONG_CODE".into();
    for function in ["events-audit-trail", "events-last-login", "events-security-alerts"] {
        let (answer, recorded) = world.event(function, &nobody, TIME).await;
        assert!(answer.is_ok() && recorded.counts.is_empty(), "{function}: {recorded:?}");
    }
    assert!(world.activity.calls().is_empty() && world.texts.calls().is_empty());
}

#[tokio::test]
async fn an_event_that_is_none_is_not_acknowledged() {
    let world = World::new();
    for function in ["events-audit-trail", "events-last-login", "events-security-alerts"] {
        assert!(world.event(function, &json!({"id": "e"}), TIME).await.0.is_err(), "{function}");
    }
}

#[tokio::test]
async fn the_latest_sign_in_is_noted_whatever_comes_first() {
    let world = World::new();
    let mut later = event("SESSION_CREATED", "e2-0");
    later["at"] = "2026-01-02T00:00:00.000Z".into();
    for event in [&later, &event("SESSION_CREATED", "e1-0")] {
        let (answer, recorded) = world.event("events-last-login", event, TIME).await;
        assert_eq!((answer.is_ok(), recorded.counts.get("LastLoginNoted")), (true, Some(&1)));
    }
    let (at, session, device) = world.activity.calm.latest_login(&user().to_string()).await.unwrap();
    assert_eq!(
        (at.as_str(), session.as_str(), device.as_str()),
        ("2026-01-02T00:00:00.000Z", "AgICAgICAgICAgICAgICAg", "laptop")
    );
}

/// The alert that an event leads to.
async fn alert(world: &World, event: &Value) -> Option<Value> {
    let before = world.texts.calm.sent().len();
    let (answer, recorded) = world.event("events-security-alerts", event, TIME).await;
    assert!(answer.is_ok());
    let sent = world.texts.calm.sent().split_off(before);
    assert_eq!(recorded.counts.get("SecurityAlertSent").copied().unwrap_or_default(), sent.len() as u64);
    assert!(sent.len() <= 1);
    sent.into_iter().next()
}

#[tokio::test]
async fn users_are_alerted_of_what_they_should_know() {
    for (kind, reason, expected) in [
        ("MFA_DISABLED", None, Some("MFA_DISABLED")),
        ("MFA_ENABLED", None, Some("MFA_ENABLED")),
        ("PASSWORD_CHANGED", None, Some("PASSWORD_CHANGED")),
        ("TOKEN_REUSED", None, Some("TOKEN_REUSED")),
        ("AUTH_FAILED", Some("WRONG_CODE"), Some("FAILED_SECOND_FACTOR")),
        ("AUTH_FAILED", Some("WRONG_PASSWORD"), None),
        ("AUTH_FAILED", None, None),
        ("SESSION_REVOKED", None, None),
    ] {
        let world = World::new();
        let mut event = event(kind, "e1-0");
        event["reason"] = reason.map_or(Value::Null, Value::from);
        let sent = alert(&world, &event).await;
        let said = sent.as_ref().map(|sent| sent["publish"]["data"]["alert"].as_str().unwrap());
        assert_eq!(said, expected, "{kind}, {reason:?}");
        if let Some(sent) = sent {
            let publish = &sent["publish"];
            assert_eq!((&publish["kind"], &publish["ephemeral"]), (&json!("security.alert"), &json!(false)));
            assert_eq!(publish["to"]["userIds"], json!([user().to_string()]));
            assert_eq!(publish["idempotencyKey"], "alert-e1-0", "delivered twice, it is sent once");
            let data = &publish["data"];
            assert_eq!((&data["at"], &data["device"]), (&event["at"], &json!("laptop")));
        }
    }
}

#[tokio::test]
async fn users_are_alerted_of_a_new_device_but_neither_of_the_first_nor_of_a_known_one() {
    let world = World::new();
    let on = |device: &str| {
        let mut event = event("SESSION_CREATED", device);
        event["device"] = device.into();
        event
    };
    assert_eq!(alert(&world, &on("first")).await, None);
    let sent = alert(&world, &on("second")).await.unwrap();
    assert_eq!(
        (&sent["publish"]["data"]["alert"], &sent["publish"]["ephemeral"]),
        (&json!("NEW_DEVICE"), &json!(true))
    );
    assert_eq!(alert(&world, &on("first")).await, None);
}
