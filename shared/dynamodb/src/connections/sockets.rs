//! Sockets: the row, its twin under the user, its place among everybody, and the memory that it is gone.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValue, TransactWriteItem};
use holdfast_push::channel::{Channel, shard};
use holdfast_push::ids::ConnectionId;
use holdfast_push::ports::Sockets;
use holdfast_push::socket::{FrameWindow, GONE_SECONDS, Socket};
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::keys::{self, INDEX_PK, INDEX_SK, PK, SK, TTL};
use super::tickets::address;
use super::{ConnectionsTable, Rows, build_error};
use crate::attributes::{Item, Reader, number, string, timestamp};
use crate::call::{conditional, transaction, trouble};

fn read(item: &Item) -> StoreResult<Socket> {
    let r = Reader::new(item);
    Ok(Socket {
        id: r.parse("connectionId")?,
        at: address(&r)?,
        sid: r.parse("sid")?,
        connected_at: r.time("connectedAt")?,
        seen_at: r.time("seenAt")?,
        session_expires_at: r.time("sessionExpiresAt")?,
        expires_at: Millis::new(r.int::<i64>(TTL)?.saturating_mul(1_000)),
    })
}

fn sort_key(item: &Item) -> &str {
    item.get(SK).and_then(|v| v.as_s().ok()).map_or("", String::as_str)
}

impl ConnectionsTable {
    /// What a socket's own row and its twin have in common.
    fn row(&self, socket: &Socket, pk: String, sk: impl Into<String>) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item(PK, string(pk))
            .item(SK, string(sk))
            .item("connectionId", string(socket.id.as_str()))
            .item("userId", string(socket.at.user.to_string()))
            .item("slot", number(socket.at.slot))
            .item("sid", string(socket.sid.to_string()))
            .item("connectedAt", timestamp(socket.connected_at))
            .item("seenAt", timestamp(socket.seen_at))
            .item("sessionExpiresAt", timestamp(socket.session_expires_at))
            .item(TTL, number(socket.expires_at.seconds_up()))
    }

    /// The row that puts a socket into an audience.
    pub(super) fn member(&self, socket: &Socket, channel: &Channel) -> StoreResult<TransactWriteItem> {
        self.membership(socket, channel, None)
    }

    /// The same, where there must be none yet.
    pub(super) fn new_member(&self, socket: &Socket, channel: &Channel) -> StoreResult<TransactWriteItem> {
        self.membership(socket, channel, Some("attribute_not_exists(PK)"))
    }

    fn membership(
        &self,
        socket: &Socket,
        channel: &Channel,
        condition: Option<&str>,
    ) -> StoreResult<TransactWriteItem> {
        let audience = keys::audience(channel, shard(&socket.id))
            .ok_or_else(|| StoreError::Corrupt("a user's channel has no audience".into()))?;
        let put = Put::builder()
            .table_name(&self.table)
            .item(PK, string(keys::connection(&socket.id)))
            .item(SK, string(keys::membership(channel)))
            .item(INDEX_PK, string(audience))
            .item(INDEX_SK, string(keys::connection(&socket.id)))
            .item("sid", string(socket.sid.to_string()))
            .item("connectedAt", timestamp(socket.connected_at))
            .item("sessionExpiresAt", timestamp(socket.session_expires_at))
            .item(TTL, number(socket.expires_at.seconds_up()))
            .set_condition_expression(condition.map(str::to_owned))
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A condition on another row of the same socket.
    fn check(&self, id: &ConnectionId, sk: &str, condition: &str) -> StoreResult<TransactWriteItem> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key(PK, string(keys::connection(id)))
            .key(SK, string(sk))
            .condition_expression(condition)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Moves the session's expiry on one row, if it is still there.
    async fn move_expiry(&self, pk: String, sk: String, to: Millis, seen: Option<Millis>) -> StoreResult<()> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":expires", timestamp(to));
        let mut set = String::from("SET sessionExpiresAt = :expires");
        if let Some(seen) = seen {
            set.push_str(", seenAt = :seen");
            update = update.expression_attribute_values(":seen", timestamp(seen));
        }
        let result = update.update_expression(set).send().await;
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

impl Sockets for ConnectionsTable {
    async fn open(&self, socket: &Socket, email: &str) -> StoreResult<bool> {
        let pk = keys::connection(&socket.id);
        let own = self
            .row(socket, pk.clone(), keys::METADATA)
            .item("userEmail", string(email))
            .item("frames", number(0))
            .item("framesBefore", number(0))
            .build()
            .map_err(build_error)?;
        let twin = self.row(socket, keys::user(socket.at.user), pk).build().map_err(build_error)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(self.check(&socket.id, keys::GONE, "attribute_not_exists(PK)")?)
            .transact_items(TransactWriteItem::builder().put(own).build())
            .transact_items(TransactWriteItem::builder().put(twin).build())
            .transact_items(self.member(socket, &Channel::Broadcast)?)
            .send()
            .await;
        match transaction("TransactWriteItems", result)? {
            crate::call::TransactionOutcome::Done => Ok(true),
            refused if refused.refused(0).is_some() => Ok(false),
            _ => Err(StoreError::Conflict("TransactWriteItems: conflict".into())),
        }
    }

    async fn socket(&self, id: &ConnectionId) -> StoreResult<Option<Socket>> {
        self.get(keys::connection(id), keys::METADATA, true).await?.as_ref().map(read).transpose()
    }

    async fn of_user(&self, user: UserId) -> StoreResult<Vec<Socket>> {
        let rows = self.rows(keys::user(user), Rows::StartingWith(keys::CONNECTION), |_| false).await?;
        rows.iter().map(read).collect()
    }

    async fn forget(&self, id: &ConnectionId, user: Option<UserId>) -> StoreResult<()> {
        let pk = keys::connection(id);
        let rows = self.rows(pk.clone(), Rows::All, |_| false).await?;
        let own = rows.iter().find(|item| sort_key(item) == keys::METADATA);
        let owner = match own {
            Some(item) => Some(Reader::new(item).parse::<UserId>("userId")?),
            None => user,
        };
        for item in &rows {
            if ![keys::METADATA, keys::GONE].contains(&sort_key(item)) {
                self.delete(pk.clone(), sort_key(item)).await?;
            }
        }
        if let Some(owner) = owner {
            self.delete(keys::user(owner), pk.clone()).await?;
        }
        // Last, because it names the owner: whoever repeats an interrupted attempt finds the twin by it.
        if own.is_some() {
            self.delete(pk, keys::METADATA).await?;
        }
        Ok(())
    }

    async fn mark_gone(&self, id: &ConnectionId, now: Millis) -> StoreResult<()> {
        self.client
            .put_item()
            .table_name(&self.table)
            .item(PK, string(keys::connection(id)))
            .item(SK, string(keys::GONE))
            .item("goneAt", timestamp(now))
            .item(TTL, number(now.plus_seconds(GONE_SECONDS).seconds_up()))
            .send()
            .await
            .map_err(|e| trouble("PutItem", &e))?;
        Ok(())
    }

    async fn count_frame(&self, id: &ConnectionId) -> StoreResult<Option<FrameWindow>> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(keys::connection(id)))
            .key(SK, string(keys::METADATA))
            .update_expression("ADD frames :one")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let new = result.as_ref().ok().and_then(|answer| answer.attributes.clone());
        match (conditional("UpdateItem", None, result)?, new) {
            (Conditional::Done, Some(item)) => {
                let r = Reader::new(&item);
                let (frames, frames_before) = (r.int("frames")?, r.int("framesBefore")?);
                Ok(Some(FrameWindow { socket: read(&item)?, frames, frames_before }))
            }
            (Conditional::Done, None) => Err(StoreError::Corrupt("no attributes of a connection".into())),
            (Conditional::Refused(_), _) => Ok(None),
        }
    }

    async fn refresh(&self, seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()> {
        let socket = &seen.socket;
        let pk = keys::connection(&socket.id);
        let new_window = seen.window_is_over(now).then(|| seen.window_of(now));
        if new_window.is_some() {
            let result = self
                .client
                .update_item()
                .table_name(&self.table)
                .key(PK, string(&pk))
                .key(SK, string(keys::METADATA))
                .update_expression(
                    "SET sessionExpiresAt = :expires, seenAt = :now, frames = :one, framesBefore = :before",
                )
                .condition_expression("attribute_exists(PK)")
                .expression_attribute_values(":expires", timestamp(session_expires_at))
                .expression_attribute_values(":now", timestamp(seen.window_of(now)))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":before", number(seen.carried(now)))
                .send()
                .await;
            conditional("UpdateItem", None, result)?;
        } else {
            self.move_expiry(pk.clone(), keys::METADATA.to_owned(), session_expires_at, None).await?;
        }
        self.move_expiry(keys::user(socket.at.user), pk.clone(), session_expires_at, new_window).await?;
        if socket.session_expires_at != session_expires_at {
            self.move_expiry(pk.clone(), keys::SHARD.to_owned(), session_expires_at, None).await?;
            for item in self.rows(pk.clone(), Rows::StartingWith(keys::TOPIC), |_| false).await? {
                self.move_expiry(pk.clone(), sort_key(&item).to_owned(), session_expires_at, None).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{SessionId, SlotNo};

    use super::*;

    /// As DynamoDB counts: names and texts in UTF-8, numbers in two digits a byte and one more.
    fn size(item: &Item) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
            other => panic!("{other:?}"),
        };
        item.iter().map(|(name, of)| name.len() + value(of)).sum()
    }

    /// docs/scale.md reckons with these: what a million sockets write, store and are read with.
    #[test]
    fn a_socket_is_as_large_as_the_plan_says() {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .build();
        let table = ConnectionsTable::new(&config, "connections");
        let now = Millis::new(1_790_000_000_000);
        let socket = Socket {
            id: "L0SM9cOFvHcCIhw=".parse().unwrap(),
            at: Address { user: UserId::from_bytes([255; 16]), slot: SlotNo::new(4).unwrap() },
            sid: SessionId::from_bytes([255; 16]),
            connected_at: now,
            seen_at: now,
            session_expires_at: now.plus_seconds(86_400),
            expires_at: now.plus_seconds(7_800),
        };
        let pk = keys::connection(&socket.id);
        let own = table
            .row(&socket, pk.clone(), keys::METADATA)
            .item("userEmail", string("somebody@example.com"))
            .item("frames", number(0))
            .item("framesBefore", number(0))
            .build()
            .unwrap();
        let twin = table.row(&socket, keys::user(socket.at.user), pk).build().unwrap();
        let member = table.member(&socket, &Channel::Broadcast).unwrap().put.unwrap();
        let mut entry = member.item().clone();
        entry.remove(TTL);
        assert_eq!([own.item(), twin.item(), member.item(), &entry].map(size), [243, 211, 158, 149]);
    }
}
