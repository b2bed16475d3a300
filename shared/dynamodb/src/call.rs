//! What an SDK call that did not succeed means.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use holdfast_sessions::ports::{Conditional, StoreError, StoreResult};

use crate::attributes::Item;

/// Conflicts: nothing was done, and the next try may come between.
const CONFLICTS: [&str; 2] = ["TransactionConflictException", "TransactionInProgressException"];
/// DynamoDB throttled the call before it did anything. The SDK has already retried as often as its own budget allows,
/// and further retries would become a storm.
const THROTTLED: [&str; 4] =
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "ThrottlingError"];

/// What an error code of the service means.
fn coded(operation: &'static str, code: Option<&str>) -> StoreError {
    let code = code.unwrap_or("unknown");
    let text = format!("{operation}: {code}");
    if CONFLICTS.contains(&code) {
        StoreError::Conflict(text)
    } else if THROTTLED.contains(&code) {
        StoreError::Throttled(text)
    } else {
        StoreError::Unavailable(text)
    }
}

/// Everything but a refused condition.
pub(crate) fn trouble<E, R>(operation: &'static str, error: &SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(service) => coded(operation, service.err().code()),
        SdkError::TimeoutError(_) => StoreError::Unavailable(format!("{operation}: timed out")),
        SdkError::DispatchFailure(_) => StoreError::Unavailable(format!("{operation}: not reached")),
        _ => StoreError::Unavailable(format!("{operation}: no readable answer")),
    }
}

/// The old item of a refused condition, for each operation that can refuse one.
pub(crate) trait RefusedItem {
    /// `None` if this is another error; `Some(None)` if the condition was refused and there was no item.
    fn refused_item(self) -> Result<Option<Item>, Box<Self>>
    where
        Self: Sized;
}

macro_rules! refused_item {
    ($error:ident) => {
        impl RefusedItem for $error {
            fn refused_item(self) -> Result<Option<Item>, Box<Self>> {
                match self {
                    $error::ConditionalCheckFailedException(refused) => Ok(refused.item),
                    other => Err(Box::new(other)),
                }
            }
        }
    };
}

refused_item!(UpdateItemError);
refused_item!(PutItemError);
refused_item!(DeleteItemError);

/// A conditional write of one item: done, or refused with what was there. Our own `op` in the old image means that an
/// earlier try of this very request was applied and its reply lost.
pub(crate) fn conditional<T, E, R>(
    operation: &'static str,
    op: Option<&str>,
    result: Result<T, SdkError<E, R>>,
) -> StoreResult<Conditional<Option<Item>>>
where
    E: RefusedItem + ProvideErrorMetadata,
{
    let error = match result {
        Ok(_) => return Ok(Conditional::Done),
        Err(error) => error,
    };
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.into_err();
            match raw.refused_item() {
                Ok(item) => {
                    let ours = op.is_some_and(|op| {
                        item.as_ref().and_then(|i| i.get("op")).and_then(|v| v.as_s().ok()).is_some_and(|o| o == op)
                    });
                    Ok(if ours { Conditional::Done } else { Conditional::Refused(item) })
                }
                Err(other) => Err(coded(operation, other.code())),
            }
        }
        other => Err(trouble(operation, &other)),
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum TransactionOutcome {
    /// The transaction is committed.
    Done,
    /// Nothing was written; one reason per action, in order.
    Cancelled(Vec<CancellationReason>),
}

impl TransactionOutcome {
    /// The old item of the action at `index` if its condition was refused (`Some(None)`: there was no item).
    pub(crate) fn refused(&self, index: usize) -> Option<Option<&Item>> {
        let TransactionOutcome::Cancelled(reasons) = self else { return None };
        let reason = reasons.get(index)?;
        (reason.code() == Some("ConditionalCheckFailed")).then(|| reason.item())
    }

    /// Whether any condition was refused; if not, a cancelled transaction met only conflicts or throttling.
    pub(crate) fn any_refused(&self) -> bool {
        match self {
            TransactionOutcome::Done => false,
            TransactionOutcome::Cancelled(reasons) => {
                reasons.iter().any(|r| r.code() == Some("ConditionalCheckFailed"))
            }
        }
    }
}

/// Reads a transaction's result. A cancellation for a reason that is neither a condition nor contention is a defect of
/// this crate, and an error.
pub(crate) fn transaction<T, R>(
    operation: &'static str,
    result: Result<T, SdkError<TransactWriteItemsError, R>>,
) -> StoreResult<TransactionOutcome> {
    let error = match result {
        Ok(_) => return Ok(TransactionOutcome::Done),
        Err(error) => error,
    };
    let SdkError::ServiceError(service) = &error else { return Err(trouble(operation, &error)) };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = service.err() else {
        return Err(trouble(operation, &error));
    };
    let reasons = cancelled.cancellation_reasons().to_vec();
    let expected =
        ["None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    if reasons.is_empty() {
        return Err(StoreError::Conflict(format!("{operation}: cancelled without reasons")));
    }
    match reasons.iter().find(|r| !expected.contains(&r.code().unwrap_or("None"))) {
        Some(odd) => Err(StoreError::Unavailable(format!("{operation}: {}", odd.code().unwrap_or("unknown")))),
        None => Ok(TransactionOutcome::Cancelled(reasons)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::error::{ConnectorError, ErrorMetadata};
    use aws_sdk_dynamodb::types::error::{
        ConditionalCheckFailedException, TransactionCanceledException, TransactionConflictException,
    };

    use crate::attributes::string;

    fn update(error: UpdateItemError) -> StoreResult<Conditional<Option<Item>>> {
        conditional::<(), _, _>("UpdateItem", Some("mine"), Err(SdkError::service_error(error, ())))
    }

    fn refused(op: Option<&str>) -> UpdateItemError {
        let item = op.map(|op| Item::from([("op".to_owned(), string(op))]));
        UpdateItemError::ConditionalCheckFailedException(
            ConditionalCheckFailedException::builder().set_item(item).build(),
        )
    }

    fn generic(code: &str) -> UpdateItemError {
        UpdateItemError::generic(ErrorMetadata::builder().code(code).build())
    }

    #[test]
    fn a_refusal_with_our_own_op_is_our_write_whose_reply_was_lost() {
        assert_eq!(update(refused(Some("mine"))), Ok(Conditional::Done));
        assert!(matches!(update(refused(Some("another's"))), Ok(Conditional::Refused(Some(_)))));
        assert_eq!(update(refused(None)), Ok(Conditional::Refused(None)));
    }

    #[test]
    fn a_conflict_is_tried_again_and_throttling_is_not() {
        let conflict = UpdateItemError::TransactionConflictException(
            TransactionConflictException::builder()
                .meta(ErrorMetadata::builder().code("TransactionConflictException").build())
                .build(),
        );
        assert!(matches!(update(conflict), Err(StoreError::Conflict(_))));
        for code in THROTTLED {
            assert!(matches!(update(generic(code)), Err(StoreError::Throttled(_))), "{code}");
        }
        for code in ["InternalServerError", "IdempotentParameterMismatchException", "AccessDeniedException"] {
            assert!(matches!(update(generic(code)), Err(StoreError::Unavailable(_))), "{code}");
        }
    }

    #[test]
    fn a_call_without_a_condition_says_what_happened_to_it() {
        let said = |error: SdkError<UpdateItemError, ()>| trouble("UpdateItem", &error);
        let throttled = said(SdkError::service_error(generic("ThrottlingException"), ()));
        assert_eq!(throttled, StoreError::Throttled("UpdateItem: ThrottlingException".into()));
        let denied = said(SdkError::service_error(generic("AccessDeniedException"), ()));
        assert_eq!(denied, StoreError::Unavailable("UpdateItem: AccessDeniedException".into()));
        let late = said(SdkError::timeout_error("late"));
        assert_eq!(late, StoreError::Unavailable("UpdateItem: timed out".into()));
        let unreached = said(SdkError::dispatch_failure(ConnectorError::other("no route".into(), None)));
        assert_eq!(unreached, StoreError::Unavailable("UpdateItem: not reached".into()));
        let garbled = said(SdkError::response_error("no JSON", ()));
        assert_eq!(garbled, StoreError::Unavailable("UpdateItem: no readable answer".into()));
    }

    fn cancelled(codes: &[&str]) -> StoreResult<TransactionOutcome> {
        let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        let error = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build();
        let error = TransactWriteItemsError::TransactionCanceledException(error);
        transaction::<(), _>("TransactWriteItems", Err(SdkError::service_error(error, ())))
    }

    #[test]
    fn only_conditions_and_contention_are_answers_of_a_cancelled_transaction() {
        let known = [
            "None",
            "ConditionalCheckFailed",
            "TransactionConflict",
            "ThrottlingError",
            "ProvisionedThroughputExceeded",
        ];
        for first in known {
            for second in known {
                let outcome = cancelled(&[first, second]).unwrap();
                let refused = [first, second].contains(&"ConditionalCheckFailed");
                assert_eq!(outcome.any_refused(), refused, "{first} {second}");
                assert_eq!(outcome.refused(0).is_some(), first == "ConditionalCheckFailed");
                assert_eq!(outcome.refused(1).is_some(), second == "ConditionalCheckFailed");
            }
        }
        for odd in ["ValidationError", "ItemCollectionSizeLimitExceeded", "DuplicateItem"] {
            assert!(matches!(cancelled(&["ConditionalCheckFailed", odd]), Err(StoreError::Unavailable(_))), "{odd}");
        }
        assert!(matches!(cancelled(&[]), Err(StoreError::Conflict(_))), "without reasons");
    }
}
