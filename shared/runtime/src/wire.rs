//! The JSON of sessions and tokens (docs/api.md). The domain has no `Serialize`, so each public field is named here.

use std::fmt;

use holdfast_sessions::account::Identity;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::ports::{Clock as _, Effect};
use holdfast_sessions::service::{ListedDevice, Removed, Revoked, SignedIn, Tokens, Vouched};
use holdfast_sessions::session::Slot;
use holdfast_sessions::token::DeviceToken;
use holdfast_sessions::{Code, Failure, Millis, SessionId, UserId};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::host::System;
use crate::http::Response;

/// A session as its owner sees it. Its fields are in the order of their names, as those of every answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSession<'a> {
    absolute_expires_at: Shown<Millis>,
    authenticated_at: Shown<Millis>,
    claims: Claimed<'a>,
    created_at: Shown<Millis>,
    current: bool,
    device: ShownDevice<'a>,
    email: &'a str,
    expires_at: Shown<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<ShownIdentity<'a>>,
    last_used_at: Shown<Millis>,
    mfa_verified: bool,
    session_id: Shown<SessionId>,
    stay_signed_in: bool,
    trusted: bool,
    trusted_at: Option<Shown<Millis>>,
    user_id: Shown<UserId>,
    version: u64,
}

#[derive(Serialize)]
struct ShownDevice<'a> {
    browser: &'a str,
    ip: &'a str,
    name: &'a str,
    os: &'a str,
}

#[derive(Serialize)]
struct ShownIdentity<'a> {
    provider: &'a str,
    subject: &'a str,
}

/// What is shown as its text.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Claims are compact JSON already.
struct Claimed<'a>(&'a Claims);

impl Serialize for Claimed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return serializer.collect_map(std::iter::empty::<((), ())>());
        }
        claims(self.0).serialize(serializer)
    }
}

impl<'a> ShownSession<'a> {
    fn of(slot: &'a Slot, current: SessionId) -> Self {
        let trust = slot.trusted(System.now());
        Self {
            absolute_expires_at: Shown(slot.absolute_expires_at),
            authenticated_at: Shown(slot.authenticated_at),
            claims: Claimed(&slot.claims),
            created_at: Shown(slot.created_at),
            current: slot.sid == current,
            device: ShownDevice {
                browser: &slot.device.browser,
                ip: &slot.device.ip,
                name: &slot.device.name,
                os: &slot.device.os,
            },
            email: &slot.email,
            expires_at: Shown(slot.idle_expires_at),
            identity: slot
                .identity
                .as_ref()
                .map(|identity| ShownIdentity { provider: &identity.provider, subject: &identity.subject }),
            last_used_at: Shown(slot.last_used_at),
            mfa_verified: slot.mfa_verified_at.is_some(),
            session_id: Shown(slot.sid),
            stay_signed_in: slot.stay_signed_in,
            trusted: trust.is_some(),
            trusted_at: trust.map(|trust| Shown(trust.since)),
            user_id: Shown(slot.at.user),
            version: slot.version,
        }
    }
}

/// The answer of a validation: the session of its caller.
///
/// # Errors
/// As [`Response::json`].
pub fn validated(slot: &Slot) -> Result<Response, Failure> {
    Response::json(200, &ShownSession::of(slot, slot.sid))
}

/// A session as its owner sees it; `current` is the session that asks.
pub fn session(slot: &Slot, current: SessionId) -> Value {
    serde_json::to_value(ShownSession::of(slot, current)).unwrap_or_default()
}

/// The name of a user at an identity provider.
pub fn identity(identity: &Identity) -> Value {
    json!({"provider": identity.provider, "subject": identity.subject})
}

/// Claims as JSON.
pub fn claims(claims: &Claims) -> Value {
    serde_json::from_str(claims.as_str()).unwrap_or_else(|_| json!({}))
}

/// Claims as a request gives them.
///
/// # Errors
/// Says what is wrong with them.
pub fn read_claims(given: &Map<String, Value>) -> Result<Claims, Failure> {
    let text = serde_json::to_string(given).unwrap_or_default();
    Claims::parse(&text).map_err(|error| Failure::new(Code::InvalidRequest, format!("`claims` {error}.")))
}

/// What an authorizer passes on about a session. All values are texts, because API Gateway takes no objects there. The claims are
/// JSON in ASCII, so that an API can map them to a header.
pub fn authorizer_context(slot: &Slot) -> Map<String, Value> {
    let context = [
        ("userId", slot.at.user.to_string()),
        ("sessionId", slot.sid.to_string()),
        ("email", slot.email.clone()),
        ("claims", ascii_json(slot.claims.as_str())),
        ("mfaVerified", slot.mfa_verified_at.is_some().to_string()),
        ("trusted", slot.trusted(System.now()).is_some().to_string()),
        ("authenticatedAt", slot.authenticated_at.to_string()),
        ("expiresAt", slot.idle_expires_at.to_string()),
    ];
    context.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// The same JSON with `\uXXXX` for every character that a header cannot carry (RFC 9110 §5.5). Only strings of compact JSON
/// have such characters. API Gateway writes the claims of its own JWT authorizers in this form (Developer Guide, "Pass JWT
/// claims to your integration").
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
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
    /// The session that is shown.
    pub slot: &'a Slot,
    /// The tokens of the session.
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
            cookies: signed_in.to_browser,
        },
    )
}

/// The answer to a service that vouched for a user.
pub fn vouched(vouched: &Vouched) -> Result<Response, Failure> {
    match vouched {
        Vouched::SignedIn(signed_in) => Ok(self::signed_in(signed_in)?.with_status(201)),
        // Its tokens stay: the store has only their hashes.
        Vouched::Renewed(slot, effect) => {
            let mut body = Map::new();
            body.insert("status".into(), "AUTHENTICATED".into());
            body.insert("session".into(), session(slot, slot.sid));
            put_effect(&mut body, *effect);
            Response::json(201, &Value::Object(body))
        }
    }
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

    use holdfast_sessions::device::Device;
    use holdfast_sessions::session::{Keys, Trust};
    use holdfast_sessions::token::{AccessToken, Address, RefreshToken};
    use holdfast_sessions::trusted_device::TrustedDevice;
    use holdfast_sessions::{DeviceId, Secret, SlotNo, TokenHash};

    fn slot() -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(2).unwrap() };
        let hash = TokenHash::from_bytes([0; 32]);
        Slot {
            at,
            sid: SessionId::from_bytes([3; 16]),
            email: "a@example.com".into(),
            identity: None,
            claims: Claims::default(),
            version: 7,
            keys: Some(Keys {
                access: hash,
                access_expires_at: Millis::new(900_000),
                previous_access: None,
                refresh: None,
            }),
            created_at: Millis::new(1_000),
            authenticated_at: Millis::new(2_000),
            last_used_at: Millis::new(3_000),
            last_updated_at: Millis::new(4_000),
            idle_expires_at: Millis::new(3_600_000),
            absolute_expires_at: Millis::new(86_400_000),
            stay_signed_in: true,
            mfa_verified_at: None,
            device: Device {
                name: "laptop".into(),
                browser: "Firefox".into(),
                os: "Linux".into(),
                ip: "192.0.2.0".into(),
            },
            trust: None,
            op: "op".into(),
            ended: None,
        }
    }

    fn trusted(seconds: i64) -> Slot {
        let until = System.now().plus_seconds(seconds);
        let trust = Trust { device: DeviceId::from_bytes([4; 16]), since: Millis::new(5_000), until };
        Slot { trust: Some(trust), ..slot() }
    }

    fn some_tokens() -> Tokens {
        let refresh = RefreshToken::first(slot().at, &Secret::new([1; 32]), &[2; 32]);
        Tokens { access: AccessToken::of(&refresh), refresh }
    }

    #[test]
    fn a_session_is_what_the_documentation_says() {
        let slot = slot();
        let expected = json!({
            "sessionId": slot.sid.to_string(), "userId": slot.at.user.to_string(), "email": "a@example.com",
            "claims": {}, "authenticatedAt": "1970-01-01T00:00:02.000Z", "current": true,
            "createdAt": "1970-01-01T00:00:01.000Z", "lastUsedAt": "1970-01-01T00:00:03.000Z",
            "expiresAt": "1970-01-01T01:00:00.000Z", "absoluteExpiresAt": "1970-01-02T00:00:00.000Z",
            "staySignedIn": true, "mfaVerified": false,
            "device": {"name": "laptop", "browser": "Firefox", "os": "Linux", "ip": "192.0.2.0"},
            "trusted": false, "trustedAt": null, "version": 7
        });
        assert_eq!(session(&slot, slot.sid), expected);
        assert_eq!(session(&slot, SessionId::from_bytes([9; 16]))["current"], false);
        let verified = Slot { mfa_verified_at: Some(Millis::new(1)), ..slot.clone() };
        assert_eq!(session(&verified, slot.sid)["mfaVerified"], true);
        let now = session(&trusted(60), slot.sid);
        assert_eq!((&now["trusted"], &now["trustedAt"]), (&json!(true), &json!("1970-01-01T00:00:05.000Z")));
        let over = session(&trusted(-60), slot.sid);
        assert_eq!((&over["trusted"], &over["trustedAt"]), (&json!(false), &Value::Null));
        let claims = Claims::parse(r#"{"role":"admin","tags":[1,"é"]}"#).unwrap();
        assert_eq!(
            session(&Slot { claims, ..slot.clone() }, slot.sid)["claims"],
            json!({"role": "admin", "tags": [1, "é"]})
        );
        let identity = Some(Identity { provider: "pool".into(), subject: "s-1".into() });
        let of_pool = Slot { identity, ..slot.clone() };
        assert_eq!(session(&of_pool, slot.sid)["identity"], json!({"provider": "pool", "subject": "s-1"}));
        // The text of a validation's answer is the text of the same tree.
        let claims = Claims::parse(r#"{"role":"admin","amount":1.50,"tags":[1,"é\u0000"]}"#).unwrap();
        for slot in [slot.clone(), trusted(60), Slot { claims, email: "a\"é\n@example.com".into(), ..of_pool }] {
            let response = validated(&slot).unwrap();
            assert_eq!((response.status(), response.text()), (200, session(&slot, slot.sid).to_string().as_str()));
        }
    }

    #[test]
    fn an_authorizer_passes_texts_on_that_say_what_the_session_says() {
        let claims = Claims::parse(r#"{"role":"admin"}"#).unwrap();
        let slot = Slot { claims, mfa_verified_at: Some(Millis::new(1)), ..trusted(60) };
        let (context, session) = (Value::Object(authorizer_context(&slot)), session(&slot, slot.sid));
        let fields = context.as_object().unwrap();
        assert_eq!(fields.len(), 8);
        for (name, value) in fields {
            let said = match &session[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(value.as_str(), Some(said.as_str()), "{name}");
        }
    }

    #[test]
    fn an_authorizer_passes_on_claims_in_ascii() {
        let mut slot = slot();
        let claims = json!({"né": "Zoë \u{7f}😀", "plain": "a\"\\\n~"});
        slot.claims = read_claims(claims.as_object().unwrap()).unwrap();
        let context = authorizer_context(&slot);
        let text = context["claims"].as_str().unwrap();
        assert_eq!(text, r#"{"n\u00e9":"Zo\u00eb \u007f\ud83d\ude00","plain":"a\"\\\n~"}"#);
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), claims);
    }

    #[test]
    fn claims_are_written_in_one_form_and_bounded() {
        let read = |claims: Value| read_claims(claims.as_object().unwrap());
        let given = json!({"b": {"z": null, "a": 1.5}, "a": [true]});
        let accepted = read(given.clone()).unwrap();
        assert_eq!((accepted.as_str(), claims(&accepted)), (r#"{"a":[true],"b":{"a":1.5,"z":null}}"#, given));
        assert!(read(json!({})).unwrap().is_empty());
        let refusal = read(json!({"a": "x".repeat(2_041)})).unwrap_err();
        assert_eq!(
            (refusal.code, &*refusal.detail),
            (Code::InvalidRequest, "`claims` has 2049 bytes as compact JSON; 2048 are accepted.")
        );
    }

    #[test]
    fn a_device_is_what_the_documentation_says() {
        let id = DeviceId::from_bytes([4; 16]);
        let record = TrustedDevice {
            secret: TokenHash::from_bytes([0; 32]),
            previous: None,
            seed: None,
            rotated_at: Millis::new(0),
            auth_epoch: 1,
            name: "laptop".into(),
            session: None,
            network: None,
            created_at: Millis::new(1_000),
            last_used_at: Millis::new(2_000),
            expires_at: Millis::new(3_000),
            op: "op".into(),
        };
        let expected = json!({
            "deviceId": id.to_string(), "name": "laptop", "createdAt": "1970-01-01T00:00:01.000Z",
            "lastUsedAt": "1970-01-01T00:00:02.000Z", "expiresAt": "1970-01-01T00:00:03.000Z", "current": true
        });
        assert_eq!(device(&ListedDevice { id, record, current: true }), expected);
        let removed = removed(&Removed { count: 3, effect: Effect::Bounded(60) });
        assert_eq!(removed, json!({"removed": 3, "effective": "bounded", "withinSeconds": 60}));
    }

    #[test]
    fn a_devices_cookie_lives_as_long_as_its_token() {
        assert_eq!(device_seconds(&slot()), 0, "no device is trusted");
        // Between the two readings of the clock some time may pass.
        assert!((3_500..=3_600).contains(&device_seconds(&trusted(3_600))));
    }

    #[test]
    fn tokens_are_in_the_answer_or_in_cookies_and_never_in_both() {
        let (slot, tokens) = (trusted(3_600), some_tokens());
        let device =
            DeviceToken { user: slot.at.user, device: DeviceId::from_bytes([4; 16]), secret: Secret::new([5; 32]) };
        let secrets = [tokens.access.text(), tokens.refresh.text(), device.text()];
        let of = |cookies: bool, device_token| {
            let granted = Granted { slot: &slot, tokens: &tokens, effect: Effect::Immediate, device_token, cookies };
            super::granted(Some("AUTHENTICATED"), &granted).unwrap()
        };
        let plain = of(false, Some(&device));
        let body = plain.body();
        assert_eq!(
            (plain.status(), &body["status"], &body["effective"]),
            (200, &json!("AUTHENTICATED"), &json!("immediate"))
        );
        assert_eq!(body["session"], session(&slot, slot.sid));
        let expected = json!({
            "accessToken": secrets[0], "accessExpiresAt": "1970-01-01T00:15:00.000Z",
            "refreshToken": secrets[1], "refreshExpiresAt": "1970-01-01T01:00:00.000Z", "tokenType": "Bearer"
        });
        assert_eq!((&body["tokens"], &body["deviceToken"]), (&expected, &json!(secrets[2])));
        assert!(plain.cookies().is_empty() && body.get("accessExpiresAt").is_none());
        assert!(of(false, None).body().get("deviceToken").is_none());

        let cookies = of(true, Some(&device));
        let text = cookies.body().to_string();
        assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
        assert_eq!(cookies.body()["accessExpiresAt"], "1970-01-01T00:15:00.000Z");
        let sent = cookies.cookies();
        assert_eq!(sent.len(), 3);
        assert!(secrets.iter().zip(sent).all(|(secret, cookie)| cookie.contains(&format!("={secret}; "))), "{sent:?}");
        assert_eq!(of(true, None).cookies().len(), 2);

        let without_status =
            Granted { slot: &slot, tokens: &tokens, effect: Effect::Bounded(60), device_token: None, cookies: false };
        let refreshed = super::granted(None, &without_status).unwrap();
        assert!(refreshed.body().get("status").is_none());
        assert_eq!(
            (&refreshed.body()["effective"], &refreshed.body()["withinSeconds"]),
            (&json!("bounded"), &json!(60))
        );
    }

    #[test]
    fn cookies_outlive_the_browser_only_for_those_who_stay_signed_in() {
        let tokens = some_tokens();
        let sent = |slot: &Slot| {
            let response = Response::no_content().with_tokens(slot, &tokens, Millis::new(100_000));
            response.cookies().iter().map(|cookie| cookie.rsplit("; ").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sent(&slot()), ["Max-Age=800", "Max-Age=3500"]);
        assert_eq!(sent(&Slot { stay_signed_in: false, ..slot() }), ["SameSite=Strict"; 2]);
        assert_eq!(sent(&Slot { idle_expires_at: Millis::new(1), ..slot() })[1], "Max-Age=0", "never negative");
        assert_eq!(sent(&Slot { keys: None, ..slot() }), ["Max-Age=3500"; 2]);
    }

    #[test]
    fn a_bounded_effect_says_how_long() {
        let json = revoked(&Revoked { count: 2, effect: Effect::Bounded(60) });
        assert_eq!(json, json!({"revoked": 2, "effective": "bounded", "withinSeconds": 60}));
        let json = revoked(&Revoked { count: 1, effect: Effect::Immediate });
        assert_eq!(json, json!({"revoked": 1, "effective": "immediate"}));
    }
}
