//! The bodies of the calls: a message, and a session of another sign-in.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;
use serde_json::{Map, Value};

/// A message to users, to a topic or to every client.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    to: Target,
    kind: String,
    data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ephemeral: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Target {
    #[serde(rename_all = "camelCase")]
    Users {
        user_ids: Vec<String>,
    },
    Topic {
        topic: String,
    },
    Broadcast {
        broadcast: bool,
    },
}

impl Message {
    fn new(to: Target, kind: impl Into<String>) -> Self {
        let kind = kind.into();
        Self { to, kind, data: Value::Null, idempotency_key: None, ttl_seconds: None, ephemeral: None }
    }

    /// A message to these users. Clients branch on `kind`, which has 1 to 64 bytes.
    pub fn to_users<I>(user_ids: I, kind: impl Into<String>) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self::new(Target::Users { user_ids: user_ids.into_iter().map(Into::into).collect() }, kind)
    }

    /// A message to the subscribers of a topic.
    pub fn to_topic(topic: impl Into<String>, kind: impl Into<String>) -> Self {
        Self::new(Target::Topic { topic: topic.into() }, kind)
    }

    /// A message to every client.
    pub fn broadcast(kind: impl Into<String>) -> Self {
        Self::new(Target::Broadcast { broadcast: true }, kind)
    }

    /// Sets the content. It is null by default, and its JSON has at most 32 KiB.
    #[must_use]
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = data.into();
        self
    }

    /// Sets the idempotency key. The same key within 24 hours is published once. By default, the kit generates a key for each call.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets how many seconds the message can be recovered.
    #[must_use]
    pub fn ttl_seconds(mut self, seconds: u64) -> Self {
        self.ttl_seconds = Some(seconds);
        self
    }

    /// Sends the message to live sockets only. A client cannot recover it.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = Some(true);
        self
    }
}

/// How the tokens of a new session travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Transport {
    /// In the body of the answer.
    #[default]
    Body,
    /// As `Set-Cookie` headers, which the application passes on to the browser.
    Cookie,
}

/// A session for a user whom this application has authenticated. docs/api.md explains the fields.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewSessionRequest {
    identity: Identified,
    /// A label of the account. It is stored at the first call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The claims that replace those of the user. Without them, they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Map<String, Value>>,
    /// A session of the same identity that becomes recent. No second one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Whether the session outlives the browser.
    #[serde(skip_serializing_if = "is_default")]
    pub stay_signed_in: bool,
    /// The name of the device in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Whether the user has shown a second factor to this application.
    #[serde(skip_serializing_if = "is_default")]
    pub mfa_verified: bool,
    /// When this application authenticated the user. It is now by default.
    #[serde(serialize_with = "rfc_3339", skip_serializing_if = "Option::is_none")]
    pub authenticated_at: Option<SystemTime>,
    /// The address and the program of the user.
    #[serde(skip_serializing_if = "is_default")]
    pub client: ClientOfUser,
    /// How the tokens travel.
    #[serde(skip_serializing_if = "is_default")]
    pub transport: Transport,
}

impl NewSessionRequest {
    /// A request with the identity alone: what the provider calls the user.
    pub fn new(provider: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { identity: Identified { provider: provider.into(), subject: subject.into() }, ..Self::default() }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
struct Identified {
    provider: String,
    subject: String,
}

/// The address and the program of a user. The address of the application is never used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientOfUser {
    /// The IP address of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The `User-Agent` of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn rfc_3339<S: serde::Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::from(time.unwrap_or(SystemTime::UNIX_EPOCH));
    let text = time.fmt(Format::DateTime).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}
