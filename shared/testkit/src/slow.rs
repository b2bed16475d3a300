//! AWS that answers late: a server on loopback, for tests of the time-outs with the configuration that functions have on AWS.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A service that answers every request with the same status and body after the same delay.
#[derive(Clone, Debug)]
pub struct SlowAws {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl SlowAws {
    /// Starts the service on a free port. It runs until the test's runtime ends.
    ///
    /// # Errors
    ///
    /// Returns an error if no port can be opened.
    pub async fn start(delay: Duration, status: u16, body: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let slow = Self { endpoint: format!("http://{}", listener.local_addr()?), requests: Arc::default() };
        let (requests, body) = (slow.requests.clone(), body.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, delay, status, body.clone(), requests.clone()));
            }
        });
        Ok(slow)
    }

    /// The configuration that functions have on AWS, with this server as its endpoint.
    pub async fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "test");
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        holdfast_aws::sdk_config_with(loader, false).load().await
    }

    /// The bodies of all requests so far, also of those whose client did not wait for the answer.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers the requests of one connection, one after another.
async fn serve(mut stream: TcpStream, delay: Duration, status: u16, body: String, requests: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = request(&mut stream).await {
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        tokio::time::sleep(delay).await;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} \r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads one request and returns its body; `None` when the connection ends.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
            if text.len() >= end + 4 + length {
                return Some(String::from_utf8_lossy(&text[end + 4..]).into_owned());
            }
        }
        match stream.read(&mut part).await {
            Ok(read @ 1..) => text.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
}
