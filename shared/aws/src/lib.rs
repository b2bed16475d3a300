//! How every AWS client of Holdfast is built: one HTTP client, explicit retries, explicit time-outs.
//!
//! With the SDK's own defaults, a client would wait up to a second before its first retry, and without limit for a reply. A
//! function must answer within its deadline, also when a connection fails. It would also read all certificates of the system
//! while a function starts.

mod trust;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::origin::Origin;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

pub use trust::Roots;

/// First back-off; doubles, with jitter. 25 ms is what AWS chose for DynamoDB in its 2026 retry defaults.
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);
const ATTEMPTS: u32 = 3;
/// Where every service is, for the local cloud. A service has its name appended.
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// A kept connection that was idle for longer is probably broken, because the function was frozen.
pub const POOL_IDLE: Duration = Duration::from_secs(20);

/// How long one call may take. Every time-out is given, because the SDK replaces each one that a client leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time-out of opening a connection.
    pub connect: Duration,
    /// Time-out of one attempt, with the connection that it may have to open.
    pub attempt: Duration,
    /// All tries together.
    pub operation: Duration,
}

impl Patience {
    /// On AWS: DynamoDB answers in single-digit milliseconds, so a try that takes 400 ms is lost.
    pub const STORE: Self = Self::of_millis(500, 400, 1_300);
    /// SQS, EventBridge and KMS answer in tens of milliseconds, and sometimes in hundreds. A send that is given up too early may
    /// have been accepted, and its retry then sends a duplicate.
    pub const SERVICE: Self = Self::of_millis(500, 1_000, 2_500);
    /// Locally one emulator does everything in one process; under load it is slow without being broken.
    pub const LOCAL: Self = Self::of_millis(500, 3_000, 7_000);
    /// Services that describe or change resources answer in hundreds of milliseconds, and no user's request waits for them.
    pub const CONTROL: Self = Self::LOCAL;

    /// The time-outs in milliseconds, in the order of the fields.
    pub const fn of_millis(connect: u64, attempt: u64, operation: u64) -> Self {
        Self {
            connect: Duration::from_millis(connect),
            attempt: Duration::from_millis(attempt),
            operation: Duration::from_millis(operation),
        }
    }

    /// The right one for where this process runs: an endpoint override means the local cloud.
    pub fn for_endpoint(local: bool) -> Self {
        if local { Self::LOCAL } else { Self::STORE }
    }

    /// The time-outs as the SDK takes them. None is left open, so that none comes from elsewhere.
    fn time_outs(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .disable_read_timeout()
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

/// Returns the same configuration with time-outs of at least `least`, for a service that is slower than DynamoDB.
///
/// A time-out of `config` that is longer stays, because the local cloud is slower than any service of AWS. Client
/// configurations must not set time-outs in any other way. The SDK takes each one that they leave open from `config`
/// (`Builder::set_timeout_config` calls `TimeoutConfig::take_defaults_from`), so an operation of 3 s would end at the attempt
/// time-out of DynamoDB.
pub fn at_least(config: &SdkConfig, least: Patience) -> SdkConfig {
    let now = config.timeout_config();
    let longer = |now: Option<Duration>, least: Duration| now.map_or(least, |now| now.max(least));
    let patience = Patience {
        connect: longer(now.and_then(TimeoutConfig::connect_timeout), least.connect),
        attempt: longer(now.and_then(TimeoutConfig::operation_attempt_timeout), least.attempt),
        operation: longer(now.and_then(TimeoutConfig::operation_timeout), least.operation),
    };
    config.to_builder().timeout_config(patience.time_outs()).build()
}

/// Returns the value of an environment variable, if it has one.
pub type Variable = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Returns the configuration of a function's clients: Region, endpoints and credentials from environment variables, which
/// is where Lambda puts them.
///
/// The SDK's own loader also looks for profiles, roles and metadata services. A function has none of these, but all of them
/// are linked with it: a client of STS, parsers, and an eighth of the executable.
pub fn sdk_config(variable: Variable, roots: Roots) -> SdkConfig {
    let local = variable(ENDPOINT_URL).is_some();
    of_environment(variable, Patience::for_endpoint(local), roots)
}

/// The same for a service that describes resources (ElastiCache).
pub fn sdk_config_for_control(variable: Variable, roots: Roots) -> SdkConfig {
    of_environment(variable, Patience::CONTROL, roots)
}

fn of_environment(variable: Variable, patience: Patience, roots: Roots) -> SdkConfig {
    let is_true = |name: &str| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region.map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .identity_cache(IdentityCache::lazy().build())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .http_client(http_client(roots))
        .retry_config(retries())
        .timeout_config(patience.time_outs());
    config
        .set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"))
        .set_endpoint_url(variable(ENDPOINT_URL));
    // Without an origin, the SDK replaces the number of attempts by its own.
    config.insert_origin("retry_config", Origin::shared_config());
    config.service_config(ServiceVariables(variable)).build()
}

/// The endpoint of one service, such as `AWS_ENDPOINT_URL_DYNAMODB`.
struct ServiceVariables(Variable);

/// Values may be secrets.
impl fmt::Debug for ServiceVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceVariables")
    }
}

impl LoadServiceConfig for ServiceVariables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace([' ', '-'], "_");
        (self.0)(&format!("{}_{service}", key.env()))
    }
}

/// The same patience and HTTP client for a loader that already knows where its credentials come from. Its endpoints may
/// belong to any party.
pub fn sdk_config_with(loader: ConfigLoader, local: bool) -> ConfigLoader {
    patient(loader, Patience::for_endpoint(local), Roots::System)
}

fn patient(loader: ConfigLoader, patience: Patience, roots: Roots) -> ConfigLoader {
    loader.http_client(http_client(roots)).retry_config(retries()).timeout_config(patience.time_outs())
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF)
}

/// An HTTP client with connections of its own. All clients of one configuration share them.
fn http_client(roots: Roots) -> SharedHttpClient {
    let inner = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(roots.context())
        .pool_idle_timeout(POOL_IDLE)
        .build_https();
    SharedHttpClient::new(ConnectorsWhenNeeded(inner))
}

/// An HTTP client that makes connectors for requests only. The SDK's own makes one more for each service client, to see that
/// it can, and throws it away: that parses every root certificate again.
#[derive(Debug)]
struct ConnectorsWhenNeeded(SharedHttpClient);

impl HttpClient for ConnectorsWhenNeeded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(patience: Patience) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .timeout_config(patience.time_outs())
            .build()
    }

    fn of_variables(variables: &'static [(&'static str, &'static str)]) -> SdkConfig {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        sdk_config(Arc::new(variable), Roots::Amazon)
    }

    #[test]
    fn region_and_endpoints_are_those_of_the_environment() {
        let config = of_variables(&[
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2"),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:3"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ]);
        assert_eq!(config.region(), Some(&Region::from_static("eu-central-1")));
        assert_eq!((config.endpoint_url(), config.use_fips()), (Some("http://127.0.0.1:1"), Some(true)));
        assert_eq!(config.timeout_config(), Some(&Patience::LOCAL.time_outs()));
        let of = |service| {
            let key = ServiceConfigKey::builder().service_id(service).env(ENDPOINT_URL).profile("endpoint_url").build();
            config.service_config().unwrap().load_config(key.unwrap())
        };
        assert_eq!(of("DynamoDB").as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(of("Cognito Identity Provider").as_deref(), Some("http://127.0.0.1:3"));
        assert_eq!(of("SQS"), None);
    }

    #[test]
    fn on_aws_nothing_but_the_region_is_needed_and_every_client_shares_the_rest() {
        let config = of_variables(&[("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE")]);
        assert_eq!(config.region(), Some(&Region::from_static("eu-central-1")));
        assert_eq!((config.endpoint_url(), config.use_fips(), config.use_dual_stack()), (None, None, Some(true)));
        assert_eq!(config.timeout_config(), Some(&Patience::STORE.time_outs()));
        assert_eq!(config.retry_config().unwrap().max_attempts(), ATTEMPTS);
        assert!(config.get_origin("retry_config").is_client_config());
        assert!(config.http_client().is_some() && config.credentials_provider().is_some());
        assert!(config.identity_cache().is_some() && config.sleep_impl().is_some() && config.time_source().is_some());
        let control = sdk_config_for_control(Arc::new(|_: &str| None), Roots::Amazon);
        assert_eq!((control.region(), control.timeout_config()), (None, Some(&Patience::CONTROL.time_outs())));
    }

    #[test]
    fn a_client_gets_every_time_out_it_asks_for_and_keeps_a_longer_one() {
        let post = Patience::of_millis(1_000, 3_000, 3_000);
        for (base, expected) in [
            (Patience::STORE, post),
            (Patience::LOCAL, Patience::of_millis(1_000, 3_000, 7_000)),
            (Patience::of_millis(9_000, 9_000, 9_000), Patience::of_millis(9_000, 9_000, 9_000)),
        ] {
            assert_eq!(at_least(&with(base), post).timeout_config(), Some(&expected.time_outs()), "{base:?}");
        }
        let open = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        assert_eq!(at_least(&open, post).timeout_config(), Some(&post.time_outs()), "no time-outs before");
    }

    /// An attempt that ended with its operation could not be repeated.
    #[test]
    fn no_operation_is_shorter_than_an_attempt() {
        for patience in [Patience::STORE, Patience::SERVICE, Patience::LOCAL] {
            assert!(patience.attempt < patience.operation, "{patience:?}");
        }
    }
}
