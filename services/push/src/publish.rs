//! Accepts a message from a service. Whom API Gateway has not authenticated by IAM is refused here too: the local cloud
//! lets requests with an `Authorization: Bearer` header through.

use holdfast_push::ports::{Channels, DeliveryMetrics, JobQueue, PublishKeys};
use holdfast_push::publish::{Answer, Publish, publisher};
use holdfast_push::service::Publisher;
use holdfast_push_wiring::wire::PublishBody;
use holdfast_push_wiring::{self as providers, LiveConnections, LiveLanes, Metrics};
use holdfast_runtime::{ConfigError, Env, Request, Response, System};
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::{Code, Failure};
use serde_json::{Map, Value};

/// `POST /v1/messages` may be this long.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The dependencies of `push-publish`.
pub struct Deps<T, Q, M, H> {
    pub(crate) publisher: Publisher<T, Q, M, H>,
}

impl Deps<LiveConnections, LiveLanes, Metrics, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env);
        Ok(Self { publisher: providers::publisher(env, &sdk).await? })
    }
}

/// Serves `POST /v1/messages`.
pub async fn handle<T, Q, M, H>(deps: &Deps<T, Q, M, H>, request: Request) -> Result<Response, Failure>
where
    T: Channels + PublishKeys,
    Q: JobQueue,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    let caller = request
        .iam_caller()
        .ok_or_else(|| Failure::new(Code::Forbidden, "Sign the request with AWS Signature Version 4."))?;
    let publish = Publish::read(request.json_up_to::<PublishBody>(MAX_BODY_BYTES)?.into())?;
    let published = deps.publisher.publish(&publisher(caller), &publish).await?;
    Response::json(202, &accepted(&published.answer, published.duplicate))
}

/// The body of the answer 202.
fn accepted(answer: &Answer, duplicate: bool) -> Value {
    let mut body = Map::new();
    body.insert("messageId".into(), answer.message_id.to_string().into());
    body.insert("duplicate".into(), duplicate.into());
    if let Some(recipients) = answer.recipients {
        body.insert("recipients".into(), recipients.into());
    }
    if let Some(channel) = &answer.channel {
        body.insert("channel".into(), channel.to_string().into());
    }
    if let Some(offset) = answer.offset {
        body.insert("offset".into(), offset.into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use holdfast_push::channel::Channel;
    use holdfast_push::ids::MessageId;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_is_answered() {
        let message_id = MessageId::from_bytes([1; 16]);
        let many = Answer { message_id, recipients: Some(2), channel: None, offset: None };
        let id = message_id.to_string();
        assert_eq!(accepted(&many, false), json!({"messageId": id, "duplicate": false, "recipients": 2}));
        let all = Answer { message_id, recipients: None, channel: Some(Channel::Broadcast), offset: Some(7) };
        let expected = json!({"messageId": id, "duplicate": true, "channel": "broadcast", "offset": 7});
        assert_eq!(accepted(&all, true), expected);
    }
}
