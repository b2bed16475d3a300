//! What Holdfast sends.

use holdfast_push::channel::{Channel, Position};
use holdfast_push::data::Data;
use holdfast_push::frame::{ServerFrame, Welcomed};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    id: String,
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    kind: &'a str,
    data: Box<RawValue>,
    #[serde(rename = "sentAt")]
    sent_at: String,
}

fn head(channel: &Channel, at: Position) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("channel".into(), channel.to_string().into());
    map.insert("epoch".into(), at.epoch.to_string().into());
    map.insert("offset".into(), at.offset.into());
    map
}

fn welcomed(w: &Welcomed) -> Value {
    let mut map = head(&w.channel, w.head);
    map.insert("recovered".into(), w.recovered.into());
    Value::Object(map)
}

/// Data as it is embedded in other JSON, verbatim.
pub fn data_to_raw(data: &Data) -> Box<RawValue> {
    // `Data` is JSON by construction; `null` stands where that should ever be untrue.
    RawValue::from_string(data.as_str().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A frame's text.
pub fn frame_to_json(frame: &ServerFrame) -> String {
    let value = match frame {
        ServerFrame::Message { id, channel, at, kind, data, sent_at } => {
            let message = Message {
                r#type: "message",
                id: id.to_string(),
                channel: channel.to_string(),
                epoch: at.map(|at| at.epoch.to_string()),
                offset: at.map(|at| at.offset),
                kind,
                data: data_to_raw(data),
                sent_at: sent_at.to_string(),
            };
            // Strings, numbers and JSON: this cannot fail.
            return serde_json::to_string(&message).unwrap_or_default();
        }
        ServerFrame::Pong(heads) => {
            let channels: Vec<_> = heads.iter().map(|(channel, at)| Value::Object(head(channel, *at))).collect();
            json!({"type": "pong", "channels": channels})
        }
        ServerFrame::Welcome { connection, channels } => {
            let channels: Vec<_> = channels.iter().map(welcomed).collect();
            json!({"type": "welcome", "connectionId": connection.as_str(), "channels": channels})
        }
        ServerFrame::Subscribed(topic, at) => {
            let mut map = head(&Channel::Topic(topic.clone()), *at);
            map.insert("type".into(), "subscribed".into());
            Value::Object(map)
        }
        ServerFrame::Unsubscribed(topic) => {
            json!({"type": "unsubscribed", "channel": Channel::Topic(topic.clone()).to_string()})
        }
        ServerFrame::Presence(users) => {
            let online: Map<_, _> = users.iter().map(|(user, online)| (user.to_string(), (*online).into())).collect();
            json!({"type": "presence", "online": online})
        }
        ServerFrame::Bye(code) => {
            json!({"type": "bye", "code": code.as_str(), "reason": code.reason(), "reconnect": code.reconnect()})
        }
        ServerFrame::Error(error) => {
            json!({"type": "error", "code": error.code.as_str(), "detail": error.detail})
        }
    };
    value.to_string()
}

#[cfg(test)]
mod tests {
    use holdfast_push::close::ByeCode;
    use holdfast_push::ids::{Epoch, MessageId};
    use holdfast_sessions::Millis;

    use super::*;

    fn value(frame: &ServerFrame) -> Value {
        serde_json::from_str(&frame_to_json(frame)).unwrap()
    }

    fn message(at: Option<Position>) -> ServerFrame {
        ServerFrame::Message {
            id: MessageId::from_bytes([1; 16]),
            channel: Channel::Broadcast,
            at,
            kind: "note".into(),
            data: Data::compact("{\"b\":12345678901234567890123,\"a\":[\"é\"]}").unwrap(),
            sent_at: Millis::new(0),
        }
    }

    #[test]
    fn a_message_carries_its_data_verbatim() {
        let at = Position { epoch: Epoch::from_bytes([7; 8]), offset: 3 };
        assert_eq!(
            frame_to_json(&message(Some(at))),
            "{\"type\":\"message\",\"id\":\"AQEBAQEBAQEBAQEBAQEBAQ\",\"channel\":\"broadcast\",\
             \"epoch\":\"BwcHBwcHBwc\",\"offset\":3,\"kind\":\"note\",\
             \"data\":{\"b\":12345678901234567890123,\"a\":[\"é\"]},\"sentAt\":\"1970-01-01T00:00:00.000Z\"}"
        );
    }

    #[test]
    fn an_ephemeral_message_is_nowhere() {
        let text = frame_to_json(&message(None));
        assert!(!text.contains("epoch") && !text.contains("offset"), "{text}");
    }

    #[test]
    fn a_bye_says_whether_to_come_back() {
        let bye = value(&ServerFrame::Bye(ByeCode::SessionEnded));
        assert_eq!(
            (&bye["type"], &bye["code"], &bye["reconnect"]),
            (&json!("bye"), &json!("SESSION_ENDED"), &json!(false))
        );
    }

    #[test]
    fn a_welcome_names_each_channel_and_whether_it_is_whole() {
        let head = Position { epoch: Epoch::from_bytes([7; 8]), offset: 2 };
        let frame = ServerFrame::Welcome {
            connection: "c=".parse().unwrap(),
            channels: vec![Welcomed { channel: Channel::Broadcast, head, recovered: true }],
        };
        assert_eq!(
            value(&frame),
            json!({"type": "welcome", "connectionId": "c=", "channels":
                [{"channel": "broadcast", "epoch": "BwcHBwcHBwc", "offset": 2, "recovered": true}]})
        );
    }
}
