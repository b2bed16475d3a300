//! An alert is a message like any other, of kind `security.alert`, through the push queue. Its idempotency key is the
//! event's id: delivered twice, it is sent once.

use holdfast_runtime::events::Event;
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{DeviceSeen, SeenDevices, StoreError};
use holdfast_wiring::{LiveActivity, LiveQueue};
use serde_json::{Value, json};

use crate::TextQueue;

/// What clients branch on.
const KIND: &str = "security.alert";

/// The dependencies of `events-security-alerts`.
pub struct Deps<D, Q> {
    pub(crate) devices: D,
    pub(crate) push: Q,
}

impl Deps<LiveActivity, LiveQueue> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = holdfast_wiring::sdk(env);
        let push = holdfast_wiring::queue(env, &sdk, "PUSH_QUEUE_URL")?;
        Ok(Self { devices: holdfast_wiring::activity_table(env, &sdk)?, push })
    }
}

/// Which alert an event is, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alert {
    /// The password was right, the second factor wrong.
    FailedSecondFactor,
    /// A refresh token was used twice, so an attacker may have a copy.
    TokenReused,
    /// Password or second factor changed.
    CredentialsChanged,
    /// Perhaps a device the user does not know.
    SignIn,
}

fn alert(event: &Event) -> Option<Alert> {
    match event.kind.as_str() {
        "AUTH_FAILED" if event.reason.as_deref() == Some("WRONG_CODE") => Some(Alert::FailedSecondFactor),
        "TOKEN_REUSED" => Some(Alert::TokenReused),
        "PASSWORD_CHANGED" | "MFA_ENABLED" | "MFA_DISABLED" => Some(Alert::CredentialsChanged),
        "SESSION_CREATED" => Some(Alert::SignIn),
        _ => None,
    }
}

fn message(event: &Event, user: UserId, what: &str, ephemeral: bool) -> Value {
    json!({"v": 1, "kind": "publish", "publish": {
        "to": {"userIds": [user.to_string()]},
        "kind": KIND,
        "data": {"alert": what, "at": event.at, "sessionId": event.session_id, "device": event.device},
        "idempotencyKey": format!("alert-{}", event.id),
        "ephemeral": ephemeral,
    }})
}

/// Handles one event.
pub async fn handle<D: SeenDevices, Q: TextQueue>(deps: &Deps<D, Q>, event: Event) -> Result<(), StoreError> {
    let user = event.user_id.as_deref().and_then(|id| id.parse::<UserId>().ok());
    let (Some(alert), Some(user)) = (alert(&event), user) else { return Ok(()) };
    let message = match alert {
        Alert::SignIn => {
            let name = event.device.as_deref().unwrap_or_default();
            if deps.devices.device(&user.to_string(), name).await? != DeviceSeen::New {
                return Ok(());
            }
            // For those who are there now: who looks later sees the device in the list of sessions.
            message(&event, user, "NEW_DEVICE", true)
        }
        Alert::FailedSecondFactor => message(&event, user, "FAILED_SECOND_FACTOR", false),
        Alert::TokenReused | Alert::CredentialsChanged => message(&event, user, &event.kind, false),
    };
    deps.push.send(message.to_string()).await?;
    metrics::count("SecurityAlertSent");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_push_wiring::wire::{MessageOrigin, publish_from_json};
    use holdfast_sessions::Millis;

    fn event(kind: &str, reason: Option<&str>) -> Event {
        Event {
            id: "e1-0".into(),
            seq: "1".into(),
            kind: kind.into(),
            at: "2026-01-01T00:00:00.000Z".into(),
            user_id: None,
            session_id: None,
            login_session_id: None,
            reason: reason.map(str::to_owned),
            device: Some("laptop".into()),
            network: None,
            actor: None,
        }
    }

    #[test]
    fn only_what_a_user_should_know_is_an_alert() {
        assert_eq!(alert(&event("AUTH_FAILED", Some("WRONG_CODE"))), Some(Alert::FailedSecondFactor));
        assert_eq!(alert(&event("AUTH_FAILED", Some("WRONG_PASSWORD"))), None, "anybody can cause these");
        assert_eq!(alert(&event("TOKEN_REUSED", None)), Some(Alert::TokenReused));
        assert_eq!(alert(&event("PASSWORD_CHANGED", None)), Some(Alert::CredentialsChanged));
        assert_eq!(alert(&event("SESSION_CREATED", None)), Some(Alert::SignIn));
        assert_eq!(alert(&event("SESSION_REVOKED", None)), None);
    }

    #[test]
    fn an_alert_is_a_message_that_the_push_queue_takes() {
        let message = message(&event("TOKEN_REUSED", None), UserId::from_bytes([1; 16]), "TOKEN_REUSED", false);
        let handed = MessageOrigin { record: "r", sender: "s", sent_at: Millis::new(1) };
        assert!(matches!(publish_from_json(&message.to_string(), handed), Some(Ok(_))));
    }
}
