//! Signs requests with AWS Signature Version 4, for an API (`execute-api`) or for a function (`lambda`).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::Request;
use tokio::sync::Mutex;

use crate::error::Error;

/// As long the AWS SDK keeps credentials that name no expiry, and so early it replaces those that do (`IdentityCache::lazy`).
const KEPT: Duration = Duration::from_secs(15 * 60);
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);

/// Signs with the credentials of a provider, which it asks again before they expire. A provider need not cache.
pub(crate) struct Signer {
    service: &'static str,
    region: String,
    provider: SharedCredentialsProvider,
    /// The credentials, and when to ask for others.
    known: Mutex<Option<(Credentials, SystemTime)>>,
}

impl Signer {
    pub(crate) fn new(service: &'static str, region: String, provider: SharedCredentialsProvider) -> Self {
        Self { service, region, provider, known: Mutex::new(None) }
    }

    /// Adds the signature at a time. Returns the secrets of the credentials, so that no error repeats them.
    pub(crate) async fn sign(&self, request: &mut Request<Vec<u8>>, at: SystemTime) -> Result<Vec<String>, Error> {
        let credentials = self.credentials(at).await?;
        let unusable =
            || Error::configuration("NO_CREDENTIALS", "The AWS credentials cannot be used to sign a request.");
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unusable())?
            .into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(request.body()))
                .map_err(|_| unusable())?;
        let (instructions, _) = sign(signable, &params).map_err(|_| unusable())?.into_parts();
        instructions.apply_to_request_http1x(request);
        let secrets = [Some(credentials.secret_access_key()), credentials.session_token()];
        Ok(secrets.into_iter().flatten().filter(|secret| !secret.is_empty()).map(str::to_owned).collect())
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, Error> {
        // Only one call asks. The others wait for its answer, each until its own time-out.
        let mut known = self.known.lock().await;
        if let Some((credentials, until)) = &*known
            && now < *until
        {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await.map_err(|error| trouble(&error))?;
        let until = credentials.expiry().map_or(now + KEPT, |expiry| expiry.checked_sub(BEFORE_EXPIRY).unwrap_or(now));
        *known = Some((credentials.clone(), until));
        Ok(credentials)
    }
}

/// The text of a provider's error may hold what it has read, so it is not repeated.
fn trouble(error: &CredentialsError) -> Error {
    let away = |why| {
        let detail = format!("The source of the AWS credentials does not answer ({why}).");
        Error::unavailable("CREDENTIALS_UNAVAILABLE", detail)
    };
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Error::configuration(
            "NO_CREDENTIALS",
            "There are no AWS credentials: give this process a role, a profile or AWS_ACCESS_KEY_ID.",
        ),
        CredentialsError::InvalidConfiguration(_) => Error::configuration(
            "NO_CREDENTIALS",
            "The configuration of the AWS credentials is not valid: check the profile and the variables AWS_*.",
        ),
        CredentialsError::ProviderTimedOut(_) => away("time-out"),
        _ => away("error of the provider"),
    }
}

/// The Region that the default host name of an API names: `….execute-api.<region>.amazonaws.com`.
pub(crate) fn region_of(host: &str) -> Option<&str> {
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let (api, rest) = host.split_once('.')?;
    let region = rest.strip_prefix("execute-api.")?.strip_suffix(".amazonaws.com")?;
    let is_label = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    (is_label(api) && is_label(region)).then_some(region)
}
