//! The OpenID provider: discovery, the address of the sign-in, and the exchange of a code for a verified user.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdToken, CoreIdTokenClaims,
    CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata, CoreTokenResponse,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse, TokenResponse as _,
};
use reqwest::Url;
use tokio::sync::Mutex;

use crate::refusal::Refusal;
use crate::secret::SecretReader;
use crate::settings::{Settings, is_loopback};
use crate::web::{Unavailable, Web};

/// What the provider publishes is read again after this time, so that keys that it removes stop to count.
const KEPT: Duration = Duration::from_secs(3_600);
/// A token with an unknown key, or a refused client secret, causes another read, but not more often than this.
const LEAST_BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// The client secret is read again after this time.
const SECRET_KEPT: Duration = Duration::from_secs(300);
/// How far the clocks of the provider and of this function may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Signatures with a public key. `none` and those with a shared secret never count, even if the provider lists them.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

type ExchangeError = RequestTokenError<Unavailable, StandardErrorResponse<CoreErrorResponseType>>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What the provider publishes, and when it was read.
#[derive(Clone)]
struct Published {
    client: Arc<Client>,
    at: SystemTime,
}

/// A sign-in that begins: where to send the user, and what to keep.
pub(crate) struct Start {
    pub(crate) url: Url,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// A user whom the provider has authenticated, with what its signed ID token says.
#[derive(Debug, PartialEq)]
pub(crate) struct User {
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) authenticated_at: Option<SystemTime>,
    pub(crate) second_factor: bool,
}

pub(crate) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    redirect_url: RedirectUrl,
    max_age: Duration,
    web: Web,
    /// Of a confidential client.
    secret: Option<SecretReader>,
    published: Mutex<Option<Published>>,
}

impl Provider {
    pub(crate) fn new(settings: &Settings, config: &SdkConfig) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| "ISSUER_URL must be an address.")?;
        let secret = settings.client_secret.clone().map(|arn| SecretReader::new(arn, config)).transpose()?;
        Ok(Self {
            web: Web::new("The provider", is_loopback(issuer.url()))?,
            secret,
            issuer,
            client_id: ClientId::new(settings.client_id.clone()),
            redirect_url: RedirectUrl::new(settings.redirect_url()).map_err(|_| "PUBLIC_URL must be an address.")?,
            max_age: settings.max_age,
            published: Mutex::new(None),
        })
    }

    /// Begins a sign-in.
    pub(crate) async fn start(&self, now: SystemTime) -> Result<Start, Refusal> {
        let client = self.published(now, KEPT).await?.client;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(32),
                Nonce::new_random,
            )
            .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            // With it the provider must say when it authenticated the user (OpenID Connect Core §3.1.2.1).
            .set_max_age(self.max_age)
            .url();
        Ok(Start { url, state: state.into_secret(), nonce: nonce.secret().clone(), verifier: verifier.into_secret() })
    }

    /// Exchanges a code for the user who has signed in.
    pub(crate) async fn finish(
        &self,
        code: String,
        verifier: String,
        nonce: String,
        now: SystemTime,
    ) -> Result<User, Refusal> {
        let published = self.published(now, KEPT).await?;
        let exchanged = match &self.secret {
            None => self.exchange(&published.client, &code, &verifier, None).await?,
            Some(reader) => {
                let secret = reader.secret(now, SECRET_KEPT).await?;
                let exchanged = self.exchange(&published.client, &code, &verifier, Some(secret.clone())).await?;
                let newest = if is_of_client(&exchanged) {
                    reader.secret(now, LEAST_BETWEEN_LOOKS).await?
                } else {
                    secret.clone()
                };
                if newest.secret() == secret.secret() {
                    exchanged
                } else {
                    // The secret was rotated. A provider refuses the client before it looks at the code (RFC 6749 §4.1.3), so the code still counts.
                    self.exchange(&published.client, &code, &verifier, Some(newest)).await?
                }
            }
        };
        let tokens = exchanged.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) if *said.error() == CoreErrorResponseType::InvalidGrant => {
                Refusal::start_again("The provider does not accept the code.")
            }
            RequestTokenError::ServerResponse(said) => {
                Refusal::configuration(format!("The provider refuses to exchange a code: {}.", said.error().as_ref()))
            }
            RequestTokenError::Request(Unavailable(why)) => Refusal::unavailable(why),
            // Its text may hold what the provider sent.
            _ => Refusal::unavailable("The token endpoint does not answer as OpenID Connect says."),
        })?;
        let token = tokens.id_token().ok_or_else(|| Refusal::denied("The provider sent no ID token."))?;
        let nonce = Nonce::new(nonce);
        let claims = match verified(&published.client, token, &nonce, now) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                // The provider may have new keys.
                let newest = self.published(now, LEAST_BETWEEN_LOOKS).await?;
                verified(&newest.client, token, &nonce, now)
            }
            decided => decided,
        };
        self.user(claims.map_err(|why| Refusal::denied(format!("The ID token does not count: {why}.")))?, now)
    }

    /// One request to the token endpoint. A code counts once, so only a request whose client was refused is repeated.
    async fn exchange(
        &self,
        client: &Client,
        code: &str,
        verifier: &str,
        secret: Option<ClientSecret>,
    ) -> Result<Result<CoreTokenResponse, ExchangeError>, Refusal> {
        let client = secret.into_iter().fold(client.clone(), Client::set_client_secret);
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.map_err(|_| Refusal::configuration("The provider has no token endpoint."))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        Ok(request.request_async(&|request| self.web.call(request)).await)
    }

    fn user(&self, claims: &CoreIdTokenClaims, now: SystemTime) -> Result<User, Refusal> {
        let authenticated_at = claims.auth_time().map(SystemTime::from);
        if let Some(at) = authenticated_at {
            let is_old = now.duration_since(at).is_ok_and(|age| age > self.max_age + CLOCK_SKEW);
            if is_old || at > now + CLOCK_SKEW {
                return Err(Refusal::denied("`auth_time` of the ID token is not within MAX_AGE_SECONDS."));
            }
        }
        let methods = claims.auth_method_refs().into_iter().flatten();
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
        Ok(User {
            subject: claims.subject().to_string(),
            email: claims.email().map(|email| email.as_str().to_owned()),
            name,
            authenticated_at,
            // RFC 8176.
            second_factor: methods.into_iter().any(|method| method.as_str() == "mfa"),
        })
    }

    /// What the provider publishes, read at most `age` ago. One request reads it, and the others wait for that.
    async fn published(&self, now: SystemTime, age: Duration) -> Result<Published, Refusal> {
        let mut known = self.published.lock().await;
        if let Some(known) = &*known
            && now.duration_since(known.at).is_ok_and(|passed| passed < age)
        {
            return Ok(known.clone());
        }
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &|request| self.web.call(request)).await;
        let metadata = found.map_err(|error| match error {
            DiscoveryError::Request(Unavailable(why)) => Refusal::unavailable(why),
            DiscoveryError::Validation(why) => Refusal::configuration(format!("ISSUER_URL is not the issuer: {why}.")),
            _ => Refusal::unavailable("The provider does not publish what OpenID Connect Discovery says."),
        })?;
        // Basic is the default of OpenID Connect Discovery. Neither puts the secret into an address.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let is_in_body =
            takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic);
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), None)
            .set_auth_type(if is_in_body { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_redirect_uri(self.redirect_url.clone());
        Ok(known.insert(Published { client: Arc::new(client), at: now }).clone())
    }
}

/// Whether the provider has refused the client and not the code. Some name a wrong secret `unauthorized_client`.
fn is_of_client(exchanged: &Result<CoreTokenResponse, ExchangeError>) -> bool {
    let of_client = [CoreErrorResponseType::InvalidClient, CoreErrorResponseType::UnauthorizedClient];
    matches!(exchanged, Err(RequestTokenError::ServerResponse(said)) if of_client.contains(said.error()))
}

/// The claims of an ID token: signature, issuer, audience, expiry and nonce are verified.
fn verified<'a>(
    client: &Client,
    token: &'a CoreIdToken,
    nonce: &Nonce,
    now: SystemTime,
) -> Result<&'a CoreIdTokenClaims, ClaimsVerificationError> {
    let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || now.into());
    token.claims(&verifier, nonce)
}
