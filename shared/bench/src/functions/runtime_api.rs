//! Lambda's Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) for one function at a time, on a thread of
//! its own. It gives one event after another and takes the time from an event to its answer.

use std::convert::Infallible;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Done;

/// A function that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a function did, and when.
enum Said {
    /// It asked for an event.
    Asked(Instant),
    /// It got an event.
    Got(Instant),
    /// It answered, or failed.
    Answered(Instant, Result<Bytes, String>),
}

/// A Runtime API with its own port.
pub(super) struct RuntimeApi {
    /// `127.0.0.1:<port>`, the value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) address: String,
    events: UnboundedSender<Bytes>,
    said: mpsc::Receiver<Said>,
}

struct State {
    events: Mutex<UnboundedReceiver<Bytes>>,
    say: mpsc::Sender<Said>,
}

impl RuntimeApi {
    pub(super) fn start() -> Done<Self> {
        let (events, queue) = unbounded_channel();
        let (say, said) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let state = Arc::new(State { events: Mutex::new(queue), say });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(super::text)?;
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(super::text)?;
                tell.send(listener.local_addr().map_err(super::text)?.to_string()).map_err(super::text)?;
                loop {
                    let (stream, _) = listener.accept().await.map_err(super::text)?;
                    stream.set_nodelay(true).map_err(super::text)?;
                    let state = state.clone();
                    tokio::spawn(async move {
                        let service = hyper::service::service_fn(|request| serve(state.clone(), request));
                        // A function that is stopped while it waits for an event ends its connection.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                #[allow(unreachable_code)]
                Done::Ok(())
            })
        });
        let address = told.recv_timeout(Duration::from_secs(10)).map_err(|_| "the Runtime API did not start")?;
        Ok(Self { address, events, said })
    }

    /// Waits until the function asks for its first event.
    pub(super) fn first_poll(&self) -> Done<Instant> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(Said::Asked(at)) => Ok(at),
            Ok(_) => Err("the function answered before it asked".into()),
            Err(_) => Err("the function did not ask for an event".into()),
        }
    }

    /// Gives one event to a function that has asked for it. Returns its answer and the time from one to the other, after the function
    /// has asked again.
    pub(super) fn invoke(&self, event: &Bytes) -> Done<(Duration, Bytes)> {
        self.events.send(event.clone()).map_err(super::text)?;
        let (mut began, mut answer) = (None, None);
        loop {
            match self.said.recv_timeout(PATIENCE).map_err(|_| "the function did not answer")? {
                Said::Got(at) => began = Some(at),
                Said::Answered(at, said) => answer = Some((at, said?)),
                Said::Asked(_) => {
                    let (Some(began), Some((ended, answer))) = (began, answer) else {
                        return Err("the function asked for the next event without an answer".into());
                    };
                    return Ok((ended - began, answer));
                }
            }
        }
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/runtime/invocation/next") {
        let _ = state.say.send(Said::Asked(Instant::now()));
        let Some(event) = state.events.lock().await.recv().await else { return Ok(Response::default()) };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_secs(30);
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:measured")
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
            .body(Full::new(event));
        let _ = state.say.send(Said::Got(Instant::now()));
        return Ok(response.unwrap_or_default());
    }
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => Bytes::from(error.to_string()),
    };
    let ended = Instant::now();
    let said =
        if path.ends_with("/response") { Ok(body) } else { Err(format!("{path}: {}", String::from_utf8_lossy(&body))) };
    let _ = state.say.send(Said::Answered(ended, said));
    let mut response = Response::default();
    *response.status_mut() = hyper::StatusCode::ACCEPTED;
    Ok(response)
}
