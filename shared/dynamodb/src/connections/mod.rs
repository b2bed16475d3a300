//! The table `connections`: tickets, sockets, subscriptions, channels, publishers' keys.

mod channels;
pub mod keys;
mod publishes;
mod recovery;
mod sockets;
mod subscriptions;
mod tickets;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use holdfast_push::channel::Channel;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{StoreResult, UserData};

use crate::attributes::{Item, string};
use crate::call::trouble;
use crate::statement::Statement;

/// The table behind the push ports.
#[derive(Clone, Debug)]
pub struct ConnectionsTable {
    client: Client,
    table: String,
}

/// The rows of a partition that a query reads.
enum Rows<'a> {
    All,
    StartingWith(&'a str),
    Between(String, String),
}

impl ConnectionsTable {
    /// Builds the client once; connections are opened by the first call.
    pub fn new(config: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(config), table: table.into() }
    }

    async fn get(&self, pk: String, sk: impl Into<String>, consistent: bool) -> StoreResult<Option<Item>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::PK, string(pk))
            .key(keys::SK, string(sk))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(|e| trouble("GetItem", &e))?;
        Ok(answer.item)
    }

    async fn delete(&self, pk: String, sk: impl Into<String>) -> StoreResult<()> {
        let delete = Statement::new().delete_item(&self.client, &self.table, (pk, sk));
        delete.send().await.map_err(|e| trouble("DeleteItem", &e))?;
        Ok(())
    }

    /// Strongly reads rows of one partition in order, page by page, until `enough` returns `true`.
    async fn rows(
        &self,
        pk: String,
        which: Rows<'_>,
        mut enough: impl FnMut(&[Item]) -> bool,
    ) -> StoreResult<Vec<Item>> {
        let rows = Statement::new().value(":pk", string(pk));
        let rows = match which {
            Rows::All => rows.when("PK = :pk"),
            Rows::StartingWith(prefix) => {
                rows.when("PK = :pk AND begins_with(SK, :prefix)").value(":prefix", string(prefix))
            }
            Rows::Between(first, last) => rows
                .when("PK = :pk AND SK BETWEEN :first AND :last")
                .value(":first", string(first))
                .value(":last", string(last)),
        };
        let query = rows.query(&self.client, &self.table).consistent_read(true);
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = query.clone().set_exclusive_start_key(from).send().await.map_err(|e| trouble("Query", &e))?;
            found.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() || enough(&found) {
                return Ok(found);
            }
        }
    }
}

impl UserData for ConnectionsTable {
    /// Deletes the channel of a deleted user. The user's sockets close without it, because their sessions have ended.
    async fn forget_user(&self, user: UserId) -> StoreResult<()> {
        let channel = keys::channel(&Channel::User(user));
        loop {
            let rows = self.rows(channel.clone(), Rows::All, |_| true).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let sk = row.get(keys::SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
                self.delete(channel.clone(), sk).await?;
            }
        }
    }
}
