//! `@connections` as API Gateway answers it, with faults. Tests open and close its sockets. Quotas, limits and
//! full buffers are API Gateway's. A [`Plan`] adds other faults.
//!
//! Operations are named as in AWS's API: `PostToConnection`, `GetConnection`, `DeleteConnection`.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::plan::{Fault, Plan};

/// What API Gateway grants and refuses. The defaults are those of an account (API Gateway quotas, 2026).
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Requests a second, all APIs of the account together.
    pub per_second: u32,
    /// Requests that may come at once after a pause.
    pub burst: u32,
    /// The longest message, in bytes; a longer one is 413.
    pub max_message: usize,
    /// What one message is counted in, in bytes.
    pub frame: usize,
    /// How long an answer takes.
    pub latency: Duration,
    /// Whether messages are kept, or only counted.
    pub keep: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            per_second: 10_000,
            burst: 5_000,
            max_message: 128 * 1024,
            frame: 32 * 1024,
            latency: Duration::ZERO,
            keep: true,
        }
    }
}

/// The account's bucket of requests.
#[derive(Debug)]
struct Account {
    tokens: f64,
    at: Instant,
    /// Calls of `@connections` granted, by the second they came in.
    granted: BTreeMap<u64, u64>,
    began: Instant,
}

impl Account {
    fn take(&mut self, quotas: &Quotas, now: Instant, ours: bool) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + elapsed * f64::from(quotas.per_second)).min(f64::from(quotas.burst));
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        if ours {
            *self.granted.entry(now.saturating_duration_since(self.began).as_secs()).or_default() += 1;
        }
        true
    }
}

/// One socket, as its client sees it.
#[derive(Debug, Default)]
struct Socket {
    received: Vec<Bytes>,
    count: u64,
    /// Messages that still fit before the client's buffer is full; without end while the client reads.
    room: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    sockets: HashMap<String, Socket>,
    /// By operation and status; 0 stands for a connection that broke.
    answers: BTreeMap<(&'static str, u16), u64>,
    /// Messages delivered, in units of a frame.
    metered: u64,
}

#[derive(Debug)]
struct Shared {
    quotas: Quotas,
    plan: Plan,
    state: Mutex<State>,
    account: Mutex<Account>,
}

/// A gateway on its own port, which is closed when this is dropped.
#[derive(Debug)]
pub struct ConnectionsGateway {
    address: SocketAddr,
    task: JoinHandle<()>,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConnectionsGateway {
    /// Starts it, without sockets.
    pub async fn start(quotas: Quotas, plan: Plan) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let now = Instant::now();
        let account = Account { tokens: f64::from(quotas.burst), at: now, granted: BTreeMap::new(), began: now };
        let shared = Arc::new(Shared { quotas, plan, state: Mutex::default(), account: Mutex::new(account) });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                // Without it, small answers wait for the client's acknowledgements.
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let service = service_fn(move |request| serve(request, shared.clone()));
                    // A client that goes away, or a fault that breaks the connection, ends this connection and no other.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, task, shared })
    }

    /// What clients use as their endpoint: `http://127.0.0.1:<port>/v1`.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A client's socket exists from now on.
    pub fn open(&self, id: &str) {
        lock(&self.shared.state).sockets.entry(id.to_owned()).or_default();
    }

    /// Closes the socket without a notification, and drops its messages.
    pub fn hang_up(&self, id: &str) {
        lock(&self.shared.state).sockets.remove(id);
    }

    /// The client stops reading: `room` more messages fit, then posts to it are 429. `None`: it reads again.
    pub fn stall(&self, id: &str, room: Option<u64>) {
        if let Some(socket) = lock(&self.shared.state).sockets.get_mut(id) {
            socket.room = room;
        }
    }

    /// Whether the socket is open.
    pub fn is_open(&self, id: &str) -> bool {
        lock(&self.shared.state).sockets.contains_key(id)
    }

    /// What reached the socket, in order.
    pub fn received(&self, id: &str) -> Vec<Bytes> {
        lock(&self.shared.state).sockets.get(id).map(|socket| socket.received.clone()).unwrap_or_default()
    }

    /// How many messages reached each open socket.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.state).sockets.iter().map(|(id, socket)| (id.clone(), socket.count)).collect()
    }

    /// Answers so far, by operation and status; 0 stands for a connection that broke instead.
    pub fn answers(&self) -> BTreeMap<(&'static str, u16), u64> {
        lock(&self.shared.state).answers.clone()
    }

    /// Messages delivered so far, in units of [`Quotas::frame`]: what they are billed in.
    pub fn metered(&self) -> u64 {
        lock(&self.shared.state).metered
    }

    /// Another request of the same account, to another API: whether it is granted.
    pub fn another_request(&self) -> bool {
        lock(&self.shared.account).take(&self.shared.quotas, Instant::now(), false)
    }

    /// Calls of `@connections` granted in each second since the start.
    pub fn posts_granted(&self) -> BTreeMap<u64, u64> {
        lock(&self.shared.account).granted.clone()
    }
}

impl Drop for ConnectionsGateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection is to break.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("injected")
    }
}

impl std::error::Error for Broken {}

type Answer = Result<Response<Full<Bytes>>, Broken>;

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> Answer {
    let operation = match *request.method() {
        Method::POST => "PostToConnection",
        Method::GET => "GetConnection",
        Method::DELETE => "DeleteConnection",
        _ => return Ok(answer(405, "MethodNotAllowed")),
    };
    let id = connection(request.uri().path());
    let body = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
    let fault = shared.plan.next(operation);
    match fault {
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::Freeze) => std::future::pending().await,
        _ => {}
    }
    if !shared.quotas.latency.is_zero() {
        tokio::time::sleep(shared.quotas.latency).await;
    }
    let (status, kind) = decide(&shared, operation, id.as_deref(), body, fault);
    *lock(&shared.state).answers.entry((operation, status)).or_default() += 1;
    if status == 0 { Err(Broken) } else { Ok(answer(status, kind)) }
}

/// Status and error name; status 0 breaks the connection.
fn decide(
    shared: &Shared,
    operation: &'static str,
    id: Option<&str>,
    body: Bytes,
    fault: Option<Fault>,
) -> (u16, &'static str) {
    if !lock(&shared.account).take(&shared.quotas, Instant::now(), true) {
        return (429, "LimitExceededException");
    }
    match fault {
        Some(Fault::LostRequest) => return (0, ""),
        Some(Fault::Throttle | Fault::BufferFull) => return (429, "LimitExceededException"),
        Some(Fault::ErrorBefore) => return (500, "InternalServerErrorException"),
        Some(Fault::Gone) => return (410, "GoneException"),
        Some(Fault::Forbidden) => return (403, "ForbiddenException"),
        Some(Fault::TooLarge) => return (413, "PayloadTooLargeException"),
        _ => {}
    }
    let effect = match id {
        None => (400, "BadRequestException"),
        Some(id) => act(shared, operation, id, body),
    };
    match fault {
        Some(Fault::LostReply) => (0, ""),
        Some(Fault::ErrorAfter) => (500, "InternalServerErrorException"),
        _ => effect,
    }
}

fn act(shared: &Shared, operation: &str, id: &str, body: Bytes) -> (u16, &'static str) {
    let mut state = lock(&shared.state);
    let state = &mut *state;
    let Some(socket) = state.sockets.get_mut(id) else { return (410, "GoneException") };
    match operation {
        "GetConnection" => (200, ""),
        "DeleteConnection" => {
            state.sockets.remove(id);
            (204, "")
        }
        _ if body.len() > shared.quotas.max_message => (413, "PayloadTooLargeException"),
        _ => {
            match &mut socket.room {
                Some(0) => return (429, "LimitExceededException"),
                Some(room) => *room -= 1,
                None => {}
            }
            state.metered += body.len().div_ceil(shared.quotas.frame).max(1) as u64;
            socket.count += 1;
            if shared.quotas.keep {
                socket.received.push(body);
            }
            (200, "")
        }
    }
}

/// The id in `/<stage>/@connections/<id>`; `None` if there is none.
fn connection(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("connections/")?;
    let text = percent_encoding::percent_decode_str(rest).decode_utf8().ok()?.into_owned();
    (!text.is_empty() && !text.contains('/')).then_some(text)
}

fn answer(status: u16, kind: &str) -> Response<Full<Bytes>> {
    let body = match kind {
        "" => Bytes::new(),
        kind => Bytes::from(format!("{{\"message\":\"{kind}\"}}")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(value) = hyper::header::HeaderValue::from_str(kind)
        && !kind.is_empty()
    {
        response.headers_mut().insert("x-amzn-errortype", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_grants_its_burst_and_then_its_rate() {
        let quotas = Quotas { per_second: 100, burst: 50, ..Quotas::default() };
        let began = Instant::now();
        let mut account = Account { tokens: 50.0, at: began, granted: BTreeMap::new(), began };
        let at = |millis| began + Duration::from_millis(millis);
        assert_eq!((0..80).filter(|_| account.take(&quotas, at(0), true)).count(), 50);
        assert_eq!((0..80).filter(|_| account.take(&quotas, at(100), false)).count(), 10);
        assert_eq!((0..200).filter(|_| account.take(&quotas, at(5_000), true)).count(), 50);
        assert_eq!(account.granted, BTreeMap::from([(0, 50), (5, 50)]));
    }

    #[test]
    fn an_id_is_read_from_the_path() {
        assert_eq!(connection("/v1/@connections/L0SM9cOFvHcCIhw%3D").as_deref(), Some("L0SM9cOFvHcCIhw="));
        assert_eq!(connection("/v1/%40connections/abc").as_deref(), Some("abc"));
        assert_eq!(connection("/v1/@connections/"), None);
        assert_eq!(connection("/v1/other"), None);
    }
}
