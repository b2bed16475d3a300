//! The authorization hooks of topics and of presence. They call an operator's own function, which decides who may read a topic
//! (`TOPIC_POLICY` as an ARN) or see a user's presence (`PRESENCE_POLICY` as an ARN).
//!
//! The first is invoked with `{"v":1,"userId":"…","topics":["…"]}`, all topics of one `subscribe` or `hello` at once, the second
//! with `{"v":1,"userId":"…","userIds":["…"]}`, all users of one `presence`; both answer `{"allowed":["…"]}`. What the answer does not name
//! is denied; what was not asked for is ignored. An error, a time-out or any other answer decides nothing: the client
//! gets `UNAVAILABLE`, the history route answers 503. No answer is cached, so a right that is withdrawn is
//! refused at the next request.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use holdfast_aws::Patience;
use holdfast_push::Topic;
use holdfast_push::ports::{PresenceAccess, TopicAccess};
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{StoreError, StoreResult};
use serde::{Deserialize, Serialize};

/// The hook may have to start, and to ask others. All tries stay well below the 10 s in which a request of the HTTP API must
/// be answered.
const PATIENCE: Patience = Patience::of_millis(500, 2_500, 5_000);
/// The version of the question.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    v: u32,
    user_id: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Asked {
    Topics(Vec<String>),
    UserIds(Vec<String>),
}

#[derive(Deserialize)]
struct Answer {
    allowed: Vec<String>,
}

/// A function that decides.
#[derive(Clone, Debug)]
struct Hook {
    client: Client,
    name: String,
    /// Where it is configured: for the log.
    variable: &'static str,
}

impl Hook {
    #[inline]
    fn new(config: &SdkConfig, name: impl Into<String>, variable: &'static str) -> Self {
        Self { client: Client::new(&holdfast_aws::at_least(config, PATIENCE)), name: name.into(), variable }
    }

    fn undecided(&self, why: impl std::fmt::Display) -> StoreError {
        tracing::error!(%why, variable = self.variable, "the policy's function did not decide");
        StoreError::Unavailable(format!("{}: {why}", self.variable))
    }

    /// Those of `things`, by the names under which they are asked about, that the function allows.
    async fn allowed<T: Ord>(
        &self,
        user: UserId,
        things: BTreeMap<String, T>,
        asked: fn(Vec<String>) -> Asked,
    ) -> StoreResult<BTreeSet<T>> {
        let payload = question(user, asked(things.keys().cloned().collect())).map_err(|why| self.undecided(why))?;
        let answer = self
            .client
            .invoke()
            .function_name(&self.name)
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(|error| self.undecided(reason(&error)))?;
        if let Some(failed) = answer.function_error() {
            return Err(self.undecided(failed));
        }
        judge(answer.payload().map(Blob::as_ref).unwrap_or_default(), things).map_err(|why| self.undecided(why))
    }
}

fn question(user: UserId, asked: Asked) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Question { v: VERSION, user_id: user.to_string(), asked })
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
fn judge<T: Ord>(payload: &[u8], mut asked: BTreeMap<String, T>) -> Result<BTreeSet<T>, String> {
    let answer: Answer =
        serde_json::from_slice(payload).map_err(|_| "the answer is not {\"allowed\":[…]}".to_owned())?;
    Ok(answer.allowed.iter().filter_map(|name| asked.remove(name)).collect())
}

/// A function that decides about topics.
#[derive(Clone, Debug)]
pub struct TopicFunction(Hook);

impl TopicFunction {
    /// `name` is the function's ARN, with or without an alias.
    #[inline]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self(Hook::new(config, name, "TOPIC_POLICY"))
    }
}

impl TopicAccess for TopicFunction {
    #[inline]
    async fn readable(&self, user: UserId, topics: BTreeSet<Topic>) -> StoreResult<BTreeSet<Topic>> {
        let named = topics.into_iter().map(|topic| (topic.as_str().to_owned(), topic)).collect();
        self.0.allowed(user, named, Asked::Topics).await
    }
}

/// A function that decides about presence.
#[derive(Clone, Debug)]
pub struct PresenceFunction(Hook);

impl PresenceFunction {
    /// `name` is the function's ARN, with or without an alias.
    #[inline]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self(Hook::new(config, name, "PRESENCE_POLICY"))
    }
}

impl PresenceAccess for PresenceFunction {
    #[inline]
    async fn visible(&self, asker: UserId, users: BTreeSet<UserId>) -> StoreResult<BTreeSet<UserId>> {
        let named = users.into_iter().map(|user| (user.to_string(), user)).collect();
        self.0.allowed(asker, named, Asked::UserIds).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_lambda::operation::invoke::InvokeError;
    use holdfast_testkit::{CannedAws, SlowAws};

    use super::*;

    fn named(names: &[&str]) -> BTreeMap<String, Topic> {
        names.iter().map(|name| ((*name).to_owned(), name.parse().unwrap())).collect()
    }

    fn topics(names: &[&str]) -> BTreeSet<Topic> {
        named(names).into_values().collect()
    }

    #[test]
    fn only_what_was_asked_for_and_named_is_allowed() {
        let asked = named(&["a", "b"]);
        assert_eq!(judge(br#"{"allowed":["b","c","b"]}"#, asked.clone()), Ok(topics(&["b"])));
        assert_eq!(judge(br#"{"allowed":[],"why":"x"}"#, asked.clone()), Ok(topics(&[])));
        for unclear in
            [&b""[..], b"null", b"true", br#"{"allow":["a"]}"#, br#"{"allowed":"a"}"#, br#"{"allowed":null}"#]
        {
            assert!(judge(unclear, asked.clone()).is_err(), "{}", String::from_utf8_lossy(unclear));
        }
    }

    #[test]
    fn the_questions_are_as_documented() {
        let user = UserId::from_bytes([1; 16]);
        let text = |asked| String::from_utf8(question(user, asked).unwrap()).unwrap();
        let id = user.to_string();
        assert_eq!(
            text(Asked::Topics(vec!["a".into(), "b".into()])),
            format!(r#"{{"v":1,"userId":"{id}","topics":["a","b"]}}"#)
        );
        assert_eq!(text(Asked::UserIds(vec![id.clone()])), format!(r#"{{"v":1,"userId":"{id}","userIds":["{id}"]}}"#));
    }

    /// What is logged and returned is how an operator finds the reason.
    #[tokio::test]
    async fn a_hook_that_does_not_decide_is_unavailable_and_the_error_says_why() {
        for (answers, why) in [
            (&[(429, r#"{"__type":"TooManyRequestsException"}"#)][..], "TooManyRequestsException"),
            (&[(404, r#"{"__type":"ResourceNotFoundException"}"#)], "ResourceNotFoundException"),
            (&[(200, "true")], "the answer is not {\"allowed\":[…]}"),
            (&[], "not reached"),
        ] {
            let hook = TopicFunction::new(&CannedAws::new(answers).config(), "hook");
            let decided = hook.readable(UserId::from_bytes([1; 16]), topics(&["a"])).await;
            assert_eq!(decided, Err(StoreError::Unavailable(format!("TOPIC_POLICY: {why}"))));
        }
        assert_eq!(reason::<InvokeError, ()>(&SdkError::timeout_error("late")), "timed out");
    }

    #[tokio::test]
    async fn a_hook_that_answers_after_two_seconds_is_invoked_once() {
        let slow = SlowAws::start(Duration::from_secs(2), 200, r#"{"allowed":["a"]}"#).await.unwrap();
        let hook = TopicFunction::new(&slow.config().await, "hook");
        assert_eq!(hook.readable(UserId::from_bytes([1; 16]), topics(&["a", "b"])).await, Ok(topics(&["a"])));
        assert_eq!(slow.requests().len(), 1);
    }
}
