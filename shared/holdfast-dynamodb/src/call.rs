//! What an SDK call that did not succeed means.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use holdfast_domain::ports::{Conditional, StoreError, Stored};

use crate::attributes::Item;

/// Throttled before anything was done: trying again later is safe and may help.
const BUSY: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
];

/// Everything but a refused condition.
pub(crate) fn trouble<E, R>(operation: &'static str, error: &SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown");
            if BUSY.contains(&code) {
                StoreError::Busy(format!("{operation}: {code}"))
            } else {
                StoreError::Unavailable(format!("{operation}: {code}"))
            }
        }
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
) -> Stored<Conditional<Option<Item>>>
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
                Err(other) => {
                    let code = other.code().unwrap_or("unknown").to_owned();
                    Err(if BUSY.contains(&code.as_str()) {
                        StoreError::Busy(format!("{operation}: {code}"))
                    } else {
                        StoreError::Unavailable(format!("{operation}: {code}"))
                    })
                }
            }
        }
        other => Err(trouble(operation, &other)),
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Committed.
    Done,
    /// Nothing was written; one reason per action, in order.
    Cancelled(Vec<CancellationReason>),
}

impl Outcome {
    /// The old item of the action at `index` if its condition was refused (`Some(None)`: there was no item).
    pub(crate) fn refused(&self, index: usize) -> Option<Option<&Item>> {
        let Outcome::Cancelled(reasons) = self else { return None };
        let reason = reasons.get(index)?;
        (reason.code() == Some("ConditionalCheckFailed")).then(|| reason.item())
    }

    /// Whether any condition was refused; if not, a cancelled transaction met only conflicts or throttling.
    pub(crate) fn any_refused(&self) -> bool {
        match self {
            Outcome::Done => false,
            Outcome::Cancelled(reasons) => reasons.iter().any(|r| r.code() == Some("ConditionalCheckFailed")),
        }
    }
}

/// Reads a transaction's result. A cancellation for any reason that is neither a condition nor contention is a defect of
/// ours, and trouble.
pub(crate) fn transaction<T, R>(
    operation: &'static str,
    result: Result<T, SdkError<TransactWriteItemsError, R>>,
) -> Stored<Outcome> {
    let error = match result {
        Ok(_) => return Ok(Outcome::Done),
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
        return Err(StoreError::Busy(format!("{operation}: cancelled without reasons")));
    }
    match reasons.iter().find(|r| !expected.contains(&r.code().unwrap_or("None"))) {
        Some(odd) => Err(StoreError::Unavailable(format!("{operation}: {}", odd.code().unwrap_or("unknown")))),
        None => Ok(Outcome::Cancelled(reasons)),
    }
}
