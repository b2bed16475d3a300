//! One queue, to send to.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use holdfast_sessions::ports::StoreError;

/// The longest delay SQS knows.
pub const MAX_DELAY_SECONDS: u32 = 900;

/// A queue by its URL.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// Builds the client once; connections are opened by the first call.
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(config), url: url.into() }
    }

    /// Sends one message, visible after `delay_seconds` (at most [`MAX_DELAY_SECONDS`]). After an error it may or may not
    /// have been sent.
    pub async fn send(&self, body: String, delay_seconds: u32) -> Result<(), StoreError> {
        let delay = i32::try_from(delay_seconds.min(MAX_DELAY_SECONDS)).unwrap_or_default();
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .set_delay_seconds((delay > 0).then_some(delay))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => {
                Err(StoreError::Unavailable(format!("SendMessage: {}", error.err().code().unwrap_or("unknown"))))
            }
            Err(SdkError::TimeoutError(_)) => Err(StoreError::Unavailable("SendMessage: timed out".into())),
            Err(_) => Err(StoreError::Unavailable("SendMessage: not reached".into())),
        }
    }
}
