//! The authorization hook of topics: somebody's own function, asked who may read what (`TOPIC_POLICY` as an ARN).
//!
//! It is invoked with `{"v":1,"userId":"…","topics":["…"]}`, all topics of one `subscribe` or `hello` at once, and answers
//! `{"allowed":["…"]}`. What it does not name is denied; what was not asked for is ignored. An error, a time-out or any
//! other answer decides nothing: the client is told `UNAVAILABLE`, the history route answers 503. Nothing is remembered
//! between calls, so a right that is withdrawn is gone at the next question.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_domain::UserId;
use holdfast_domain::ports::{StoreError, Stored};
use holdfast_push::Topic;
use holdfast_push::ports::TopicAccess;
use serde::{Deserialize, Serialize};

/// The hook may have to start, and to ask others.
const ATTEMPT: Duration = Duration::from_millis(2_500);
/// All tries: well below the 10 s in which a request of the HTTP API must be answered.
const OPERATION: Duration = Duration::from_secs(5);
/// The version of the question.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    v: u32,
    user_id: String,
    topics: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    allowed: Vec<String>,
}

/// A function that decides about topics.
#[derive(Clone, Debug)]
pub struct TopicFunction {
    client: Client,
    name: String,
}

impl TopicFunction {
    /// `name` is the function's ARN, with or without an alias.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let time_outs =
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let config = Builder::from(config).timeout_config(time_outs).build();
        Self { client: Client::from_conf(config), name: name.into() }
    }
}

fn undecided(why: impl std::fmt::Display) -> StoreError {
    tracing::error!(%why, "TOPIC_POLICY: the function did not decide");
    StoreError::Unavailable(format!("topic policy: {why}"))
}

fn reason<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "not reached".to_owned(),
        _ => "no readable answer".to_owned(),
    }
}

/// What the function said, of what it was asked.
fn judge(payload: &[u8], asked: BTreeSet<Topic>) -> Result<BTreeSet<Topic>, String> {
    let answer: Answer =
        serde_json::from_slice(payload).map_err(|_| "the answer is not {\"allowed\":[…]}".to_owned())?;
    let allowed: BTreeSet<&str> = answer.allowed.iter().map(String::as_str).collect();
    Ok(asked.into_iter().filter(|topic| allowed.contains(topic.as_str())).collect())
}

impl TopicAccess for TopicFunction {
    async fn readable(&self, user: UserId, topics: BTreeSet<Topic>) -> Stored<BTreeSet<Topic>> {
        let names = topics.iter().map(|topic| topic.as_str().to_owned()).collect();
        let question = Question { v: VERSION, user_id: user.to_string(), topics: names };
        let payload = serde_json::to_vec(&question).map_err(undecided)?;
        let answer = self
            .client
            .invoke()
            .function_name(&self.name)
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(|error| undecided(reason(&error)))?;
        if let Some(failed) = answer.function_error() {
            return Err(undecided(failed));
        }
        judge(answer.payload().map(Blob::as_ref).unwrap_or_default(), topics).map_err(undecided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> BTreeSet<Topic> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn only_what_was_asked_for_and_named_is_allowed() {
        let asked = topics(&["a", "b"]);
        assert_eq!(judge(br#"{"allowed":["b","c"]}"#, asked.clone()), Ok(topics(&["b"])));
        assert_eq!(judge(br#"{"allowed":[],"why":"x"}"#, asked.clone()), Ok(topics(&[])));
        for unclear in [&b""[..], b"null", b"true", br#"{"allow":["a"]}"#, br#"{"allowed":"a"}"#] {
            assert!(judge(unclear, asked.clone()).is_err(), "{}", String::from_utf8_lossy(unclear));
        }
    }
}
