//! The client of the function `sessions-create`: makes sessions by direct invocation, without Holdfast's API.

use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::SdkConfig;

use crate::answers::NewSession;
use crate::calls::NewSessionRequest;
use crate::client::{Options, new_session};
use crate::error::Error;
use crate::transport::{Service, Transport, checked};

/// A client that makes sessions by direct invocation of the function `sessions-create`. Create it once for the process.
///
/// It needs `lambda:InvokeFunction` on the function and a path to the Lambda service. It does not need Holdfast's API.
pub struct CreateSession {
    transport: Transport,
    path: String,
}

/// The options of a [`CreateSession`].
#[must_use]
pub struct CreateSessionBuilder {
    function: String,
    qualifier: Option<String>,
    endpoint_url: Option<String>,
    pub(crate) options: Options,
}

impl CreateSessionBuilder {
    /// Sets the alias or the version of the function. A policy names the function with it.
    pub fn qualifier(mut self, qualifier: impl Into<String>) -> Self {
        self.qualifier = Some(qualifier.into());
        self
    }

    /// Sets the address of the Lambda service. It is that of the AWS configuration or of the Region by default.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Sets the time-out of a whole call with its retries. It is 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Sets the Region of the function. It takes precedence over the AWS configuration.
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
    /// Those of [`Builder::build`](crate::Builder::build), and `INVALID_FUNCTION` for a name or a qualifier that no function has.
    pub fn build(self) -> Result<CreateSession, Error> {
        if !is_name(&self.function, 64) || self.qualifier.as_ref().is_some_and(|name| !is_name(name, 128)) {
            let detail = "The function must be the name of `functions` of `make outputs`, and the qualifier an alias or a version.";
            return Err(Error::configuration("INVALID_FUNCTION", detail));
        }
        let region = self.options.region(None)?;
        let url = self.endpoint_url.unwrap_or_else(|| {
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://lambda.{region}.{domain}")
        });
        let query = self.qualifier.map(|name| format!("?Qualifier={name}")).unwrap_or_default();
        let path = format!("/2015-03-31/functions/{}/invocations{query}", self.function);
        Ok(CreateSession { transport: self.options.transport(Service::Function, checked(&url)?, region)?, path })
    }
}

impl CreateSession {
    /// A client with the Region, the credentials and the endpoint of an AWS configuration. `function` is the name of
    /// `sessions-create` in `make outputs`.
    ///
    /// # Errors
    /// As [`CreateSessionBuilder::build`].
    pub fn new(function: impl Into<String>, config: &SdkConfig) -> Result<Self, Error> {
        Self::from_config(function, config).build()
    }

    /// The options of a client with the Region, the credentials and the endpoint of an AWS configuration.
    pub fn from_config(function: impl Into<String>, config: &SdkConfig) -> CreateSessionBuilder {
        let endpoint_url = config.endpoint_url().map(str::to_owned);
        CreateSessionBuilder { endpoint_url, options: Options::from_config(config), ..Self::builder(function) }
    }

    /// The options of a client.
    pub fn builder(function: impl Into<String>) -> CreateSessionBuilder {
        CreateSessionBuilder { function: function.into(), qualifier: None, endpoint_url: None, options: Options::new() }
    }

    /// Makes a session for a user whom this application has authenticated, as
    /// [`Holdfast::create_session`](crate::Holdfast::create_session) does.
    ///
    /// # Errors
    /// After [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) the session may exist. Every other kind means that no
    /// session was made.
    pub async fn create_session(&self, request: &NewSessionRequest) -> Result<NewSession, Error> {
        new_session(&self.transport, &self.path, request).await
    }
}

impl fmt::Debug for CreateSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CreateSession").field(&self.path).finish()
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=longest).contains(&text.len()) && text.bytes().all(may)
}
