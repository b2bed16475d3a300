//! The events and close requests that follow from one stream record. No I/O happens here.

use holdfast_push::close::{CloseRequest, SessionOver};
use holdfast_sessions::Millis;
use holdfast_sessions::event::{self, Event, Kind};
use holdfast_sessions::ports::{BusEntry, StoreError};
use holdfast_sessions::session::Slot;
use holdfast_wiring::records::{self, BeforeAfter, Change};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "eventID")]
    event_id: String,
    dynamodb: Images,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    keys: Value,
    #[serde(default)]
    old_image: Option<Value>,
    #[serde(default)]
    new_image: Option<Value>,
    sequence_number: String,
    /// Seconds since the epoch.
    #[serde(default)]
    approximate_creation_date_time: Option<f64>,
}

/// Everything that follows from one record.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Consequences {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) entries: Vec<BusEntry>,
    pub(crate) closes: Vec<CloseRequest>,
}

fn unreadable(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("stream record: {what}"))
}

/// Reads a record and says what follows from it. Only a record that this release cannot read is an error.
pub(crate) fn consequences(record: &Value) -> Result<Consequences, StoreError> {
    let record: Record = serde_json::from_value(record.clone()).map_err(unreadable)?;
    let change = &record.dynamodb;
    let at = Millis::new((change.approximate_creation_date_time.unwrap_or_default() * 1000.0) as i64);
    let (events, over) = match records::change(&change.keys, change.old_image.as_ref(), change.new_image.as_ref())? {
        Change::Slot(rows) => event::of_slot(rows.0.as_ref(), rows.1.as_ref(), at),
        Change::Login(BeforeAfter(old, new)) => (event::of_login(old.as_ref(), new.as_ref()), vec![]),
        Change::Challenge(BeforeAfter(old, new)) => (event::of_challenge(old.as_ref(), new.as_ref()), vec![]),
        Change::Account(BeforeAfter(old, new)) => (event::of_account(old.as_ref(), new.as_ref()), vec![]),
        Change::Device(BeforeAfter(old, new)) => (event::of_device(old.as_ref(), new.as_ref(), at), vec![]),
        Change::Other => return Ok(Consequences::default()),
    };
    Ok(Consequences {
        kinds: events.iter().map(|e| e.kind).collect(),
        entries: events.iter().enumerate().map(|(n, e)| entry(e, &record, n)).collect(),
        closes: over.iter().map(|(slot, kind)| close(slot, *kind, at)).collect(),
    })
}

fn close(slot: &Slot, kind: Kind, at: Millis) -> CloseRequest {
    CloseRequest::SessionEnded {
        at: slot.at,
        sid: slot.sid,
        over: if kind == Kind::SessionExpired { SessionOver::Expired } else { SessionOver::Ended },
        ended_at: slot.ended.map_or(at, |ended| ended.at),
    }
}

/// `id` and `seq` come from the record, so that a record delivered twice makes the same event twice. The stream numbers
/// the changes of one item in their order with digits only; padded, texts order as the numbers do.
fn entry(event: &Event, record: &Record, n: usize) -> BusEntry {
    let mut detail = Map::new();
    let mut put = |name: &str, value: String| {
        detail.insert(name.to_owned(), value.into());
    };
    put("id", format!("{}-{n}", record.event_id));
    put("seq", format!("{:0>40}-{n}", record.dynamodb.sequence_number));
    put("type", event.kind.as_str().to_owned());
    put("at", event.at.to_string());
    if let Some(user) = event.user {
        put("userId", user.to_string());
    }
    if let Some(session) = event.session {
        put("sessionId", session.to_string());
    }
    if let Some(login) = event.login {
        put("loginSessionId", login.to_string());
    }
    if let Some(reason) = event.reason {
        put("reason", reason.to_owned());
    }
    if let Some(device) = &event.device {
        put("device", device.clone());
    }
    if let Some(network) = &event.origin.network {
        put("network", network.clone());
    }
    if let Some(actor) = &event.origin.actor {
        put("actor", actor.clone());
    }
    BusEntry {
        source: event.kind.source(),
        detail_type: event.kind.as_str(),
        detail: Value::Object(detail).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const USER: &str = "AQEBAQEBAQEBAQEBAQEBAQ";
    const SID: &str = "AgICAgICAgICAgICAgICAg";

    fn slot(sid: &str, ended: bool) -> Value {
        let mut item = json!({
            "PK": {"S": format!("U#{USER}")}, "SK": {"S": "S#3"}, "sid": {"S": sid}, "userId": {"S": USER},
            "email": {"S": "ada@example.com"}, "version": {"N": "1"}, "createdAt": {"N": "1000"},
            "lastUsedAt": {"N": "1000"}, "lastUpdatedAt": {"N": "1000"}, "idleExpiresAt": {"N": "3601000"},
            "absoluteExpiresAt": {"N": "86401000"}, "staySignedIn": {"BOOL": false}, "trusted": {"BOOL": false},
            "device": {"M": {"name": {"S": "laptop"}, "browser": {"S": "b"}, "os": {"S": "o"}, "ip": {"S": "i"}}},
            "op": {"S": "x"}
        });
        if ended {
            item["network"] = json!({"S": "192.0.2.0/24"});
            item["endedAt"] = json!({"N": "5000"});
            item["endedReason"] = json!({"S": "LOGOUT"});
        } else {
            let hash = json!({"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="});
            for name in ["accessHash", "familyHash", "refreshHash", "seed"] {
                item[name] = hash.clone();
            }
            item["accessExpiresAt"] = json!({"N": "901000"});
            item["rotatedAt"] = json!({"N": "1000"});
            item["gen"] = json!({"N": "0"});
        }
        item
    }

    fn record(pk: &str, sk: &str, old: Option<Value>, new: Option<Value>) -> Value {
        let mut change = json!({"Keys": {"PK": {"S": pk}, "SK": {"S": sk}}, "SequenceNumber": "12", "ApproximateCreationDateTime": 9.0});
        if let Some(old) = old {
            change["OldImage"] = old;
        }
        if let Some(new) = new {
            change["NewImage"] = new;
        }
        json!({"eventID": "e1", "eventName": "MODIFY", "dynamodb": change})
    }

    #[test]
    fn a_logout_becomes_an_event_and_a_request_to_close_sockets() {
        let record = record(&format!("U#{USER}"), "S#3", Some(slot(SID, false)), Some(slot(SID, true)));
        let found = consequences(&record).unwrap();
        assert_eq!(found.kinds, [Kind::SessionRevoked]);
        let detail: Value = serde_json::from_str(&found.entries[0].detail).unwrap();
        assert_eq!(
            detail,
            json!({"id": "e1-0", "seq": format!("{:0>40}-0", 12), "type": "SESSION_REVOKED",
                   "at": "1970-01-01T00:00:05.000Z", "userId": USER, "sessionId": SID, "reason": "LOGOUT",
                   "device": "laptop", "network": "192.0.2.0/24"})
        );
        assert!(!found.entries[0].detail.contains("ada@example.com"));
        assert_eq!(found.closes.len(), 1);
    }

    #[test]
    fn a_replaced_session_was_evicted_and_its_sockets_go() {
        let other = "AwMDAwMDAwMDAwMDAwMDAw";
        let record = record(&format!("U#{USER}"), "S#3", Some(slot(SID, false)), Some(slot(other, false)));
        let found = consequences(&record).unwrap();
        assert_eq!(found.kinds, [Kind::SessionEvicted, Kind::SessionCreated]);
        assert!(matches!(&found.closes[..], [CloseRequest::SessionEnded { sid, .. }] if sid.to_string() == SID));
    }

    #[test]
    fn removal_by_ttl_is_an_expiry() {
        let found = consequences(&record(&format!("U#{USER}"), "S#3", Some(slot(SID, false)), None)).unwrap();
        assert_eq!(found.kinds, [Kind::SessionExpired]);
        assert!(matches!(&found.closes[..], [CloseRequest::SessionEnded { over: SessionOver::Expired, .. }]));
    }

    #[test]
    fn rows_that_are_no_sessions_mean_nothing() {
        let found = consequences(&record("A#x", "ATTEMPTS", None, Some(json!({})))).unwrap();
        assert_eq!(found, Consequences::default());
    }

    #[test]
    fn an_account_tells_what_changed_and_nothing_of_its_secrets() {
        let account = |mfa: bool| {
            let mut item = json!({
                "PK": {"S": format!("U#{USER}")}, "SK": {"S": "META"}, "userId": {"S": USER}, "createdAt": {"N": "1"},
                "email": {"S": "ada@example.com"}, "password": {"S": "$argon2id$x"}, "lastUpdatedAt": {"N": "7000"},
                "status": {"S": "ACTIVE"}, "actor": {"S": "ops/ada"}
            });
            if mfa {
                item["mfaEnabledAt"] = json!({"N": "7000"});
                item["mfaSecret"] = json!({"B": "AQEBAQEBAQEBAQEBAQEBAQEBAQE="});
            }
            item
        };
        let pk = format!("U#{USER}");
        let on = consequences(&record(&pk, "META", Some(account(false)), Some(account(true)))).unwrap();
        assert_eq!(on.kinds, [Kind::MfaEnabled]);
        let detail = &on.entries[0].detail;
        assert!(
            !detail.contains("ada@") && !detail.contains("argon2") && !detail.contains("AQEBAQEBAQEBAQEBAQEBAQEBAQE")
        );
        let off = consequences(&record(&pk, "META", Some(account(true)), Some(account(false)))).unwrap();
        assert_eq!(off.kinds, [Kind::MfaDisabled]);
        assert!(off.entries[0].detail.contains(r#""actor":"ops/ada""#));
        let made = consequences(&record(&pk, "META", None, Some(account(false)))).unwrap();
        assert_eq!(made.kinds, [Kind::AccountCreated]);
        let gone = consequences(&record(&pk, "META", Some(account(false)), None)).unwrap();
        assert_eq!(gone.kinds, [Kind::AccountDeleted]);
    }

    #[test]
    fn a_trusted_device_tells_when_it_comes_and_when_it_goes() {
        let hash = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let device = json!({
            "PK": {"S": format!("U#{USER}")}, "SK": {"S": format!("D#{SID}")}, "secretHash": {"B": hash},
            "authEpoch": {"N": "1"}, "name": {"S": "laptop"}, "createdAt": {"N": "1000"}, "expiresAt": {"N": "99000"},
            "network": {"S": "192.0.2.0/24"}, "op": {"S": "x"}
        });
        let (pk, sk) = (format!("U#{USER}"), format!("D#{SID}"));
        let told = |old, new| consequences(&record(&pk, &sk, old, new)).unwrap();
        let trusted = told(None, Some(device.clone()));
        assert_eq!(trusted.kinds, [Kind::DeviceTrusted]);
        assert!(trusted.entries[0].detail.contains("192.0.2.0/24") && !trusted.entries[0].detail.contains(hash));
        let mut removed = device.clone();
        removed["removedAt"] = json!({"N": "9000"});
        removed["network"] = json!({"S": "203.0.113.0/24"});
        let told_removed = told(Some(device.clone()), Some(removed));
        assert_eq!(told_removed.kinds, [Kind::DeviceRemoved]);
        assert!(told_removed.entries[0].detail.contains("203.0.113.0/24"), "the network that removed it");
        let gone = told(Some(device), None);
        assert_eq!(gone.kinds, [Kind::DeviceRemoved], "as version 0.1.0 removed it");
        let detail: Value = serde_json::from_str(&gone.entries[0].detail).unwrap();
        assert_eq!(detail["at"], "1970-01-01T00:00:09.000Z", "the time of its record");
    }

    #[test]
    fn a_wrong_answer_to_the_second_factor_is_a_failed_authentication() {
        let child = |wrong: &[&str]| {
            let mut item = json!({
                "PK": {"S": format!("L#{SID}")}, "SK": {"S": "MFA"}, "userId": {"S": USER}, "at": {"N": "7000"}
            });
            if !wrong.is_empty() {
                item["wrong"] = json!({"BS": wrong});
            }
            item
        };
        let hash = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let record = record(&format!("L#{SID}"), "MFA", Some(child(&[])), Some(child(&[hash])));
        let found = consequences(&record).unwrap();
        assert_eq!(found.kinds, [Kind::AuthFailed]);
        assert!(found.entries[0].detail.contains("WRONG_CODE") && found.entries[0].detail.contains(SID));
    }

    #[test]
    fn poison_is_an_error_of_that_record_alone() {
        assert!(consequences(&json!({"eventID": "e"})).is_err());
        let bad = record(&format!("U#{USER}"), "S#3", None, Some(json!({"PK": {"S": "x"}})));
        assert!(consequences(&bad).is_err());
    }
}
