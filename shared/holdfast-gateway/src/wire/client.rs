//! What clients send.

use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::{ClientFrame, ErrorCode, FrameError, MAX_PRESENCE, Mark};
use holdfast_push::socket::{MAX_FRAME_BYTES, MAX_TOPICS};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Channels one `hello` may name: every topic a socket may have, the user's own, and broadcast.
const MAX_CHANNELS: usize = MAX_TOPICS + 2;

#[derive(Deserialize)]
struct Action {
    action: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ping {
    #[serde(rename = "action")]
    _action: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default)]
    channels: Vec<WireMark>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMark {
    channel: String,
    // Whatever a client kept of a mark: what is no place in a channel is answered with `recovered:false`, not refused.
    #[serde(default)]
    epoch: Value,
    #[serde(default)]
    offset: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTopic {
    #[serde(rename = "action")]
    _action: String,
    topic: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Presence {
    #[serde(rename = "action")]
    _action: String,
    user_ids: Vec<String>,
}

fn invalid(detail: impl Into<String>) -> FrameError {
    FrameError::new(ErrorCode::InvalidFrame, detail)
}

fn read<T: DeserializeOwned>(text: &str, form: &str) -> Result<T, FrameError> {
    serde_json::from_str(text).map_err(|_| invalid(format!("Expected {form}")))
}

/// Reads a frame, or says what is wrong with it.
pub fn frame_from_json(text: &str) -> Result<ClientFrame, FrameError> {
    if text.len() > MAX_FRAME_BYTES {
        let detail = format!("The frame has {} bytes; {MAX_FRAME_BYTES} are accepted.", text.len());
        return Err(FrameError::new(ErrorCode::TooLarge, detail));
    }
    let Action { action } =
        serde_json::from_str(text).map_err(|_| invalid("A frame is a JSON object with a string `action`."))?;
    match action.as_str() {
        "ping" => read::<Ping>(text, "{\"action\":\"ping\"}").map(|_| ClientFrame::Ping),
        "hello" => {
            let form = "{\"action\":\"hello\",\"channels\":[{\"channel\",\"epoch\",\"offset\"}]}";
            let hello: Hello = read(text, form)?;
            if hello.channels.len() > MAX_CHANNELS {
                return Err(invalid(format!("At most {MAX_CHANNELS} channels.")));
            }
            hello.channels.into_iter().map(mark).collect::<Result<_, _>>().map(ClientFrame::Hello)
        }
        "subscribe" => topic(text, "subscribe").map(ClientFrame::Subscribe),
        "unsubscribe" => topic(text, "unsubscribe").map(ClientFrame::Unsubscribe),
        "presence" => {
            let presence: Presence = read(text, "{\"action\":\"presence\",\"userIds\":[…]}")?;
            if presence.user_ids.len() > MAX_PRESENCE {
                return Err(invalid(format!("At most {MAX_PRESENCE} users.")));
            }
            let users = presence.user_ids.iter().map(|id| id.parse());
            users
                .collect::<Result<_, _>>()
                .map(ClientFrame::Presence)
                .map_err(|_| invalid("`userIds` holds what is not a user id."))
        }
        _ => Err(FrameError::new(
            ErrorCode::UnknownAction,
            "Known actions: ping, hello, subscribe, unsubscribe, presence.",
        )),
    }
}

fn topic(text: &str, action: &str) -> Result<holdfast_push::Topic, FrameError> {
    let frame: OfTopic = read(text, &format!("{{\"action\":\"{action}\",\"topic\":\"…\"}}"))?;
    frame.topic.parse().map_err(|_| invalid("`topic` must have 1 to 128 of A-Z a-z 0-9 . _ : -"))
}

fn mark(wire: WireMark) -> Result<Mark, FrameError> {
    let channel: Channel =
        wire.channel.parse().map_err(|_| invalid("A channel is `user:<userId>`, `topic:<name>` or `broadcast`."))?;
    let epoch = wire.epoch.as_str().and_then(|text| text.parse().ok());
    let at = epoch.zip(wire.offset.as_u64()).map(|(epoch, offset)| Position { epoch, offset });
    Ok(Mark { channel, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> ErrorCode {
        frame_from_json(text).unwrap_err().code
    }

    #[test]
    fn every_action_is_read() {
        assert_eq!(frame_from_json("{\"action\":\"ping\"}"), Ok(ClientFrame::Ping));
        let topic = "a.b".parse().unwrap();
        assert_eq!(frame_from_json("{\"action\":\"subscribe\",\"topic\":\"a.b\"}"), Ok(ClientFrame::Subscribe(topic)));
        assert_eq!(frame_from_json("{\"action\":\"hello\"}"), Ok(ClientFrame::Hello(vec![])));
        assert_eq!(frame_from_json("{\"action\":\"presence\",\"userIds\":[]}"), Ok(ClientFrame::Presence(vec![])));
    }

    #[test]
    fn a_mark_that_is_no_place_is_no_mark_and_no_error() {
        let mark = |epoch: &str, offset: &str| {
            let text = format!(
                "{{\"action\":\"hello\",\"channels\":[{{\"channel\":\"broadcast\",\"epoch\":{epoch},\"offset\":{offset}}}]}}"
            );
            match frame_from_json(&text).unwrap() {
                ClientFrame::Hello(marks) => marks[0].at,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(mark("\"BwcHBwcHBwc\"", "3").unwrap().offset, 3);
        for (epoch, offset) in [("null", "3"), ("\"x\"", "3"), ("\"BwcHBwcHBwc\"", "1.5"), ("\"BwcHBwcHBwc\"", "-1")] {
            assert_eq!(mark(epoch, offset), None, "{epoch} {offset}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        for bad in [
            "",
            "nonsense",
            "[]",
            "1",
            "{}",
            "{\"action\":1}",
            "{\"action\":\"ping\",\"x\":1}",
            "{\"action\":\"subscribe\"}",
        ] {
            assert_eq!(refused(bad), ErrorCode::InvalidFrame, "{bad}");
        }
        assert_eq!(refused("{\"action\":\"dance\"}"), ErrorCode::UnknownAction);
        assert_eq!(refused("{\"action\":\"subscribe\",\"topic\":\"a#b\"}"), ErrorCode::InvalidFrame);
        let long = format!("{{\"action\":\"ping\",\"x\":\"{}\"}}", "x".repeat(MAX_FRAME_BYTES));
        assert_eq!(refused(&long), ErrorCode::TooLarge);
    }
}
