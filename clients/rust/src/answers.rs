//! What Holdfast answers, with types. Texts that are secret or personal are in no `Debug` output.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

use crate::error::Error;

/// The user's identity at another provider. It belongs to one account and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// The identity provider, such as the `iss` of OpenID Connect.
    pub provider: String,
    /// What the provider calls the user, such as the `sub` of OpenID Connect.
    pub subject: String,
}

/// A live session. A test of your own makes one with `Session::try_from(json!({…}))`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Session {
    /// The id of the session.
    pub session_id: String,
    /// The id of the user. It identifies the user, and the e-mail address does not.
    pub user_id: String,
    /// What the services of the platform state about the user.
    pub claims: Map<String, Value>,
    /// A label of the account. It may be empty, and two users can have the same one.
    pub email: String,
    /// The user's identity at another provider, if the account has one.
    pub identity: Option<Identity>,
    /// Whether this session has shown a second factor at any time.
    pub mfa_verified: bool,
    /// Whether the device of this session is trusted now.
    pub trusted: bool,
    /// When the user was last authenticated.
    pub authenticated_at: SystemTime,
    /// The session ends at this time unless it is refreshed.
    pub expires_at: SystemTime,
    /// The session as Holdfast sent it, with fields that this kit does not know.
    pub raw: Map<String, Value>,
}

impl TryFrom<Value> for Session {
    type Error = Error;

    /// Reads a session of the form of docs/api.md.
    ///
    /// # Errors
    /// Another form is `UNEXPECTED_ANSWER`.
    fn try_from(found: Value) -> Result<Self, Error> {
        session(found).ok_or_else(|| Error::unavailable("UNEXPECTED_ANSWER", "This is no session of docs/api.md."))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("session_id", &self.session_id)
            .field("user_id", &self.user_id)
            .field("mfa_verified", &self.mfa_verified)
            .field("trusted", &self.trusted)
            .field("authenticated_at", &self.authenticated_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The tokens of a new session, for the user's own client.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tokens {
    /// The token for `Authorization: Bearer …`.
    pub access_token: String,
    /// The access token expires at this time.
    pub access_expires_at: SystemTime,
    /// The token for `POST /v1/auth/refresh`.
    pub refresh_token: String,
    /// The session ends at this time unless it is refreshed.
    pub refresh_expires_at: SystemTime,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("access_expires_at", &self.access_expires_at)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .finish_non_exhaustive()
    }
}

/// The answer to `create_session`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct NewSession {
    /// The session that was made, or that became recent.
    pub session: Session,
    /// The tokens. They are absent with [`Transport::Cookie`](crate::Transport::Cookie) and with `session_id`.
    pub tokens: Option<Tokens>,
    /// The values of the `Set-Cookie` headers to send to the browser.
    pub set_cookies: Vec<String>,
    /// The body as Holdfast sent it.
    pub raw: Map<String, Value>,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NewSession");
        shown.field("session", &self.session).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// The answer to `publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The id of the message.
    pub message_id: String,
    /// A call with this idempotency key was accepted before. It may be an earlier attempt of the same call.
    pub duplicate: bool,
    /// The key of the call.
    pub idempotency_key: String,
    /// The number of users, if users are the target.
    pub recipients: Option<u64>,
    /// The channel of the message, if there is one target.
    pub channel: Option<String>,
    /// The offset of the message in its channel, if there is one target.
    pub offset: Option<u64>,
}

/// Reads a session. An answer of another form is none.
pub(crate) fn session(found: Value) -> Option<Session> {
    let Value::Object(raw) = found else { return None };
    let identity = match raw.get("identity") {
        None | Some(Value::Null) => None,
        Some(found) => Some(Identity { provider: text(found.get("provider"))?, subject: text(found.get("subject"))? }),
    };
    Some(Session {
        session_id: text(raw.get("sessionId"))?,
        user_id: text(raw.get("userId"))?,
        claims: raw.get("claims")?.as_object()?.clone(),
        email: text(raw.get("email"))?,
        identity,
        mfa_verified: raw.get("mfaVerified")?.as_bool()?,
        trusted: raw.get("trusted")?.as_bool()?,
        authenticated_at: time(raw.get("authenticatedAt"))?,
        expires_at: time(raw.get("expiresAt"))?,
        raw,
    })
}

/// Reads the answer of `POST /v1/sessions`.
pub(crate) fn new_session(raw: Map<String, Value>, set_cookies: Vec<String>) -> Option<NewSession> {
    let tokens = match raw.get("tokens") {
        None | Some(Value::Null) => None,
        Some(found) => Some(Tokens {
            access_token: text(found.get("accessToken"))?,
            access_expires_at: time(found.get("accessExpiresAt"))?,
            refresh_token: text(found.get("refreshToken"))?,
            refresh_expires_at: time(found.get("refreshExpiresAt"))?,
        }),
    };
    Some(NewSession { session: session(raw.get("session")?.clone())?, tokens, set_cookies, raw })
}

/// Reads the answer of `POST /v1/messages`.
pub(crate) fn published(found: &Map<String, Value>, key: String) -> Option<Published> {
    Some(Published {
        message_id: text(found.get("messageId"))?,
        duplicate: found.get("duplicate")?.as_bool()?,
        idempotency_key: key,
        recipients: found.get("recipients").and_then(Value::as_u64),
        channel: text(found.get("channel")),
        offset: found.get("offset").and_then(Value::as_u64),
    })
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn time(value: Option<&Value>) -> Option<SystemTime> {
    DateTime::from_str(value?.as_str()?, Format::DateTimeWithOffset).ok()?.try_into().ok()
}
