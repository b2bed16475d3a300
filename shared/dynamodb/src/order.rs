//! One order for the members of a request.
//!
//! The SDK writes the members of an item, and the names and values of an expression, in the order of a `HashMap`. That
//! order differs between two maps with the same content, so a plan that is sent again has other bytes. AWS does not say
//! whether it compares a repeated `ClientRequestToken` by bytes or by content, and some implementations compare bytes:
//! they answer `IdempotentParameterMismatchException`. Sorted members leave nothing to compare.

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use serde_json::Value;

/// Sorts the members of a request before its first attempt. Every transaction with a token of its own needs it.
#[derive(Debug)]
pub(crate) struct InOneOrder;

impl Intercept for InOneOrder {
    fn name(&self) -> &'static str {
        "InOneOrder"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some(bytes) = request.body().bytes() else { return Ok(()) };
        let mut members: Value = serde_json::from_slice(bytes)?;
        // Without serde_json's feature `preserve_order` they are sorted already.
        members.sort_all_objects();
        let sorted = serde_json::to_vec(&members)?;
        request.headers_mut().insert("content-length", sorted.len().to_string());
        *request.body_mut() = sorted.into();
        Ok(())
    }
}
