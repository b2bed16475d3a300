//! Tickets: one row each, taken away by whoever uses it first.

use aws_sdk_dynamodb::types::ReturnValue;
use holdfast_push::ports::Tickets;
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{Conditional, StoreResult};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SlotNo, TokenHash};

use super::ConnectionsTable;
use super::keys::{self, PK, SK, TTL};
use crate::attributes::{Item, Reader, number, string, timestamp};
use crate::call::{conditional, trouble};

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
        let (pk, sk) = keys::ticket(&ticket.hash);
        self.client
            .put_item()
            .table_name(&self.table)
            .item(PK, string(pk))
            .item(SK, string(sk))
            .item("userId", string(ticket.at.user.to_string()))
            .item("slot", number(ticket.at.slot))
            .item("sid", string(ticket.sid.to_string()))
            .item("expiresAt", timestamp(ticket.expires_at))
            .item(TTL, number(keys::ttl(ticket.expires_at)))
            .send()
            .await
            .map_err(|e| trouble("PutItem", &e))?;
        Ok(())
    }

    async fn ticket(&self, hash: &TokenHash) -> StoreResult<Option<TicketRow>> {
        let (pk, sk) = keys::ticket(hash);
        self.get(pk, sk, true).await?.map(|item| read(hash, &item)).transpose()
    }

    async fn consume(&self, hash: &TokenHash, now: Millis) -> StoreResult<Option<TicketRow>> {
        let (pk, sk) = keys::ticket(hash);
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .condition_expression("expiresAt > :now")
            .expression_attribute_values(":now", timestamp(now))
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
