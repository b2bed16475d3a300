//! Publishers' keys: `PENDING` with the whole request, then `QUEUED` with the answer.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnRefusal};
use holdfast_push::ports::{Begun, PublishKeys};
use holdfast_push::publish::{Answer, KEY_SECONDS, Pending, PublishKey, Target};
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::ConnectionsTable;
use super::channels::{message_attributes, read_message};
use super::keys::{self, TTL};
use crate::attributes::{Item, Reader, item, number, string, timestamp};
use crate::call::conditional;
use crate::statement::Statement;

const PENDING: &str = "PENDING";
const QUEUED: &str = "QUEUED";

fn pending_attributes(pending: &Pending) -> Item {
    let mut item = message_attributes(&pending.message);
    match &pending.target {
        Target::Users(users) => {
            // As bytes, 16 a user: the largest request has some 9 000 of them, and an item 400 KB.
            let bytes: Vec<u8> = users.iter().flat_map(|user| *user.as_bytes()).collect();
            item.insert("toUsers".to_owned(), AttributeValue::B(Blob::new(bytes)));
        }
        Target::Topic(topic) => {
            item.insert("toTopic".to_owned(), string(topic.as_str()));
        }
        Target::Broadcast => {
            item.insert("toAll".to_owned(), AttributeValue::Bool(true));
        }
    }
    item
}

fn read_target(item: &Item) -> StoreResult<Target> {
    let r = Reader::new(item);
    if let Some(blob) = item.get("toUsers").and_then(|v| v.as_b().ok()) {
        let (users, rest) = blob.as_ref().as_chunks::<16>();
        if !rest.is_empty() {
            return Err(StoreError::Corrupt("attribute toUsers".into()));
        }
        return Ok(Target::Users(users.iter().map(|bytes| UserId::from_bytes(*bytes)).collect()));
    }
    match r.parse_opt("toTopic")? {
        Some(topic) => Ok(Target::Topic(topic)),
        None if r.flag("toAll")? => Ok(Target::Broadcast),
        None => Err(StoreError::Corrupt("a publish to nobody".into())),
    }
}

fn read_answer(item: &Item) -> StoreResult<Answer> {
    let r = Reader::new(item);
    Ok(Answer {
        message_id: r.parse("messageId")?,
        recipients: r.int_opt("recipients")?,
        channel: r.parse_opt("channel")?,
        offset: r.int_opt("offset")?,
    })
}

impl PublishKeys for ConnectionsTable {
    async fn begin_publish(&self, key: &PublishKey, pending: &Pending, now: Millis) -> StoreResult<Begun> {
        let expires = now.plus_seconds(KEY_SECONDS);
        let mut row = item(
            keys::publish(key),
            [("state", string(PENDING)), ("expiresAt", timestamp(expires)), (TTL, number(keys::ttl(expires)))],
        );
        row.extend(pending_attributes(pending));
        let result = Statement::new()
            .when("attribute_not_exists(PK) OR expiresAt <= :now")
            .value(":now", timestamp(now))
            .put_item(&self.client, &self.table, row)
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        let there = match conditional("PutItem", None, result)? {
            Conditional::Done => return Ok(Begun::New),
            Conditional::Refused(Some(there)) => there,
            Conditional::Refused(None) => return Err(StoreError::Corrupt("a key that is there and is not".into())),
        };
        match Reader::new(&there).text("state")? {
            QUEUED => read_answer(&there).map(Begun::Queued),
            PENDING => {
                let stored = Pending { target: read_target(&there)?, message: read_message(&there)? };
                // Our own write, whose reply was lost.
                Ok(if stored.message.id == pending.message.id { Begun::New } else { Begun::Pending(stored) })
            }
            _ => Err(StoreError::Corrupt("attribute state of a publish".into())),
        }
    }

    async fn finish_publish(&self, key: &PublishKey, answer: &Answer) -> StoreResult<()> {
        let mut queued = Statement::new()
            .set("state", string(QUEUED))
            // The request has served: what it said is in its channels, or on its way.
            .remove(&["data", "toUsers", "toTopic", "toAll"])
            .when("messageId = :id AND #state = :pending")
            .value(":id", string(answer.message_id.to_string()))
            .value(":pending", string(PENDING));
        for (attribute, value) in [
            ("recipients", answer.recipients.map(number)),
            ("channel", answer.channel.as_ref().map(|channel| string(channel.to_string()))),
            ("offset", answer.offset.map(number)),
        ] {
            if let Some(value) = value {
                queued = queued.set(attribute, value);
            }
        }
        let result = queued.update_item(&self.client, &self.table, keys::publish(key)).send().await;
        // Refused: another call finished it, or the key stands for something newer by now.
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_target_is_corrupt_and_no_broadcast() {
        let flag = |to_all| Item::from([("toAll".to_owned(), AttributeValue::Bool(to_all))]);
        assert_eq!(read_target(&flag(true)), Ok(Target::Broadcast));
        for nobody in [Item::new(), flag(false)] {
            assert!(matches!(read_target(&nobody), Err(StoreError::Corrupt(_))), "{nobody:?}");
        }
    }
}
