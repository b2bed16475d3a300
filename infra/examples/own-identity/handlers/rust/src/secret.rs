//! The client secret of a confidential client, which AWS Secrets Manager holds.
//!
//! The configuration names the secret and does not hold it. The value is in the memory of the function and in its requests to
//! the token endpoint. It is in no environment variable, address or log, and not in the state of Terraform.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use openidconnect::ClientSecret;
use openidconnect::http::Request;
use openidconnect::url::Url;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::refusal::Refusal;
use crate::settings::{SecretArn, is_loopback};
use crate::web::Web;

/// Any caller can cause a read. After one that failed, the next one waits so long.
const BETWEEN_FAILURES: Duration = Duration::from_secs(5);

/// Reads one secret of Secrets Manager.
pub(crate) struct SecretReader {
    arn: SecretArn,
    url: String,
    credentials: SharedCredentialsProvider,
    web: Web,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The secret, and when it was read.
    secret: Option<(ClientSecret, SystemTime)>,
    /// Why the last attempt to read it failed, and when.
    failed: Option<(Refusal, SystemTime)>,
}

/// An answer of `GetSecretValue`, or an error. It has no `Debug`, which would print the secret.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SecretString")]
    text: Option<String>,
    #[serde(rename = "__type")]
    error: Option<String>,
}

impl SecretReader {
    pub(crate) fn new(arn: SecretArn, config: &SdkConfig) -> Result<Self, String> {
        let url = config.endpoint_url().map(str::to_owned).unwrap_or_else(|| {
            let domain = if arn.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://secretsmanager.{}.{domain}", arn.region)
        });
        let address = Url::parse(&url).map_err(|_| "AWS_ENDPOINT_URL must be an address.")?;
        Ok(Self {
            web: Web::new("Secrets Manager", is_loopback(&address))?,
            url: address.into(),
            credentials: config.credentials_provider().ok_or("There are no AWS credentials.")?,
            known: Mutex::default(),
            arn,
        })
    }

    /// The secret, read at most `age` ago. One request reads it, and the others wait for that. If it cannot be read, the one that
    /// is known stays, because the provider refuses it if it does not count any more.
    pub(crate) async fn secret(&self, now: SystemTime, age: Duration) -> Result<ClientSecret, Refusal> {
        let mut known = self.known.lock().await;
        let within = |at: SystemTime, age| now.duration_since(at).is_ok_and(|passed| passed < age);
        if let Some((secret, at)) = &known.secret
            && within(*at, age)
        {
            return Ok(secret.clone());
        }
        let refusal = match known.failed.clone().filter(|(_, at)| within(*at, BETWEEN_FAILURES)) {
            Some((refusal, _)) => refusal,
            None => match self.read(now).await {
                Ok(secret) => {
                    *known = Known { secret: Some((secret.clone(), now)), failed: None };
                    return Ok(secret);
                }
                Err(refusal) => {
                    known.failed = Some((refusal.clone(), now));
                    refusal
                }
            },
        };
        known.secret.as_ref().map(|(secret, _)| secret.clone()).ok_or(refusal)
    }

    async fn read(&self, now: SystemTime) -> Result<ClientSecret, Refusal> {
        let answered = self.web.call(self.request(now).await?).await.map_err(|why| Refusal::unavailable(why.0))?;
        let answer: Answer = serde_json::from_slice(answered.body())
            .map_err(|_| Refusal::unavailable("Secrets Manager does not answer as its API says."))?;
        match (answer.text, answer.error) {
            // A file that was the source of the secret may end with a line end.
            (Some(text), None) if !text.trim_end().is_empty() => Ok(ClientSecret::new(text.trim_end().to_owned())),
            (_, Some(error)) if error.contains("Throttling") || error.contains("InternalService") => {
                Err(Refusal::unavailable("Secrets Manager does not answer now."))
            }
            (_, Some(error)) => {
                let error: String = error.chars().filter(char::is_ascii_alphanumeric).take(80).collect();
                Err(Refusal::configuration(format!("The client secret cannot be read: {error}.")))
            }
            _ => Err(Refusal::configuration("The client secret must be a text that is not empty.")),
        }
    }

    async fn request(&self, now: SystemTime) -> Result<Request<Vec<u8>>, Refusal> {
        let unusable = || Refusal::configuration("The AWS credentials cannot be used to read the client secret.");
        let credentials = self.credentials.provide_credentials().await.map_err(|_| unusable())?;
        let mut request = Request::post(&self.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.GetSecretValue")
            .body(json!({"SecretId": self.arn.text}).to_string().into_bytes())
            .map_err(|_| unusable())?;
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.arn.region)
            .name("secretsmanager")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unusable())?
            .into();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new("POST", &self.url, headers, SignableBody::Bytes(request.body()))
            .map_err(|_| unusable())?;
        let (instructions, _) = sign(signable, &params).map_err(|_| unusable())?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
