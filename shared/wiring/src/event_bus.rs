//! EventBridge behind the relay.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use holdfast_aws::Patience;
use holdfast_sessions::ports::{BusEntry, EventBus, StoreError, StoreResult};

/// Entries of one PutEvents call (the service's limit).
const MAX_ENTRIES: usize = 10;

/// A client of one bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// Builds the client once.
    #[inline]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(&holdfast_aws::at_least(config, Patience::SERVICE)), name: name.into() }
    }
}

impl EventBus for Bus {
    #[inline]
    async fn publish(&self, entries: &[BusEntry]) -> StoreResult<()> {
        for chunk in entries.chunks(MAX_ENTRIES) {
            let mut request = self.client.put_events();
            for entry in chunk {
                request = request.entries(
                    PutEventsRequestEntry::builder()
                        .event_bus_name(&self.name)
                        .source(entry.source)
                        .detail_type(entry.detail_type)
                        .detail(&entry.detail)
                        .build(),
                );
            }
            let answer = request.send().await.map_err(|error| {
                StoreError::Unavailable(format!("PutEvents: {}", error.code().unwrap_or("not reached")))
            })?;
            if answer.failed_entry_count > 0 {
                return Err(StoreError::Unavailable(format!(
                    "PutEvents: {} entries refused",
                    answer.failed_entry_count
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_testkit::SlowAws;

    use super::*;

    #[tokio::test]
    async fn an_event_is_published_once_by_a_bus_that_answers_after_700_milliseconds() {
        let answer = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#;
        let slow = SlowAws::start(Duration::from_millis(700), 200, answer).await.unwrap();
        let entry = BusEntry { source: "holdfast.auth", detail_type: "SessionEnded", detail: "{}".to_owned() };
        assert_eq!(Bus::new(&slow.config().await, "bus").publish(&[entry]).await, Ok(()));
        assert_eq!(slow.requests().len(), 1);
    }
}
