//! The publish request: what a publisher may send, and under which idempotency key.

use std::collections::BTreeSet;

use holdfast_sessions::secret::fingerprint;
use holdfast_sessions::{Code, Failure, Millis, UserId, ids};

use crate::channel::{Channel, Topic};
use crate::data::Data;
use crate::ids::MessageId;
use crate::message::{EXPIRED_KIND, HISTORY_SECONDS, MAX_DATA_BYTES, Message};

/// Longest `kind` in bytes.
pub const MAX_KIND_BYTES: usize = 64;
/// Longest `idempotencyKey` in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// How long a publisher's idempotency key is valid (docs/websocket.md).
pub const KEY_SECONDS: i64 = 86_400;
/// How long a channel keeps the ids of its messages: the life of a key and two days. A repetition that the queue
/// delivers late is therefore not appended twice.
pub const ID_SECONDS: i64 = KEY_SECONDS + 48 * 3_600;

/// The target of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// These users, each once, in order.
    Users(Vec<UserId>),
    /// The subscribers of a topic.
    Topic(Topic),
    /// All connected clients.
    Broadcast,
}

impl Target {
    /// The channel of the message, if it goes to exactly one.
    pub fn channel(&self) -> Option<Channel> {
        match self {
            Target::Users(users) => match users.as_slice() {
                [one] => Some(Channel::User(*one)),
                _ => None,
            },
            Target::Topic(topic) => Some(Channel::Topic(topic.clone())),
            Target::Broadcast => Some(Channel::Broadcast),
        }
    }
}

/// The fields of a publish body before they are checked.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The field `to.userIds`.
    pub user_ids: Option<Vec<String>>,
    /// The field `to.topic`.
    pub topic: Option<String>,
    /// The field `to.broadcast`.
    pub broadcast: Option<bool>,
    /// The field `kind`.
    pub kind: String,
    /// `data`, any JSON text.
    pub data: String,
    /// The field `idempotencyKey`.
    pub idempotency_key: Option<String>,
    /// The field `ttlSeconds`.
    pub ttl_seconds: Option<i64>,
    /// The field `ephemeral`.
    pub ephemeral: bool,
}

/// A publish request whose fields are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The target of the message.
    pub target: Target,
    /// The kind, on which the client branches.
    pub kind: String,
    /// The content of the message.
    pub data: Data,
    /// The key under which a repetition gets the first answer.
    pub idempotency_key: Option<String>,
    /// The lifetime of the message; `None` is that of history.
    pub ttl_seconds: Option<i64>,
    /// Whether the message is not stored.
    pub ephemeral: bool,
}

fn bad(detail: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidRequest, detail.into())
}

impl Publish {
    /// Reads a body, or returns which field is invalid.
    pub fn read(body: Body) -> Result<Self, Failure> {
        let target = target(body.user_ids, body.topic, body.broadcast)?;
        let kind = body.kind;
        if kind.is_empty() || kind.len() > MAX_KIND_BYTES || kind.chars().any(char::is_control) {
            return Err(bad(format!("`kind` must have 1 to {MAX_KIND_BYTES} bytes and no control characters.")));
        }
        if kind == EXPIRED_KIND {
            return Err(bad(format!("`kind` must not be `{EXPIRED_KIND}`: it marks messages that ran out.")));
        }
        let data = Data::compact(&body.data).map_err(|error| bad(format!("`data` {error}.")))?;
        if data.as_str().len() > MAX_DATA_BYTES {
            return Err(Failure::new(
                Code::PayloadTooLarge,
                format!("`data` has {} bytes as compact JSON; {MAX_DATA_BYTES} are accepted.", data.as_str().len()),
            ));
        }
        if body.idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
            return Err(bad(format!("`idempotencyKey` must have 1 to {MAX_KEY_BYTES} bytes.")));
        }
        if body.ttl_seconds.is_some_and(|ttl| !(1..=HISTORY_SECONDS).contains(&ttl)) {
            return Err(bad(format!("`ttlSeconds` must be from 1 to {HISTORY_SECONDS}.")));
        }
        Ok(Self {
            target,
            kind,
            data,
            idempotency_key: body.idempotency_key,
            ttl_seconds: body.ttl_seconds,
            ephemeral: body.ephemeral,
        })
    }

    /// Creates the message of this request.
    pub fn message(&self, id: MessageId, sent_at: Millis) -> Message {
        Message {
            id,
            kind: self.kind.clone(),
            data: self.data.clone(),
            sent_at,
            expires_at: sent_at.plus_seconds(self.ttl_seconds.unwrap_or(HISTORY_SECONDS)),
            ephemeral: self.ephemeral,
        }
    }
}

fn target(users: Option<Vec<String>>, topic: Option<String>, broadcast: Option<bool>) -> Result<Target, Failure> {
    match (users, topic, broadcast) {
        (Some(users), None, None) => {
            let mut seen = BTreeSet::new();
            let mut list = Vec::with_capacity(users.len());
            for text in users {
                let user = text.parse::<UserId>().map_err(|_| bad("`to.userIds` holds what is not a user id."))?;
                if seen.insert(user) {
                    list.push(user);
                }
            }
            if list.is_empty() {
                Err(bad("`to.userIds` must name at least one user."))
            } else {
                Ok(Target::Users(list))
            }
        }
        (None, Some(topic), None) => topic
            .parse()
            .map(Target::Topic)
            .map_err(|_| bad(format!("`to.topic` must have 1 to {} of A-Z a-z 0-9 . _ : -", Topic::MAX_BYTES))),
        (None, None, Some(true)) => Ok(Target::Broadcast),
        (None, None, Some(false)) => Err(bad("`to.broadcast` must be true, or left out.")),
        _ => Err(bad("`to` must hold exactly one of `userIds`, `topic` and `broadcast`.")),
    }
}

/// The publisher behind an IAM caller. It leaves out the name of a role's session, which changes with every instance.
pub fn publisher(caller_arn: &str) -> String {
    match caller_arn.split_once(":assumed-role/") {
        Some((account, rest)) => format!("{account}:assumed-role/{}", rest.split('/').next().unwrap_or(rest)),
        None => caller_arn.to_owned(),
    }
}

/// The name under which a publisher may repeat a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublishKey {
    /// The publisher, because two publishers may choose the same key.
    pub publisher: String,
    /// The hash of the key, as text.
    pub key_hash: String,
}

impl PublishKey {
    /// Creates the key from a publisher's `idempotencyKey`.
    pub fn new(publisher: &str, key: &str) -> Self {
        let key_hash = ids::encode(&fingerprint("holdfast/idempotency-key/1", &[key.as_bytes()]));
        Self { publisher: publisher.to_owned(), key_hash }
    }
}

/// A publish that came through the queue instead of the API. Every sender that may use the queue is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The publish of the record.
    pub publish: Publish,
    /// The publisher, for the idempotency key.
    pub publisher: String,
    /// The id of the message, which is the same for every delivery of the record.
    pub id: MessageId,
    /// When the publish was sent to the queue.
    pub sent_at: Millis,
}

impl Queued {
    /// The id of the message in a record. It comes from the id of the record, so that a redelivery is no second
    /// message.
    pub fn id_of(record: &str) -> MessageId {
        let hash = fingerprint("holdfast/queued-publish/1", &[record.as_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        MessageId::from_bytes(id)
    }

    /// The publisher behind an SQS `SenderId`: the id of a role without the name of its session.
    pub fn publisher_of(sender: &str) -> String {
        format!("sqs:{}", sender.split(':').next().unwrap_or(sender))
    }
}

/// A publish that was accepted, but is not yet queued completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The target of the message.
    pub target: Target,
    /// The message to deliver.
    pub message: Message,
}

/// The answer to a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The id of the message.
    pub message_id: MessageId,
    /// The number of distinct users, if the target names users.
    pub recipients: Option<u32>,
    /// The channel, if the message goes to exactly one.
    pub channel: Option<Channel>,
    /// The offset in that channel, if the message is stored.
    pub offset: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        Body { broadcast: Some(true), kind: "note".into(), data: "1".into(), ..Body::default() }
    }

    fn refused(body: Body) -> Code {
        Publish::read(body).unwrap_err().code
    }

    #[test]
    fn exactly_one_target_is_named() {
        let user = UserId::from_bytes([1; 16]).to_string();
        assert!(Publish::read(body()).is_ok());
        for to in [
            Body { broadcast: None, ..body() },
            Body { broadcast: Some(false), ..body() },
            Body { topic: Some("a".into()), ..body() },
            Body { user_ids: Some(vec![user.clone()]), ..body() },
            Body { broadcast: None, user_ids: Some(vec![]), ..body() },
            Body { broadcast: None, user_ids: Some(vec!["x".into()]), ..body() },
            Body { broadcast: None, topic: Some("a#b".into()), ..body() },
        ] {
            assert_eq!(refused(to), Code::InvalidRequest);
        }
    }

    #[test]
    fn a_user_named_twice_is_one_recipient() {
        let user = UserId::from_bytes([1; 16]);
        let twice = Body { broadcast: None, user_ids: Some(vec![user.to_string(); 2]), ..body() };
        let publish = Publish::read(twice).unwrap();
        assert_eq!(publish.target, Target::Users(vec![user]));
        assert_eq!(publish.target.channel(), Some(Channel::User(user)));
    }

    #[test]
    fn data_is_measured_as_compact_utf_8() {
        let of = |text: String| Publish::read(Body { data: text, ..body() });
        let exact = format!("\"{}\"", "x".repeat(MAX_DATA_BYTES - 2));
        assert!(of(exact.clone()).is_ok());
        assert!(of(format!("  {exact}  ")).is_ok());
        assert_eq!(of(format!("\"{}\"", "x".repeat(MAX_DATA_BYTES - 1))).unwrap_err().code, Code::PayloadTooLarge);
        assert!(of(format!("\"{}\"", "\\u00e9".repeat(MAX_DATA_BYTES / 2 - 1))).is_ok());
    }

    #[test]
    fn limits_are_checked_at_the_door() {
        assert_eq!(refused(Body { kind: String::new(), ..body() }), Code::InvalidRequest);
        assert_eq!(refused(Body { kind: "x".repeat(65), ..body() }), Code::InvalidRequest);
        assert_eq!(refused(Body { kind: "expired".into(), ..body() }), Code::InvalidRequest);
        assert_eq!(refused(Body { ttl_seconds: Some(0), ..body() }), Code::InvalidRequest);
        assert_eq!(refused(Body { ttl_seconds: Some(86_401), ..body() }), Code::InvalidRequest);
        assert_eq!(refused(Body { idempotency_key: Some(String::new()), ..body() }), Code::InvalidRequest);
        assert!(Publish::read(Body { ttl_seconds: Some(86_400), ..body() }).is_ok());
        assert!(Publish::read(Body { ttl_seconds: Some(1), ..body() }).is_ok());
        assert!(Publish::read(Body { kind: "x".repeat(64), ..body() }).is_ok());
        for control in ["a\nb", "\u{0}", "a\u{7f}"] {
            assert_eq!(refused(Body { kind: control.into(), ..body() }), Code::InvalidRequest, "{control:?}");
        }
        let key = |text: String| Publish::read(Body { idempotency_key: Some(text), ..body() });
        for good in ["k".to_owned(), "k".repeat(256), "é".repeat(128)] {
            assert_eq!(key(good.clone()).unwrap().idempotency_key, Some(good));
        }
        for bad in ["k".repeat(257), "é".repeat(129), "k".repeat(3_000)] {
            let refusal = key(bad).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidRequest);
            assert_eq!(refusal.detail, "`idempotencyKey` must have 1 to 256 bytes.");
        }
    }

    #[test]
    fn an_append_is_remembered_two_days_longer_than_a_key() {
        assert_eq!((KEY_SECONDS, ID_SECONDS), (86_400, 259_200));
    }

    #[test]
    fn what_a_target_may_be_is_said() {
        let said = |body: Body| Publish::read(body).unwrap_err().detail.into_owned();
        let nobody = || Body { broadcast: None, ..body() };
        assert_eq!(said(Body { broadcast: Some(false), ..body() }), "`to.broadcast` must be true, or left out.");
        let one = "`to` must hold exactly one of `userIds`, `topic` and `broadcast`.";
        assert_eq!(said(nobody()), one);
        assert_eq!(said(Body { topic: Some("a".into()), ..body() }), one);
        let users = |ids: &[&str]| Body { user_ids: Some(ids.iter().map(|id| (*id).into()).collect()), ..nobody() };
        assert_eq!(said(users(&[])), "`to.userIds` must name at least one user.");
        assert_eq!(said(users(&["x"])), "`to.userIds` holds what is not a user id.");
        let topic = Body { topic: Some("a#b".into()), ..nobody() };
        assert_eq!(said(topic), "`to.topic` must have 1 to 128 of A-Z a-z 0-9 . _ : -");
    }

    #[test]
    fn a_message_is_kept_as_long_as_its_publisher_said_and_a_day_otherwise() {
        let id = MessageId::from_bytes([1; 16]);
        let of = |ttl_seconds| Publish::read(Body { ttl_seconds, ..body() }).unwrap().message(id, Millis::new(5));
        assert_eq!(of(None).expires_at, Millis::new(86_400_005));
        assert_eq!(of(Some(7)).expires_at, Millis::new(7_005));
        assert_eq!((of(None).id, of(None).sent_at, of(None).kind.as_str()), (id, Millis::new(5), "note"));
    }

    #[test]
    fn a_record_names_its_message() {
        assert_eq!(Queued::id_of("m1"), Queued::id_of("m1"));
        assert_ne!(Queued::id_of("m1"), Queued::id_of("m2"));
        assert_eq!(Queued::publisher_of("AROAEXAMPLE:i-1"), "sqs:AROAEXAMPLE");
        assert_eq!(Queued::publisher_of("AIDAEXAMPLE"), "sqs:AIDAEXAMPLE");
    }

    #[test]
    fn a_roles_session_name_is_not_part_of_the_publisher() {
        let role = "arn:aws:sts::123456789012:assumed-role/shop";
        assert_eq!(publisher(&format!("{role}/i-1")), role);
        assert_eq!(publisher(&format!("{role}/i-2")), role);
        assert_eq!(publisher("arn:aws:iam::000000000000:root"), "arn:aws:iam::000000000000:root");
        assert_ne!(PublishKey::new("a", "k"), PublishKey::new("b", "k"));
    }
}
