//! The events that subscribers of the event bus receive (docs/api.md).

use serde::Deserialize;

/// An event, at least once: `id` tells repetitions apart, `seq` orders the events of one session or one sign-in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The event's id, which is the same for every delivery.
    pub id: String,
    /// The order of the event, compared as text.
    pub seq: String,
    /// The type, such as `SESSION_CREATED`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The time of the event, RFC 3339.
    pub at: String,
    /// The user of the event, if known.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The session of the event.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The sign-in of the event.
    #[serde(default)]
    pub login_session_id: Option<String>,
    /// The reason of the event.
    #[serde(default)]
    pub reason: Option<String>,
    /// The name its user knows the device by.
    #[serde(default)]
    pub device: Option<String>,
    /// Network of the client, /24 or /48.
    #[serde(default)]
    pub network: Option<String>,
    /// The operator who did it: role and session name.
    #[serde(default)]
    pub actor: Option<String>,
}

/// What EventBridge puts around it.
#[derive(Deserialize)]
pub(crate) struct Envelope {
    pub(crate) detail: Event,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_read_out_of_its_envelope() {
        let envelope = json!({
            "version": "0", "id": "x", "source": "holdfast.auth", "detail-type": "AUTH_FAILED", "region": "r",
            "detail": {"id": "e-0", "seq": "12-0", "type": "AUTH_FAILED", "at": "2026-01-01T00:00:00.000Z",
                       "loginSessionId": "l", "reason": "WRONG_CODE"}
        });
        let event = serde_json::from_value::<Envelope>(envelope).unwrap().detail;
        assert_eq!((event.kind.as_str(), event.reason.as_deref()), ("AUTH_FAILED", Some("WRONG_CODE")));
        assert_eq!((event.user_id, event.login_session_id.as_deref()), (None, Some("l")));
        assert!(serde_json::from_value::<Envelope>(json!({"detail": {"id": "e"}})).is_err());
    }
}
