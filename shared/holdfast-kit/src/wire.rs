//! The JSON of sessions and tokens (contract §2). The domain has no `Serialize`: what leaves is named here, field by field.

use holdfast_domain::ports::{Effect, Host as _};
use holdfast_domain::service::{ListedDevice, Removed, Revoked, SignedIn, Tokens};
use holdfast_domain::session::Slot;
use holdfast_domain::token::DeviceToken;
use holdfast_domain::{Failure, SessionId};
use serde_json::{Map, Value, json};

use crate::host::System;
use crate::http::Response;

/// A session as its owner sees it; `current` is the session that asks.
pub fn session(slot: &Slot, current: SessionId) -> Value {
    let trust = slot.trusted(System.now());
    let mut session = json!({
        "sessionId": slot.sid.to_string(),
        "userId": slot.at.user.to_string(),
        "email": slot.email,
        "claims": {},
        "authenticatedAt": slot.authenticated_at.to_string(),
        "current": slot.sid == current,
        "createdAt": slot.created_at.to_string(),
        "lastUsedAt": slot.last_used_at.to_string(),
        "expiresAt": slot.idle_expires_at.to_string(),
        "absoluteExpiresAt": slot.absolute_expires_at.to_string(),
        "staySignedIn": slot.stay_signed_in,
        "mfaVerified": slot.mfa_verified_at.is_some(),
        "device": {
            "name": slot.device.name,
            "browser": slot.device.browser,
            "os": slot.device.os,
            "ip": slot.device.ip,
        },
        "trusted": trust.is_some(),
        "trustedAt": trust.map(|trust| trust.since.to_string()),
        "version": slot.version,
    });
    if let (Some(identity), Some(fields)) = (&slot.identity, session.as_object_mut()) {
        fields.insert("identity".into(), json!({"provider": identity.provider, "subject": identity.subject}));
    }
    session
}

/// A trusted device as its owner sees it.
pub fn device(device: &ListedDevice) -> Value {
    json!({
        "deviceId": device.id.to_string(),
        "name": device.record.name,
        "createdAt": device.record.created_at.to_string(),
        "lastUsedAt": device.record.last_used_at.to_string(),
        "expiresAt": device.record.expires_at.to_string(),
        "current": device.current,
    })
}

/// `{removed:n,effective,withinSeconds?}`.
pub fn removed(removed: &Removed) -> Value {
    let mut body = Map::new();
    body.insert("removed".into(), removed.count.into());
    put_effect(&mut body, removed.effect);
    Value::Object(body)
}

/// The seconds that a device's cookie may live: as long as its token works.
pub fn device_seconds(slot: &Slot) -> i64 {
    slot.trust.map_or(0, |trust| (trust.until.get() - System.now().get()) / 1000)
}

/// Tokens of the session in `slot`.
pub fn tokens(slot: &Slot, tokens: &Tokens) -> Value {
    let access_expires = slot.keys.as_ref().map_or(slot.idle_expires_at, |keys| keys.access_expires_at);
    json!({
        "accessToken": tokens.access.text(),
        "accessExpiresAt": access_expires.to_string(),
        "refreshToken": tokens.refresh.text(),
        "refreshExpiresAt": slot.idle_expires_at.to_string(),
        "tokenType": "Bearer",
    })
}

/// A session and its tokens, in the answer or as cookies.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// The session.
    pub slot: &'a Slot,
    /// Its tokens.
    pub tokens: &'a Tokens,
    /// How surely what they replace is refused.
    pub effect: Effect,
    /// What a trusted device shows next time.
    pub device_token: Option<&'a DeviceToken>,
    /// Tokens as cookies.
    pub cookies: bool,
}

/// The answer that grants a session; `status` is said where a sign-in ends with it.
pub fn granted(status: Option<&str>, granted: &Granted<'_>) -> Result<Response, Failure> {
    let mut body = Map::new();
    if let Some(status) = status {
        body.insert("status".into(), status.into());
    }
    body.insert("session".into(), session(granted.slot, granted.slot.sid));
    let mut sent = tokens(granted.slot, granted.tokens);
    if granted.cookies {
        // A page cannot read its tokens, but must know when to refresh them.
        body.insert("accessExpiresAt".into(), sent["accessExpiresAt"].take());
    } else {
        body.insert("tokens".into(), sent);
    }
    let device_token = granted.device_token.map(DeviceToken::text);
    if let Some(token) = device_token.as_ref().filter(|_| !granted.cookies) {
        body.insert("deviceToken".into(), token.as_str().into());
    }
    put_effect(&mut body, granted.effect);
    let response = Response::json(200, &Value::Object(body))?;
    if !granted.cookies {
        return Ok(response);
    }
    let response = response.with_tokens(granted.slot, granted.tokens, System.now());
    Ok(match device_token {
        Some(token) => response.with_device(&token, device_seconds(granted.slot)),
        None => response,
    })
}

/// The same of a sign-in.
pub fn signed_in(signed_in: &SignedIn) -> Result<Response, Failure> {
    granted(
        Some("AUTHENTICATED"),
        &Granted {
            slot: &signed_in.slot,
            tokens: &signed_in.tokens,
            effect: signed_in.effect,
            device_token: signed_in.device_token.as_ref(),
            cookies: signed_in.cookies,
        },
    )
}

/// Adds `effective` and, where bounded, `withinSeconds`.
pub fn put_effect(body: &mut Map<String, Value>, effect: Effect) {
    match effect {
        Effect::Immediate => {
            body.insert("effective".into(), "immediate".into());
        }
        Effect::Bounded(seconds) => {
            body.insert("effective".into(), "bounded".into());
            body.insert("withinSeconds".into(), seconds.into());
        }
    }
}

/// `{revoked:n,effective,withinSeconds?}`.
pub fn revoked(revoked: &Revoked) -> Value {
    let mut body = Map::new();
    body.insert("revoked".into(), revoked.count.into());
    put_effect(&mut body, revoked.effect);
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_effect_says_how_long() {
        let json = revoked(&Revoked { count: 2, effect: Effect::Bounded(60) });
        assert_eq!(json, json!({"revoked": 2, "effective": "bounded", "withinSeconds": 60}));
        let json = revoked(&Revoked { count: 1, effect: Effect::Immediate });
        assert_eq!(json, json!({"revoked": 1, "effective": "immediate"}));
    }
}
