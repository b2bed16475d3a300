//! One HTTP request and its answer. The transport is the SDK's, so that there is one TLS stack.

use std::time::{Duration, Instant, SystemTime};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

use crate::{Fault, Signer};

/// Longest wait for one answer: API Gateway gives up after 29 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// Below the keep-alive of every server we talk to, so that no request meets a connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(2);
/// Longest piece of an answer that a fault shows.
const SHOWN: usize = 600;

/// A request: what a caller can get wrong is public on purpose.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method, in capitals.
    pub method: &'static str,
    /// Path and query after the base URL.
    pub path: String,
    /// The headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body, sent as it is.
    pub body: Vec<u8>,
}

impl Call {
    /// Without headers and body.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    /// With a body of any bytes that is declared as JSON.
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }
}

/// Sends requests; used within one async runtime.
#[derive(Debug)]
pub struct Http {
    connector: Connector,
    /// Every request and status goes to standard error.
    pub verbose: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    /// A client with its own connections.
    pub fn new() -> Self {
        let connector =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).pool_idle_timeout(POOL_IDLE).build();
        Self { connector, verbose: false }
    }

    /// Sends `call` to `base`, signed if there is a signer.
    pub async fn send(&self, base: &str, call: Call, signer: Option<&Signer>) -> Result<Reply, Fault> {
        let place = format!("{} {}", call.method, call.path);
        let url = format!("{base}{}", call.path);
        let mut headers = call.headers;
        if let Some(signer) = signer {
            let signature = signer.headers(call.method, &url, &headers, &call.body, SystemTime::now())?;
            headers.extend(signature);
        }
        let began = Instant::now();
        let answer = self.exchange(call.method, url, headers, call.body);
        let reply = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok((status, headers, body))) => Reply { place, status, headers, body, elapsed: began.elapsed() },
            Ok(Err(error)) => return Err(Fault::new(format!("{place}: {error}"))),
            Err(_) => {
                return Err(Fault::new(format!("{place}: no answer within {} s", PATIENCE.as_secs())));
            }
        };
        if self.verbose {
            eprintln!("     {} → {} in {} ms", reply.place, reply.status, reply.elapsed.as_millis());
        }
        Ok(reply)
    }

    async fn exchange(
        &self,
        method: &str,
        url: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<(u16, Vec<(String, String)>, Vec<u8>), String> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(|error| in_one_line(&error))?;
        request.set_uri(url).map_err(|error| in_one_line(&error))?;
        for (name, value) in headers {
            request.headers_mut().try_append(name, value).map_err(|error| in_one_line(&error))?;
        }
        let response = self.connector.call(request).await.map_err(|error| in_one_line(&error))?;
        let status = response.status().as_u16();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let body = ByteStream::new(response.into_body()).collect().await.map_err(|error| in_one_line(&error))?;
        Ok((status, headers, body.to_vec()))
    }
}

/// An error with its causes: the first alone says "io error" for a refused connection.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    place: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// From sending to the last byte.
    pub elapsed: Duration,
}

impl Reply {
    /// The value of a header, if it came exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// The body as JSON; `null` if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A value in the body, by JSON pointer; `null` if it is not there.
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// A text in the body, by JSON pointer.
    pub fn text(&self, pointer: &str) -> Result<String, Fault> {
        match self.at(pointer) {
            Value::String(text) if !text.is_empty() => Ok(text),
            _ => Err(self.fault(format!("a text at {pointer}"))),
        }
    }

    /// A whole number in the body, by JSON pointer.
    pub fn number(&self, pointer: &str) -> Result<u64, Fault> {
        self.at(pointer).as_u64().ok_or_else(|| self.fault(format!("a whole number at {pointer}")))
    }

    /// This answer where something else was expected.
    pub fn fault(&self, expected: impl std::fmt::Display) -> Fault {
        Fault::mismatch(&self.place, expected, self.shown())
    }

    /// A success with this status and the headers that every answer has.
    pub fn expect(self, status: u16) -> Result<Self, Fault> {
        if self.status != status {
            return Err(self.fault(status));
        }
        self.expect_common_headers()?;
        Ok(self)
    }

    /// An error of ours, complete as RFC 9457 and the contract want it.
    pub fn expect_problem(self, status: u16, code: &str) -> Result<Self, Fault> {
        let reply = self.expect_any_problem(&[status])?;
        if reply.at("/code") != code { Err(reply.fault(format!("{status} {code}"))) } else { Ok(reply) }
    }

    /// Expects a problem with one of these statuses and any code.
    pub fn expect_any_problem(self, statuses: &[u16]) -> Result<Self, Fault> {
        if !statuses.contains(&self.status) {
            return Err(self.fault(format!("{statuses:?}")));
        }
        self.expect_common_headers()?;
        let media_type = self.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
        if media_type.trim() != "application/problem+json" {
            return Err(self.fault("content-type application/problem+json"));
        }
        for member in ["type", "title", "code", "detail", "requestId"] {
            self.text(&format!("/{member}"))?;
        }
        if self.number("/status")? != u64::from(self.status) {
            return Err(self.fault(format!("the member status to be {}", self.status)));
        }
        if self.header("x-request-id") != Some(&self.text("/requestId")?) {
            return Err(self.fault("requestId to equal the header X-Request-Id"));
        }
        Ok(self)
    }

    fn expect_common_headers(&self) -> Result<(), Fault> {
        if self.header("cache-control") != Some("no-store") {
            return Err(self.fault("the header Cache-Control: no-store"));
        }
        if self.header("x-request-id").is_none_or(str::is_empty) {
            return Err(self.fault("the header X-Request-Id"));
        }
        Ok(())
    }

    /// Status, what matters of the headers, and the body without its secrets, short enough for one line.
    fn shown(&self) -> String {
        let mut body = self.json();
        let body = if body.is_null() {
            String::from_utf8_lossy(&self.body).into_owned()
        } else {
            mask(&mut body);
            body.to_string()
        };
        let mut body: String = body.chars().take(SHOWN).collect();
        if body.is_empty() {
            body.push_str("(no body)");
        }
        let names = ["content-type", "cache-control", "x-request-id", "retry-after"];
        let headers: Vec<String> = names
            .iter()
            .flat_map(|wanted| self.headers.iter().filter(move |(name, _)| name == wanted))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!("{} {} [{}]", self.status, body.replace('\n', " "), headers.join(", "))
    }
}

/// Hides the credentials in a value, because the output of smoke tests is kept.
pub(crate) fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let secret = ["accessToken", "refreshToken", "deviceToken", "ticket", "url", "secret", "otpauthUri"];
                if value.is_string() && secret.contains(&name.as_str()) {
                    *value = Value::from("…");
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        Reply {
            place: "GET /v1/x".to_owned(),
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.into(),
            elapsed: Duration::ZERO,
        }
    }

    const HEADERS: &[(&str, &str)] =
        &[("content-type", "application/problem+json"), ("cache-control", "no-store"), ("x-request-id", "r1")];
    const BODY: &str = r#"{"type":"t","title":"T","status":401,"code":"C","detail":"d","requestId":"r1"}"#;

    #[test]
    fn a_complete_problem_is_accepted() {
        reply(401, HEADERS, BODY).expect_problem(401, "C").unwrap();
    }

    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

    #[test]
    fn whatever_a_problem_lacks_is_named() {
        let cases: &[Case<'_>] = &[
            (&HEADERS[1..], BODY, "application/problem+json"),
            (&[HEADERS[0], HEADERS[2]], BODY, "Cache-Control"),
            (&HEADERS[..2], BODY, "X-Request-Id"),
            (HEADERS, r#"{"title":"T","status":401,"code":"C","detail":"d","requestId":"r1"}"#, "/type"),
            (HEADERS, &BODY.replace("401", "400"), "status to be 401"),
            (HEADERS, &BODY.replace("r1", "r2"), "requestId"),
            (HEADERS, &BODY.replace("\"C\"", "\"D\""), "401 C"),
        ];
        for (headers, body, expected) in cases {
            let fault = reply(401, headers, body).expect_problem(401, "C").unwrap_err();
            assert!(fault.to_string().contains(expected), "{fault} should name {expected}");
        }
    }

    #[test]
    fn a_fault_shows_no_token() {
        let reply = reply(200, HEADERS, r#"{"tokens":{"accessToken":"hf1.secret"},"list":[{"ticket":"secret"}]}"#);
        let fault = reply.expect(201).unwrap_err().to_string();
        assert!(!fault.contains("secret"), "{fault}");
    }
}
