//! A Holdfast of one task: real HTTP, with the answers that a test has prepared.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::Builder;
use crate::retries::Timing;
use crate::{Error, Holdfast};

pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "the/secret+key";
pub(crate) const SECURITY_TOKEN: &str = "the+security/token==";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ORIGIN: &str = "https://app.example.com";
/// Well-formed access tokens: of a live session, and of none.
pub(crate) const LIVE: &str = "hf1.AAAAAAAAAAAAAAAAAAAAAA.1.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.axeMdA";
pub(crate) const STALE: &str = "hf1.AAAAAAAAAAAAAAAAAAAAAA.2.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.VNzy4Q";
/// Longer than by default, so that no attempt is late on a machine that is busy. No test waits for it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// 2026-11-28T10:00:00Z, when the user of the session was authenticated and the clock of the tests begins.
pub(crate) const START: Duration = Duration::from_secs(1_795_860_000);

pub(crate) fn session() -> Value {
    json!({
        "sessionId": "s1", "userId": "u1", "email": "ada@example.com", "claims": {"role": "editor"},
        "authenticatedAt": "2026-11-28T10:00:00.000Z", "current": true, "createdAt": "2026-11-28T10:00:00.000Z",
        "lastUsedAt": "2026-11-28T10:00:00.000Z", "expiresAt": "2026-11-28T11:00:00.000Z",
        "absoluteExpiresAt": "2026-11-29T10:00:00.000Z", "staySignedIn": false, "mfaVerified": true,
        "device": {"name": "Firefox on Linux", "browser": "Firefox", "os": "Linux", "ip": "192.0.2.1"},
        "trusted": false, "trustedAt": null, "version": 1,
    })
}

/// A session with other values of some fields.
pub(crate) fn session_with(fields: Value) -> Value {
    with(session(), fields)
}

pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

pub(crate) fn active(session: Value) -> Said {
    Said::json(200, json!({"active": true, "claims": session["claims"], "session": session}))
}

pub(crate) fn created() -> Value {
    json!({
        "status": "AUTHENTICATED", "session": session(), "effective": "immediate",
        "tokens": {
            "accessToken": "hf1.access", "accessExpiresAt": "2026-11-28T10:15:00.000Z", "refreshToken": "hf1.refresh",
            "refreshExpiresAt": "2026-11-28T11:00:00.000Z", "tokenType": "Bearer",
        },
    })
}

/// A problem document of Holdfast.
pub(crate) fn problem(status: u16, code: &str) -> Said {
    let kind = format!("urn:holdfast:problem:{code}");
    Said::json(status, json!({"type": kind, "title": "A title", "status": status, "code": code, "detail": "A detail."}))
}

pub(crate) fn busy() -> Said {
    problem(503, "UNAVAILABLE")
}

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Answer { status: u16, body: Vec<u8>, headers: Vec<(&'static str, String)> },
    Close,
    Hang,
}

impl Said {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Answer { status, body: body.into(), headers: vec![("x-request-id", "q1".into())] }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// A request that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Seen>>,
    /// Used in order. Afterwards each route answers as if all is good.
    answers: Mutex<VecDeque<Said>>,
    connections: AtomicUsize,
}

pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<State>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let of_server = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                of_server.connections.fetch_add(1, Ordering::SeqCst);
                let state = of_server.clone();
                let service = hyper::service::service_fn(move |request| answer(state.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, state }
    }

    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Said>) {
        self.state.requests.lock().unwrap().clear();
        *self.state.answers.lock().unwrap() = answers.into_iter().collect();
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.state.requests.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.requests().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The options of a client of this server, with the clock of a test.
    pub(crate) fn builder(&self, timing: &Arc<FakeTiming>) -> Builder {
        builder(&self.url, timing)
    }
}

pub(crate) fn builder(url: &str, timing: &Arc<FakeTiming>) -> Builder {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, Some(SECURITY_TOKEN.into()), None, "test");
    let builder = Holdfast::builder(url).region(REGION).credentials_provider(credentials);
    let mut builder = builder.allowed_origins([ORIGIN]).timeout(TIMEOUT);
    builder.options.timing = timing.clone();
    builder
}

/// A server, the clock of its client, and the client.
pub(crate) async fn start() -> (Server, Arc<FakeTiming>, Holdfast) {
    let (server, timing) = (Server::start().await, Arc::new(FakeTiming::default()));
    let client = server.builder(&timing).build().unwrap();
    (server, timing, client)
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.collect().await.map_err(std::io::Error::other)?.to_bytes(),
    };
    state.requests.lock().unwrap().push(seen.clone());
    let said = state.answers.lock().unwrap().pop_front().unwrap_or_else(|| good(&seen));
    match said {
        Said::Answer { status, body, headers } => {
            let mut answer = Response::new(Full::from(body));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                answer.headers_mut().append(name, value.parse().unwrap());
            }
            Ok(answer)
        }
        // An error of the service ends the connection without an answer.
        Said::Close => Err(std::io::Error::other("closed")),
        Said::Hang => std::future::pending::<Result<_, Infallible>>().await.map_err(std::io::Error::other),
    }
}

fn good(seen: &Seen) -> Said {
    if seen.path.ends_with("/v1/sessions/introspect") {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        return if body["token"] == LIVE { active(session()) } else { Said::json(200, json!({"active": false})) };
    }
    if seen.path.ends_with("/v1/messages") {
        return Said::json(202, json!({"messageId": "m1", "duplicate": false, "channel": "user:u1", "offset": 7}));
    }
    Said::json(201, created())
}

/// A clock that only moves when a call waits.
pub(crate) struct FakeTiming {
    begin: Instant,
    passed: Mutex<Duration>,
    waits: Mutex<Vec<Duration>>,
    pub(crate) chance: Mutex<f64>,
}

impl Default for FakeTiming {
    fn default() -> Self {
        Self { begin: Instant::now(), passed: Mutex::default(), waits: Mutex::default(), chance: Mutex::new(0.5) }
    }
}

impl FakeTiming {
    /// The waits so far, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<u128> {
        self.waits.lock().unwrap().iter().map(Duration::as_millis).collect()
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

impl Timing for FakeTiming {
    fn now(&self) -> Instant {
        self.begin + *self.passed.lock().unwrap()
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + *self.passed.lock().unwrap()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.waits.lock().unwrap().push(time);
        self.pass(time);
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> f64 {
        *self.chance.lock().unwrap()
    }
}

/// The status, code and kind of an error, for comparisons.
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T, Error>) -> Error {
    result.unwrap_err()
}
