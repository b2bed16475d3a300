//! What recoveries may post and how many tickets a user may have: one counter per window and row.

use holdfast_push::budget::RecoveryReservation;
use holdfast_push::ports::RecoveryBudget;
use holdfast_sessions::ports::{Conditional, StoreResult};

use super::ConnectionsTable;
use super::keys::{self, PK, SK, TTL};
use crate::attributes::{number, string};
use crate::call::conditional;

impl RecoveryBudget for ConnectionsTable {
    async fn reserve(&self, reservation: &RecoveryReservation) -> StoreResult<bool> {
        let Some(room) = reservation.limit.checked_sub(reservation.posts) else { return Ok(false) };
        let (pk, sk) = keys::budget(&reservation.row, reservation.window);
        let over = reservation.ends();
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .update_expression("SET #ttl = :ttl ADD posts :posts")
            .condition_expression("attribute_not_exists(PK) OR posts <= :room")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":ttl", number(keys::ttl(over)))
            .expression_attribute_values(":posts", number(reservation.posts))
            .expression_attribute_values(":room", number(room))
            .send()
            .await;
        Ok(matches!(conditional("UpdateItem", None, result)?, Conditional::Done))
    }
}
