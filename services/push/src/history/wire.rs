//! The JSON of history (docs/api.md). Each message has the form of its frame.

use holdfast_domain::Millis;
use holdfast_gateway::wire::frame_to_json;
use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::ServerFrame;
use holdfast_push::message::Recorded;

/// `{epoch, messages, recovered}`, as text: what publishers sent stays as they sent it.
pub(crate) fn page(channel: &Channel, head: Position, messages: Option<&[Recorded]>, now: Millis) -> String {
    let frames: Vec<String> = messages
        .unwrap_or_default()
        .iter()
        .map(|recorded| frame_to_json(&ServerFrame::recovered(channel, recorded, now)))
        .collect();
    // An epoch is base64url: nothing in it needs escaping.
    format!("{{\"epoch\":\"{}\",\"messages\":[{}],\"recovered\":{}}}", head.epoch, frames.join(","), messages.is_some())
}

/// The page of a channel that does not exist yet.
pub(crate) fn nothing(recovered: bool) -> String {
    format!("{{\"epoch\":null,\"messages\":[],\"recovered\":{recovered}}}")
}

#[cfg(test)]
mod tests {
    use holdfast_push::data::Data;
    use holdfast_push::ids::{Epoch, MessageId};
    use holdfast_push::message::Message;

    use super::*;

    #[test]
    fn a_page_is_json_and_keeps_what_was_sent() {
        let head = Position { epoch: Epoch::from_bytes([7; 8]), offset: 1 };
        let message = Message {
            id: MessageId::from_bytes([1; 16]),
            kind: "n".into(),
            data: Data::compact("12345678901234567890123").unwrap(),
            sent_at: Millis::new(0),
            expires_at: Millis::new(10),
            ephemeral: false,
        };
        let recorded = [Recorded { at: head, message }];
        let text = page(&Channel::Broadcast, head, Some(&recorded), Millis::new(1));
        assert!(text.contains("\"data\":12345678901234567890123"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["recovered"], true);
        assert_eq!(value["messages"][0]["offset"], 1);
        let expired = page(&Channel::Broadcast, head, Some(&recorded), Millis::new(10));
        assert!(expired.contains("\"kind\":\"expired\",\"data\":null"), "{expired}");
        let lost = page(&Channel::Broadcast, head, None, Millis::new(1));
        assert!(lost.ends_with("\"messages\":[],\"recovered\":false}"), "{lost}");
    }
}
