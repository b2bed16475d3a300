//! @connections: post, delete, get. Nothing is retried here, except a post that was refused because the clock is wrong: what a
//! failed post means is decided per connection.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_aws::{Patience, Roots};
use holdfast_push::frame::ServerFrame;
use holdfast_push::ids::ConnectionId;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::Gateway;

use http::Uri;

use crate::pool::{Connector, Host, Pool};
use crate::posts::Posts;
use crate::wire::frame_to_json;

/// A post takes some 20 ms, and seconds on a bad day. One that times out may have been delivered, so giving up early makes
/// duplicates.
const PATIENCE: Patience = Patience::of_millis(1_000, 3_000, 3_000);

/// One WebSocket API's sockets.
#[derive(Clone, Debug)]
pub struct Connections {
    client: Client,
    /// Absent if the configuration is not complete.
    posts: Option<Arc<Posts>>,
}

impl Connections {
    /// `url` is the stage's callback URL (`https://<api>.execute-api.<region>.amazonaws.com/<stage>`): the SDK's own
    /// endpoint would be a host that does not exist.
    pub fn new(config: &SdkConfig, roots: Roots, url: &str) -> Self {
        let config = holdfast_aws::at_least(config, PATIENCE);
        let mut client = Builder::from(&config).endpoint_url(url).retry_config(RetryConfig::disabled());
        let patience = config.timeout_config().and_then(TimeoutConfig::connect_timeout);
        let address: Option<Uri> = url.parse().ok();
        let posts = address.as_ref().zip(address.as_ref().and_then(Host::of)).and_then(|(address, host)| {
            let pool = Arc::new(Pool::new(host, roots, patience));
            client.set_http_client(Some(SharedHttpClient::new(Connector(pool.clone()))));
            Posts::new(&config, pool, address).map(Arc::new)
        });
        Self { client: Client::from_conf(client.build()), posts }
    }
}

/// The status decides, and not the modelled error: a 410 with an empty body has no readable code.
fn outcome(status: Option<u16>, code: &str) -> Posted {
    // Gone and full buffers are a socket's everyday life; anything else is ours to find.
    if !matches!(status, Some(200..=299 | 410 | 429)) {
        tracing::warn!(status, code, "@connections");
    }
    status.map_or(Posted::Unknown, Posted::of_status)
}

fn posted<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> Posted {
    match result {
        Ok(_) => Posted::Done,
        Err(error) => {
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            outcome(status, error.code().unwrap_or("not reached"))
        }
    }
}

impl Gateway for Connections {
    fn text(&self, frame: &ServerFrame) -> String {
        frame_to_json(frame)
    }

    async fn post(&self, to: &ConnectionId, text: &str) -> Posted {
        let Some(posts) = &self.posts else { return outcome(None, "not configured") };
        match posts.post(to.as_str(), text).await {
            Ok(answer) => outcome(Some(answer.status), answer.error.as_deref().unwrap_or("unnamed")),
            Err(why) => outcome(None, why),
        }
    }

    async fn close(&self, id: &ConnectionId) -> Posted {
        posted(self.client.delete_connection().connection_id(id.as_str()).send().await)
    }

    async fn probe(&self, id: &ConnectionId) -> Probe {
        // An answer whose body cannot be read is still an answer: the socket is there.
        match posted(self.client.get_connection().connection_id(id.as_str()).send().await) {
            Posted::Done => Probe::Alive,
            Posted::Gone => Probe::Gone,
            _ => Probe::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_posted_as_its_json() {
        let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::v2026_01_12()).build();
        let text = Connections::new(&config, Roots::System, "http://127.0.0.1:1").text(&ServerFrame::Pong(vec![]));
        assert_eq!(text, frame_to_json(&ServerFrame::Pong(vec![])));
        assert!(text.contains("\"type\":\"pong\""), "{text}");
    }
}
