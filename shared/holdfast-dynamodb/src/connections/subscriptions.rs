//! Topics of sockets, and the sockets of topics and of everybody.

use holdfast_domain::ports::{StoreError, Stored};
use holdfast_push::channel::{Channel, Topic};
use holdfast_push::ids::ConnectionId;
use holdfast_push::job::Recipient;
use holdfast_push::ports::{Audience, Page, Subscriptions};
use holdfast_push::socket::Socket;

use super::keys::{self, INDEX, INDEX_PK, INDEX_SK, PK, SK};
use super::{ConnectionsTable, Rows};
use crate::attributes::{Item, Reader, s};
use crate::call::{Outcome, transaction, trouble};

impl Subscriptions for ConnectionsTable {
    async fn subscribe(&self, socket: &Socket, topic: &Topic) -> Stored<bool> {
        let result = self
            .client
            .transact_write_items()
            .transact_items(self.check(&socket.id, keys::METADATA, "attribute_exists(PK)")?)
            .transact_items(self.member(socket, &Channel::Topic(topic.clone()))?)
            .send()
            .await;
        match transaction("TransactWriteItems", result)? {
            Outcome::Done => Ok(true),
            refused if refused.refused(0).is_some() => Ok(false),
            _ => Err(StoreError::Busy("TransactWriteItems: conflict".into())),
        }
    }

    async fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> Stored<()> {
        self.delete(keys::connection(id), keys::topic(topic)).await
    }

    async fn topics(&self, id: &ConnectionId) -> Stored<Vec<Topic>> {
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

fn member(item: &Item) -> Stored<ConnectionId> {
    let key = Reader::new(item).text(INDEX_SK)?;
    key.strip_prefix(keys::CONNECTION)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| StoreError::Corrupt("a member that is no connection".into()))
}

impl Audience for ConnectionsTable {
    async fn page(&self, channel: &Channel, shard: u8, after: Option<&ConnectionId>) -> Stored<Page> {
        let Some(audience) = keys::audience(channel, shard) else {
            return Ok(Page::default());
        };
        let start = after.map(|id| {
            Item::from([
                (PK.to_owned(), s(keys::connection(id))),
                (SK.to_owned(), s(keys::membership(channel))),
                (INDEX_PK.to_owned(), s(&audience)),
                (INDEX_SK.to_owned(), s(keys::connection(id))),
            ])
        });
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("GSI1PK = :audience")
            .expression_attribute_values(":audience", s(audience))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|e| trouble("Query", &e))?;
        let recipient = |item: &Item| {
            let until = Reader::new(item).time("sessionExpiresAt")?;
            Ok(Recipient { connection: member(item)?, until, reason: None })
        };
        let recipients = page.items().iter().map(recipient).collect::<Stored<_>>()?;
        Ok(Page { recipients, next: page.last_evaluated_key.as_ref().map(member).transpose()? })
    }
}
