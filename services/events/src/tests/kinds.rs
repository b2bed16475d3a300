//! One change of the table for every kind of event, and what the relay makes of it.

use holdfast_sessions::event::Kind;

use super::*;

const USER: &str = "AQEBAQEBAQEBAQEBAQEBAQ";
const SESSION: &str = "AgICAgICAgICAgICAgICAg";
const OTHER: &str = "AwMDAwMDAwMDAwMDAwMDAw";
const HASH: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// An image with some attributes set otherwise; `null` takes one away.
fn with(mut image: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(image.as_object_mut().unwrap().remove(name)),
            value => image[name] = value.clone(),
        }
    }
    image
}

fn record(key: (&str, &str), old: Option<Value>, new: Option<Value>) -> Value {
    let mut change = json!({"Keys": {"PK": {"S": key.0}, "SK": {"S": key.1}}, "SequenceNumber": "12",
                            "ApproximateCreationDateTime": 9.0});
    for (name, image) in [("OldImage", old), ("NewImage", new)] {
        if let Some(image) = image {
            change[name] = with(image, json!({"PK": {"S": key.0}, "SK": {"S": key.1}}));
        }
    }
    json!({"eventID": "e1", "dynamodb": change})
}

fn slot() -> Value {
    let mut item = json!({
        "sid": {"S": SESSION}, "userId": {"S": USER}, "email": {"S": "ada@example.com"}, "version": {"N": "1"},
        "createdAt": {"N": "1000"}, "authenticatedAt": {"N": "1000"}, "lastUsedAt": {"N": "1000"},
        "lastUpdatedAt": {"N": "1000"}, "idleExpiresAt": {"N": "3601000"}, "absoluteExpiresAt": {"N": "86401000"},
        "staySignedIn": {"BOOL": false}, "trusted": {"BOOL": false}, "op": {"S": "x"},
        "device": {"M": {"name": {"S": "laptop"}, "browser": {"S": "b"}, "os": {"S": "o"}, "ip": {"S": "192.0.2.1"}}},
        "accessExpiresAt": {"N": "901000"}, "rotatedAt": {"N": "1000"}, "gen": {"N": "0"},
    });
    for name in ["accessHash", "familyHash", "refreshHash", "seed"] {
        item[name] = json!({"B": HASH});
    }
    item
}

fn ended(reason: &str) -> Value {
    with(slot(), json!({"accessHash": null, "endedAt": {"N": "5000"}, "endedReason": {"S": reason}}))
}

fn login(state: &str, more: Value) -> Value {
    let row = json!({"userId": {"S": USER}, "state": {"S": state}, "at": {"N": "7000"}, "mfa": {"BOOL": false},
                     "reauthentication": {"BOOL": false}});
    with(row, more)
}

fn account(more: Value) -> Value {
    let row = json!({"userId": {"S": USER}, "email": {"S": "ada@example.com"}, "password": {"S": "$argon2id$x"},
                     "createdAt": {"N": "1"}, "lastUpdatedAt": {"N": "7000"}, "status": {"S": "ACTIVE"}});
    with(row, more)
}

/// A change that makes an event of this kind, and how many sockets it closes.
fn change(kind: Kind) -> (Value, usize) {
    let (slots, logins) = ((format!("U#{USER}"), "S#3"), (format!("L#{SESSION}"), "LOGIN"));
    let of_slot = |old, new| record((&slots.0, slots.1), old, new);
    let of_login = |old: Option<Value>, new| record((&logins.0, logins.1), old, Some(new));
    let of_account = |old, new| record((&slots.0, "META"), old, new);
    let device = json!({"secretHash": {"B": HASH}, "authEpoch": {"N": "1"}, "name": {"S": "laptop"},
                        "createdAt": {"N": "1000"}, "expiresAt": {"N": "99000"}, "op": {"S": "x"}});
    let of_device = |old, new| record((&slots.0, &format!("D#{SESSION}")), old, new);
    let started = || Some(login("STARTED", json!({})));
    let enabled = json!({"mfaEnabledAt": {"N": "7000"}});
    match kind {
        Kind::LoginStarted => (of_login(None, login("STARTED", json!({}))), 0),
        Kind::MfaRequired => (of_login(started(), login("MFA_REQUIRED", json!({}))), 0),
        Kind::MfaCompleted => {
            let new = login("CONSUMED", json!({"mfa": {"BOOL": true}, "sid": {"S": SESSION}}));
            (of_login(started(), new), 0)
        }
        Kind::AuthFailed => (of_login(started(), login("FAILED", json!({"reason": {"S": "WRONG_PASSWORD"}}))), 0),
        Kind::Reauthenticated => {
            (of_slot(Some(slot()), Some(with(slot(), json!({"authenticatedAt": {"N": "6000"}})))), 0)
        }
        Kind::ReauthenticationFailed => {
            let more =
                json!({"reauthentication": {"BOOL": true}, "reason": {"S": "WRONG_PASSWORD"}, "sid": {"S": SESSION}});
            (of_login(None, login("FAILED", more)), 0)
        }
        Kind::MfaEnabled => (of_account(Some(account(json!({}))), Some(account(enabled))), 0),
        Kind::MfaDisabled => (of_account(Some(account(enabled)), Some(account(json!({})))), 0),
        Kind::RecoveryCodesRenewed => {
            (of_account(Some(account(json!({}))), Some(account(json!({"recoveryRenewedAt": {"N": "7000"}})))), 0)
        }
        Kind::ClaimsChanged => {
            (of_account(Some(account(json!({}))), Some(account(json!({"claims": {"S": "{\"role\":\"admin\"}"}})))), 0)
        }
        Kind::PasswordChanged => {
            (of_account(Some(account(json!({}))), Some(account(json!({"passwordChangedAt": {"N": "7000"}})))), 0)
        }
        Kind::AccountCreated => (of_account(None, Some(account(json!({})))), 0),
        Kind::AccountDisabled => {
            (of_account(Some(account(json!({}))), Some(account(json!({"status": {"S": "DISABLED"}})))), 0)
        }
        Kind::AccountEnabled => {
            (of_account(Some(account(json!({"status": {"S": "DISABLED"}}))), Some(account(json!({})))), 0)
        }
        Kind::AccountDeleted => (of_account(Some(account(json!({}))), None), 0),
        Kind::SessionCreated => (of_slot(None, Some(slot())), 0),
        Kind::SessionEvicted => (of_slot(Some(slot()), Some(with(slot(), json!({"sid": {"S": OTHER}})))), 1),
        Kind::SessionRevoked => (of_slot(Some(slot()), Some(ended("LOGOUT"))), 1),
        Kind::SessionExpired => (of_slot(Some(slot()), None), 1),
        Kind::TokenReused => (of_slot(Some(slot()), Some(ended("TOKEN_REUSED"))), 1),
        Kind::DeviceTrusted => (of_device(None, Some(device)), 0),
        Kind::DeviceRemoved => (of_device(Some(device), None), 0),
    }
}

/// The change of a session's end, with this sequence number.
pub(super) fn revocation(sequence_number: &str) -> Value {
    let (mut record, _) = change(Kind::SessionRevoked);
    record["dynamodb"]["SequenceNumber"] = sequence_number.into();
    record
}

#[tokio::test]
async fn every_kind_of_event_is_published_counted_and_closes_its_sockets() {
    for kind in Kind::ALL {
        let world = World::new();
        let (record, closes) = change(*kind);
        let (answer, recorded) = world.stream("events-relay", vec![record], TIME).await;
        assert_eq!(answer.unwrap(), done(), "{kind:?}");
        let published = world.bus.calm.published();
        let types: Vec<_> = published.iter().map(|entry| entry.detail_type).collect();
        assert!(types.contains(&kind.as_str()), "{kind:?} was not published: {types:?}");
        for entry in &published {
            let detail: Value = serde_json::from_str(&entry.detail).unwrap();
            assert_eq!((&detail["type"], &detail["userId"]), (&json!(entry.detail_type), &json!(USER)), "{kind:?}");
            assert_eq!(recorded.counts.get(entry.detail_type), Some(&1), "{kind:?}");
            assert!(entry.source.starts_with("holdfast."));
        }
        let mut asked = 0;
        while let Some((_, delay)) = world.close.calm.next_close() {
            assert_eq!(delay, 0);
            asked += 1;
        }
        assert_eq!(asked, closes, "{kind:?}");
        assert!(world.texts.calm.sent().is_empty() && !recorded.counts.contains_key("RelayUnreadable"));
    }
}
