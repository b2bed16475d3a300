//! A publish, as `POST /v1/messages` takes it and as other services may put it into the queue themselves:
//! `{"v":1,"kind":"publish","publish":{…the body of POST /v1/messages…}}`.

use holdfast_push::ids::MessageId;
use holdfast_push::publish::{Body, Publish, Queued, Target};
use holdfast_sessions::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Unreadable, VERSION};

/// The body of a publish. Unknown and repeated fields are refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PublishBody {
    to: To,
    kind: String,
    // Kept as text: a number that no float can hold stays what it is.
    data: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<i64>,
    #[serde(default)]
    ephemeral: bool,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct To {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_ids: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broadcast: Option<bool>,
}

impl From<PublishBody> for Body {
    fn from(body: PublishBody) -> Self {
        Self {
            user_ids: body.to.user_ids,
            topic: body.to.topic,
            broadcast: body.to.broadcast,
            kind: body.kind,
            data: body.data.get().to_owned(),
            idempotency_key: body.idempotency_key,
            ttl_seconds: body.ttl_seconds,
            ephemeral: body.ephemeral,
        }
    }
}

impl From<&Publish> for PublishBody {
    fn from(publish: &Publish) -> Self {
        let to = match &publish.target {
            Target::Users(users) => {
                To { user_ids: Some(users.iter().map(ToString::to_string).collect()), ..To::default() }
            }
            Target::Topic(topic) => To { topic: Some(topic.as_str().to_owned()), ..To::default() },
            Target::Broadcast => To { broadcast: Some(true), ..To::default() },
        };
        // `Data` is JSON by construction.
        let data = RawValue::from_string(publish.data.as_str().to_owned());
        Self {
            to,
            kind: publish.kind.clone(),
            data: data.unwrap_or_else(|_| RawValue::NULL.to_owned()),
            idempotency_key: publish.idempotency_key.clone(),
            ttl_seconds: publish.ttl_seconds,
            ephemeral: publish.ephemeral,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    v: u32,
    kind: Kind,
    publish: PublishBody,
    /// Set when Holdfast hands a publish in again; producers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Again>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Again {
    publisher: String,
    message_id: String,
    sent_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Publish,
}

/// The origin in the record of a publish.
#[derive(Clone, Copy, Debug)]
pub struct MessageOrigin<'a> {
    /// SQS's id of the record.
    pub record: &'a str,
    /// The `SenderId` of SQS.
    pub sender: &'a str,
    /// The `SentTimestamp` of SQS.
    pub sent_at: Millis,
}

/// A publish for the queue, with what must not change when it is handed in again.
pub fn queued_to_json(queued: &Queued) -> String {
    let again =
        Again { publisher: queued.publisher.clone(), message_id: queued.id.to_string(), sent_at: queued.sent_at.get() };
    let envelope = Envelope { v: VERSION, kind: Kind::Publish, publish: (&queued.publish).into(), again: Some(again) };
    // Strings, numbers and JSON: this cannot fail, and an empty body would be refused by its reader.
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// Reads a publish from the queue. Its missing fields come from its record. `None` if the body is no
/// publish.
pub fn publish_from_json(body: &str, handed: MessageOrigin<'_>) -> Option<Result<Queued, Unreadable>> {
    #[derive(Deserialize)]
    struct Peek {
        kind: String,
    }
    let peek: Peek = serde_json::from_str(body).ok()?;
    (peek.kind == "publish").then(|| read(body, handed))
}

fn read(body: &str, handed: MessageOrigin<'_>) -> Result<Queued, Unreadable> {
    let envelope: Envelope = serde_json::from_str(body).map_err(|_| Unreadable("not a publish"))?;
    if envelope.v != VERSION {
        return Err(Unreadable("of another version"));
    }
    let publish = Publish::read(envelope.publish.into()).map_err(|_| Unreadable("a publish that would be refused"))?;
    Ok(match envelope.again {
        None => Queued {
            publish,
            publisher: Queued::publisher_of(handed.sender),
            id: Queued::id_of(handed.record),
            sent_at: handed.sent_at,
        },
        Some(again) => Queued {
            publish,
            publisher: again.publisher,
            id: again.message_id.parse::<MessageId>().map_err(|_| Unreadable("an identifier is malformed"))?,
            sent_at: Millis::new(again.sent_at),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDED: MessageOrigin<'static> = MessageOrigin { record: "m1", sender: "AROA:i-1", sent_at: Millis::new(7) };

    fn body(text: &str) -> Result<Body, String> {
        serde_json::from_str::<PublishBody>(text).map(Body::from).map_err(|e| e.to_string())
    }

    #[test]
    fn data_comes_through_as_text() {
        let read = |data: &str| {
            body(&format!("{{\"to\":{{\"broadcast\":true}},\"kind\":\"n\",\"data\":{data}}}")).unwrap().data
        };
        assert_eq!(read("{ \"n\": 1e400 }"), "{ \"n\": 1e400 }");
        assert_eq!(read("null"), "null");
    }

    #[test]
    fn unknown_and_repeated_fields_are_refused() {
        for bad in [
            "{\"to\":{\"broadcast\":true},\"kind\":\"n\",\"data\":1,\"x\":1}",
            "{\"to\":{\"broadcast\":true,\"x\":1},\"kind\":\"n\",\"data\":1}",
            "{\"to\":{\"broadcast\":true},\"kind\":\"n\",\"kind\":\"m\",\"data\":1}",
            "{\"to\":{\"broadcast\":true},\"kind\":\"n\"}",
            "{\"kind\":\"n\",\"data\":1}",
        ] {
            assert!(body(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_producers_message_takes_its_name_from_its_record() {
        let text =
            "{\"v\":1,\"kind\":\"publish\",\"publish\":{\"to\":{\"topic\":\"a.b\"},\"kind\":\"n\",\"data\":{\"x\":1}}}";
        let queued = publish_from_json(text, HANDED).unwrap().unwrap();
        assert_eq!((queued.id, queued.sent_at), (Queued::id_of("m1"), Millis::new(7)));
        assert_eq!(queued.publisher, "sqs:AROA");
        let other = MessageOrigin { record: "m2", sender: "x", sent_at: Millis::new(9) };
        let again = publish_from_json(&queued_to_json(&queued), other).unwrap();
        assert_eq!(again, Ok(queued), "handed in again, it keeps its name");
    }

    #[test]
    fn a_publish_that_is_handed_in_again_keeps_its_target() {
        let users = format!("{{\"userIds\":[\"{}\"]}}", holdfast_sessions::UserId::from_bytes([1; 16]));
        for to in [users.as_str(), "{\"topic\":\"a.b\"}", "{\"broadcast\":true}"] {
            let text =
                format!("{{\"v\":1,\"kind\":\"publish\",\"publish\":{{\"to\":{to},\"kind\":\"n\",\"data\":1}}}}");
            let queued = publish_from_json(&text, HANDED).unwrap().unwrap();
            assert_eq!(publish_from_json(&queued_to_json(&queued), HANDED), Some(Ok(queued)), "{to}");
        }
    }

    #[test]
    fn what_the_door_would_refuse_the_queue_refuses_too() {
        let of = |publish: &str, v: u32| {
            publish_from_json(&format!("{{\"v\":{v},\"kind\":\"publish\",\"publish\":{publish}}}"), HANDED)
        };
        let good = "{\"to\":{\"broadcast\":true},\"kind\":\"n\",\"data\":1}";
        assert!(of(good, 1).unwrap().is_ok());
        assert!(of(good, 2).unwrap().is_err());
        assert!(of("{\"to\":{},\"kind\":\"n\",\"data\":1}", 1).unwrap().is_err());
        assert!(of("{\"to\":{\"broadcast\":true},\"kind\":\"\",\"data\":1}", 1).unwrap().is_err());
        assert!(publish_from_json("{\"v\":1,\"kind\":\"users\"}", HANDED).is_none());
        assert!(publish_from_json("nonsense", HANDED).is_none());
    }
}
