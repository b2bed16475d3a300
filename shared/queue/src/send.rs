//! One queue, to send to.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use holdfast_aws::Patience;
use holdfast_push::record::Received;
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
    #[inline]
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(&holdfast_aws::at_least(config, Patience::SERVICE)), url: url.into() }
    }

    /// The name of the queue, which is the last part of its URL.
    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Sends one message, visible after `delay_seconds` (at most [`MAX_DELAY_SECONDS`]). After an error it may or may not
    /// have been sent.
    #[inline]
    pub async fn send(&self, body: String, delay_seconds: u32) -> Result<(), StoreError> {
        sent(self.message(body, delay_seconds).send().await)
    }

    /// Sends a copy of a record, with its origin as `make redrive` writes it.
    #[inline]
    pub(crate) async fn send_copy(&self, record: &Received, delay_seconds: u32) -> Result<(), StoreError> {
        let attributes = [
            ("HoldfastMessageId", record.id.clone()),
            ("HoldfastSenderId", record.sender.clone()),
            ("HoldfastSentTimestamp", record.sent_at.get().to_string()),
            ("HoldfastCopy", record.copy.to_string()),
        ];
        let mut message = self.message(record.body.clone(), delay_seconds);
        // SQS refuses an attribute without a value.
        for (name, value) in attributes.into_iter().filter(|(_, value)| !value.is_empty()) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            message = message.message_attributes(name, value.map_err(|e| StoreError::Corrupt(e.to_string()))?);
        }
        sent(message.send().await)
    }

    #[inline]
    fn message(&self, body: String, delay_seconds: u32) -> SendMessageFluentBuilder {
        let delay = i32::try_from(delay_seconds.min(MAX_DELAY_SECONDS)).unwrap_or_default();
        let message = self.client.send_message().queue_url(&self.url).message_body(body);
        message.set_delay_seconds((delay > 0).then_some(delay))
    }
}

fn sent<T, R>(result: Result<T, SdkError<SendMessageError, R>>) -> Result<(), StoreError> {
    match result {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(error)) => {
            Err(StoreError::Unavailable(format!("SendMessage: {}", error.err().code().unwrap_or("unknown"))))
        }
        Err(SdkError::TimeoutError(_)) => Err(StoreError::Unavailable("SendMessage: timed out".into())),
        Err(_) => Err(StoreError::Unavailable("SendMessage: not reached".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_testkit::{CannedAws, SlowAws};

    use super::*;

    const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/close";

    /// A queue whose SQS gives these answers, one a request.
    fn answering(answers: &[(u16, &str)]) -> (Queue, CannedAws) {
        let aws = CannedAws::new(answers);
        (Queue::new(&aws.config(), URL), aws)
    }

    #[tokio::test]
    async fn a_message_names_its_delay_where_there_is_one_and_at_most_what_sqs_knows() {
        let delays = [(0, None), (1, Some(1)), (900, Some(900)), (901, Some(900)), (u32::MAX, Some(900))];
        for (delay, named) in delays {
            let (queue, aws) = answering(&[(200, r#"{"MessageId":"m"}"#)]);
            assert_eq!(queue.send("body".to_owned(), delay).await, Ok(()));
            let [request] = &aws.requests()[..] else { panic!("one request: {:?}", aws.requests()) };
            let sent: serde_json::Value = serde_json::from_str(request).unwrap();
            assert_eq!((sent["QueueUrl"].as_str(), sent["MessageBody"].as_str()), (Some(URL), Some("body")));
            assert_eq!(sent.get("DelaySeconds").and_then(serde_json::Value::as_i64), named, "{delay}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_not_sent_is_an_error_that_says_why() {
        let unavailable = |why: &str| Err(StoreError::Unavailable(format!("SendMessage: {why}")));
        let (refusing, _) = answering(&[(400, r#"{"__type":"RequestThrottled"}"#)]);
        assert_eq!(refusing.send("body".to_owned(), 0).await, unavailable("RequestThrottled"));
        let (nobody, _) = answering(&[]);
        assert_eq!(nobody.send("body".to_owned(), 0).await, unavailable("not reached"));
        assert_eq!(sent::<(), ()>(Err(SdkError::timeout_error("late"))), unavailable("timed out"));
    }

    #[tokio::test]
    async fn a_message_is_sent_once_to_a_queue_that_answers_after_700_milliseconds() {
        let slow = SlowAws::start(Duration::from_millis(700), 200, r#"{"MessageId":"m"}"#).await.unwrap();
        let queue = Queue::new(&slow.config().await, URL);
        assert_eq!(queue.send("body".to_owned(), 0).await, Ok(()));
        assert_eq!(slow.requests().len(), 1);
    }
}
