//! Channels: a head, messages by offset, and the ids that make an append idempotent.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnRefusal};
use holdfast_push::channel::{Channel, Position};
use holdfast_push::data::Data;
use holdfast_push::ids::Epoch;
use holdfast_push::message::{HISTORY_SECONDS, Message, Recorded};
use holdfast_push::ports::{Appended, Channels};
use holdfast_push::publish::ID_SECONDS;
use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};

use super::keys::{self, TTL};
use super::{ConnectionsTable, Rows};
use crate::attributes::{Item, Reader, item, number, string, timestamp};
use crate::call::{TransactionOutcome, conditional, transaction};
use crate::statement::{Statement, put_new};

fn position(item: &Item) -> StoreResult<Position> {
    let r = Reader::new(item);
    Ok(Position { epoch: r.parse("epoch")?, offset: r.int("offset")? })
}

/// The attributes of a message, both in a channel and under a publisher's key.
pub(super) fn message_attributes(message: &Message) -> Item {
    Item::from([
        ("messageId".to_owned(), string(message.id.to_string())),
        ("kind".to_owned(), string(&message.kind)),
        ("data".to_owned(), string(message.data.as_str())),
        ("sentAt".to_owned(), timestamp(message.sent_at)),
        ("messageExpiresAt".to_owned(), timestamp(message.expires_at)),
        ("ephemeral".to_owned(), AttributeValue::Bool(message.ephemeral)),
    ])
}

/// Reads a message from such attributes.
pub(super) fn read_message(item: &Item) -> StoreResult<Message> {
    let r = Reader::new(item);
    Ok(Message {
        id: r.parse("messageId")?,
        kind: r.text("kind")?.to_owned(),
        data: Data::compact(r.text("data")?).map_err(|_| StoreError::Corrupt("attribute data is not JSON".into()))?,
        sent_at: r.time("sentAt")?,
        expires_at: r.time("messageExpiresAt")?,
        ephemeral: r.flag("ephemeral")?,
    })
}

fn recorded(item: &Item) -> StoreResult<Recorded> {
    Ok(Recorded { at: position(item)?, message: read_message(item)? })
}

fn keyed(channel: &Channel, sk: impl Into<String>, at: Position) -> Item {
    item((keys::channel(channel), sk), [("epoch", string(at.epoch.to_string())), ("offset", number(at.offset))])
}

/// How long a head outlives its last message. A channel that starts again afterwards has a new epoch, so no client
/// mistakes its offsets for the old ones.
const HEAD_SECONDS: i64 = 30 * 86_400;

fn head_ttl(now: Millis) -> i64 {
    keys::ttl(now.plus_seconds(HEAD_SECONDS))
}

fn head_item(channel: &Channel, head: Position, now: Millis) -> Item {
    let mut item = keyed(channel, keys::HEAD, head);
    item.insert(TTL.to_owned(), number(head_ttl(now)));
    item
}

/// The places after a head.
fn places(head: Position) -> impl Iterator<Item = Position> {
    (head.offset + 1..).map(move |offset| Position { epoch: head.epoch, offset })
}

/// Moves the head from where it was read to a later offset, which the message of that time has.
fn moved_head(seen: Position, to: u64, sent_at: Millis) -> Statement {
    Statement::new()
        .set("offset", number(to))
        // Renewed by every message, and far later than the last one and its id.
        .set(TTL, number(head_ttl(sent_at)))
        .when("#offset = :seen AND epoch = :epoch")
        .value(":seen", number(seen.offset))
        .value(":epoch", string(seen.epoch.to_string()))
}

/// The row of a message at its place.
fn message_row(channel: &Channel, place: Position, message: &Message) -> Item {
    let mut row = keyed(channel, keys::message(place.offset), place);
    row.extend(message_attributes(message));
    row.insert(TTL.to_owned(), number(keys::ttl(message.sent_at.plus_seconds(HISTORY_SECONDS))));
    row
}

impl Channels for ConnectionsTable {
    async fn head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.get(keys::channel(channel), keys::HEAD, true).await?.as_ref().map(position).transpose()
    }

    async fn recent_head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.get(keys::channel(channel), keys::HEAD, false).await?.as_ref().map(position).transpose()
    }

    async fn begin(&self, channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position> {
        let head = Position { epoch, offset: 0 };
        let result = Statement::absent()
            .put_item(&self.client, &self.table, head_item(channel, head, now))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        match conditional("PutItem", None, result)? {
            Conditional::Done => Ok(head),
            Conditional::Refused(Some(there)) => position(&there),
            Conditional::Refused(None) => Err(StoreError::Corrupt("a head that is there and is not".into())),
        }
    }

    async fn append(&self, channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended> {
        let latest = messages.iter().map(|message| message.sent_at).max().unwrap_or_default();
        let moved = moved_head(head, head.offset + messages.len() as u64, latest)
            .without_old_item()
            .update_part(&self.table, (keys::channel(channel), keys::HEAD))?;
        let mut call = self.client.transact_write_items().transact_items(moved);
        for (message, place) in messages.iter().zip(places(head)) {
            let mut id = keyed(channel, keys::appended(message.id), place);
            id.insert(TTL.to_owned(), number(keys::ttl(message.sent_at.plus_seconds(ID_SECONDS))));
            call = call
                .transact_items(Statement::new().put_part(&self.table, message_row(channel, place, message))?)
                .transact_items(put_new(&self.table, id)?);
        }
        let outcome = transaction("TransactWriteItems", call.send().await)?;
        if matches!(outcome, TransactionOutcome::Done) {
            return Ok(Appended::Done);
        }
        // The ids are checked first: if one of them exists, an earlier try of this call moved the head.
        let mut already = Vec::new();
        for index in 0..messages.len() {
            if let Some(old) = outcome.refused(2 + 2 * index) {
                let old = old.ok_or_else(|| StoreError::Corrupt("an id that is there and is not".into()))?;
                already.push((index, position(old)?));
            }
        }
        Ok(if already.is_empty() { Appended::Moved } else { Appended::Already(already) })
    }

    async fn record(&self, channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>> {
        let result = Statement::absent()
            .put_item(&self.client, &self.table, message_row(channel, place, message))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        match conditional("PutItem", None, result)? {
            Conditional::Done => Ok(None),
            Conditional::Refused(Some(there)) => recorded(&there).map(Some),
            Conditional::Refused(None) => Err(StoreError::Corrupt("a message that is there and is not".into())),
        }
    }

    async fn advance(&self, channel: &Channel, to: &Recorded) -> StoreResult<bool> {
        let Some(before) = to.at.offset.checked_sub(1) else {
            return Err(StoreError::Corrupt("a message at the place 0".into()));
        };
        let seen = Position { offset: before, ..to.at };
        let result = moved_head(seen, to.at.offset, to.message.sent_at)
            .update_item(&self.client, &self.table, (keys::channel(channel), keys::HEAD))
            .send()
            .await;
        Ok(matches!(conditional("UpdateItem", None, result)?, Conditional::Done))
    }

    async fn message(&self, channel: &Channel, place: Position) -> StoreResult<Option<Recorded>> {
        self.get(keys::channel(channel), keys::message(place.offset), true).await?.as_ref().map(recorded).transpose()
    }

    async fn range(
        &self,
        channel: &Channel,
        after: u64,
        head: Position,
        max_bytes: usize,
    ) -> StoreResult<Vec<Recorded>> {
        // Nothing lies after the head; a range from there would be reversed, which DynamoDB refuses.
        if after >= head.offset {
            return Ok(Vec::new());
        }
        let which = Rows::Between(keys::message(after + 1), keys::message(head.offset));
        let size = |items: &[Item]| -> usize {
            items.iter().filter_map(|item| item.get("data")).filter_map(|v| v.as_s().ok()).map(String::len).sum()
        };
        let rows = self.rows(keys::channel(channel), which, |found| size(found) > max_bytes).await?;
        rows.iter().map(recorded).collect()
    }
}

#[cfg(test)]
mod tests {
    use holdfast_push::ids::MessageId;
    use holdfast_sessions::UserId;
    use holdfast_testkit::CannedAws;
    use serde_json::{Map, Value, json};

    use super::*;

    /// A message with `bytes` bytes of data, as DynamoDB's answer to a query holds it.
    fn stored(channel: &Channel, offset: u64, bytes: usize) -> Value {
        let now = Millis::new(1_000);
        let data = format!("\"{}\"", "x".repeat(bytes - 2));
        let message = Message {
            id: MessageId::from_bytes([1; 16]),
            kind: "note".into(),
            data: Data::compact(&data).unwrap(),
            sent_at: now,
            expires_at: now.plus_seconds(60),
            ephemeral: false,
        };
        let mut row = keyed(channel, keys::message(offset), Position { epoch: Epoch::from_bytes([1; 8]), offset });
        row.extend(message_attributes(&message));
        let members = row.into_iter().map(|(name, value)| match value {
            AttributeValue::S(text) => (name, json!({ "S": text })),
            AttributeValue::N(digits) => (name, json!({ "N": digits })),
            AttributeValue::Bool(flag) => (name, json!({ "BOOL": flag })),
            other => panic!("nothing of a message: {other:?}"),
        });
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// A client that missed exactly as much as it may recover gets all of it, also where DynamoDB divides the answer.
    #[tokio::test]
    async fn as_many_bytes_as_are_allowed_do_not_end_the_reading() {
        let channel = Channel::User(UserId::from_bytes([1; 16]));
        let page =
            |offset| json!({ "Items": [stored(&channel, offset, 100)], "LastEvaluatedKey": { "PK": { "S": "x" } } });
        let pages = [1, 2, 3].map(|offset| page(offset).to_string());
        let head = Position { epoch: Epoch::from_bytes([1; 8]), offset: 3 };
        for (allowed, read) in [(99, 1), (100, 2), (199, 2)] {
            let aws = CannedAws::new(&pages.each_ref().map(|page| (200, page.as_str())));
            let table = ConnectionsTable::new(&aws.config(), "connections");
            let found = table.range(&channel, 0, head, allowed).await.unwrap();
            assert_eq!(found.len(), read, "{allowed} bytes are allowed");
        }
    }
}
