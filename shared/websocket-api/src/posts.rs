//! Posts, which are nearly all that a fan-out does. A post through the SDK takes several times the instructions.
//!
//! Credentials and their cache are those of the SDK's configuration. Some things are the same for all posts of a second or of a
//! text: the signing key, headers, most of what is signed, and the digest of the text. They are computed once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime::client::auth::no_auth::NoAuthScheme;
use aws_smithy_runtime::client::orchestrator::endpoints::StaticUriEndpointResolver;
use aws_smithy_runtime::client::retries::strategy::NeverRetryStrategy;
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::{ResolveCachedIdentity as _, SharedIdentityResolver};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::timeout::TimeoutConfig;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::pool::Pool;
use crate::signature::{Digest, Signer, SigningKey, date_time, digest, encoded_path, encoded_segment};

const SERVICE: &str = "execute-api";
const TEXT_TYPE: &str = "application/octet-stream";
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// API Gateway refuses a signature that is five minutes old. A clock that differs by less is left alone.
const LEAST_SKEW: u64 = 240;
const SIGV4: AuthSchemeId = AuthSchemeId::new("sigv4");

/// The answer to a post.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The name of the error, if API Gateway gives one.
    pub(crate) error: Option<String>,
}

/// What comes before the id of a connection in a path: `/<stage>/@connections/`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    sent: String,
    /// As it is signed.
    signed: String,
}

impl Prefix {
    fn of(stage: &str) -> Self {
        let sent = format!("{}/@connections/", stage.trim_end_matches('/'));
        let signed = encoded_path(&sent).to_string();
        Self { sent, signed }
    }
}

/// What the requests of one second have in common.
struct Moment {
    second: i64,
    key: Arc<SigningKey>,
    signer: Signer,
    headers: HeaderMap,
}

/// What the requests with one text have in common.
struct Payload {
    text: Bytes,
    digest: Digest,
}

/// Posts to the sockets of one WebSocket API.
pub(crate) struct Posts {
    pool: Arc<Pool>,
    host: HeaderValue,
    prefix: Prefix,
    region: String,
    /// How long a post may take, with the connection that it may have to open.
    patience: Option<Duration>,
    credentials: SharedIdentityResolver,
    components: RuntimeComponents,
    config: ConfigBag,
    moment: RwLock<Option<Arc<Moment>>>,
    /// That of the last post. Most texts go to many sockets.
    payload: RwLock<Option<Arc<Payload>>>,
    /// Seconds by which the clock of API Gateway is ahead of this one.
    skew: AtomicI64,
}

impl std::fmt::Debug for Posts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Posts").field("pool", &self.pool).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Posts {
    /// `None` if the configuration lacks what a request needs, such as a Region.
    pub(crate) fn new(config: &SdkConfig, pool: Arc<Pool>, url: &Uri) -> Option<Self> {
        let credentials = config.credentials_provider()?;
        let components = RuntimeComponents::builder("posts")
            .with_http_client(config.http_client())
            .with_identity_cache(Some(config.identity_cache()?))
            .with_identity_resolver(SIGV4, credentials.clone())
            .with_time_source(Some(config.time_source()?))
            .with_sleep_impl(Some(config.sleep_impl()?))
            // The rest is demanded, and used by the SDK's orchestrator only.
            .with_auth_scheme(NoAuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(Vec::new())))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::uri(url.to_string())))
            .with_retry_strategy(Some(NeverRetryStrategy::new()))
            .build()
            .ok()?;
        Some(Self {
            host: pool.host().clone(),
            pool,
            prefix: Prefix::of(url.path()),
            region: config.region()?.to_string(),
            patience: config.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout),
            credentials: SharedIdentityResolver::new(credentials),
            components,
            config: ConfigBag::base(),
            moment: RwLock::default(),
            payload: RwLock::default(),
            skew: AtomicI64::new(0),
        })
    }

    /// Posts once, or twice if the first signature was refused because this clock is wrong. The pool repeats only what it has not
    /// begun to write, because a kept connection was closed.
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
        if let Some(date) = date
            && date.abs_diff(signed) >= LEAST_SKEW
            && let Some(clock) = self.components.time_source()
        {
            self.skew.store(date.saturating_sub(seconds(clock.now())), Ordering::Relaxed);
            return Ok(self.send(id, text).await?.0);
        }
        Ok(answer)
    }

    /// One request: its answer, the time of its signature, and the time at API Gateway if it refused, in seconds since 1970.
    async fn send(&self, id: &str, text: &str) -> Result<(Answer, i64, Option<i64>), &'static str> {
        let moment = self.moment().await?;
        let request = self.request(id, &self.payload(text), &moment).ok_or("no such address")?;
        let response = self.pool.send(request).await?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let error = header(AMZN_ERROR_TYPE).map(str::to_owned);
        let date = || header(DATE).and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let date = (status == 403).then(date).flatten();
        Ok((Answer { status, error }, moment.second, date.map(|date| date.secs())))
    }

    fn request(&self, id: &str, payload: &Payload, moment: &Moment) -> Option<Request<Full<Bytes>>> {
        let mut path = self.prefix.sent.clone();
        path.extend(encoded_segment(id));
        let mut signed = self.prefix.signed.clone();
        signed.extend(encoded_segment(&path[self.prefix.sent.len()..]));
        let authorization = moment.signer.authorization(Method::POST.as_str(), &signed, &payload.digest);
        let mut request = Request::new(Full::new(payload.text.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(path).ok()?;
        *request.headers_mut() = moment.headers.clone();
        request.headers_mut().insert(AUTHORIZATION, secret(authorization)?);
        Some(request)
    }

    fn payload(&self, text: &str) -> Arc<Payload> {
        let held = self.payload.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(held) = held.filter(|held| held.text == text) {
            return held;
        }
        let text = Bytes::copy_from_slice(text.as_bytes());
        let payload = Arc::new(Payload { digest: digest(&text), text });
        *self.payload.write().unwrap_or_else(PoisonError::into_inner) = Some(payload.clone());
        payload
    }

    /// What a request needs now. The credentials are asked for once a second; the SDK's cache renews them at least five
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
        let key = held.map(|held| held.key.clone()).filter(|key| key.is_for(credentials, &date_time));
        let key = match key {
            Some(key) => key,
            None => Arc::new(SigningKey::new(credentials, &self.region, SERVICE, now).ok_or("no key")?),
        };
        let moment = Arc::new(self.moment_of(second, &date_time, key).ok_or("no header")?);
        *self.moment.write().unwrap_or_else(PoisonError::into_inner) = Some(moment.clone());
        Ok(moment)
    }

    fn moment_of(&self, second: i64, date_time: &str, key: Arc<SigningKey>) -> Option<Moment> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_TYPE));
        headers.insert(HOST, self.host.clone());
        headers.insert(AMZ_DATE, date_time.parse().ok()?);
        // Credentials of a user have no token.
        if let Some(token) = key.credentials.session_token() {
            headers.insert(AMZ_SECURITY_TOKEN, secret(token.to_owned())?);
        }
        let mut signed = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            signed.push((name.as_str(), value.to_str().ok()?));
        }
        signed.sort_unstable();
        let signer = key.signer(date_time, &signed);
        Some(Moment { second, key, signer, headers })
    }
}

/// The value of a header that nothing prints.
fn secret(value: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
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
    use holdfast_aws::Roots;
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::pool::Host;

    fn posts(config: &SdkConfig, url: &str) -> Posts {
        let url: Uri = url.parse().unwrap();
        let pool = Pool::new(Host::of(&url).unwrap(), Roots::System, None);
        Posts::new(config, Arc::new(pool), &url).unwrap()
    }

    #[test]
    fn a_stage_is_signed_with_its_segments_encoded_once_more() {
        for (stage, sent, signed) in [
            ("/v1", "/v1/@connections/", "/v1/%40connections/"),
            ("/v1/", "/v1/@connections/", "/v1/%40connections/"),
            ("/", "/@connections/", "/%40connections/"),
            ("/_aws/x/$default", "/_aws/x/$default/@connections/", "/_aws/x/%24default/%40connections/"),
        ] {
            assert_eq!(Prefix::of(stage), Prefix { sent: sent.to_owned(), signed: signed.to_owned() });
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
            let posts = posts(&config, &url);
            let moment = runtime.block_on(posts.moment()).unwrap_or_else(|why| panic!("{why}"));
            let request = posts.request(&id, &posts.payload(&text), &moment).unwrap();
            let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
            let content_type = [("content-type", header("content-type").unwrap())];
            let scheme = url.split_once(':').unwrap().0;
            let url = format!("{scheme}://{}{}", header("host").unwrap(), request.uri());
            let identity = Identity::from(credentials);
            let parameters = SigningParams::builder().identity(&identity).region(&region).name("execute-api").time(at);
            let parameters = parameters.settings(SigningSettings::default()).build().unwrap().into();
            let body = SignableBody::Bytes(text.as_bytes());
            let signable = SignableRequest::new("POST", &url, content_type.into_iter(), body).unwrap();
            let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
            for header in instructions.headers() {
                prop_assert_eq!(request.headers()[header.0].to_str().unwrap(), header.1, "{}", header.0);
            }
            let printed = format!("{:?}", request.headers());
            prop_assert!(!printed.contains("Signature=") && token.as_ref().is_none_or(|token| token.len() < 20 || !printed.contains(token)));
            let body = runtime.block_on(request.into_body().collect()).unwrap().to_bytes();
            prop_assert_eq!(&body[..], text.as_bytes());
        }
    }
}
