//! Accepts a message from a service. Whom API Gateway has not authenticated by IAM is refused here too: the local cloud
//! lets requests with an `Authorization: Bearer` header through.

use holdfast_domain::{Code, Failure};
use holdfast_kit::{ConfigError, Env, Request, Response};
use holdfast_push::publish::{Publish, publisher};
use holdfast_push_providers::{self as providers, LivePublisher};
use holdfast_queue::wire::PublishBody;

use self::wire::{MAX_BODY_BYTES, accepted};

mod wire;

/// What `push-publish` needs.
pub struct Deps {
    publisher: LivePublisher,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self { publisher: providers::publisher(env, &sdk).await? })
    }
}

/// Serves `POST /v1/messages`.
pub async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let caller = request
        .iam_caller()
        .ok_or_else(|| Failure::new(Code::Forbidden, "Sign the request with AWS Signature Version 4."))?;
    let publish = Publish::read(request.json_up_to::<PublishBody>(MAX_BODY_BYTES)?.into())?;
    let published = deps.publisher.publish(&publisher(caller), &publish).await?;
    Response::json(202, &accepted(&published.answer, published.duplicate))
}
