//! The Rust kit for back ends, with the real handler of introspection behind it, in one process.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use holdfast_client::{ErrorKind, Holdfast, SessionLayer};
use holdfast_runtime::recording::answered;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_testkit::suites::sessions::real_now;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::*;

/// A back end whose requests pass the kit's layer. Its Holdfast is the handler of introspection on a port of this machine.
#[derive(Clone)]
pub(super) struct Kit {
    patient: Holdfast,
    /// Gives up after the first answer. A repeat would answer the same here.
    hasty: Holdfast,
    /// What the last answer was moved by, in milliseconds.
    moved: Rc<Cell<i64>>,
}

/// What came of a request.
pub(super) enum Passed {
    /// The session that the service inside has seen.
    In(holdfast_client::Session),
    /// The status and the code of the layer's own answer.
    Refused(u16, String),
}

impl Kit {
    /// Starts the server of the kit. It ends with the tasks of this thread.
    pub(super) async fn before<S, C, H>(sessions: Sessions<S, C, H>) -> Self
    where
        S: SessionStore + 'static,
        C: SessionCache + 'static,
        H: Clock + Rng + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sessions, moved) = (Rc::new(sessions), Rc::new(Cell::new(0)));
        let of_server = moved.clone();
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (sessions, moved) = (sessions.clone(), of_server.clone());
                let service =
                    hyper::service::service_fn(move |request| serve(sessions.clone(), moved.clone(), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::task::spawn_local(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        let client = |seconds| {
            Holdfast::builder(&url)
                .region("eu-central-1")
                .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
                .allowed_origins([PAGE])
                .timeout(Duration::from_secs(seconds))
                .build()
                .expect("a client")
        };
        // An answer of 503 asks to wait for a second, which does not fit into one.
        Self { patient: client(60), hasty: client(1), moved }
    }

    pub(super) fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.patient.clone())
    }

    /// A layer that is asked while the store fails.
    pub(super) fn hasty_layer(&self) -> SessionLayer {
        SessionLayer::new(self.hasty.clone())
    }

    /// When the user of a session was authenticated, by the clock of the story.
    pub(super) fn authenticated_at(&self, session: &holdfast_client::Session) -> Millis {
        let since = session.authenticated_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::new(i64::try_from(since.as_millis()).unwrap_or_default()).plus_millis(-self.moved.get())
    }
}

/// Sends a request through a layer to a service that only notes whom it has seen.
pub(super) async fn pass(layer: &SessionLayer, method: &str, headers: &[(&str, &str)]) -> Passed {
    let inside = service_fn(|request: http::Request<()>| {
        let mut answer = http::Response::new(String::new());
        let session = request.extensions().get::<holdfast_client::Session>().expect("a session").clone();
        answer.extensions_mut().insert(session);
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let mut request = http::Request::builder().method(method).uri("/orders");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = layer.layer(inside).oneshot(request.body(()).expect("a request")).await.expect("infallible");
    if let Some(session) = answer.extensions().get::<holdfast_client::Session>() {
        return Passed::In(session.clone());
    }
    let error = answer.extensions().get::<holdfast_client::Error>().expect("a reason");
    assert!(
        !matches!(error.kind(), ErrorKind::Configuration | ErrorKind::Refused),
        "the kit and the handler do not understand each other: {error}"
    );
    let body: Value = serde_json::from_str(answer.body()).expect("a problem document");
    Passed::Refused(answer.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
}

async fn serve<S, C, H>(
    sessions: Rc<Sessions<S, C, H>>,
    moved: Rc<Cell<i64>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/sessions/introspect"));
    let signature = request.headers()["authorization"].to_str().expect("text").to_owned();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 "), "{signature}");
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let call = Call::new("POST", "/v1/sessions/introspect").json(&body).signed_by(SERVICE);
    let mut answer = answered(&env(), &[], &call, |request| introspect::handle(&sessions, request)).await;
    // The kit measures the age of an authentication by the clock of the machine, and stories have a clock of their own.
    if let Some(at) = answer.body.pointer_mut("/session/authenticatedAt") {
        moved.set(real_now().get() - sessions.host.now().get());
        let then: Millis = at.as_str().expect("text").parse().expect("a time");
        *at = then.plus_millis(moved.get()).to_string().into();
    }
    let mut response = http::Response::builder().status(u16::try_from(answer.status).expect("a status"));
    for (name, value) in answer.headers.as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = serde_json::to_vec(&answer.body).expect("JSON");
    Ok(response.body(Full::from(body)).expect("an answer"))
}

#[test]
fn a_time_of_a_story_is_moved_to_the_clock_of_the_machine() {
    let local = tokio::task::LocalSet::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    local.block_on(&runtime, async {
        let world = World::new().await;
        let kit = Kit::before(world.sessions()).await;
        world.host.advance_seconds(100);
        let bearer = format!("Bearer {}", world.access());
        let Passed::In(session) = pass(&kit.layer(), "GET", &[("authorization", &bearer)]).await else {
            panic!("refused");
        };
        assert_eq!(kit.authenticated_at(&session), world.session.slot.authenticated_at);
        let age = SystemTime::now().duration_since(session.authenticated_at).expect("in the past");
        assert!(age >= Duration::from_secs(100) && age < Duration::from_secs(160), "{age:?}");
    });
}
