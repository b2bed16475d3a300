//! What recoveries may post and how many tickets a user may have: one counter per window and row.

use holdfast_push::budget::RecoveryReservation;
use holdfast_push::ports::RecoveryBudget;
use holdfast_sessions::ports::{Conditional, StoreResult};

use super::ConnectionsTable;
use super::keys::{self, TTL};
use crate::attributes::number;
use crate::call::conditional;
use crate::statement::Statement;

impl RecoveryBudget for ConnectionsTable {
    async fn reserve(&self, reservation: &RecoveryReservation) -> StoreResult<bool> {
        let Some(room) = reservation.limit.checked_sub(reservation.posts) else { return Ok(false) };
        let key = keys::budget(&reservation.row, reservation.window);
        let result = Statement::new()
            .set(TTL, number(keys::ttl(reservation.ends())))
            .then("ADD posts :posts")
            .when("attribute_not_exists(PK) OR posts <= :room")
            .value(":posts", number(reservation.posts))
            .value(":room", number(room))
            .update_item(&self.client, &self.table, key)
            .send()
            .await;
        Ok(matches!(conditional("UpdateItem", None, result)?, Conditional::Done))
    }
}
