//! Messages of the queues `push` and `broadcast`.

use holdfast_push::channel::{Channel, Position};
use holdfast_push::data::Data;
use holdfast_push::job::{Cursor, Group, Job, Recipient};
use holdfast_push::message::Message;
use holdfast_sessions::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Unreadable, VERSION};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireJob {
    v: u32,
    kind: Kind,
    message: WireMessage,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<WirePosition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<WireCursor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<WireGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Users,
    Channel,
    Deliver,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage {
    id: String,
    kind: String,
    data: Box<RawValue>,
    sent_at: i64,
    expires_at: i64,
    ephemeral: bool,
}

#[derive(Serialize, Deserialize)]
struct WirePosition {
    epoch: String,
    offset: u64,
}

#[derive(Serialize, Deserialize)]
struct WireCursor {
    shard: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireGroup {
    channel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<WirePosition>,
    recipients: Vec<WireRecipient>,
}

#[derive(Serialize, Deserialize)]
struct WireRecipient {
    id: String,
    until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&Message> for WireMessage {
    fn from(message: &Message) -> Self {
        // `Data` is JSON by construction.
        let data =
            RawValue::from_string(message.data.as_str().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self {
            id: message.id.to_string(),
            kind: message.kind.clone(),
            data,
            sent_at: message.sent_at.get(),
            expires_at: message.expires_at.get(),
            ephemeral: message.ephemeral,
        }
    }
}

fn position(at: Position) -> WirePosition {
    WirePosition { epoch: at.epoch.to_string(), offset: at.offset }
}

fn group(group: &Group) -> WireGroup {
    let recipients = group.recipients.iter().map(|r| WireRecipient {
        id: r.connection.to_string(),
        until: r.until.get(),
        reason: r.reason.clone(),
    });
    WireGroup { channel: group.channel.to_string(), at: group.at.map(position), recipients: recipients.collect() }
}

/// A piece of work as the queue carries it.
pub fn job_to_json(job: &Job) -> String {
    let mut wire = WireJob {
        v: VERSION,
        kind: Kind::Users,
        message: job.message().into(),
        users: Vec::new(),
        channel: None,
        at: None,
        cursor: None,
        groups: Vec::new(),
        attempt: None,
    };
    match job {
        Job::Users { users, .. } => wire.users = users.iter().map(ToString::to_string).collect(),
        Job::Channel { channel, at, cursor, .. } => {
            wire.kind = Kind::Channel;
            wire.channel = Some(channel.to_string());
            wire.at = at.map(position);
            wire.cursor = cursor.as_ref().map(|cursor| WireCursor {
                shard: cursor.shard,
                after: cursor.after.as_ref().map(ToString::to_string),
            });
        }
        Job::Deliver { groups, attempt, .. } => {
            wire.kind = Kind::Deliver;
            wire.groups = groups.iter().map(group).collect();
            wire.attempt = Some(*attempt);
        }
    }
    // Strings, numbers and JSON: this cannot fail, and an empty body would be refused by its reader.
    serde_json::to_string(&wire).unwrap_or_default()
}

const BAD_ID: Unreadable = Unreadable("an identifier is malformed");
const BAD_FORM: Unreadable = Unreadable("not a push job");

fn read_position(wire: WirePosition) -> Result<Position, Unreadable> {
    Ok(Position { epoch: wire.epoch.parse().map_err(|_| BAD_ID)?, offset: wire.offset })
}

fn read_channel(text: &str) -> Result<Channel, Unreadable> {
    text.parse().map_err(|_| BAD_ID)
}

fn read_group(wire: WireGroup) -> Result<Group, Unreadable> {
    let recipient = |r: WireRecipient| {
        Ok(Recipient { connection: r.id.parse().map_err(|_| BAD_ID)?, until: Millis::new(r.until), reason: r.reason })
    };
    Ok(Group {
        channel: read_channel(&wire.channel)?,
        at: wire.at.map(read_position).transpose()?,
        recipients: wire.recipients.into_iter().map(recipient).collect::<Result<_, _>>()?,
    })
}

/// Reads a piece of work back.
pub fn job_from_json(body: &str) -> Result<Job, Unreadable> {
    let wire: WireJob = serde_json::from_str(body).map_err(|_| BAD_FORM)?;
    if wire.v != VERSION {
        return Err(Unreadable("of another version"));
    }
    let message = Message {
        id: wire.message.id.parse().map_err(|_| BAD_ID)?,
        kind: wire.message.kind,
        data: Data::compact(wire.message.data.get()).map_err(|_| Unreadable("its data cannot be sent on"))?,
        sent_at: Millis::new(wire.message.sent_at),
        expires_at: Millis::new(wire.message.expires_at),
        ephemeral: wire.message.ephemeral,
    };
    Ok(match wire.kind {
        Kind::Users => {
            let users = wire.users.iter().map(|user| user.parse().map_err(|_| BAD_ID));
            Job::Users { message, users: users.collect::<Result<_, _>>()? }
        }
        Kind::Channel => Job::Channel {
            message,
            channel: read_channel(&wire.channel.ok_or(BAD_FORM)?)?,
            at: wire.at.map(read_position).transpose()?,
            cursor: wire
                .cursor
                .map(|cursor| {
                    let after = cursor.after.map(|id| id.parse().map_err(|_| BAD_ID)).transpose()?;
                    Ok(Cursor { shard: cursor.shard, after })
                })
                .transpose()?,
        },
        Kind::Deliver => Job::Deliver {
            message,
            groups: wire.groups.into_iter().map(read_group).collect::<Result<_, _>>()?,
            attempt: wire.attempt.ok_or(BAD_FORM)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use holdfast_push::ids::{Epoch, MessageId};
    use holdfast_sessions::UserId;

    use super::*;

    fn examples() -> [Job; 3] {
        let message = Message {
            id: MessageId::from_bytes([1; 16]),
            kind: "note".into(),
            data: Data::compact("{\"n\":123456789012345678901234567890}").unwrap(),
            sent_at: Millis::new(1),
            expires_at: Millis::new(2),
            ephemeral: false,
        };
        let at = Some(Position { epoch: Epoch::from_bytes([2; 8]), offset: 9 });
        let user = UserId::from_bytes([3; 16]);
        let recipients =
            vec![Recipient { connection: "c=".parse().unwrap(), until: Millis::new(5), reason: Some("GONE".into()) }];
        [
            Job::Users { message: message.clone(), users: vec![user] },
            Job::Channel {
                message: message.clone(),
                channel: Channel::Topic("a.b".parse().unwrap()),
                at,
                cursor: Some(Cursor { shard: 3, after: Some("c=".parse().unwrap()) }),
            },
            Job::Deliver { message, groups: vec![Group { channel: Channel::User(user), at, recipients }], attempt: 2 },
        ]
    }

    #[test]
    fn work_reads_back() {
        for job in examples() {
            assert_eq!(job_from_json(&job_to_json(&job)), Ok(job));
        }
    }

    #[test]
    fn another_version_or_form_is_refused_and_not_guessed_at() {
        let text = job_to_json(&examples()[2]);
        for bad in ["", "{}", "not json", &text.replace("\"v\":1", "\"v\":2"), &text.replace("deliver", "devour")] {
            assert!(job_from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_largest_job_fits_into_a_record() {
        let long = Data::compact(&format!("\"{}\"", "x".repeat(32 * 1024 - 2))).unwrap();
        let [_, _, deliver] = examples();
        let Job::Deliver { message, groups, .. } = deliver else { panic!() };
        let id = "c".repeat(24).parse().unwrap();
        let recipient =
            Recipient { connection: id, reason: Some("FORBIDDEN".into()), ..groups[0].recipients[0].clone() };
        let group = Group { recipients: vec![recipient], ..groups[0].clone() };
        let job = Job::Deliver {
            message: Message { data: long.clone(), ..message.clone() },
            groups: vec![group; holdfast_push::job::MAX_RECIPIENTS],
            attempt: 6,
        };
        assert!(job_to_json(&job).len() < 256 * 1024);
        let users = vec![UserId::from_bytes([3; 16]); holdfast_push::job::MAX_USERS];
        assert!(job_to_json(&Job::Users { message: Message { data: long, ..message }, users }).len() < 256 * 1024);
    }
}
