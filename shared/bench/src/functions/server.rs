//! An HTTP server of this process, for what functions talk to.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Done, text};

/// Serves requests until the process ends, on a port and a thread of its own. Returns the address.
pub(super) fn start<A>(answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static) -> Done<SocketAddr>
where
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(text)?;
            tell.send(listener.local_addr().map_err(text)?).map_err(text)?;
            loop {
                let (stream, _) = listener.accept().await.map_err(text)?;
                stream.set_nodelay(true).map_err(text)?;
                let answer = answer.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answered = answer(request);
                        async move { Ok::<_, Infallible>(answered.await) }
                    });
                    // A function that is stopped closes its connection at any time.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
    });
    told.recv_timeout(Duration::from_secs(10)).map_err(|_| "a server did not start".into())
}
