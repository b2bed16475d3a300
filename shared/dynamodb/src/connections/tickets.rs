//! Tickets. Each is one row, and the first connection that uses it deletes it.

use aws_sdk_dynamodb::types::ReturnValue;
use holdfast_push::ports::Tickets;
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{Conditional, StoreResult};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SlotNo, TokenHash};

use super::ConnectionsTable;
use super::keys::{self, TTL};
use crate::attributes::{Item, Reader, item, number, string, timestamp};
use crate::call::{conditional, trouble};
use crate::statement::Statement;

fn read(hash: &TokenHash, item: &Item) -> StoreResult<TicketRow> {
    let r = Reader::new(item);
    Ok(TicketRow { hash: *hash, at: address(&r)?, sid: r.parse("sid")?, expires_at: r.time("expiresAt")? })
}

/// Where the session of a row lives.
pub(super) fn address(r: &Reader<'_>) -> StoreResult<Address> {
    let slot = SlotNo::new(r.int("slot")?)
        .ok_or_else(|| holdfast_sessions::ports::StoreError::Corrupt("attribute slot: no such slot".into()))?;
    Ok(Address { user: r.parse("userId")?, slot })
}

impl Tickets for ConnectionsTable {
    async fn put_ticket(&self, ticket: &TicketRow) -> StoreResult<()> {
        let row = item(
            keys::ticket(&ticket.hash),
            [
                ("userId", string(ticket.at.user.to_string())),
                ("slot", number(ticket.at.slot)),
                ("sid", string(ticket.sid.to_string())),
                ("expiresAt", timestamp(ticket.expires_at)),
                (TTL, number(keys::ttl(ticket.expires_at))),
            ],
        );
        let put = Statement::new().put_item(&self.client, &self.table, row);
        put.send().await.map_err(|e| trouble("PutItem", &e))?;
        Ok(())
    }

    async fn ticket(&self, hash: &TokenHash) -> StoreResult<Option<TicketRow>> {
        let (pk, sk) = keys::ticket(hash);
        self.get(pk, sk, true).await?.map(|item| read(hash, &item)).transpose()
    }

    async fn consume(&self, hash: &TokenHash, now: Millis) -> StoreResult<Option<TicketRow>> {
        let result = Statement::new()
            .when("expiresAt > :now")
            .value(":now", timestamp(now))
            .delete_item(&self.client, &self.table, keys::ticket(hash))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let old = result.as_ref().ok().and_then(|answer| answer.attributes.clone());
        match conditional("DeleteItem", None, result)? {
            Conditional::Done => old.map(|item| read(hash, &item)).transpose(),
            Conditional::Refused(_) => Ok(None),
        }
    }
}
