//! The frames of clients. Each is an object with the members of its action and no others. Any other frame is
//! answered with the correct form.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::{ClientFrame, ErrorCode, FrameError, MAX_PRESENCE, Mark};
use holdfast_push::socket::{MAX_FRAME_BYTES, MAX_TOPICS};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Channels one `hello` may name: every topic a socket may have, the user's own, and broadcast.
const MAX_CHANNELS: usize = MAX_TOPICS + 2;
/// Up to here every whole number has a floating-point number of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A JSON object, and nothing else: `serde` would read a structure from an array of its members, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

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
    channels: Vec<Object<WireMark>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMark {
    channel: String,
    // An epoch is text, whatever text: one that is none, like one of before, is answered with `recovered:false`.
    #[serde(default)]
    epoch: Option<String>,
    // Any JSON, as it is written: what is no offset is answered with `recovered:false`, also what no number type can hold.
    #[serde(default)]
    offset: Option<Box<RawValue>>,
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
    let read: Result<Object<T>, _> = serde_json::from_str(text);
    read.map(|Object(frame)| frame).map_err(|_| invalid(format!("Expected {form}, each member once and no others.")))
}

/// Reads a frame, or says what is wrong with it.
pub fn frame_from_json(text: &str) -> Result<ClientFrame, FrameError> {
    if text.len() > MAX_FRAME_BYTES {
        let detail = format!("The frame has {} bytes; {MAX_FRAME_BYTES} are accepted.", text.len());
        return Err(FrameError::new(ErrorCode::TooLarge, detail));
    }
    let Object(Action { action }) =
        serde_json::from_str(text).map_err(|_| invalid("A frame is a JSON object with one `action`, a string."))?;
    match action.as_str() {
        "ping" => read::<Ping>(text, "{\"action\":\"ping\"}").map(|_| ClientFrame::Ping),
        "keepalive" => read::<Ping>(text, "{\"action\":\"keepalive\"}").map(|_| ClientFrame::KeepAlive),
        "hello" => hello(text).map(ClientFrame::Hello),
        "subscribe" => topic(text, "subscribe").map(ClientFrame::Subscribe),
        "unsubscribe" => topic(text, "unsubscribe").map(ClientFrame::Unsubscribe),
        "presence" => presence(text).map(ClientFrame::Presence),
        _ => Err(FrameError::new(
            ErrorCode::UnknownAction,
            "Known actions: ping, keepalive, hello, subscribe, unsubscribe, presence.",
        )),
    }
}

fn hello(text: &str) -> Result<Vec<Mark>, FrameError> {
    let form =
        "{\"action\":\"hello\",\"channels\":[{\"channel\",\"epoch\",\"offset\"}]} with texts as `channel` and `epoch`";
    let hello: Hello = read(text, form)?;
    if hello.channels.len() > MAX_CHANNELS {
        return Err(invalid(format!(
            "At most {MAX_CHANNELS} channels: {MAX_TOPICS} topics, one's own, and `broadcast`."
        )));
    }
    let mut seen = BTreeSet::new();
    let mut marks = Vec::new();
    for Object(wire) in hello.channels {
        let mark = mark(wire)?;
        if !seen.insert(mark.channel.clone()) {
            return Err(invalid(format!("`{}` stands twice in `channels`: which mark counts?", mark.channel)));
        }
        marks.push(mark);
    }
    Ok(marks)
}

fn presence(text: &str) -> Result<Vec<holdfast_sessions::UserId>, FrameError> {
    let presence: Presence = read(text, "{\"action\":\"presence\",\"userIds\":[…]}")?;
    if presence.user_ids.len() > MAX_PRESENCE {
        return Err(invalid(format!("At most {MAX_PRESENCE} users.")));
    }
    let users = presence.user_ids.iter().map(|id| id.parse());
    users.collect::<Result<_, _>>().map_err(|_| invalid("`userIds` holds what is not a user id."))
}

fn topic(text: &str, action: &str) -> Result<holdfast_push::Topic, FrameError> {
    let frame: OfTopic = read(text, &format!("{{\"action\":\"{action}\",\"topic\":\"…\"}}"))?;
    frame.topic.parse().map_err(|_| invalid("`topic` must have 1 to 128 of A-Z a-z 0-9 . _ : -"))
}

fn mark(wire: WireMark) -> Result<Mark, FrameError> {
    let channel: Channel =
        wire.channel.parse().map_err(|_| invalid("A channel is `user:<userId>`, `topic:<name>` or `broadcast`."))?;
    let epoch = wire.epoch.and_then(|text| text.parse().ok());
    let offset = wire.offset.and_then(|json| offset(json.get()));
    Ok(Mark { channel, at: epoch.zip(offset).map(|(epoch, offset)| Position { epoch, offset }) })
}

/// A whole number, however it is written: a client whose numbers are all floating-point may say `20.0`, or `2e1`.
fn offset(json: &str) -> Option<u64> {
    serde_json::from_str::<u64>(json).ok().or_else(|| {
        let number = serde_json::from_str::<f64>(json).ok()?;
        let is_whole = number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&number);
        is_whole.then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> ErrorCode {
        match frame_from_json(text) {
            Err(error) => error.code,
            Ok(frame) => panic!("{text} was read as {frame:?}"),
        }
    }

    fn marks(channels: &str) -> String {
        format!("{{\"action\":\"hello\",\"channels\":{channels}}}")
    }

    #[test]
    fn every_action_is_read() {
        assert_eq!(frame_from_json(" {\"action\":\"ping\"}\n"), Ok(ClientFrame::Ping));
        assert_eq!(frame_from_json("{\"action\":\"keepalive\"}"), Ok(ClientFrame::KeepAlive));
        let topic = "a.b".parse().unwrap();
        assert_eq!(frame_from_json("{\"action\":\"subscribe\",\"topic\":\"a.b\"}"), Ok(ClientFrame::Subscribe(topic)));
        assert_eq!(frame_from_json("{\"action\":\"hello\"}"), Ok(ClientFrame::Hello(vec![])));
        assert_eq!(frame_from_json("{\"action\":\"presence\",\"userIds\":[]}"), Ok(ClientFrame::Presence(vec![])));
    }

    fn mark(epoch: &str, offset: &str) -> Option<u64> {
        let text = marks(&format!("[{{\"channel\":\"broadcast\",\"epoch\":{epoch},\"offset\":{offset}}}]"));
        match frame_from_json(&text) {
            Ok(ClientFrame::Hello(marks)) => marks[0].at.map(|at| at.offset),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_whole_number_is_an_offset_however_it_is_written() {
        let epoch = "\"BwcHBwcHBwc\"";
        for (offset, read) in [
            ("20", 20),
            ("20.0", 20),
            ("2e1", 20),
            ("200E-1", 20),
            ("0.0", 0),
            ("-0", 0),
            ("9007199254740992.0", 1 << 53),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(mark(epoch, offset), Some(read), "{offset}");
        }
    }

    #[test]
    fn a_mark_that_is_no_place_is_no_mark_and_no_error() {
        let epoch = "\"BwcHBwcHBwc\"";
        for (epoch, offset) in
            [("null", "3"), ("\"x\"", "3"), ("\"\"", "3"), (epoch, "1e400"), (epoch, "18446744073709551616")]
        {
            assert_eq!(mark(epoch, offset), None, "{epoch} {offset}");
        }
        for offset in ["1.5", "-1", "null", "\"3\"", "true", "[3]", "{\"a\":3}", "1e19"] {
            assert_eq!(mark(epoch, offset), None, "{offset}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(2_000), close.repeat(2_000));
        for bad in [
            "",
            " \t\r\n",
            "\u{feff}{\"action\":\"ping\"}",
            "nonsense",
            "AQID",
            "\u{fffd}\u{0}",
            "null",
            "true",
            "1",
            "1e400",
            "\"ping\"",
            "[]",
            "[\"ping\"]",
            "[\"subscribe\",\"a\"]",
            "[{\"action\":\"ping\"}]",
            "{}",
            "{\"action\":1}",
            "{\"action\":null}",
            "{\"action\":[\"ping\"]}",
            "{\"action\":{\"action\":\"ping\"}}",
            "{\"action\":\"\\ud800\"}",
            "{\"Action\":\"ping\"}",
            "{\"action\":\"ping\"} {\"action\":\"ping\"}",
            "{\"action\":\"ping\"",
            "{\"action\":\"ping\",}",
            "{'action':'ping'}",
            "{\"action\":\"ping\",\"x\":1}",
            "{\"action\":\"ping\",\"action\":\"ping\"}",
            "{\"action\":\"ping\",\"\\u0061ction\":\"ping\"}",
            "{\"action\":\"subscribe\"}",
            "{\"action\":\"subscribe\",\"topic\":\"a#b\"}",
            "{\"action\":\"subscribe\",\"topic\":\"\"}",
            "{\"action\":\"subscribe\",\"topic\":[\"a\"]}",
            "{\"action\":\"subscribe\",\"topic\":\"a\",\"topic\":\"a\"}",
            "{\"action\":\"unsubscribe\",\"topic\":null}",
            "{\"action\":\"presence\"}",
            "{\"action\":\"presence\",\"userIds\":\"x\"}",
            "{\"action\":\"presence\",\"userIds\":[\"x\"]}",
            "{\"action\":\"presence\",\"userIds\":[1]}",
            &deep("[", "]"),
            &deep("{\"action\":", "}"),
            &format!("{{\"action\":\"ping\",\"x\":{}}}", deep("[", "]")),
        ] {
            assert_eq!(refused(bad), ErrorCode::InvalidFrame, "{bad:.200}");
        }
        for action in ["dance", "", "PING", " ping", "$connect", "$disconnect", "$default"] {
            assert_eq!(refused(&format!("{{\"action\":\"{action}\"}}")), ErrorCode::UnknownAction, "{action}");
        }
        let long = format!("{{\"action\":\"ping\",\"x\":\"{}\"}}", "x".repeat(MAX_FRAME_BYTES));
        assert_eq!(refused(&long), ErrorCode::TooLarge);
    }

    #[test]
    fn the_channels_of_a_hello_are_an_array_of_known_ones_each_once() {
        let entry = "{\"channel\":\"broadcast\"}";
        for bad in [
            "null".to_owned(),
            "{}".to_owned(),
            "\"broadcast\"".to_owned(),
            "[\"broadcast\"]".to_owned(),
            "[[\"broadcast\",\"BwcHBwcHBwc\",3]]".to_owned(),
            "[null]".to_owned(),
            "[{}]".to_owned(),
            "[{\"channel\":null}]".to_owned(),
            "[{\"channel\":\"user:x\"}]".to_owned(),
            "[{\"channel\":\"topic:\"}]".to_owned(),
            "[{\"channel\":\"Broadcast\"}]".to_owned(),
            "[{\"channel\":\"broadcast\",\"epoch\":7}]".to_owned(),
            "[{\"channel\":\"broadcast\",\"epoch\":[\"BwcHBwcHBwc\"]}]".to_owned(),
            "[{\"channel\":\"broadcast\",\"ofset\":7}]".to_owned(),
            "[{\"channel\":\"broadcast\",\"offset\":7,\"offset\":8}]".to_owned(),
            format!("[{entry},{entry}]"),
            format!("[{{\"channel\":\"topic:a\"}},{entry},{{\"channel\":\"topic:a\",\"offset\":1}}]"),
        ] {
            assert_eq!(refused(&marks(&bad)), ErrorCode::InvalidFrame, "{bad}");
        }
        let many = |n: usize| {
            let entries: Vec<_> = (0..n).map(|n| format!("{{\"channel\":\"topic:{n}\"}}")).collect();
            marks(&format!("[{}]", entries.join(",")))
        };
        // Every topic of a socket, the user's own channel, and broadcast.
        assert!(frame_from_json(&many(102)).is_ok());
        assert_eq!(refused(&many(103)), ErrorCode::InvalidFrame);
    }

    #[test]
    fn a_frame_may_have_every_byte_that_is_accepted_and_no_more() {
        let padded = |bytes: usize| format!("{:bytes$}", "{\"action\":\"ping\"}");
        assert_eq!(frame_from_json(&padded(MAX_FRAME_BYTES)), Ok(ClientFrame::Ping));
        assert_eq!(refused(&padded(MAX_FRAME_BYTES + 1)), ErrorCode::TooLarge);
    }

    #[test]
    fn one_presence_asks_about_a_hundred_users_at_most() {
        let ask = |n: usize| {
            let ids: Vec<_> =
                (0..n).map(|_| format!("\"{}\"", holdfast_sessions::UserId::from_bytes([1; 16]))).collect();
            format!("{{\"action\":\"presence\",\"userIds\":[{}]}}", ids.join(","))
        };
        assert!(frame_from_json(&ask(MAX_PRESENCE)).is_ok());
        assert_eq!(refused(&ask(MAX_PRESENCE + 1)), ErrorCode::InvalidFrame);
    }
}
