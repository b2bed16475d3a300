//! Tokens that sign in to ElastiCache with IAM: a pre-signed `connect` request, made locally, with no call to AWS.
//!
//! A token is good for 15 minutes and a connection for 12 hours; re-authenticating on it starts both anew (Amazon
//! ElastiCache User Guide, "Authenticating with IAM"). The client subscribes here, gets a token at once and another one
//! well before the last expires.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use futures_util::Stream;
use redis::{BasicAuth, ErrorKind, RedisError, RedisResult, StreamingCredentialsProvider};

/// How long a token can be used to sign in; the longest AWS allows.
const TOKEN_LIFE: Duration = Duration::from_secs(900);
/// A connection re-authenticates after this long: two chances within a token's life.
pub const RENEW_AFTER: Duration = Duration::from_secs(420);

/// Makes tokens for one user of one cache.
pub struct IamTokens {
    /// `REDIS_IAM_USER`: with IAM, id and name of an ElastiCache user are the same.
    pub user: String,
    /// `REDIS_IAM_CACHE`: name of the cache or replication group, in lower case.
    pub cache: String,
    /// `REDIS_IAM_SERVERLESS`: a serverless cache is signed for differently.
    pub serverless: bool,
    /// The Region of the cache (`AWS_REGION`).
    pub region: String,
    /// The function's own credentials.
    pub credentials: SharedCredentialsProvider,
    /// How often a connection re-authenticates.
    pub renew_after: Duration,
}

fn refused(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::AuthenticationFailed, what))
}

impl IamTokens {
    /// A token made at `now`.
    pub async fn token(&self, now: SystemTime) -> RedisResult<String> {
        let credentials =
            self.credentials.provide_credentials().await.map_err(|_| refused("no credentials to sign a token with"))?;
        let identity = Identity::from(credentials);
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.percent_encoding_mode = PercentEncodingMode::Double;
        settings.expires_in = Some(TOKEN_LIFE);
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("elasticache")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|_| refused("a token cannot be signed"))?
            .into();
        let kind = if self.serverless { "&ResourceType=ServerlessCache" } else { "" };
        let address = format!("http://{}/?Action=connect&User={}{kind}", self.cache, self.user);
        let request = SignableRequest::new("GET", &address, std::iter::empty(), SignableBody::Bytes(&[]))
            .map_err(|_| refused("a token cannot be signed"))?;
        let (instructions, _) =
            sign(request, &parameters).map_err(|_| refused("a token cannot be signed"))?.into_parts();
        let mut token = address.trim_start_matches("http://").to_owned();
        for (name, value) in instructions.params() {
            token.push('&');
            token.push_str(name);
            token.push('=');
            token.extend(encoded(value));
        }
        Ok(token)
    }

    async fn authentication(&self) -> RedisResult<BasicAuth> {
        Ok(BasicAuth::new(self.user.clone(), self.token(SystemTime::now()).await?))
    }
}

/// Percent-encodes what RFC 3986 does not call unreserved.
fn encoded(text: &str) -> impl Iterator<Item = char> {
    text.bytes().flat_map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let text = if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.chars().collect::<Vec<_>>()
    })
}

/// What the client subscribes to.
pub(crate) struct SharedTokens(pub(crate) Arc<IamTokens>);

impl StreamingCredentialsProvider for SharedTokens {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        Box::pin(futures_util::stream::unfold((self.0.clone(), false), |(tokens, renewing)| async move {
            if renewing {
                tokio::time::sleep(tokens.renew_after).await;
            }
            let authentication = tokens.authentication().await;
            Some((authentication, (tokens, true)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use std::time::UNIX_EPOCH;

    fn tokens(serverless: bool) -> IamTokens {
        IamTokens {
            user: "holdfast-app".into(),
            cache: "holdfast-staging".into(),
            serverless,
            region: "eu-central-1".into(),
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "AKIDEXAMPLE",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                Some("a/session+token=".into()),
                None,
                "test",
            )),
            renew_after: RENEW_AFTER,
        }
    }

    async fn token(serverless: bool) -> String {
        tokens(serverless).token(UNIX_EPOCH + Duration::from_secs(1_767_225_600)).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_is_a_signed_connect_request_without_its_scheme() {
        let token = token(false).await;
        assert!(token.starts_with("holdfast-staging/?Action=connect&User=holdfast-app&"), "{token}");
        for part in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Feu-central-1%2Felasticache%2Faws4_request",
            "X-Amz-Date=20260101T000000Z",
            "X-Amz-Expires=900",
            "X-Amz-SignedHeaders=host",
            "X-Amz-Security-Token=a%2Fsession%2Btoken%3D",
            "X-Amz-Signature=",
        ] {
            assert!(token.contains(part), "{part} is missing in {token}");
        }
        assert!(!token.contains("ResourceType"));
    }

    #[tokio::test]
    async fn a_serverless_cache_is_named_as_one() {
        let token = token(true).await;
        assert!(token.starts_with("holdfast-staging/?Action=connect&User=holdfast-app&ResourceType=ServerlessCache&"));
    }

    #[tokio::test]
    async fn the_secret_is_never_part_of_it() {
        assert!(!token(true).await.contains("wJalrXUtnFEMI"));
    }
}
