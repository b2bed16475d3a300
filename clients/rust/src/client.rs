//! The client: verify, publish, create a session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::SdkConfig;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method};
use reqwest::Url;
use serde_json::{Value, json};

use crate::answers::{self, NewSession, Published, Session};
use crate::calls::{Message, NewSessionRequest};
use crate::error::{Error, ErrorKind};
use crate::requests::Caller;
use crate::retries::{Deadline, SystemTiming, Timing};
use crate::signing::{Signer, region_of};
use crate::tokens::can_be_token;
use crate::transport::{Repeat, Service, Transport, checked};

const INTROSPECT: &str = "/v1/sessions/introspect";
const SESSIONS: &str = "/v1/sessions";
const MESSAGES: &str = "/v1/messages";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one Holdfast. Create it once for the process. Clones share its connections.
#[derive(Clone)]
pub struct Holdfast(Arc<Inner>);

struct Inner {
    transport: Transport,
    allowed_origins: Vec<String>,
}

/// The options of a [`Holdfast`].
#[must_use]
pub struct Builder {
    url: String,
    allowed_origins: Vec<String>,
    pub(crate) options: Options,
}

/// The options of every client.
pub(crate) struct Options {
    pub(crate) timeout: Duration,
    pub(crate) region: Option<String>,
    /// The Region of the AWS configuration. The host name takes precedence over it.
    config_region: Option<String>,
    pub(crate) provider: Option<SharedCredentialsProvider>,
    pub(crate) timing: Arc<dyn Timing>,
}

impl Options {
    pub(crate) fn new() -> Self {
        Self { timeout: TIMEOUT, region: None, config_region: None, provider: None, timing: Arc::new(SystemTiming) }
    }

    pub(crate) fn from_config(config: &SdkConfig) -> Self {
        Self {
            provider: config.credentials_provider(),
            config_region: config.region().map(ToString::to_string),
            ..Self::new()
        }
    }

    /// The Region: that of the option, else that which the address names, else that of the configuration or the environment.
    pub(crate) fn region(&self, named: Option<&str>) -> Result<String, Error> {
        let known = self.region.clone().or_else(|| named.map(str::to_owned)).or_else(|| self.config_region.clone());
        known.or_else(of_environment).ok_or_else(|| {
            let detail = "The AWS Region of Holdfast is not known: set AWS_REGION, or call `region`.";
            Error::configuration("NO_REGION", detail)
        })
    }

    pub(crate) fn transport(self, service: Service, url: Url, region: String) -> Result<Transport, Error> {
        if self.timeout.is_zero() {
            return Err(Error::configuration("INVALID_TIMEOUT", "`timeout` must be more than 0."));
        }
        let provider = self.provider.ok_or_else(|| {
            let detail = "There is no source of AWS credentials: use `new`, or call `credentials_provider`.";
            Error::configuration("NO_CREDENTIALS", detail)
        })?;
        Transport::new(service, url, self.timeout, self.timing, Signer::new(service.name(), region, provider))
    }
}

impl Builder {
    /// Sets the origins of the pages that may send cookies. There is none by default.
    pub fn allowed_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the time-out of a whole call with its retries. It is 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Sets the Region of Holdfast's API. It takes precedence over the host name and the AWS configuration.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.options.region = Some(region.into());
        self
    }

    /// Sets the AWS credentials. The kit asks the provider again before they expire, or after 15 minutes.
    pub fn credentials_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.options.provider = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// The kind is [`ErrorKind::Configuration`]. The code is `INVALID_URL`, `INVALID_TIMEOUT`, `NO_REGION`, `NO_CREDENTIALS` or `NO_CERTIFICATES`.
    pub fn build(self) -> Result<Holdfast, Error> {
        let url = checked(&self.url)?;
        let region = self.options.region(url.host_str().and_then(region_of))?;
        let transport = self.options.transport(Service::Api, url, region)?;
        Ok(Holdfast(Arc::new(Inner { transport, allowed_origins: self.allowed_origins })))
    }
}

fn of_environment() -> Option<String> {
    let named = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
    named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION"))
}

impl Holdfast {
    /// A client with the Region and the credentials of an AWS configuration. `url` is `httpUrl` of `make outputs`.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(url: impl Into<String>, config: &SdkConfig) -> Result<Self, Error> {
        Self::from_config(url, config).build()
    }

    /// The options of a client with the Region and the credentials of an AWS configuration.
    pub fn from_config(url: impl Into<String>, config: &SdkConfig) -> Builder {
        Builder { options: Options::from_config(config), ..Self::builder(url) }
    }

    /// The options of a client. `url` is `httpUrl` of `make outputs`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), allowed_origins: Vec::new(), options: Options::new() }
    }

    /// Returns the live session of an access token that you have read from `Authorization`.
    ///
    /// # Errors
    /// [`ErrorKind::NoSession`] means that there is none, and [`ErrorKind::Unavailable`] that Holdfast cannot answer.
    pub async fn verify(&self, token: &str) -> Result<Session, Error> {
        self.verify_until(token, &self.0.transport.deadline()).await
    }

    /// Returns the live session of a request, by bearer token or cookie. With the feature `lambda_http`, a request to a
    /// WebSocket API is a handshake.
    ///
    /// # Errors
    /// Those of [`Holdfast::verify`], and [`ErrorKind::CrossSiteRequest`] if another site may have caused the request.
    pub async fn verify_request(&self, request: &Parts) -> Result<Session, Error> {
        self.verify_any(self.tokens(&request.method, &request.headers, &request.extensions)?).await
    }

    pub(crate) fn tokens(
        &self,
        method: &Method,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Vec<String>, Error> {
        Caller::new(method, headers, extensions).access_tokens(&self.0.allowed_origins)
    }

    /// Returns the first live session of some tokens. A stale cookie may come before the valid one.
    pub(crate) async fn verify_any(&self, tokens: Vec<String>) -> Result<Session, Error> {
        let deadline = self.0.transport.deadline();
        for token in tokens {
            match self.verify_until(&token, &deadline).await {
                Err(error) if error.kind() == ErrorKind::NoSession => {}
                decided => return decided,
            }
        }
        Err(Error::no_session())
    }

    async fn verify_until(&self, token: &str, deadline: &Deadline) -> Result<Session, Error> {
        if !can_be_token(token) {
            return Err(Error::no_session());
        }
        let answer = self.0.transport.post(INTROSPECT, &json!({"token": token}), deadline, Repeat::Safe).await?;
        let mut body = answer.body;
        match body.get("active") {
            Some(Value::Bool(false)) => Err(Error::no_session()),
            Some(Value::Bool(true)) => {
                body.remove("session").and_then(answers::session).ok_or_else(|| Error::unexpected(INTROSPECT))
            }
            _ => Err(Error::unexpected(INTROSPECT)),
        }
    }

    /// Publishes a message to users, to a topic or to every client.
    ///
    /// It is safe to repeat: every attempt of a call has the same idempotency key.
    ///
    /// # Errors
    /// [`Error::idempotency_key`] is the key to repeat the call with.
    pub async fn publish(&self, mut message: Message) -> Result<Published, Error> {
        let key = message.idempotency_key.take().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        message.idempotency_key = Some(key.clone());
        let transport = &self.0.transport;
        let sent = transport.post(MESSAGES, &message, &transport.deadline(), Repeat::Safe).await;
        sent.and_then(|answer| answers::published(&answer.body, key.clone()).ok_or_else(|| Error::unexpected(MESSAGES)))
            .map_err(|error| error.with_idempotency_key(&key))
    }

    /// Makes a session for a user whom this application has authenticated (`POST /v1/sessions`).
    ///
    /// It is not safe to repeat, because each call makes a session. So the kit repeats it only if Holdfast certainly did not
    /// process it: there was no connection, or the answer was 429.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`] the session may exist. [`ErrorKind::Refused`] has a code of docs/api.md.
    pub async fn create_session(&self, request: &NewSessionRequest) -> Result<NewSession, Error> {
        new_session(&self.0.transport, SESSIONS, request).await
    }

    #[cfg(feature = "tower")]
    pub(crate) fn time_of_day(&self) -> std::time::SystemTime {
        self.0.transport.time_of_day()
    }
}

/// Posts a request for a session to the route, or to the invocations of its function.
pub(crate) async fn new_session(
    transport: &Transport,
    path: &str,
    request: &NewSessionRequest,
) -> Result<NewSession, Error> {
    let answer = transport.post(path, request, &transport.deadline(), Repeat::OnlyWithoutEffect).await?;
    answers::new_session(answer.body, answer.set_cookies).ok_or_else(|| Error::unexpected(path))
}

impl fmt::Debug for Holdfast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holdfast").field(&self.0.transport.url()).finish()
    }
}
