//! How every AWS client of Holdfast is built: one HTTP client, explicit retries, explicit time-outs.
//!
//! With the SDK's own defaults, a client would wait up to a second before its first retry, and without limit for a reply. A
//! function must answer within its deadline, also when a connection fails.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// First back-off; doubles, with jitter. 25 ms is what AWS chose for DynamoDB in its 2026 retry defaults.
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);
const ATTEMPTS: u32 = 3;
const CONNECT: Duration = Duration::from_millis(500);
/// A pooled connection that was idle for longer is probably broken, because the function was frozen.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// How long one call may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time-out of one attempt.
    pub attempt: Duration,
    /// All tries together.
    pub operation: Duration,
}

impl Patience {
    /// On AWS: DynamoDB answers in single-digit milliseconds, so a try that takes 400 ms is lost.
    pub const STORE: Self = Self { attempt: Duration::from_millis(400), operation: Duration::from_millis(1_300) };
    /// Locally one emulator does everything in one process; under load it is slow without being broken.
    pub const LOCAL: Self = Self { attempt: Duration::from_secs(3), operation: Duration::from_secs(7) };
    /// Services that describe or change resources answer in hundreds of milliseconds, and no user's request waits for them.
    pub const CONTROL: Self = Self::LOCAL;

    /// The right one for where this process runs: an endpoint override means the local cloud.
    pub fn for_endpoint(local: bool) -> Self {
        if local { Self::LOCAL } else { Self::STORE }
    }
}

/// A configuration under way. Of one type, so that the code that loads it is compiled here and not in every function.
pub type Loading = Pin<Box<dyn Future<Output = SdkConfig>>>;

/// Region, credentials and endpoint from the environment, as Lambda sets them.
pub fn sdk_config(local: bool) -> Loading {
    Box::pin(sdk_config_with(aws_config::defaults(BehaviorVersion::v2026_01_12()), local).load())
}

/// The same for a service that describes resources (ElastiCache).
pub fn sdk_config_for_control() -> Loading {
    Box::pin(patient(aws_config::defaults(BehaviorVersion::v2026_01_12()), Patience::CONTROL).load())
}

/// The same patience and HTTP client for a loader that already knows where its credentials come from.
pub fn sdk_config_with(loader: ConfigLoader, local: bool) -> ConfigLoader {
    patient(loader, Patience::for_endpoint(local))
}

fn patient(loader: ConfigLoader, patience: Patience) -> ConfigLoader {
    let http =
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).pool_idle_timeout(POOL_IDLE).build_https();
    loader
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .operation_attempt_timeout(patience.attempt)
                .operation_timeout(patience.operation)
                .build(),
        )
}
