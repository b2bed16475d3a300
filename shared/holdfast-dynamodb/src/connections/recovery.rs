//! What recoveries may post and how many tickets a user may have: one counter per window and row.

use holdfast_domain::ports::{Conditional, Stored};
use holdfast_push::budget::Reservation;
use holdfast_push::ports::RecoveryBudget;

use super::ConnectionsTable;
use super::keys::{self, TTL};
use crate::attributes::n;
use crate::call::conditional;
use crate::statement::Statement;

impl RecoveryBudget for ConnectionsTable {
    async fn reserve(&self, reservation: &Reservation) -> Stored<bool> {
        let Some(room) = reservation.limit.checked_sub(reservation.posts) else { return Ok(false) };
        let key = keys::budget(&reservation.row, reservation.window);
        let result = Statement::new()
            .set(TTL, n(keys::ttl(reservation.ends())))
            .then("ADD posts :posts")
            .when("attribute_not_exists(PK) OR posts <= :room")
            .value(":posts", n(reservation.posts))
            .value(":room", n(room))
            .update_item(&self.client, &self.table, key)
            .send()
            .await;
        Ok(matches!(conditional("UpdateItem", None, result)?, Conditional::Done))
    }
}
