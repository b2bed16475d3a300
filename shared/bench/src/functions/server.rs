//! An HTTP server of this process, for what functions talk to.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{Done, text};

/// A server with a port and a thread of its own. It runs until the process ends.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Server {
    /// Closes all connections, as a server does whose clients are silent for long.
    pub(super) fn close_connections(&self) {
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            connection.abort();
        }
    }
}

/// Starts a server that answers every request.
pub(super) fn start<A>(answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static) -> Done<Server>
where
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (tell, told) = mpsc::channel();
    let connections = Arc::new(Mutex::new(Vec::new()));
    let opened: Arc<Mutex<Vec<AbortHandle>>> = connections.clone();
    std::thread::spawn(move || -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(text)?;
            tell.send(listener.local_addr().map_err(text)?).map_err(text)?;
            loop {
                let (stream, _) = listener.accept().await.map_err(text)?;
                stream.set_nodelay(true).map_err(text)?;
                let answer = answer.clone();
                let served = tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answered = answer(request);
                        async move { Ok::<_, Infallible>(answered.await) }
                    });
                    // A function that is stopped closes its connection at any time.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.retain(|connection| !connection.is_finished());
                opened.push(served.abort_handle());
            }
        })
    });
    let address = told.recv_timeout(Duration::from_secs(10)).map_err(|_| "a server did not start")?;
    Ok(Server { address, connections })
}
