//! Between a client and a DynamoDB endpoint: HTTP/1.1, one request per connection, the operation from `X-Amz-Target`.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::plan::{Fault, Plan};

/// The largest request that is taken: more than DynamoDB's 4 MB for a transaction.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

/// A proxy on its own port, which is closed when this is dropped.
#[derive(Debug)]
pub struct DynamoDbProxy {
    address: SocketAddr,
    task: JoinHandle<()>,
    record: Option<Record>,
}

/// A request that the endpoint answered, and what it said.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `GetItem`, `TransactWriteItems` …
    pub operation: String,
    /// The request's body.
    pub request: serde_json::Value,
    /// Whether the status was 200.
    pub accepted: bool,
}

type Record = Arc<Mutex<Vec<Exchange>>>;

struct Shared {
    upstream: String,
    plan: Plan,
    /// What eventually consistent reads said last, by request.
    last: Mutex<HashMap<String, Vec<u8>>>,
    record: Option<Record>,
}

/// A request as it came.
struct Request {
    /// Everything up to and including the empty line.
    head: Vec<u8>,
    body: Vec<u8>,
    operation: String,
}

impl DynamoDbProxy {
    /// Starts before `upstream` (`127.0.0.1:4566`).
    pub async fn start(upstream: &str, plan: Plan) -> io::Result<Self> {
        Self::listen(upstream, plan, None).await
    }

    /// Starts before `upstream`, injects nothing and keeps what was asked.
    pub async fn recording(upstream: &str) -> io::Result<Self> {
        Self::listen(upstream, Plan::new(0), Some(Record::default())).await
    }

    async fn listen(upstream: &str, plan: Plan, record: Option<Record>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { upstream: upstream.to_owned(), plan, last: Mutex::default(), record: record.clone() });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                // A client that goes away, or an upstream that does, ends this connection and no other.
                tokio::spawn(async move {
                    let _ = serve(stream, &shared).await;
                });
            }
        });
        Ok(Self { address, task, record })
    }

    /// Takes what was asked since the last time, in the order of the answers. Empty unless this proxy is
    /// [recording](Self::recording).
    pub fn exchanges(&self) -> Vec<Exchange> {
        let lock = self.record.as_ref().map(|record| record.lock().unwrap_or_else(PoisonError::into_inner));
        lock.map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    /// What clients use as their endpoint: `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for DynamoDbProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(request) = read_request(&mut client).await? else { return Ok(()) };
    let fault = shared.plan.next(&request.operation);
    match fault {
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::LostRequest) => return Ok(()),
        Some(Fault::Freeze) => std::future::pending().await,
        Some(Fault::Throttle) => {
            return refuse(&mut client, 400, &error("ProvisionedThroughputExceededException", "slow down")).await;
        }
        Some(Fault::ErrorBefore) => return refuse(&mut client, 500, &error("InternalServerError", "injected")).await,
        Some(Fault::Conflict) if is_write(&request.operation) => {
            return refuse(&mut client, 400, &conflict(&request)).await;
        }
        _ => {}
    }
    let answer = forward(&request, &shared.upstream).await?;
    if let Some(record) = &shared.record {
        record.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange {
            operation: request.operation.clone(),
            request: serde_json::from_slice(&request.body).unwrap_or_default(),
            accepted: answer.split(|byte| *byte == b' ').nth(1) == Some(b"200"),
        });
    }
    match fault {
        Some(Fault::LostReply) => return Ok(()),
        Some(Fault::ErrorAfter) => return refuse(&mut client, 500, &error("InternalServerError", "injected")).await,
        _ => {}
    }
    let answer = remember(shared, &request, answer, fault == Some(Fault::Stale));
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// Keeps what an eventually consistent read said, and says what it said before if that is asked for.
fn remember(shared: &Shared, request: &Request, answer: Vec<u8>, stale: bool) -> Vec<u8> {
    let is_read = matches!(request.operation.as_str(), "GetItem" | "Query" | "Scan" | "BatchGetItem");
    // Clients write the same request with its fields in any order, and a dependency of tests makes serde_json keep it.
    let mut asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    asked.sort_all_objects();
    if !is_read || asked["ConsistentRead"] == true {
        return answer;
    }
    let mut last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
    match last.insert(format!("{} {asked}", request.operation), answer.clone()) {
        Some(before) if stale => before,
        _ => answer,
    }
}

fn is_write(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
}

fn error(kind: &str, message: &str) -> String {
    format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"{message}"}}"#)
}

/// One reason per action of a transaction: the first conflicted, the others did nothing.
fn conflict(request: &Request) -> String {
    if request.operation != "TransactWriteItems" {
        return error("TransactionConflictException", "injected");
    }
    let body = String::from_utf8_lossy(&request.body);
    let actions: usize = ["\"Put\":", "\"Update\":", "\"Delete\":", "\"ConditionCheck\":"]
        .iter()
        .map(|kind| body.matches(&format!("{{{kind}")).count())
        .sum();
    let others = r#",{"Code":"None"}"#.repeat(actions.saturating_sub(1));
    format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]","CancellationReasons":[{{"Code":"TransactionConflict","Message":"injected"}}{others}]}}"#
    )
}

async fn refuse(client: &mut TcpStream, status: u16, body: &str) -> io::Result<()> {
    let reason = if status == 400 { "Bad Request" } else { "Internal Server Error" };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: injected\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await
}

async fn forward(request: &Request, upstream: &str) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&request.head).await?;
    server.write_all(&request.body).await?;
    let mut answer = Vec::new();
    // The head asked for the connection to be closed: the answer ends where the stream does.
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a request that is too large")
}

/// The next request; `None` if the client has hung up.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        if bytes.len() > MAX_REQUEST {
            return Err(too_large());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
    let operation = header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
    if length > MAX_REQUEST {
        return Err(too_large());
    }
    let mut body = bytes.split_off(end);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:") && !line.is_empty());
    let mut head = kept.collect::<Vec<_>>().join("\r\n");
    head.push_str("\r\nconnection: close\r\n\r\n");
    Ok(Some(Request { head: head.into_bytes(), body, operation }))
}
