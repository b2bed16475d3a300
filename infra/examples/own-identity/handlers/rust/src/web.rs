//! The HTTP client for the provider and for Secrets Manager.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Of one request, with its answer.
const TIMEOUT: Duration = Duration::from_secs(4);
const LARGEST_ANSWER: usize = 256 * 1_024;

/// A service cannot be reached, or answers with an error. The text names nothing that was sent.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// A client of one service.
pub(crate) struct Web {
    client: reqwest::Client,
    /// The name of the service at the start of a sentence.
    service: &'static str,
}

impl Web {
    /// Creates a client. It follows no redirect, which would carry a code or a secret to another place.
    pub(crate) fn new(service: &'static str, is_local: bool) -> Result<Self, String> {
        let client = client(is_local).ok_or("The TLS certificates of this machine cannot be read.")?;
        Ok(Self { client, service })
    }

    /// Sends one request.
    pub(crate) async fn call(&self, request: HttpRequest) -> Result<HttpResponse, Unavailable> {
        let trouble = |what: &str| Unavailable(format!("{} {what}.", self.service));
        let request = reqwest::Request::try_from(request).map_err(|_| trouble("has a wrong address"))?;
        let gone = |_: reqwest::Error| trouble("does not answer");
        let mut answer = self.client.execute(request).await.map_err(gone)?;
        let status = answer.status();
        if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
            return Err(trouble("answers with an error"));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(gone)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_ANSWER {
                return Err(trouble("sends an answer that is too large"));
            }
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

fn client(is_local: bool) -> Option<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let tls = if is_local {
        // A machine without certificates can run the tests.
        tls.with_root_certificates(rustls::RootCertStore::empty())
    } else {
        tls.with_platform_verifier().ok()?
    };
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.with_no_client_auth())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(TIMEOUT / 2)
        .timeout(TIMEOUT);
    if is_local { builder.no_proxy() } else { builder.https_only(true) }.build().ok()
}
