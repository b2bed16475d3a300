//! Posts, which are nearly all that a fan-out does. A post through the SDK takes nearly three times the instructions.
//!
//! HTTP client, connections, credentials and their cache are those of the SDK's configuration. Only what happens between a text and
//! its request is different: there are no interceptors, and the signing key is kept.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime::client::auth::no_auth::NoAuthScheme;
use aws_smithy_runtime::client::http::connection_poisoning::CaptureSmithyConnection;
use aws_smithy_runtime::client::orchestrator::endpoints::StaticUriEndpointResolver;
use aws_smithy_runtime::client::retries::strategy::NeverRetryStrategy;
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector as _, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{ResolveCachedIdentity as _, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::timeout::TimeoutConfig;

use crate::signature::{Signed, SigningKey, date_time, encoded_path, encoded_segment};

const SERVICE: &str = "execute-api";
const CONTENT_TYPE: &str = "application/octet-stream";
/// API Gateway refuses a signature that is five minutes old. A clock that differs by less is left alone.
const LEAST_SKEW: u64 = 240;
const SIGV4: AuthSchemeId = AuthSchemeId::new("sigv4");

/// The answer to a post.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The name of the error, if API Gateway gives one.
    pub(crate) error: Option<String>,
}

/// Where posts go.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    /// What comes before the id of a connection.
    url: String,
    /// The header `host`, as the HTTP client writes it: without the port that the scheme has anyway.
    host: String,
    /// The path of `url` as it is signed.
    signed_path: String,
}

impl Address {
    /// `None` if it is no URL.
    fn of(callback_url: &str) -> Option<Self> {
        let url = callback_url.trim_end_matches('/');
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.strip_suffix(default_port).unwrap_or(authority);
        let path = format!("{path}/@connections/");
        (!host.is_empty()).then(|| Self {
            url: format!("{scheme}://{authority}{path}"),
            host: host.to_owned(),
            signed_path: encoded_path(&path).to_string(),
        })
    }
}

/// What signatures of one second have in common.
struct Moment {
    second: i64,
    date_time: String,
    key: Arc<SigningKey>,
}

/// Posts to the sockets of one WebSocket API.
pub(crate) struct Posts {
    address: Address,
    region: String,
    /// How long a post may take, with the connection that it may have to open.
    patience: Option<Duration>,
    http: SharedHttpClient,
    settings: HttpConnectorSettings,
    credentials: SharedIdentityResolver,
    components: RuntimeComponents,
    config: ConfigBag,
    /// Made by the first post, as the SDK does it: it reads certificates.
    connector: OnceLock<SharedHttpConnector>,
    moment: RwLock<Option<Arc<Moment>>>,
    /// Seconds by which the clock of API Gateway is ahead of this one.
    skew: AtomicI64,
}

impl std::fmt::Debug for Posts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Posts").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Posts {
    /// `None` if the configuration lacks what a request needs, such as a Region.
    pub(crate) fn new(config: &SdkConfig, callback_url: &str) -> Option<Self> {
        let http = config.http_client()?;
        let credentials = config.credentials_provider()?;
        let time_outs = config.timeout_config();
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(time_outs.and_then(TimeoutConfig::connect_timeout));
        settings.set_read_timeout(time_outs.and_then(TimeoutConfig::read_timeout));
        let address = Address::of(callback_url)?;
        let components = RuntimeComponents::builder("posts")
            .with_http_client(Some(http.clone()))
            .with_identity_cache(Some(config.identity_cache()?))
            .with_identity_resolver(SIGV4, credentials.clone())
            .with_time_source(Some(config.time_source()?))
            .with_sleep_impl(Some(config.sleep_impl()?))
            // The rest is demanded, and used by the SDK's orchestrator only.
            .with_auth_scheme(NoAuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(Vec::new())))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::uri(&address.url)))
            .with_retry_strategy(Some(NeverRetryStrategy::new()))
            .build()
            .ok()?;
        Some(Self {
            address,
            region: config.region()?.to_string(),
            patience: time_outs.and_then(TimeoutConfig::operation_attempt_timeout),
            http,
            settings: settings.build(),
            credentials: SharedIdentityResolver::new(credentials),
            components,
            config: ConfigBag::base(),
            connector: OnceLock::new(),
            moment: RwLock::default(),
            skew: AtomicI64::new(0),
        })
    }

    /// Posts once, or twice if the first signature was refused because this clock is wrong. The HTTP client itself repeats only what
    /// it has not begun to write, because a kept connection was closed.
    ///
    /// # Errors
    /// Why there is no answer. The text may have been delivered all the same.
    pub(crate) async fn post(&self, id: &str, text: &str) -> Result<Answer, &'static str> {
        let post = self.try_post(id, text);
        match self.patience {
            Some(patience) => tokio::time::timeout(patience, post).await.unwrap_or(Err("timed out")),
            None => post.await,
        }
    }

    async fn try_post(&self, id: &str, text: &str) -> Result<Answer, &'static str> {
        let (answer, signed, date) = self.send(id, text).await?;
        // What is refused was not delivered. Of many posts under way each was signed with the wrong time.
        if answer.status == 403
            && let Some(date) = date
            && date.abs_diff(signed) >= LEAST_SKEW
            && let Some(clock) = self.components.time_source()
        {
            self.skew.store(date.saturating_sub(seconds(clock.now())), Ordering::Relaxed);
            return Ok(self.send(id, text).await?.0);
        }
        Ok(answer)
    }

    /// One request: its answer, the time of its signature, and the time at API Gateway, in seconds since 1970.
    async fn send(&self, id: &str, text: &str) -> Result<(Answer, i64, Option<i64>), &'static str> {
        let moment = self.moment().await?;
        let mut request = self.request(id, text, &moment).ok_or("no such address")?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let connector = self.connector.get_or_init(|| self.http.http_connector(&self.settings, &self.components));
        let response = connector.call(request).await.map_err(|_| "not reached")?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name);
        let error = header("x-amzn-errortype").map(str::to_owned);
        let date = header("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        // A server in trouble gets no further post on this connection.
        if matches!(status, 500 | 502 | 503 | 504)
            && let Some(connection) = connection.get()
        {
            connection.poison();
        }
        // A connection is free for the next post after all of the answer was read.
        let _ = ByteStream::new(response.into_body()).collect().await;
        Ok((Answer { status, error }, moment.second, date.map(|date| date.secs())))
    }

    fn request(&self, id: &str, text: &str, moment: &Moment) -> Option<HttpRequest> {
        let id = encoded_segment(id).to_string();
        let credentials = &moment.key.credentials;
        let headers = [
            ("content-type", CONTENT_TYPE),
            ("host", &self.address.host),
            ("x-amz-date", &moment.date_time),
            ("x-amz-security-token", credentials.session_token().unwrap_or_default()),
        ];
        // Credentials of a user have no token.
        let headers = if credentials.session_token().is_some() { &headers[..] } else { &headers[..3] };
        let signed = Signed {
            method: "POST",
            path: &format!("{}{}", self.address.signed_path, encoded_segment(&id)),
            headers,
            payload: text.as_bytes(),
        };
        let authorization = moment.key.authorization(&moment.date_time, &signed);
        let mut request = HttpRequest::new(SdkBody::from(text));
        request.set_method("POST").ok()?;
        request.set_uri(format!("{}{id}", self.address.url)).ok()?;
        let sent = request.headers_mut();
        sent.try_insert("authorization", authorization).ok()?;
        sent.try_insert("content-type", CONTENT_TYPE).ok()?;
        sent.try_insert("x-amz-date", moment.date_time.clone()).ok()?;
        if let Some(token) = credentials.session_token() {
            sent.try_insert("x-amz-security-token", token.to_owned()).ok()?;
        }
        Some(request)
    }

    /// What a signature needs now. The credentials are asked for once a second; the SDK's cache renews them at least five
    /// seconds before they expire.
    async fn moment(&self) -> Result<Arc<Moment>, &'static str> {
        let second = seconds(self.components.time_source().ok_or("no clock")?.now());
        let second = second.saturating_add(self.skew.load(Ordering::Relaxed));
        let now = UNIX_EPOCH + Duration::from_secs(second.try_into().unwrap_or(0));
        let held = self.moment.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(held) = held.as_ref().filter(|held| held.second == second) {
            return Ok(held.clone());
        }
        let identity = self
            .components
            .identity_cache()
            .resolve_cached_identity(self.credentials.clone(), &self.components, &self.config)
            .await
            .map_err(|_| "no credentials")?;
        let credentials: &Credentials = identity.data().ok_or("no credentials")?;
        let date_time = date_time(now);
        let key = held
            .map(|held| held.key.clone())
            .filter(|key| key.is_for(credentials, &date_time))
            .unwrap_or_else(|| Arc::new(SigningKey::new(credentials, &self.region, SERVICE, now)));
        let moment = Arc::new(Moment { second, date_time, key });
        *self.moment.write().unwrap_or_else(PoisonError::into_inner) = Some(moment.clone());
        Ok(moment)
    }
}

/// Counts the seconds since 1970.
fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    use aws_smithy_async::time::StaticTimeSource;
    use aws_smithy_runtime_api::client::identity::Identity;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_taken_apart_once() {
        let of = |url: &str| Address::of(url).map(|address| [address.url, address.host, address.signed_path]);
        let expected = |url: &str, host: &str, path: &str| Some([url, host, path].map(str::to_owned));
        let host = "a1b2c3.execute-api.eu-central-1.amazonaws.com";
        for url in [format!("https://{host}/v1"), format!("https://{host}/v1/")] {
            assert_eq!(of(&url), expected(&format!("https://{host}/v1/@connections/"), host, "/v1/%40connections/"));
        }
        let local = "http://localhost:4566/_aws/x/$default";
        assert_eq!(
            of(local),
            expected(&format!("{local}/@connections/"), "localhost:4566", "/_aws/x/%24default/%40connections/")
        );
        assert_eq!(of("https://h:443").unwrap()[1], "h");
        assert_eq!(of("https://h:80").unwrap()[1], "h:80");
        for none in ["", "h/v1", "https://", "https:///v1"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    proptest! {
        /// The request that is sent carries the signature that AWS's library gives it.
        #[test]
        fn every_request_is_signed_as_awss_library_signs_it(
            url in "https?://[a-z0-9][a-z0-9-]{0,20}(\\.[a-z]{1,8}){0,3}(:80|:443|:4566)?(/[A-Za-z0-9$~_%-]{1,12}){0,3}/?",
            id in "[A-Za-z0-9_=+/.-]{1,128}",
            text in ".{0,300}",
            token in proptest::option::of("[A-Za-z0-9+/=]{1,1200}"),
            access_key in "[A-Z0-9]{16,20}",
            secret in "[A-Za-z0-9+/]{1,60}",
            region in "[a-z]{2}(-gov)?-[a-z]{4,9}-[1-9]",
            seconds in 0..4_000_000_000_u64,
        ) {
            // Paths with dot segments are normalized before they are signed. API Gateway's ids have none.
            prop_assume!(!matches!(&id[..], "." | ".."));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            let credentials = Credentials::new(access_key, secret, token.clone(), None, "test");
            let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
                .region(Region::new(region.clone()))
                .time_source(StaticTimeSource::new(at))
                .credentials_provider(credentials.clone());
            let config = runtime.block_on(holdfast_aws::sdk_config_with(loader, false).load());
            let posts = Posts::new(&config, &url).unwrap();
            let moment = runtime.block_on(posts.moment()).unwrap_or_else(|why| panic!("{why}"));
            let request = posts.request(&id, &text, &moment).unwrap();
            let content_type = [("content-type", request.headers().get("content-type").unwrap())];
            let identity = Identity::from(credentials);
            let parameters = SigningParams::builder().identity(&identity).region(&region).name("execute-api").time(at);
            let parameters = parameters.settings(SigningSettings::default()).build().unwrap().into();
            let body = SignableBody::Bytes(text.as_bytes());
            let signable = SignableRequest::new("POST", request.uri(), content_type.into_iter(), body).unwrap();
            let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
            for header in instructions.headers() {
                prop_assert_eq!(request.headers().get(header.0), Some(header.1), "{}", header.0);
            }
            prop_assert_eq!(request.body().bytes(), Some(text.as_bytes()));
        }
    }
}
