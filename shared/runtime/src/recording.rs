//! Everything that an invocation says besides its answer, for tests of handlers: log lines and metrics.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_sessions::ports::StoreError;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::boot::{InvocationError, acknowledged};
use crate::config::Env;
use crate::cookies::CSRF_HEADER;
use crate::edge::{Edge, Invocation};
use crate::events::{Envelope, Event};
use crate::http::{Rejection, Request, Response};
use crate::metrics;

/// What was logged and counted on this thread while a future ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// `LEVEL message`, in order, from `INFO` on.
    pub log: Vec<String>,
    /// Counters, also those that were counted as zero.
    pub counts: BTreeMap<&'static str, u64>,
    /// Names of measured durations.
    pub durations: Vec<&'static str>,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs `work` on this thread, and everything that it spawns on a runtime of one thread.
pub async fn recorded<T>(work: impl Future<Output = T>) -> (T, Recorded) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
    metrics::taken();
    let guard = tracing::subscriber::set_default(subscriber);
    let output = work.await;
    drop(guard);
    let (counts, durations) = metrics::taken();
    let text = std::mem::take(&mut *lines.0.lock().unwrap_or_else(PoisonError::into_inner));
    let log = String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| {
            let part = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", part("level"), part("message"))
        })
        .collect();
    (output, Recorded { log, counts, durations })
}

/// Delivers one event of the event bus, in the envelope of EventBridge, to the handler of a subscriber.
///
/// # Errors
/// Fails as the invocation does: then the event is delivered again.
pub async fn delivered<H, HF>(budget: Duration, envelope: &Value, handle: H) -> Result<Value, InvocationError>
where
    H: FnOnce(Event) -> HF,
    HF: Future<Output = Result<(), StoreError>>,
{
    let envelope: Envelope = serde_json::from_value(envelope.clone())
        .map_err(|_| InvocationError("the event is not of the expected form"))?;
    acknowledged(handle(envelope.detail), budget).await
}

/// Answers one request as a function does whose route takes these query parameters. The request may come from the
/// origins of `ALLOWED_ORIGINS`.
///
/// # Panics
/// Panics if the environment does not configure an edge.
pub async fn answered<H, HF, E>(env: &Env, parameters: &'static [&'static str], call: &Call, handle: H) -> Answer
where
    H: FnOnce(Request) -> HF,
    HF: Future<Output = Result<Response, E>>,
    E: Into<Rejection>,
{
    answered_within(Duration::from_secs(60), env, parameters, call, handle).await
}

/// The same with a budget of time.
///
/// # Panics
/// Panics if the environment does not configure an edge.
pub async fn answered_within<H, HF, E>(
    budget: Duration,
    env: &Env,
    parameters: &'static [&'static str],
    call: &Call,
    handle: H,
) -> Answer
where
    H: FnOnce(Request) -> HF,
    HF: Future<Output = Result<Response, E>>,
    E: Into<Rejection>,
{
    let Ok(edge) = Edge::from_env(env, parameters) else { panic!("an environment for tests configures an edge") };
    let Ok(payload) = RawValue::from_string(call.event().to_string()) else { panic!("a value is JSON") };
    let invocation = Invocation { payload, id: "test-invocation".to_owned(), budget };
    let Ok(answer) = serde_json::to_value(edge.answer(&invocation, handle).await) else { panic!("an answer is JSON") };
    Answer::read(answer)
}

/// An event of API Gateway (payload format 2.0), part by part.
#[derive(Clone, Debug)]
pub struct Call(Value);

impl Call {
    /// A request without headers and body, from a client of the network 192.0.2.0/24.
    pub fn new(method: &str, path: &str) -> Self {
        Self(json!({
            "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": "",
            "headers": {}, "cookies": [], "pathParameters": {}, "isBase64Encoded": false,
            "requestContext": {"requestId": "r-1", "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        }))
    }

    /// Adds a header, by its lower-case name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = value.into();
        self
    }

    /// Takes a header away.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        if let Some(headers) = self.0["headers"].as_object_mut() {
            headers.remove(name);
        }
        self
    }

    /// Presents an access token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends a cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        if let Some(cookies) = self.0["cookies"].as_array_mut() {
            cookies.push(format!("{name}={value}").into());
        }
        self
    }

    /// Shows what a script of this origin can send and another site cannot.
    #[must_use]
    pub fn from_page(self, origin: &str) -> Self {
        self.header("origin", origin).header(CSRF_HEADER, "1")
    }

    /// Sets the raw query string.
    #[must_use]
    pub fn query(mut self, raw: &str) -> Self {
        self.0["rawQueryString"] = raw.into();
        self
    }

    /// Sets a path parameter.
    #[must_use]
    pub fn path_parameter(mut self, name: &str, value: &str) -> Self {
        self.0["pathParameters"][name] = value.into();
        self
    }

    /// Sends this JSON.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.0["body"] = body.to_string().into();
        self.header("content-type", "application/json")
    }

    /// An invocation without API Gateway, whose payload is this JSON.
    pub fn direct(payload: &Value) -> Self {
        Self(payload.clone())
    }

    /// Is signed by this IAM caller.
    #[must_use]
    pub fn signed_by(mut self, arn: &str) -> Self {
        self.0["requestContext"]["authorizer"] = json!({"iam": {"userArn": arn}});
        self
    }

    /// The event in API Gateway's format.
    pub fn event(&self) -> &Value {
        &self.0
    }
}

/// The parts of an answer in API Gateway's format that tests check.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u64,
    /// The `code` of a problem; empty where the answer is none.
    pub code: String,
    /// The body as JSON.
    pub body: Value,
    /// The headers by name.
    pub headers: Value,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
}

impl Answer {
    fn read(event: Value) -> Self {
        let body: Value = event["body"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let cookies = event["cookies"].as_array().into_iter().flatten();
        Self {
            status: event["statusCode"].as_u64().unwrap_or_default(),
            code: body["code"].as_str().unwrap_or_default().to_owned(),
            cookies: cookies.filter_map(|cookie| cookie.as_str().map(str::to_owned)).collect(),
            headers: event["headers"].clone(),
            body,
        }
    }

    /// The value of a cookie that the answer sets; empty where it deletes the cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))?.split(';').next()
    }
}
