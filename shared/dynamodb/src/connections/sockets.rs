//! Sockets: the row, its twin under the user, its entry for broadcasts, and the record of its end.

use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};
use holdfast_push::channel::{Channel, shard};
use holdfast_push::ids::ConnectionId;
use holdfast_push::ports::Sockets;
use holdfast_push::socket::{FrameWindow, GONE_SECONDS, Socket};
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::keys::{self, INDEX_PK, INDEX_SK, SK, TTL};
use super::tickets::address;
use super::{ConnectionsTable, Rows};
use crate::attributes::{Item, Reader, item, number, string, timestamp};
use crate::call::{conditional, transaction, trouble};
use crate::statement::Statement;

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

/// What a socket's own row and its twin have in common.
fn row(socket: &Socket, pk: String, sk: impl Into<String>) -> Item {
    item(
        (pk, sk),
        [
            ("connectionId", string(socket.id.as_str())),
            ("userId", string(socket.at.user.to_string())),
            ("slot", number(socket.at.slot)),
            ("sid", string(socket.sid.to_string())),
            ("connectedAt", timestamp(socket.connected_at)),
            ("seenAt", timestamp(socket.seen_at)),
            ("sessionExpiresAt", timestamp(socket.session_expires_at)),
            (TTL, number(socket.expires_at.seconds_up())),
        ],
    )
}

/// The socket's own row.
fn own_row(socket: &Socket, email: &str) -> Item {
    let mut own = row(socket, keys::connection(&socket.id), keys::METADATA);
    let more = [("userEmail", string(email)), ("frames", number(0)), ("framesBefore", number(0))];
    own.extend(more.map(|(name, value)| (name.to_owned(), value)));
    own
}

/// The twin of a socket's row, under its user.
fn twin_row(socket: &Socket) -> Item {
    row(socket, keys::user(socket.at.user), keys::connection(&socket.id))
}

/// The row that puts a socket into an audience.
fn member_row(socket: &Socket, channel: &Channel) -> StoreResult<Item> {
    let audience = keys::audience(channel, shard(&socket.id))
        .ok_or_else(|| StoreError::Corrupt("a user's channel has no audience".into()))?;
    let key = keys::connection(&socket.id);
    Ok(item(
        (key.clone(), keys::membership(channel)),
        [
            (INDEX_PK, string(audience)),
            (INDEX_SK, string(key)),
            ("sid", string(socket.sid.to_string())),
            ("connectedAt", timestamp(socket.connected_at)),
            ("sessionExpiresAt", timestamp(socket.session_expires_at)),
            (TTL, number(socket.expires_at.seconds_up())),
        ],
    ))
}

impl ConnectionsTable {
    /// Puts a socket into an audience where it is not yet.
    pub(super) fn new_member(&self, socket: &Socket, channel: &Channel) -> StoreResult<TransactWriteItem> {
        Statement::absent().without_old_item().put_part(&self.table, member_row(socket, channel)?)
    }

    /// Updates one row of a socket, if it is still there.
    async fn update_row(&self, pk: String, sk: impl Into<String>, update: Statement) -> StoreResult<()> {
        let update = update.when("attribute_exists(PK)");
        let result = update.update_item(&self.client, &self.table, (pk, sk)).send().await;
        conditional("UpdateItem", None, result).map(|_| ())
    }

    /// Updates every row that puts a socket into an audience.
    async fn update_members(&self, id: &ConnectionId, update: &Statement) -> StoreResult<()> {
        let pk = keys::connection(id);
        self.update_row(pk.clone(), keys::SHARD, update.clone()).await?;
        for item in self.rows(pk.clone(), Rows::StartingWith(keys::TOPIC), |_| false).await? {
            self.update_row(pk.clone(), sort_key(&item), update.clone()).await?;
        }
        Ok(())
    }
}

impl Sockets for ConnectionsTable {
    async fn open(&self, socket: &Socket, email: &str) -> StoreResult<bool> {
        let put = |row| Statement::new().without_old_item().put_part(&self.table, row);
        let not_gone = Statement::absent().check_part(&self.table, (keys::connection(&socket.id), keys::GONE))?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(not_gone)
            .transact_items(put(own_row(socket, email))?)
            .transact_items(put(twin_row(socket))?)
            .transact_items(put(member_row(socket, &Channel::Broadcast)?)?)
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
        // Last, because it names the owner: a caller that repeats an interrupted attempt finds the twin by it.
        if own.is_some() {
            self.delete(pk, keys::METADATA).await?;
        }
        Ok(())
    }

    async fn mark_gone(&self, id: &ConnectionId, now: Millis) -> StoreResult<()> {
        let row = item(
            (keys::connection(id), keys::GONE),
            [("goneAt", timestamp(now)), (TTL, number(now.plus_seconds(GONE_SECONDS).seconds_up()))],
        );
        let put = Statement::new().put_item(&self.client, &self.table, row);
        put.send().await.map_err(|e| trouble("PutItem", &e))?;
        Ok(())
    }

    async fn count_frame(&self, id: &ConnectionId) -> StoreResult<Option<FrameWindow>> {
        let result = Statement::new()
            .then("ADD frames :one")
            .when("attribute_exists(PK)")
            .value(":one", number(1))
            .update_item(&self.client, &self.table, (keys::connection(id), keys::METADATA))
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
        let expiry = Statement::new().set("sessionExpiresAt", timestamp(session_expires_at));
        let (mut own, mut twin) = (expiry.clone(), expiry.clone());
        if seen.window_is_over(now) {
            own = own
                .set("seenAt", timestamp(seen.window_of(now)))
                .set("frames", number(1))
                .set("framesBefore", number(seen.carried(now)));
            twin = twin.set("seenAt", timestamp(seen.window_of(now)));
        }
        self.update_row(pk.clone(), keys::METADATA, own).await?;
        self.update_row(keys::user(socket.at.user), pk, twin).await?;
        if socket.session_expires_at != session_expires_at {
            self.update_members(&socket.id, &expiry).await?;
        }
        Ok(())
    }

    async fn extend(&self, socket: &Socket, session_expires_at: Millis) -> StoreResult<()> {
        let expiry = Statement::new().set("sessionExpiresAt", timestamp(session_expires_at));
        let pk = keys::connection(&socket.id);
        self.update_members(&socket.id, &expiry).await?;
        self.update_row(keys::user(socket.at.user), pk.clone(), expiry.clone()).await?;
        self.update_row(pk, keys::METADATA, expiry).await
    }

    async fn confirm_open(&self, socket: &Socket, now: Millis) -> StoreResult<()> {
        let seen = Statement::new().set("seenAt", timestamp(now));
        self.update_row(keys::user(socket.at.user), keys::connection(&socket.id), seen).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{SessionId, SlotNo};
    use holdfast_testkit::CannedAws;
    use serde_json::json;

    use super::*;

    fn sample() -> Socket {
        let now = Millis::new(1_790_000_000_000);
        Socket {
            id: "L0SM9cOFvHcCIhw=".parse().unwrap(),
            at: Address { user: UserId::from_bytes([255; 16]), slot: SlotNo::new(4).unwrap() },
            sid: SessionId::from_bytes([255; 16]),
            connected_at: now,
            seen_at: now,
            session_expires_at: now.plus_seconds(86_400),
            expires_at: now.plus_seconds(7_800),
        }
    }

    /// A socket that has closed is refused without another attempt, so contention must not look like that.
    #[tokio::test]
    async fn a_socket_is_gone_only_if_its_record_says_so() {
        let reasons = |codes: [&str; 4]| {
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "CancellationReasons": codes.map(|code| json!({ "Code": code })),
            })
        };
        let open = async |codes| {
            let aws = CannedAws::new(&[(400, &reasons(codes).to_string())]);
            ConnectionsTable::new(&aws.config(), "connections").open(&sample(), "a@example.com").await
        };
        assert_eq!(open(["ConditionalCheckFailed", "None", "None", "None"]).await, Ok(false));
        for contention in ["TransactionConflict", "ThrottlingError"] {
            let opened = open([contention, "None", "None", "None"]).await;
            assert!(matches!(opened, Err(StoreError::Conflict(_))), "{contention}: {opened:?}");
        }
    }

    /// The size of an item as DynamoDB counts it: names and texts in UTF-8, numbers in two digits a byte and one more.
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
        let socket = sample();
        let member = member_row(&socket, &Channel::Broadcast).unwrap();
        let mut entry = member.clone();
        entry.remove(TTL);
        let rows = [own_row(&socket, "somebody@example.com"), twin_row(&socket), member, entry];
        assert_eq!(rows.each_ref().map(size), [243, 211, 158, 149]);
    }
}
