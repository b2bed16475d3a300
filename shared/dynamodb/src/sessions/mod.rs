//! The table `sessions`: accounts, session slots, sign-ins, attempt counters.

mod accounts;
mod attempts;
mod changes;
mod factors;
mod image;
pub mod keys;
pub mod records;
mod sign_ins;
mod slots;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{SessionReads, StoreError, StoreResult};
use holdfast_sessions::session::{Slot, UserState};
use holdfast_sessions::token::Address;

use crate::attributes::{Item, string};
use crate::call::trouble;
use crate::statement::Statement;

/// The table behind the session ports.
#[derive(Clone, Debug)]
pub struct SessionsTable {
    client: Client,
    table: String,
}

impl SessionsTable {
    /// Builds the client once; connections are opened by the first call.
    pub fn new(config: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(config), table: table.into() }
    }

    /// One strong read of a row that does not exist: reachable, permitted, and the connection warm.
    pub async fn ping(&self) -> StoreResult<()> {
        self.get(keys::nobody()).await.map(|_| ())
    }

    async fn get(&self, (pk, sk): (String, String)) -> StoreResult<Option<Item>> {
        let call = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::PK, string(pk))
            .key(keys::SK, string(sk))
            .consistent_read(true)
            .send();
        // Boxed, as the other calls of a validation: they are kilobytes, which every caller would hold and move, also where the
        // cache answers.
        let answer = Box::pin(call).await.map_err(|e| trouble("GetItem", &e))?;
        Ok(answer.item)
    }
}

impl SessionReads for SessionsTable {
    async fn slot(&self, at: Address) -> StoreResult<Option<Slot>> {
        self.get(keys::slot(at)).await?.as_ref().map(image::slot).transpose()
    }

    async fn user(&self, user: UserId) -> StoreResult<Option<UserState>> {
        // META and S#… sort together at the end of the partition, so devices cost nothing here: at most 11 small items,
        // one page.
        let call = Statement::new()
            .when("PK = :pk AND SK >= :from")
            .value(":pk", string(keys::user(user)))
            .value(":from", string(keys::META))
            .query(&self.client, &self.table)
            .consistent_read(true)
            .send();
        let answer = Box::pin(call).await.map_err(|e| trouble("Query", &e))?;
        if answer.last_evaluated_key.is_some() {
            return Err(StoreError::Corrupt("more rows under one user than there are keys for".into()));
        }
        let mut account = None;
        let mut slots = Vec::new();
        for item in answer.items.unwrap_or_default() {
            if item.get(keys::SK).and_then(|v| v.as_s().ok()).is_some_and(|sk| sk == keys::META) {
                account = Some(image::account(&item)?);
            } else {
                slots.push(image::slot(&item)?);
            }
        }
        slots.sort_by_key(|slot: &Slot| slot.at.slot);
        Ok(account.map(|account| UserState { account, slots }))
    }
}
