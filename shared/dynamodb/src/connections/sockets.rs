//! Sockets: the row, which is also its entry for broadcasts, its twin under the user, and the record of its end.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, TransactWriteItem};
use holdfast_push::channel::{Channel, Topic, shard};
use holdfast_push::ids::ConnectionId;
use holdfast_push::ports::Sockets;
use holdfast_push::socket::{FrameWindow, GONE_SECONDS, SILENCE_SECONDS, Socket};
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::keys::{self, INDEX_PK, INDEX_SK, SK, TTL};
use super::tickets::address;
use super::{ConnectionsTable, Rows};
use crate::attributes::{Item, Reader, item, number, string, timestamp};
use crate::call::{conditional, trouble};
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

/// The socket's own row, which puts it into the audience of broadcasts.
fn own_row(socket: &Socket, email: &str) -> StoreResult<Item> {
    let mut own = row(socket, keys::connection(&socket.id), keys::METADATA);
    let more = [("userEmail", string(email)), ("frames", number(0)), ("framesBefore", number(0))];
    own.extend(
        more.into_iter().chain(index_keys(socket, &Channel::Broadcast)?).map(|(name, of)| (name.to_owned(), of)),
    );
    Ok(own)
}

/// The twin of a socket's row, under its user.
fn twin_row(socket: &Socket) -> Item {
    row(socket, keys::user(socket.at.user), keys::connection(&socket.id))
}

/// What puts a row into the index of an audience.
fn index_keys(socket: &Socket, channel: &Channel) -> StoreResult<[(&'static str, AttributeValue); 2]> {
    let audience = keys::audience(channel, shard(&socket.id))
        .ok_or_else(|| StoreError::Corrupt("a user's channel has no audience".into()))?;
    Ok([(INDEX_PK, string(audience)), (INDEX_SK, string(keys::connection(&socket.id)))])
}

/// The row that puts a socket into the audience of a topic.
fn member_row(socket: &Socket, topic: &Topic) -> StoreResult<Item> {
    let [audience, member] = index_keys(socket, &Channel::Topic(topic.clone()))?;
    Ok(item(
        (keys::connection(&socket.id), keys::topic(topic)),
        [
            audience,
            member,
            ("sid", string(socket.sid.to_string())),
            ("connectedAt", timestamp(socket.connected_at)),
            ("sessionExpiresAt", timestamp(socket.session_expires_at)),
            (TTL, number(socket.expires_at.seconds_up())),
        ],
    ))
}

impl ConnectionsTable {
    /// Puts a socket into the audience of a topic where it is not yet.
    pub(super) fn new_member(&self, socket: &Socket, topic: &Topic) -> StoreResult<TransactWriteItem> {
        Statement::absent().without_old_item().put_part(&self.table, member_row(socket, topic)?)
    }

    /// Writes a row of a socket unless it is there. Then an earlier try of the same call has written it, and an update may have
    /// followed, which a late try must not undo.
    async fn put_new(&self, row: Item) -> StoreResult<()> {
        let put = Statement::absent().put_item(&self.client, &self.table, row);
        conditional("PutItem", None, put.send().await).map(|_| ())
    }

    /// Updates one row of a socket, if it is still there.
    async fn update_row(&self, pk: String, sk: impl Into<String>, update: Statement) -> StoreResult<()> {
        let update = update.when("attribute_exists(PK)");
        let result = update.update_item(&self.client, &self.table, (pk, sk)).send().await;
        conditional("UpdateItem", None, result).map(|_| ())
    }

    /// Counts a frame in a socket's own row, and returns the window of the frame; `None` if the condition is not met.
    async fn count(&self, id: &ConnectionId, update: Statement) -> StoreResult<Option<FrameWindow>> {
        let result = update
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

    /// Updates every row that puts a socket into the audience of a topic.
    async fn update_members(&self, id: &ConnectionId, update: &Statement) -> StoreResult<()> {
        let pk = keys::connection(id);
        for item in self.rows(pk.clone(), Rows::StartingWith(keys::TOPIC), |_| false).await? {
            self.update_row(pk.clone(), sort_key(&item), update.clone()).await?;
        }
        Ok(())
    }
}

impl Sockets for ConnectionsTable {
    async fn open(&self, socket: &Socket, email: &str) -> StoreResult<()> {
        self.put_new(own_row(socket, email)?).await?;
        self.put_new(twin_row(socket)).await
    }

    async fn is_gone(&self, id: &ConnectionId) -> StoreResult<bool> {
        Ok(self.get(keys::connection(id), keys::GONE, true).await?.is_some())
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
        let one_more = Statement::new().then("ADD frames :one").when("attribute_exists(PK)").value(":one", number(1));
        self.count(id, one_more).await
    }

    async fn count_after_silence(&self, id: &ConnectionId, now: Millis) -> StoreResult<Option<FrameWindow>> {
        let first = Statement::new()
            .set("seenAt", timestamp(now))
            .set("frames", number(1))
            .set("framesBefore", number(0))
            .when("seenAt <= :silent")
            .value(":silent", timestamp(now.plus_seconds(-SILENCE_SECONDS)));
        self.count(id, first).await
    }

    async fn refresh(&self, seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()> {
        let socket = &seen.socket;
        let pk = keys::connection(&socket.id);
        let expiry = Statement::new().set("sessionExpiresAt", timestamp(session_expires_at));
        let twin = expiry.clone().set("seenAt", timestamp(seen.window_of(now)));
        let mut own = expiry.clone();
        if seen.window_is_over(now) {
            own = own
                .set("seenAt", timestamp(seen.window_of(now)))
                .set("frames", number(1))
                .set("framesBefore", number(seen.carried(now)));
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
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{SessionId, SlotNo};

    use super::keys::PK;
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
        let own = own_row(&socket, "somebody@example.com").unwrap();
        // The keys of both, and what the index projects.
        let mut entry = own.clone();
        entry.retain(|name, _| {
            [PK, SK, INDEX_PK, INDEX_SK, "sid", "connectedAt", "sessionExpiresAt"].contains(&name.as_str())
        });
        assert_eq!([own, twin_row(&socket), entry].each_ref().map(size), [288, 211, 152]);
    }
}
