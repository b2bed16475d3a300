//! Makes a session for a user whom the calling service has authenticated: by OpenID Connect, SAML, a passkey or another way.

use std::net::IpAddr;

use holdfast_runtime::{Request, Response, metrics, wire};
use holdfast_sessions::account::Identity;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::{SignIn, Vouched, VouchedRequest};
use holdfast_sessions::{Code, Failure, Millis, SessionId};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    identity: Name,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    claims: Option<Map<String, Value>>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    stay_signed_in: bool,
    #[serde(default)]
    device_name: Option<String>,
    #[serde(default)]
    mfa_verified: bool,
    #[serde(default)]
    authenticated_at: Option<String>,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    transport: Transport,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    provider: String,
    subject: String,
}

/// The user's own device: the address that API Gateway sees is that of the calling service.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Client {
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Transport {
    #[default]
    Body,
    Cookie,
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

impl Body {
    fn read(self) -> Result<VouchedRequest, Failure> {
        let ip = match self.client.ip {
            None => String::new(),
            Some(ip) => {
                let ip: IpAddr = ip.parse().map_err(|_| invalid("`client.ip` must be an IPv4 or IPv6 address."))?;
                ip.to_canonical().to_string()
            }
        };
        let session = match self.session_id {
            None => None,
            // What is no id of ours names no session: the same answer as for somebody else's.
            Some(id) => Some(
                id.parse::<SessionId>()
                    .map_err(|_| Failure::new(Code::NotFound, "This identity has no live session with this id."))?,
            ),
        };
        let at = self.authenticated_at.map(|text| text.parse::<Millis>());
        Ok(VouchedRequest {
            identity: Identity::accept(&self.identity.provider, &self.identity.subject)?,
            email: self.email,
            claims: self.claims.as_ref().map(wire::read_claims).transpose()?,
            session,
            stay_signed_in: self.stay_signed_in,
            device_name: self.device_name,
            mfa_verified: self.mfa_verified,
            authenticated_at: at.transpose().map_err(|error| invalid(format!("`authenticatedAt` {error}.")))?,
            to_browser: self.transport == Transport::Cookie,
            user_agent: self.client.user_agent.unwrap_or_default(),
            ip,
        })
    }
}

/// Serves `POST /v1/sessions`, and the same as a direct invocation.
pub async fn handle<S, C, H>(sign_in: &SignIn<S, C, (), H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    if request.iam_caller().is_none() && !request.is_direct() {
        return Err(Failure::new(Code::Forbidden, "Sign the request with AWS Signature Version 4."));
    }
    let asked = request.json_or_payload::<Body>()?.read()?;
    let vouched = sign_in.sign_in_vouched(&asked).await?;
    if matches!(vouched, Vouched::SignedIn(_)) {
        metrics::count("AUTHENTICATED");
    }
    wire::vouched(&vouched)
}
