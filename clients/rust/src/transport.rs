//! Sends signed requests, repeats those that may be repeated, and gives each failure its kind.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use reqwest::{Client, Url};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, ErrorKind};
use crate::retries::{Deadline, Timing};
use crate::signing::Signer;

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// Throttled, or temporarily without an answer. Of these only 429 is certain to have had no effect.
const REPEATED: [u16; 4] = [429, 502, 503, 504];
const LONGEST_DETAIL: usize = 300;
const AGENT: HeaderValue = HeaderValue::from_static(concat!("holdfast-rust/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether a call may be repeated although it may have had an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    OnlyWithoutEffect,
}

/// What is called: Holdfast's API, or one of its functions by direct invocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Api,
    Function,
}

impl Service {
    /// The name of the service in signatures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "execute-api",
            Self::Function => "lambda",
        }
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Api => "execute-api:Invoke",
            Self::Function => "lambda:InvokeFunction",
        }
    }

    fn where_to_look(self) -> &'static str {
        match self {
            Self::Api => "The address may not be that of Holdfast: use `httpUrl` of `make outputs`.",
            Self::Function => {
                "There may be no such function: use `functions` of `make outputs`, with its alias and Region."
            }
        }
    }
}

/// An answer of the status 2xx.
pub(crate) struct Answer {
    pub(crate) body: Map<String, Value>,
    pub(crate) set_cookies: Vec<String>,
}

/// What one attempt came to.
enum Attempt {
    Answered {
        status: StatusCode,
        headers: HeaderMap,
        body: Option<Map<String, Value>>,
    },
    /// No answer came; `sent` says whether the request may have arrived.
    Nothing {
        sent: bool,
        problem: &'static str,
    },
}

/// Sends to one Holdfast.
pub(crate) struct Transport {
    service: Service,
    url: Url,
    timeout: Duration,
    timing: Arc<dyn Timing>,
    signer: Signer,
    pooled: Client,
    /// For calls that are not safe to repeat. A pooled connection can be closed by the server just as the request is sent, and
    /// then nothing tells whether it arrived.
    single: Client,
}

impl Transport {
    pub(crate) fn new(
        service: Service,
        url: Url,
        timeout: Duration,
        timing: Arc<dyn Timing>,
        signer: Signer,
    ) -> Result<Self, Error> {
        let (pooled, single) = clients(&url, timeout).ok_or_else(|| {
            let detail = "The TLS certificates of this machine cannot be read: install the package `ca-certificates`.";
            Error::configuration("NO_CERTIFICATES", detail)
        })?;
        Ok(Self { service, url, timeout, timing, signer, pooled, single })
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::new(&self.timing, self.timeout)
    }

    pub(crate) fn time_of_day(&self) -> SystemTime {
        self.timing.time_of_day()
    }

    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Posts a body and returns the answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: &Deadline,
        repeat: Repeat,
    ) -> Result<Answer, Error> {
        let body = serde_json::to_vec(body).map_err(|_| {
            Error::new(
                ErrorKind::Refused,
                "INVALID_REQUEST",
                format!("The body of POST {path} cannot be written as JSON."),
            )
        })?;
        // An attempt needs this much to be worth its start.
        let needed = self.timeout / 5;
        if deadline.left() < needed {
            return Err(Error::unavailable("UNREACHABLE", format!("There was no time left for POST {path}.")));
        }
        let mut attempt = 1;
        loop {
            let (came, secrets) = self.send(path, &body, deadline, repeat).await?;
            let (may_succeed, wait) = match came {
                Attempt::Answered { status, ref headers, body: Some(body) } if status.is_success() => {
                    return Ok(Answer { body, set_cookies: texts(headers, &SET_COOKIE) });
                }
                Attempt::Answered { status, ref headers, .. } => {
                    let may = match repeat {
                        Repeat::Safe => REPEATED.contains(&status.as_u16()),
                        Repeat::OnlyWithoutEffect => status == StatusCode::TOO_MANY_REQUESTS,
                    };
                    (may, retry_after(headers, self.time_of_day()))
                }
                Attempt::Nothing { sent, .. } => (repeat == Repeat::Safe || !sent, None),
            };
            if !may_succeed || !deadline.pause(attempt, wait, needed).await {
                return Err(error(self.service, path, came, wait, &secrets));
            }
            attempt += 1;
        }
    }

    /// Makes one attempt. An error is about the credentials, and no attempt can succeed with them.
    async fn send(
        &self,
        path: &str,
        body: &[u8],
        deadline: &Deadline,
        repeat: Repeat,
    ) -> Result<(Attempt, Vec<String>), Error> {
        // Half of the total at most: that leaves room for a second attempt after one that hangs.
        let until = Instant::now() + (self.timeout / 2).min(deadline.left());
        let late = |sent| Attempt::Nothing { sent, problem: "no answer came in time" };
        let mut request = Request::post(format!("{}{path}", self.url.as_str().trim_end_matches('/')))
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, JSON)
            .body(body.to_vec())
            .map_err(|_| invalid_url())?;
        let signing = self.signer.sign(&mut request, self.time_of_day());
        let secrets = match timeout_at(until, signing).await {
            Ok(signed) => signed?,
            Err(_) => return Ok((late(false), Vec::new())),
        };
        request.headers_mut().insert(USER_AGENT, AGENT);
        let request = reqwest::Request::try_from(request).map_err(|_| invalid_url())?;
        let client = if repeat == Repeat::Safe { &self.pooled } else { &self.single };
        let exchange = async {
            let answer = client.execute(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = serde_json::from_slice(&answer.bytes().await?).ok();
            Ok::<_, reqwest::Error>(match self.service {
                Service::Api => Attempt::Answered { status, headers, body },
                Service::Function => of_invocation(status, headers, body),
            })
        };
        let came = match timeout_at(until, exchange).await {
            Ok(Ok(answered)) => answered,
            // The text of the error is not used: it may name what was sent.
            Ok(Err(error)) if error.is_connect() => Attempt::Nothing { sent: false, problem: "no connection" },
            Ok(Err(_)) => Attempt::Nothing { sent: true, problem: "the connection ended" },
            Err(_) => late(true),
        };
        Ok((came, secrets))
    }
}

/// A client with a pool of connections, and one without.
fn clients(url: &Url, timeout: Duration) -> Option<(Client, Client)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let tls = match url.scheme() {
        "https" => tls.with_platform_verifier().ok()?,
        // A machine without certificates can run the local cloud.
        _ => tls.with_root_certificates(rustls::RootCertStore::empty()),
    }
    .with_no_client_auth();
    let builder = || {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls.clone())
            // A redirect would carry the signature and the token to another place.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(timeout / 5);
        // Bypass the proxy of the process for loopback addresses.
        if url.host_str().is_some_and(|host| LOOPBACK.contains(&host)) { builder.no_proxy() } else { builder }
    };
    Some((builder().build().ok()?, builder().pool_max_idle_per_host(0).build().ok()?))
}

fn invalid_url() -> Error {
    Error::configuration("INVALID_URL", "The address of Holdfast must be the `httpUrl` of `make outputs`.")
}

/// Reads the address of Holdfast.
pub(crate) fn checked(url: &str) -> Result<Url, Error> {
    let url = Url::parse(url).map_err(|_| invalid_url())?;
    let host = url.host_str().unwrap_or_default();
    if !["https", "http"].contains(&url.scheme()) || host.is_empty() {
        return Err(invalid_url());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid_url());
    }
    if url.scheme() == "http" && !LOOPBACK.contains(&host) {
        let detail = "The address of Holdfast must begin with https://, except on this machine.";
        return Err(Error::configuration("INVALID_URL", detail));
    }
    Ok(url)
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
}

/// The time of `Retry-After`: seconds, or a date by the server's clock (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let date = |text: &str| SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok();
    let from = headers.get(DATE).and_then(|value| date(value.to_str().ok()?)).unwrap_or(now);
    Some(date(value)?.duration_since(from).unwrap_or_default())
}

/// The answer of the function inside of the answer to its invocation. It has the form of API Gateway.
fn of_invocation(status: StatusCode, headers: HeaderMap, body: Option<Map<String, Value>>) -> Attempt {
    // Lambda itself answers, so the function did not run.
    if status != StatusCode::OK {
        return Attempt::Answered { status, headers, body };
    }
    if headers.contains_key("x-amz-function-error") {
        let detail = "The function failed. Its log says why.";
        let body = Map::from_iter([("code".into(), "FUNCTION_FAILED".into()), ("detail".into(), detail.into())]);
        return Attempt::Answered { status: StatusCode::BAD_GATEWAY, headers, body: Some(body) };
    }
    body.and_then(unwrapped).unwrap_or(Attempt::Answered { status, headers, body: None })
}

fn unwrapped(answer: Map<String, Value>) -> Option<Attempt> {
    let status = StatusCode::from_u16(answer.get("statusCode")?.as_u64()?.try_into().ok()?).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        headers.append(HeaderName::try_from(name).ok()?, value.as_str()?.try_into().ok()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, cookie.as_str()?.try_into().ok()?);
    }
    let body = serde_json::from_str(answer.get("body")?.as_str()?).ok();
    Some(Attempt::Answered { status, headers, body })
}

/// The error of an attempt that is not repeated.
fn error(service: Service, path: &str, came: Attempt, retry_after: Option<Duration>, secrets: &[String]) -> Error {
    let (status, headers, body) = match came {
        Attempt::Answered { status, headers, body } => (status, headers, body),
        Attempt::Nothing { problem, .. } => {
            let detail = format!("Holdfast does not answer POST {path} ({problem}).");
            return Error::unavailable("UNREACHABLE", detail);
        }
    };
    let said = |name: &str| body.as_ref()?.get(name)?.as_str();
    let own_code = said("code").map(str::to_owned);
    let code = own_code.clone().unwrap_or_else(|| format!("HTTP_{}", status.as_u16()));
    let detail = ["detail", "message", "Message", "title"].into_iter().find_map(said).unwrap_or_default();
    let detail = match without(secrets, detail) {
        none if none.is_empty() => format!("POST {path} was answered with HTTP {}.", status.as_u16()),
        detail => detail,
    };
    let request_id = ["x-request-id", "apigw-requestid", "x-amzn-requestid"]
        .into_iter()
        .find_map(|name| headers.get(name)?.to_str().ok().map(str::to_owned));
    let is_denial = matches!(own_code.as_deref(), None | Some("FORBIDDEN" | "UNAUTHENTICATED"));
    let error = match status.as_u16() {
        200..300 => {
            let detail = format!("POST {path} was answered with HTTP {} and no JSON object.", status.as_u16());
            Error::unavailable("UNEXPECTED_ANSWER", detail)
        }
        429 | 500.. => Error::new(ErrorKind::Unavailable, code, detail),
        401 | 403 if is_denial => {
            let hint = format!(
                "The credentials of this process need {} on POST {path}, and a signature for the Region of Holdfast.",
                service.permission()
            );
            Error::new(ErrorKind::Configuration, code, format!("{detail} {hint}"))
        }
        ..=399 | 404 | 405 if own_code.is_none() => {
            Error::new(ErrorKind::Configuration, code, format!("{detail} {}", service.where_to_look()))
        }
        _ => Error::new(ErrorKind::Refused, code, detail),
    };
    error.answered(status, request_id, retry_after)
}

/// The first line of a text, without secrets. AWS answers a wrong signature with the whole request that it has signed.
fn without(secrets: &[String], text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "…"));
    line.chars().take(LONGEST_DETAIL).collect()
}
