//! The edge of a DynamoDB stream. Records stay JSON until each is read alone, so that one of another shape cannot hide
//! the others.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::boot::InvocationError;
use crate::{ConfigError, Env};

/// A batch, as Lambda delivers it.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// In the order of their shard.
    #[serde(rename = "Records", default)]
    pub records: Vec<Value>,
}

/// The sequence number of a record, for reporting it.
pub fn sequence_number(record: &Value) -> &str {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
}

/// Partition and sort key of a record; empty where it has none.
pub fn keys(record: &Value) -> (&str, &str) {
    let key = |name: &str| record["dynamodb"]["Keys"][name]["S"].as_str().unwrap_or_default();
    (key("PK"), key("SK"))
}

/// How a batch that did not succeed is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Whether the event source honours `batchItemFailures`. The local cloud takes them for success, so there the whole
    /// batch fails instead.
    partial: bool,
}

impl Reporting {
    /// Reads the setting from `STREAM_PARTIAL_BATCH`.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self { partial: env.flag("STREAM_PARTIAL_BATCH")? })
    }

    /// All of it is done.
    pub fn done(self) -> Result<Value, InvocationError> {
        Ok(json!({"batchItemFailures": []}))
    }

    /// Everything from the record with this sequence number on is to be delivered again.
    pub fn again_from(self, sequence_number: &str) -> Result<Value, InvocationError> {
        if self.partial && !sequence_number.is_empty() {
            Ok(json!({"batchItemFailures": [{"itemIdentifier": sequence_number}]}))
        } else {
            Err(InvocationError("the batch will be delivered again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_and_its_records_are_read_as_far_as_they_go() {
        let record =
            json!({"eventID": "1", "dynamodb": {"SequenceNumber": "7", "Keys": {"PK": {"S": "p"}, "SK": {"S": "s"}}}});
        let batch: Batch = serde_json::from_value(json!({"Records": [record, {}, null, 5]})).unwrap();
        let read: Vec<_> = batch.records.iter().map(|record| (sequence_number(record), keys(record))).collect();
        assert_eq!(read, [("7", ("p", "s")), ("", ("", "")), ("", ("", "")), ("", ("", ""))]);
        assert!(serde_json::from_value::<Batch>(json!({})).unwrap().records.is_empty());
    }

    #[test]
    fn how_trouble_is_reported_is_configured() {
        let of = |value: &str| Reporting::from_env(&Env::of([("STREAM_PARTIAL_BATCH", value)]));
        assert_eq!(of("true").map(|reporting| reporting.partial), Ok(true));
        assert_eq!(of("false").map(|reporting| reporting.partial), Ok(false));
        assert_eq!(of("").unwrap_err().to_string(), "STREAM_PARTIAL_BATCH is not set");
    }

    #[test]
    fn trouble_is_reported_in_the_form_the_event_source_understands() {
        let partial = Reporting { partial: true };
        assert_eq!(partial.again_from("7").unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
        // An empty identifier would be taken for "all of it", or for nothing.
        assert!(partial.again_from("").is_err());
        assert!(Reporting { partial: false }.again_from("7").is_err());
        assert_eq!(partial.done().unwrap(), json!({"batchItemFailures": []}));
    }
}
