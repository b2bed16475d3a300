//! Connections to one host, which are kept for the next request. Each carries one request at a time (HTTP/1.1).
//!
//! The HTTP client of the SDK keeps connections too. It converts each request and its answer twice, keeps connections to many
//! hosts, and puts several time-outs around a request. A fan-out pays for that with each of its posts.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use holdfast_aws::{POOL_IDLE, Roots};
use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// How long a kept connection may take to end its last request. A server that has answered and reads no more would keep the next one
/// waiting.
const SETTLING: Duration = Duration::from_millis(100);
/// Connections that are opened at once. Each begins with TLS, which takes a small function's processor for some ms. What becomes free
/// meanwhile is used instead.
const OPENING: usize = 16;
/// More than any answer of API Gateway has.
const MAX_ANSWER_BYTES: usize = 1 << 20;

type Sender = SendRequest<Full<Bytes>>;

/// Where a pool connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    is_tls: bool,
    name: String,
    port: u16,
    /// As requests name it: without the port that the scheme has anyway.
    header: HeaderValue,
}

impl Host {
    /// `None` if the URL names no host.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let is_tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let usual = if is_tls { 443 } else { 80 };
        let authority = url.authority()?;
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(usual));
        let header = if port == usual { host.to_owned() } else { format!("{host}:{port}") };
        // An address of IPv6 stands in brackets in a URL.
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        (!name.is_empty()).then_some(Self { is_tls, name, port, header: header.parse().ok()? })
    }
}

/// A connection without a request.
struct Kept {
    sender: Sender,
    since: Instant,
}

/// Connections to one host.
pub(crate) struct Pool {
    host: Host,
    roots: Roots,
    /// How long it may take to open a connection.
    patience: Option<Duration>,
    /// Made by the first connection, because it reads certificates.
    tls: OnceLock<TlsConnector>,
    opening: Semaphore,
    /// The last one is the one that was used last.
    kept: Mutex<Vec<Kept>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(host: Host, roots: Roots, patience: Option<Duration>) -> Self {
        Self { host, roots, patience, tls: OnceLock::new(), opening: Semaphore::new(OPENING), kept: Mutex::default() }
    }

    /// The header `host` of every request.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host.header
    }

    /// Sends a request to the host, on a kept connection if there is one. The request has the header `host` and the path alone
    /// as its URI. A request is sent again only if nothing of it was written, because a kept connection was closed.
    ///
    /// # Errors
    /// Why there is no answer. The request may have been carried out all the same.
    pub(crate) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, &'static str> {
        loop {
            let (mut sender, is_kept) = self.connection().await?;
            // Its last answer was read, but its task may not have been polled since.
            if is_kept
                && !sender.is_ready()
                && !matches!(tokio::time::timeout(SETTLING, sender.ready()).await, Ok(Ok(())))
            {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok(self.read(answer, sender).await),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err("not reached"),
                },
            }
        }
    }

    /// Reads an answer, and keeps its connection. An answer whose body cannot be read is still an answer.
    async fn read(&self, answer: Response<hyper::body::Incoming>, sender: Sender) -> Response<Bytes> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map(|body| body.to_bytes());
        // A server in trouble gets no further request on this connection.
        let is_in_trouble = matches!(
            head.status,
            StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if body.is_ok() && !is_in_trouble {
            let since = Instant::now();
            let mut kept = self.connections();
            // Of many connections, only the last ones are used again when there is less to do.
            while kept.first().is_some_and(|first| since.duration_since(first.since) > POOL_IDLE) {
                kept.remove(0);
            }
            kept.push(Kept { sender, since });
        }
        Response::from_parts(head, body.unwrap_or_default())
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if it still seems to be one.
    fn kept(&self) -> Option<Sender> {
        let mut kept = self.connections();
        while let Some(last) = kept.pop() {
            if last.since.elapsed() > POOL_IDLE {
                // The others were used before it.
                kept.clear();
            } else if !last.sender.is_closed() {
                return Some(last.sender);
            }
        }
        None
    }

    fn tls(&self) -> Result<&TlsConnector, &'static str> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let tls = TlsConnector::from(Arc::new(self.roots.tls().map_err(|_| "no TLS")?));
        Ok(self.tls.get_or_init(|| tls))
    }

    /// A connection, and whether it was kept.
    async fn connection(&self) -> Result<(Sender, bool), &'static str> {
        if let Some(sender) = self.kept() {
            return Ok((sender, true));
        }
        let _permit = self.opening.acquire().await.map_err(|_| "closed")?;
        match self.kept() {
            Some(sender) => Ok((sender, true)),
            None => Ok((self.open().await?, false)),
        }
    }

    async fn open(&self) -> Result<Sender, &'static str> {
        let opening = async {
            let stream = TcpStream::connect((&*self.host.name, self.host.port)).await.map_err(|_| "not reached")?;
            let _ = stream.set_nodelay(true);
            if !self.host.is_tls {
                return spoken(stream).await;
            }
            let name = ServerName::try_from(self.host.name.clone()).map_err(|_| "no such address")?;
            spoken(self.tls()?.connect(name, stream).await.map_err(|_| "not trusted")?).await
        };
        match self.patience {
            Some(patience) => tokio::time::timeout(patience, opening).await.unwrap_or(Err("timed out")),
            None => opening.await,
        }
    }
}

/// A connection over `stream`, driven by a task of its own until one side closes it.
async fn spoken<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Sender, &'static str> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| "not reached")?;
    tokio::spawn(async move {
        // A request that waits for its answer gets the error.
        let _ = connection.await;
    });
    Ok(sender)
}

/// The same connections for what the SDK's client sends.
#[derive(Clone, Debug)]
pub(crate) struct Connector(pub(crate) Arc<Pool>);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let pool = self.0.clone();
        HttpConnectorFuture::new(async move {
            let (mut head, body) =
                request.try_into_http1x().map_err(|why| ConnectorError::user(why.into()))?.into_parts();
            let body =
                body.bytes().map(Bytes::copy_from_slice).ok_or_else(|| ConnectorError::user("a stream".into()))?;
            head.uri = head.uri.into_parts().path_and_query.map(Uri::from).unwrap_or_default();
            head.headers.insert(HOST, pool.host.header.clone());
            if let Some(asked) = head.extensions.get::<CaptureSmithyConnection>() {
                // The SDK asks for a way to give up the connection of a server in trouble. The pool has done that already.
                asked.set_connection_retriever(|| {
                    Some(ConnectionMetadata::builder().proxied(false).poison_fn(|| ()).build())
                });
            }
            let answer = pool.send(Request::from_parts(head, Full::new(body))).await;
            let answer = answer.map_err(|why| ConnectorError::io(why.into()))?;
            HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|why| ConnectorError::other(why.into(), None))
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

    use super::*;

    /// Answers each request with the number of its connection and its path, and waits before it answers `/slow`.
    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) {
        let mut bytes = Vec::new();
        while stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
            assert!(head.contains("\r\nhost: localhost"), "{head}");
            let path = head.split(' ').nth(1).unwrap();
            let body = match path {
                "/long" => "x".repeat(MAX_ANSWER_BYTES + 1),
                path => format!("{connection} {path}"),
            };
            if path == "/slow" {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }

    /// A server, with TLS if it has a certificate, and a pool of connections to it.
    async fn server(tls: Option<CertifiedKey<rcgen::KeyPair>>) -> Pool {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let host = Host::of(&format!("{scheme}://localhost:{port}/").parse().unwrap()).unwrap();
        let pool = Pool::new(host, Roots::Amazon, Some(Duration::from_secs(20)));
        let acceptor = tls.map(|tls| {
            let key = PrivatePkcs8KeyDer::from(tls.signing_key.serialize_der()).into();
            let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
            let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
            TlsAcceptor::from(Arc::new(config.with_single_cert(vec![tls.cert.der().clone()], key).unwrap()))
        });
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                match acceptor.clone() {
                    None => drop(tokio::spawn(answer(stream, connection))),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            answer(stream, connection).await;
                        }
                    })),
                }
            }
        });
        pool
    }

    async fn ask(pool: &Pool, path: &str) -> Result<String, &'static str> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert(HOST, pool.host().clone());
        let answer = pool.send(request).await?;
        assert_eq!(answer.status(), StatusCode::OK);
        Ok(String::from_utf8(answer.into_body().to_vec()).unwrap())
    }

    #[test]
    fn a_host_is_taken_from_its_url() {
        let of = |url: &str| Host::of(&url.parse().unwrap());
        let host = |is_tls, name: &str, port, header: &str| {
            Some(Host { is_tls, name: name.to_owned(), port, header: header.parse().unwrap() })
        };
        let name = "a1b2c3.execute-api.eu-central-1.amazonaws.com";
        assert_eq!(of(&format!("https://{name}/v1")), host(true, name, 443, name));
        assert_eq!(of("http://localhost:4566/_aws"), host(false, "localhost", 4566, "localhost:4566"));
        assert_eq!(of("https://h:443"), host(true, "h", 443, "h"));
        assert_eq!(of("http://h:443"), host(false, "h", 443, "h:443"));
        assert_eq!(of("http://h:80"), host(false, "h", 80, "h"));
        assert_eq!(of("https://h:80"), host(true, "h", 80, "h:80"));
        assert_eq!(of("http://[::1]:8080/"), host(false, "::1", 8080, "[::1]:8080"));
        for none in ["/v1", "h", "ftp://h/"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_request_and_each_carries_one_at_a_time() {
        let pool = server(None).await;
        for path in ["/a", "/b"] {
            assert_eq!(ask(&pool, path).await.unwrap(), format!("0 {path}"));
        }
        let mut answers = futures_util::future::join_all([(); 3].map(|()| ask(&pool, "/c"))).await;
        answers.sort_unstable();
        assert_eq!(answers, [0, 1, 2].map(|n| Ok(format!("{n} /c"))));
        assert_eq!(pool.connections().len(), 3);
    }

    /// A later request must not get the answer to one that was given up.
    #[tokio::test]
    async fn a_request_that_is_given_up_takes_its_connection_with_it() {
        let pool = server(None).await;
        assert_eq!(ask(&pool, "/a").await.unwrap(), "0 /a");
        let slow = tokio::time::timeout(Duration::from_millis(50), ask(&pool, "/slow")).await;
        assert!(slow.is_err(), "{slow:?}");
        assert_eq!(ask(&pool, "/b").await.unwrap(), "1 /b");
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_long_is_not_used_again() {
        let pool = server(None).await;
        let _ = futures_util::future::join_all([(); 3].map(|()| ask(&pool, "/a"))).await;
        for kept in pool.connections().iter_mut() {
            kept.since = kept.since.checked_sub(POOL_IDLE).unwrap();
        }
        assert_eq!(ask(&pool, "/b").await.unwrap(), "3 /b");
        assert_eq!(pool.connections().len(), 1);
    }

    #[tokio::test]
    async fn of_connections_that_were_idle_for_long_none_stays() {
        let pool = server(None).await;
        let _ = futures_util::future::join_all([(); 3].map(|()| ask(&pool, "/a"))).await;
        for kept in pool.connections().iter_mut().take(2) {
            kept.since = kept.since.checked_sub(POOL_IDLE * 2).unwrap();
        }
        ask(&pool, "/b").await.unwrap();
        assert_eq!(pool.connections().len(), 1);
    }

    #[tokio::test]
    async fn a_burst_is_answered_and_opens_few_connections_at_once() {
        let pool = server(None).await;
        let burst = |pool| futures_util::future::join_all([(); 64].map(|()| ask(pool, "/c")));
        let answers = burst(&pool).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        // A server that takes connections, and no part in TLS.
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://127.0.0.1:{}/", silent.local_addr().unwrap().port());
        let waiting = Pool::new(Host::of(&url.parse().unwrap()).unwrap(), Roots::Amazon, None);
        let mut taken = Vec::new();
        let take = async {
            loop {
                taken.push(silent.accept().await.unwrap());
            }
        };
        let some_time = tokio::time::sleep(Duration::from_millis(500));
        tokio::select! { _ = burst(&waiting) => {}, () = take => {}, () = some_time => {} }
        assert!((1..=OPENING).contains(&taken.len()), "{}", taken.len());
    }

    /// Its connection would never be ready for another request.
    #[tokio::test]
    async fn a_server_that_answers_and_does_not_read_keeps_no_request_waiting() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let pool = Pool::new(Host::of(&url.parse().unwrap()).unwrap(), Roots::Amazon, None);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.read_buf(&mut Vec::with_capacity(1_000)).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
                open.push(stream);
            }
        });
        let mut long = Request::new(Full::new(Bytes::from(vec![b'x'; 64 << 20])));
        long.headers_mut().insert(HOST, pool.host().clone());
        assert_eq!(pool.send(long).await.unwrap().into_body(), "x");
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), ask(&pool, "/a")).await.unwrap().unwrap(), "x");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_cut_and_ends_its_connection() {
        let pool = server(None).await;
        assert_eq!(ask(&pool, "/long").await.unwrap(), "");
        assert_eq!(ask(&pool, "/b").await.unwrap(), "1 /b");
    }

    #[tokio::test]
    async fn a_host_with_a_certificate_is_asked_over_tls_if_it_is_trusted() {
        let tls = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut store = RootCertStore::empty();
        store.add(tls.cert.der().clone()).unwrap();
        let pool = server(Some(tls)).await;
        let stranger = Pool::new(pool.host.clone(), Roots::Amazon, None);
        assert_eq!(ask(&stranger, "/a").await, Err("not trusted"));
        let trusting = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let trusting = trusting.with_safe_default_protocol_versions().unwrap().with_root_certificates(store);
        assert!(pool.tls.set(TlsConnector::from(Arc::new(trusting.with_no_client_auth()))).is_ok());
        assert_eq!(ask(&pool, "/a").await.unwrap(), "1 /a");
        assert_eq!(ask(&pool, "/b").await.unwrap(), "1 /b");
    }

    #[tokio::test]
    async fn a_host_that_does_not_speak_costs_the_time_out_and_one_that_is_absent_an_error() {
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = |port: u16| format!("https://127.0.0.1:{port}/").parse().unwrap();
        let host = Host::of(&url(silent.local_addr().unwrap().port())).unwrap();
        let pool = Pool::new(host, Roots::Amazon, Some(Duration::from_millis(50)));
        assert_eq!(ask(&pool, "/a").await, Err("timed out"));
        let absent = Pool::new(Host::of(&url(1)).unwrap(), Roots::Amazon, None);
        assert_eq!(ask(&absent, "/a").await, Err("not reached"));
    }
}
