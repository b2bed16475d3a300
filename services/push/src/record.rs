//! The records of the queues: what the readers know about one, and what becomes of it after a failure.

use holdfast_push::ports::Redelivery;
use holdfast_push::record::Received;
use holdfast_runtime::queue::{RecordResult, SqsMessage};
use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng, StoreError};

/// Reads a record. A copy of a record, and a dead letter that was sent back, are what they were at first: the same message,
/// of the same publisher.
pub(crate) fn received(record: SqsMessage, now: Millis) -> Received {
    let first = |name: &str| record.message_attributes.get(name).and_then(|value| value.string_value.clone());
    let attribute = |name: &str| record.attributes.get(name).cloned().unwrap_or_default();
    let arn = record.event_source_arn.as_deref().unwrap_or_default();
    let sent_at = first("HoldfastSentTimestamp").unwrap_or_else(|| attribute("SentTimestamp"));
    Received {
        queue: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        id: first("HoldfastMessageId").or_else(|| record.message_id.clone()).unwrap_or_default(),
        sender: first("HoldfastSenderId").unwrap_or_else(|| attribute("SenderId")),
        sent_at: sent_at.parse().map_or(now, Millis::new),
        copy: first("HoldfastCopy").and_then(|text| text.parse().ok()).unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    }
}

/// Sends a copy of a record that failed with `error`, and acknowledges the record if that succeeds. Otherwise the queue
/// itself delivers it again.
pub(crate) async fn again<Q: Redelivery, H: Clock + Rng>(
    queue: &Q,
    host: &H,
    record: Received,
    error: &StoreError,
) -> RecordResult {
    tracing::warn!(%error, "the record will be delivered again");
    let Some((copy, delay)) = record.copy_after(error, u64::from_be_bytes(host.random())) else {
        return RecordResult::Retry;
    };
    match queue.redeliver(&copy, delay).await {
        Ok(()) => RecordResult::Ack,
        Err(error) => {
            tracing::warn!(%error, "no copy of the record could be sent; it comes again after its visibility time");
            RecordResult::Retry
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_runtime::queue::SqsEvent;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_publish_that_was_sent_back_is_the_one_it_was() {
        let read = |attributes: Value| {
            let event: SqsEvent = serde_json::from_value(json!({"Records": [{"messageId": "second", "body": "b",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:env-push",
                "attributes": {"SenderId": "AROA:operator", "SentTimestamp": "9"}, "messageAttributes": attributes}]}))
            .unwrap();
            received(event.records.into_iter().next().unwrap(), Millis::new(99))
        };
        let text = |value: &str| json!({"stringValue": value, "dataType": "String"});
        let expected = |id: &str, sender: &str, sent_at, copy| Received {
            queue: "env-push".to_owned(),
            body: "b".to_owned(),
            id: id.to_owned(),
            sender: sender.to_owned(),
            sent_at: Millis::new(sent_at),
            copy,
        };
        assert_eq!(read(json!({})), expected("second", "AROA:operator", 9, 0));
        let back = json!({"HoldfastMessageId": text("first"), "HoldfastSenderId": text("AROA:service"),
            "HoldfastSentTimestamp": text("7")});
        assert_eq!(read(back.clone()), expected("first", "AROA:service", 7, 0));
        for (number, copy) in [("3", 3), ("-1", 0), ("x", 0)] {
            let mut attributes = back.clone();
            attributes["HoldfastCopy"] = text(number);
            assert_eq!(read(attributes), expected("first", "AROA:service", 7, copy), "{number}");
        }
    }
}
