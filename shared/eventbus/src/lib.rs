//! EventBridge behind the relay.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
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
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }
}

impl EventBus for Bus {
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
