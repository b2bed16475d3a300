//! The topics of a socket, and the sockets of a topic or of a broadcast.

use holdfast_push::channel::{Channel, Topic};
use holdfast_push::ids::ConnectionId;
use holdfast_push::job::Recipient;
use holdfast_push::ports::{Audience, Joined, Page, Subscriptions};
use holdfast_push::socket::{MAX_TOPICS, Socket};
use holdfast_sessions::ports::{StoreError, StoreResult};

use super::keys::{self, INDEX, INDEX_PK, INDEX_SK, SK};
use super::{ConnectionsTable, Rows};
use crate::attributes::{Item, Reader, item, number, string};
use crate::call::{TransactionOutcome, transaction, trouble};
use crate::statement::Statement;

impl Subscriptions for ConnectionsTable {
    /// The socket's own row counts its topics, in the transaction that adds or removes one: two frames that both saw room for
    /// one more cannot both be right.
    async fn join(&self, socket: &Socket, topics: &[Topic]) -> StoreResult<Joined> {
        let Some(room) = MAX_TOPICS.checked_sub(topics.len()) else { return Ok(Joined::TooMany) };
        let counted = Statement::new()
            .then("ADD topicCount :more")
            .when("attribute_exists(PK)")
            .when("attribute_not_exists(topicCount) OR topicCount <= :room")
            .value(":more", number(topics.len()))
            .value(":room", number(room));
        let mut call = self
            .client
            .transact_write_items()
            .transact_items(counted.update_part(&self.table, (keys::connection(&socket.id), keys::METADATA))?);
        for topic in topics {
            call = call.transact_items(self.new_member(socket, topic)?);
        }
        let outcome = transaction("TransactWriteItems", call.send().await)?;
        Ok(match outcome.refused(0) {
            Some(None) => Joined::Closed,
            Some(Some(_)) => Joined::TooMany,
            None if matches!(outcome, TransactionOutcome::Done) => Joined::Done,
            // One of them is there already: an earlier try of this call was applied, or another frame was first.
            None => return Err(StoreError::Conflict("TransactWriteItems: conflict".into())),
        })
    }

    async fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> StoreResult<()> {
        let row = (keys::connection(id), keys::topic(topic));
        let counted = Statement::new().then("ADD topicCount :less").when("topicCount > :none");
        let counted = counted.value(":less", number(-1)).value(":none", number(0));
        let result = self
            .client
            .transact_write_items()
            .transact_items(Statement::new().when("attribute_exists(PK)").delete_part(&self.table, row.clone())?)
            .transact_items(counted.update_part(&self.table, (row.0.clone(), keys::METADATA))?)
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        match (&outcome, outcome.refused(0), outcome.refused(1)) {
            // It is not subscribed to.
            (TransactionOutcome::Done, ..) | (_, Some(_), _) => Ok(()),
            // The socket's own row does not exist, or was written by a version that did not count.
            (_, None, Some(_)) => self.delete(row.0, row.1).await,
            (_, None, None) => Err(StoreError::Conflict("TransactWriteItems: conflict".into())),
        }
    }

    async fn topics(&self, id: &ConnectionId) -> StoreResult<Vec<Topic>> {
        let rows = self.rows(keys::connection(id), Rows::StartingWith(keys::TOPIC), |_| false).await?;
        rows.iter()
            .map(|item| {
                let key = Reader::new(item).text(SK)?;
                key.strip_prefix(keys::TOPIC)
                    .and_then(|name| name.parse().ok())
                    .ok_or_else(|| StoreError::Corrupt("a subscription to no topic".into()))
            })
            .collect()
    }
}

fn member(item: &Item) -> StoreResult<ConnectionId> {
    let key = Reader::new(item).text(INDEX_SK)?;
    key.strip_prefix(keys::CONNECTION)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| StoreError::Corrupt("a member that is no connection".into()))
}

impl Audience for ConnectionsTable {
    async fn page(&self, channel: &Channel, shard: u8, after: Option<&ConnectionId>) -> StoreResult<Page> {
        let Some(audience) = keys::audience(channel, shard) else {
            return Ok(Page::default());
        };
        let start = after.map(|id| {
            let (key, member) = (keys::connection(id), keys::membership(channel));
            item((key.clone(), member), [(INDEX_PK, string(&audience)), (INDEX_SK, string(key))])
        });
        let page = Statement::new()
            .when("GSI1PK = :audience")
            .value(":audience", string(audience))
            .query(&self.client, &self.table)
            .index_name(INDEX)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|e| trouble("Query", &e))?;
        let recipient = |item: &Item| {
            let until = Reader::new(item).time("sessionExpiresAt")?;
            Ok(Recipient { connection: member(item)?, until, reason: None })
        };
        let recipients = page.items().iter().map(recipient).collect::<StoreResult<_>>()?;
        Ok(Page { recipients, next: page.last_evaluated_key.as_ref().map(member).transpose()? })
    }
}
