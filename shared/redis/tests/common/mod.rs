//! What these tests share.

use std::time::Duration;

use redis::aio::MultiplexedConnection;

/// Longer than any wait of a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A connection that is not the one under test. Its deadlines are long, because a busy machine takes longer than the defaults of the
/// library, and a test that fails for that shows nothing.
pub(crate) async fn connection(url: &str) -> MultiplexedConnection {
    let patience = Some(LONG);
    let config = redis::AsyncConnectionConfig::new().set_connection_timeout(patience).set_response_timeout(patience);
    let client = redis::Client::open(url).expect("a good address");
    client.get_multiplexed_async_connection_with_config(&config).await.expect("connected")
}
