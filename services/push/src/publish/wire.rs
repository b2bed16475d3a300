//! The JSON of publishing (docs/websocket.md).

use holdfast_push::publish::Answer;
use serde_json::{Map, Value};

/// `POST /v1/messages` may be this long.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

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
    use holdfast_push::channel::Channel;
    use holdfast_push::ids::MessageId;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_is_answered() {
        let message_id = MessageId::from_bytes([1; 16]);
        let many = Answer { message_id, recipients: Some(2), channel: None, offset: None };
        let id = message_id.to_string();
        assert_eq!(accepted(&many, false), json!({"messageId": id, "duplicate": false, "recipients": 2}));
        let all = Answer { message_id, recipients: None, channel: Some(Channel::Broadcast), offset: Some(7) };
        let expected = json!({"messageId": id, "duplicate": true, "channel": "broadcast", "offset": 7});
        assert_eq!(accepted(&all, true), expected);
    }
}
