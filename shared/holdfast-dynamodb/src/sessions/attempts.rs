//! Attempt counters: fixed windows, counted by conditional updates of one item each, so that a burst cannot overdraw.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnRefusal};
use holdfast_domain::attempts::Scope;
use holdfast_domain::policy::ATTEMPT_WINDOW_SECONDS;
use holdfast_domain::ports::{AttemptRecords, Attempts, Conditional, Reservation, StoreError, Stored};
use holdfast_domain::{Millis, TokenHash};

use super::SessionsTable;
use super::keys::{self, PK, SK, TTL};
use crate::attributes::{Reader, at, b, bs, n, s};
use crate::call::{conditional, trouble};

/// Rounds between "count in the open window" and "open a new one" before giving up: each refusal means that another
/// request has just done the other.
const ROUNDS: usize = 4;

impl Attempts for SessionsTable {
    async fn reserve(&self, scope: &Scope, now: Millis) -> Stored<Result<Reservation, Millis>> {
        for _ in 0..ROUNDS {
            let (pk, sk) = keys::attempts(&scope.key);
            let counted = self
                .client
                .update_item()
                .table_name(&self.table)
                .key(PK, s(&pk))
                .key(SK, s(&sk))
                .update_expression("SET #count = #count + :one")
                .condition_expression("windowEnds > :now AND #count < :limit")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":now", at(now))
                .expression_attribute_values(":limit", n(scope.limit))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(OnRefusal::AllOld)
                .send()
                .await;
            let new = counted.as_ref().ok().and_then(|answer| answer.attributes.clone());
            match (conditional("UpdateItem", None, counted)?, new) {
                (Conditional::Done, Some(item)) => {
                    let window_ends = Reader::new(&item).time("windowEnds")?;
                    return Ok(Ok(Reservation { key: scope.key, window_ends }));
                }
                (Conditional::Done, None) => return Err(StoreError::Corrupt("no attributes of a counter".into())),
                (Conditional::Refused(Some(old)), _) => {
                    let window_ends = Reader::new(&old).time("windowEnds")?;
                    if window_ends > now {
                        return Ok(Err(window_ends));
                    }
                }
                (Conditional::Refused(None), _) => {}
            }
            let window_ends = now.plus_seconds(ATTEMPT_WINDOW_SECONDS);
            let opened = self
                .client
                .update_item()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .update_expression("SET #count = :one, windowEnds = :ends, #ttl = :ttl")
                .condition_expression("attribute_not_exists(PK) OR windowEnds <= :now")
                .expression_attribute_names("#count", "count")
                .expression_attribute_names("#ttl", TTL)
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":now", at(now))
                .expression_attribute_values(":ends", at(window_ends))
                .expression_attribute_values(":ttl", n(keys::ttl(window_ends)))
                .send()
                .await;
            if conditional("UpdateItem", None, opened)? == Conditional::Done {
                return Ok(Ok(Reservation { key: scope.key, window_ends }));
            }
        }
        Err(StoreError::Busy("attempt counter".into()))
    }

    async fn release(&self, reservation: Reservation) -> Stored<()> {
        let (pk, sk) = keys::attempts(&reservation.key);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET #count = #count - :one")
            .condition_expression("windowEnds = :ends AND #count > :zero")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":ends", at(reservation.window_ends))
            .send()
            .await;
        // Another window has begun: there is nothing to give back to.
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn admit(&self, scope: &Scope, attempt: &TokenHash, now: Millis) -> Stored<Result<(), Millis>> {
        for _ in 0..ROUNDS {
            let (pk, sk) = keys::attempts(&scope.key);
            let counted = self
                .client
                .update_item()
                .table_name(&self.table)
                .key(PK, s(&pk))
                .key(SK, s(&sk))
                .update_expression("ADD answers :attempts")
                .condition_expression(
                    "windowEnds > :now \
                     AND (attribute_not_exists(answers) OR size(answers) < :limit OR contains(answers, :attempt))",
                )
                .expression_attribute_values(":attempts", bs([attempt.as_bytes()]))
                .expression_attribute_values(":attempt", b(attempt.as_bytes()))
                .expression_attribute_values(":now", at(now))
                .expression_attribute_values(":limit", n(scope.limit))
                .return_values_on_condition_check_failure(OnRefusal::AllOld)
                .send()
                .await;
            match conditional("UpdateItem", None, counted)? {
                Conditional::Done => return Ok(Ok(())),
                Conditional::Refused(Some(old)) => {
                    let window_ends = Reader::new(&old).time("windowEnds")?;
                    if window_ends > now {
                        return Ok(Err(window_ends));
                    }
                }
                Conditional::Refused(None) => {}
            }
            let window_ends = now.plus_seconds(ATTEMPT_WINDOW_SECONDS);
            let opened = self
                .client
                .update_item()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .update_expression("SET answers = :attempts, windowEnds = :ends, #ttl = :ttl")
                .condition_expression("attribute_not_exists(PK) OR windowEnds <= :now")
                .expression_attribute_names("#ttl", TTL)
                .expression_attribute_values(":attempts", bs([attempt.as_bytes()]))
                .expression_attribute_values(":now", at(now))
                .expression_attribute_values(":ends", at(window_ends))
                .expression_attribute_values(":ttl", n(keys::ttl(window_ends)))
                .send()
                .await;
            if conditional("UpdateItem", None, opened)? == Conditional::Done {
                return Ok(Ok(()));
            }
        }
        Err(StoreError::Busy("attempt counter".into()))
    }

    async fn give_back(&self, scope: &Scope, attempt: &TokenHash) -> Stored<()> {
        let (pk, sk) = keys::attempts(&scope.key);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("DELETE answers :attempts")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":attempts", bs([attempt.as_bytes()]))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

impl AttemptRecords for SessionsTable {
    async fn counted(&self, scope: &Scope, now: Millis) -> Stored<Option<(u32, Millis)>> {
        let (pk, sk) = keys::attempts(&scope.key);
        let result = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| trouble("GetItem", &e))?;
        let Some(item) = result.item else { return Ok(None) };
        let reader = Reader::new(&item);
        let window_ends = reader.time("windowEnds")?;
        // Answers to a second factor are counted as a set, everything else by number.
        let answers = u32::try_from(reader.hashes("answers")?.len()).unwrap_or(u32::MAX);
        let count = reader.int_opt("count")?.unwrap_or(answers);
        Ok((window_ends > now).then_some((count, window_ends)))
    }

    async fn clear(&self, scope: &Scope) -> Stored<()> {
        let (pk, sk) = keys::attempts(&scope.key);
        let result = self.client.delete_item().table_name(&self.table).key(PK, s(pk)).key(SK, s(sk)).send().await;
        result.map(|_| ()).map_err(|e| trouble("DeleteItem", &e))
    }
}
