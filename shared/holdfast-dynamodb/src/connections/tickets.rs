//! Tickets: one row each, taken away by whoever uses it first.

use aws_sdk_dynamodb::types::ReturnValue;
use holdfast_domain::ports::{Conditional, Stored};
use holdfast_domain::token::Address;
use holdfast_domain::{Millis, SlotNo, TokenHash};
use holdfast_push::ports::Tickets;
use holdfast_push::ticket::TicketRow;

use super::ConnectionsTable;
use super::keys::{self, TTL};
use crate::attributes::{Item, Reader, at, item, n, s};
use crate::call::{conditional, trouble};
use crate::statement::Statement;

fn read(hash: &TokenHash, item: &Item) -> Stored<TicketRow> {
    let r = Reader::new(item);
    Ok(TicketRow { hash: *hash, at: address(&r)?, sid: r.parse("sid")?, expires_at: r.time("expiresAt")? })
}

/// Where the session of a row lives.
pub(super) fn address(r: &Reader<'_>) -> Stored<Address> {
    let slot = SlotNo::new(r.int("slot")?)
        .ok_or_else(|| holdfast_domain::ports::StoreError::Corrupt("attribute slot: no such slot".into()))?;
    Ok(Address { user: r.parse("userId")?, slot })
}

impl Tickets for ConnectionsTable {
    async fn put_ticket(&self, ticket: &TicketRow) -> Stored<()> {
        let row = item(
            keys::ticket(&ticket.hash),
            [
                ("userId", s(ticket.at.user.to_string())),
                ("slot", n(ticket.at.slot)),
                ("sid", s(ticket.sid.to_string())),
                ("expiresAt", at(ticket.expires_at)),
                (TTL, n(keys::ttl(ticket.expires_at))),
            ],
        );
        let put = Statement::new().put_item(&self.client, &self.table, row);
        put.send().await.map_err(|e| trouble("PutItem", &e))?;
        Ok(())
    }

    async fn ticket(&self, hash: &TokenHash) -> Stored<Option<TicketRow>> {
        let (pk, sk) = keys::ticket(hash);
        self.get(pk, sk, true).await?.map(|item| read(hash, &item)).transpose()
    }

    async fn consume(&self, hash: &TokenHash, now: Millis) -> Stored<Option<TicketRow>> {
        let result = Statement::new()
            .when("expiresAt > :now")
            .value(":now", at(now))
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
