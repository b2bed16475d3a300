//! A WebSocket client that waits for frames by type and keeps the others for later.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::Fault;
use crate::http::mask;

/// Longest wait for a frame or a close: a push takes a queue, a function start and a post.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of an upgrade request.
pub enum Handshake {
    /// The socket is open.
    Open(Box<Socket>),
    /// Refused with this HTTP status.
    Refused(u16),
}

impl Handshake {
    /// The open socket.
    pub fn open(self) -> Result<Socket, Fault> {
        match self {
            Self::Open(socket) => Ok(*socket),
            Self::Refused(status) => Err(Fault::mismatch("WebSocket connect", "an open socket", status)),
        }
    }

    /// Refused with 401 or 403, as the contract wants it.
    pub fn refused(self) -> Result<(), Fault> {
        match self {
            Self::Refused(401 | 403) => Ok(()),
            Self::Refused(status) => Err(Fault::mismatch("WebSocket connect", "401 or 403", status)),
            Self::Open(_) => Err(Fault::mismatch("WebSocket connect", "401 or 403", "an open socket")),
        }
    }
}

/// A client of one connection.
pub struct Socket {
    name: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that came while another was waited for.
    unclaimed: VecDeque<Value>,
    closed: bool,
}

impl Socket {
    /// Connects to `url`; `name` is how faults call this socket.
    pub async fn connect(name: &str, url: &str, origin: Option<&str>) -> Result<Handshake, Fault> {
        let fault = |error: &dyn std::fmt::Display| Fault::new(format!("WebSocket connect ({name}): {error}"));
        let mut request = url.into_client_request().map_err(|error| fault(&error))?;
        if let Some(origin) = origin {
            let value = HeaderValue::from_str(origin).map_err(|error| fault(&error))?;
            request.headers_mut().insert("origin", value);
        }
        // Boxed: with TLS it would make every future that connects 20 KiB large.
        match timeout(PATIENCE, Box::pin(connect_async_with_config(request, None, true))).await {
            Ok(Ok((stream, _answer))) => Ok(Handshake::Open(Box::new(Self {
                name: format!("socket {name}"),
                stream,
                unclaimed: VecDeque::new(),
                closed: false,
            }))),
            Ok(Err(Error::Http(answer))) => Ok(Handshake::Refused(answer.status().as_u16())),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => Err(fault(&format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Sends a JSON frame.
    pub async fn send(&mut self, frame: &Value) -> Result<(), Fault> {
        self.send_text(frame.to_string()).await
    }

    /// Sends a text frame, JSON or not.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), Fault> {
        let name = self.name.clone();
        self.stream
            .send(Message::text(text.into()))
            .await
            .map_err(|error| Fault::mismatch(name, "to send a frame", error))
    }

    /// The next frame of this type; others are kept.
    pub async fn expect(&mut self, kind: &str) -> Result<Value, Fault> {
        self.expect_that(&format!("a frame {kind}"), |frame| frame["type"] == kind).await
    }

    /// The next frame that `wanted` accepts; others are kept.
    pub async fn expect_that(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, Fault> {
        let mut passed = VecDeque::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = match self.unclaimed.pop_front() {
                Some(frame) => Some(frame),
                None => self.read(deadline).await,
            };
            match frame {
                Some(frame) if wanted(&frame) => {
                    self.unclaimed = passed;
                    return Ok(frame);
                }
                Some(frame) => passed.push_back(frame),
                None => {
                    let mut kept = Value::Array(passed.iter().cloned().collect());
                    mask(&mut kept);
                    let came = if self.closed { "a closed socket" } else { "nothing" };
                    let waited = PATIENCE.as_secs();
                    self.unclaimed = passed;
                    return Err(Fault::mismatch(&self.name, what, format!("{came} within {waited} s, after {kept}")));
                }
            }
        }
    }

    /// A round trip: what was sent to this socket before has arrived when it returns.
    pub async fn ping(&mut self) -> Result<Value, Fault> {
        self.send(&json!({"action": "ping"})).await?;
        self.expect("pong").await
    }

    /// The message with this id, which must be whole.
    pub async fn expect_message(&mut self, id: &str) -> Result<Value, Fault> {
        let frame =
            self.expect_that(&format!("message {id}"), |frame| frame["type"] == "message" && frame["id"] == id).await?;
        for member in ["channel", "epoch", "offset", "kind", "data", "sentAt"] {
            if frame.get(member).is_none() {
                return Err(Fault::mismatch(&self.name, format!("the message's member {member}"), &frame));
            }
        }
        Ok(frame)
    }

    /// How many more frames with this message came, so far.
    pub fn repeats(&self, id: &str) -> usize {
        self.unclaimed.iter().filter(|frame| frame["type"] == "message" && frame["id"] == id).count()
    }

    /// `bye` with this code, then the close.
    pub async fn expect_bye(&mut self, code: &str, reconnect: bool) -> Result<(), Fault> {
        let bye = self.expect("bye").await?;
        let named = bye["reason"].as_str().is_some_and(|reason| !reason.is_empty());
        if bye["code"] != code || bye["reconnect"] != reconnect || !named {
            let expected = format!("bye {code} with a reason and reconnect {reconnect}");
            return Err(Fault::mismatch(&self.name, expected, bye));
        }
        self.expect_closed().await
    }

    /// The close; frames before it are kept.
    pub async fn expect_closed(&mut self) -> Result<(), Fault> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(frame) = self.read(deadline).await {
            self.unclaimed.push_back(frame);
        }
        let expected = format!("to be closed within {} s", PATIENCE.as_secs());
        Fault::unless(self.closed, &self.name, expected, "an open socket")
    }

    /// Closes from this side.
    pub async fn close(mut self) {
        // The server's half of the close is of no interest, and an error means that it is closed already.
        let _ = timeout(PATIENCE, self.stream.close(None)).await;
    }

    /// One JSON frame; `None` at the deadline or when the socket is closed.
    async fn read(&mut self, deadline: Instant) -> Option<Value> {
        while !self.closed {
            match timeout_at(deadline, self.stream.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    return Some(serde_json::from_str(&text).unwrap_or_else(|_| json!({"notJson": text.as_str()})));
                }
                Ok(Some(Ok(Message::Binary(bytes)))) => return Some(json!({"binary": bytes.len()})),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => self.closed = true,
                Ok(Some(Ok(_))) => {}
                Err(_) => return None,
            }
        }
        None
    }
}
