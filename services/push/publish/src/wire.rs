//! The JSON of publishing (contract §3).

use holdfast_push::publish::{Answer, Body};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// `POST /v1/messages` may be this long.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PublishBody {
    to: To,
    kind: String,
    // Kept as text: a number that no float can hold stays what it is.
    data: Box<RawValue>,
    idempotency_key: Option<String>,
    ttl_seconds: Option<i64>,
    #[serde(default)]
    ephemeral: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct To {
    user_ids: Option<Vec<String>>,
    topic: Option<String>,
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

/// The 202.
pub(crate) fn accepted(answer: &Answer, duplicate: bool) -> Value {
    let mut body = Map::new();
    body.insert("messageId".into(), answer.message_id.to_string().into());
    body.insert("duplicate".into(), duplicate.into());
    if let Some(recipients) = answer.recipients {
        body.insert("recipients".into(), recipients.into());
    }
    if let Some(channel) = &answer.channel {
        body.insert("channel".into(), channel.to_string().into());
    }
    if let Some(offset) = answer.offset {
        body.insert("offset".into(), offset.into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Body, String> {
        serde_json::from_str::<PublishBody>(text).map(Body::from).map_err(|e| e.to_string())
    }

    #[test]
    fn data_comes_through_as_text() {
        let body = read("{\"to\":{\"broadcast\":true},\"kind\":\"n\",\"data\":{ \"n\": 1e400 }}").unwrap();
        assert_eq!(body.data, "{ \"n\": 1e400 }");
        let body = read("{\"to\":{\"broadcast\":true},\"kind\":\"n\",\"data\":null}").unwrap();
        assert_eq!(body.data, "null");
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
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
