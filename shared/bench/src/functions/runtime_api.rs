//! Lambda's Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) for one function at a time, on a thread of
//! its own. It gives one event after another and takes the time from an event to its answer.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Done, server};

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
        let state = Arc::new(State { events: Mutex::new(queue), say });
        let address = server::start(move |request| serve(state.clone(), request))?.address.to_string();
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
        self.give(event)?;
        self.answer()
    }

    /// Gives one event to a function that has asked for it, and does not wait.
    pub(super) fn give(&self, event: &Bytes) -> Done {
        self.events.send(event.clone()).map_err(super::text)
    }

    /// Waits for the answer to the event that was given, as [`RuntimeApi::invoke`] does.
    pub(super) fn answer(&self) -> Done<(Duration, Bytes)> {
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

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/runtime/invocation/next") {
        let _ = state.say.send(Said::Asked(Instant::now()));
        let Some(event) = state.events.lock().await.recv().await else { return Response::default() };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_secs(30);
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:measured")
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
            .body(Full::new(event));
        let _ = state.say.send(Said::Got(Instant::now()));
        return response.unwrap_or_default();
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
    response
}
