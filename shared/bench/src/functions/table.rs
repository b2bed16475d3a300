//! A DynamoDB endpoint that answers after a chosen time. It asks a real implementation each question once and keeps the answer, so
//! that all functions wait equally long. A write is answered with a success and changes nothing. Only
//! the first update of its kind is done, if it returns values.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::server::Server;
use super::{Done, server};

/// An endpoint with its own port and thread.
pub(super) struct Table {
    pub(super) endpoint: String,
    requests: Arc<AtomicUsize>,
    server: Server,
}

/// A status and a body.
type Answer = (u16, Bytes);

struct State {
    upstream: String,
    latency: Duration,
    answers: Mutex<HashMap<String, Answer>>,
    requests: Arc<AtomicUsize>,
}

impl Table {
    /// Starts before `upstream` (`127.0.0.1:4566`).
    pub(super) fn start(upstream: &str, latency: Duration) -> Done<Self> {
        let requests = Arc::new(AtomicUsize::new(0));
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            latency,
            answers: Mutex::default(),
            requests: requests.clone(),
        });
        let server = server::start(move |request| serve(state.clone(), request))?;
        Ok(Self { endpoint: format!("http://{}", server.address), requests, server })
    }

    /// Closes all connections to it.
    pub(super) fn close_connections(&self) {
        self.server.close_connections();
    }

    /// How many requests it has answered.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let operation = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()?.rsplit('.').next());
    let operation = operation.unwrap_or_default().to_owned();
    let head = request.headers().clone();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let answer = answer(&state, &operation, &head, body).await;
    tokio::time::sleep_until((began + state.latency).into()).await;
    state.requests.fetch_add(1, Ordering::SeqCst);
    let (status, bytes) = match answer {
        Ok(answer) => answer,
        Err(error) => (500, Bytes::from(error)),
    };
    let checksum = crc32fast::hash(&bytes).to_string();
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-crc32", checksum)
        .header("x-amzn-requestid", "0F1C2A3B4D5E6F708192A3B4C5D6E7F8")
        .body(Full::new(bytes));
    response.unwrap_or_default()
}

async fn answer(state: &State, operation: &str, head: &hyper::HeaderMap, body: Bytes) -> Done<Answer> {
    let mut asked: Value = serde_json::from_slice(&body).map_err(super::text)?;
    asked.sort_all_objects();
    let mut key = format!("{operation} {asked}");
    if matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems") {
        if operation != "UpdateItem" || asked["ReturnValues"].as_str().is_none_or(|values| values == "NONE") {
            return Ok((200, Bytes::from_static(b"{}")));
        }
        // The values that it writes contain the time.
        key = format!("{operation} {} {} {}", asked["TableName"], asked["Key"], asked["UpdateExpression"]);
    }
    if let Some(known) = state.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(known.clone());
    }
    let stream = TcpStream::connect(&state.upstream).await.map_err(super::text)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(super::text)?;
    tokio::spawn(connection);
    let mut request = Request::post("/");
    if let Some(headers) = request.headers_mut() {
        headers.clone_from(head);
    }
    let answer = sender.send_request(request.body(Full::new(body)).map_err(super::text)?).await.map_err(super::text)?;
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.map_err(super::text)?.to_bytes();
    // A condition that is not met is an answer, too.
    if status != 200 && !String::from_utf8_lossy(&bytes).contains("ConditionalCheckFailedException") {
        return Err(format!("{operation} was refused: {}", String::from_utf8_lossy(&bytes)));
    }
    let answer = (status, bytes);
    state.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
    Ok(answer)
}
