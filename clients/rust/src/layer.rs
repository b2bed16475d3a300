//! The layer: only requests with a live session reach the service.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use crate::answers::Session;
use crate::client::Holdfast;
use crate::error::{Error, ErrorKind};

/// Lets only requests with a live session through, and puts the [`Session`] into their extensions.
///
/// It answers every other request itself, with a problem document (RFC 9457). The status is [`Error::http_status`]. The
/// [`Error`] is in the extensions of the answer, and an event of `tracing` reports it unless it is about the caller.
///
/// A preflight of CORS has no session, so put a layer for CORS around this one.
#[derive(Clone, Debug)]
pub struct SessionLayer {
    holdfast: Holdfast,
    require_mfa: bool,
    max_age: Option<Duration>,
}

impl SessionLayer {
    /// A layer that requires a live session.
    #[must_use]
    pub fn new(holdfast: Holdfast) -> Self {
        Self { holdfast, require_mfa: false, max_age: None }
    }

    /// Also requires that the session has shown a second factor at any time. Others get 403 `REAUTHENTICATION_REQUIRED`.
    #[must_use]
    pub fn require_mfa(mut self) -> Self {
        self.require_mfa = true;
        self
    }

    /// Also requires that the user was authenticated at most this long ago. Others get 403 `REAUTHENTICATION_REQUIRED`.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    async fn check(&self, tokens: Result<Vec<String>, Error>) -> Result<Session, Error> {
        let session = self.holdfast.verify_any(tokens?).await?;
        let lacks = |what| Err(Error::new(ErrorKind::ReauthenticationRequired, "REAUTHENTICATION_REQUIRED", what));
        if self.require_mfa && !session.mfa_verified {
            return lacks("This API needs a session that has shown a second factor.");
        }
        // A time in the future is that of another clock. Its age is none.
        let age = self.holdfast.time_of_day().duration_since(session.authenticated_at).unwrap_or_default();
        if self.max_age.is_some_and(|longest| age >= longest) {
            return lacks("This API needs a more recent authentication.");
        }
        Ok(session)
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService { inner, layer: self.clone() }
    }
}

/// The service of a [`SessionLayer`].
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    layer: SessionLayer,
}

impl<S, B, A> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    A: From<String> + 'static,
{
    type Response = Response<A>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The instance that is ready goes with the request.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        let tokens = layer.holdfast.tokens(request.method(), request.headers(), request.extensions());
        Box::pin(async move {
            match layer.check(tokens).await {
                Ok(session) => {
                    request.extensions_mut().insert(session);
                    inner.call(request).await
                }
                Err(error) => Ok(problem(error)),
            }
        })
    }
}

/// The answer to a request that does not reach the service. Details of an outage are for the log, not for strangers.
pub(crate) fn problem<A: From<String>>(error: Error) -> Response<A> {
    let status = error.http_status();
    let is_trouble = status.is_server_error();
    if is_trouble {
        let (code, detail, request_id) = (error.code(), error.detail(), error.request_id());
        tracing::error!(code, detail, request_id, "the session of a request could not be verified");
    }
    let (code, title, detail) = match error.kind() {
        ErrorKind::NoSession => (error.code(), "A valid access token is required", error.detail()),
        ErrorKind::CrossSiteRequest => (error.code(), "Not allowed", error.detail()),
        ErrorKind::ReauthenticationRequired => (error.code(), "Sign in again to make this change", error.detail()),
        ErrorKind::Unavailable => {
            ("UNAVAILABLE", "Temporarily unavailable", "The session cannot be verified. Try again later.")
        }
        ErrorKind::Configuration | ErrorKind::Refused => {
            ("INTERNAL", "Something went wrong on our side", "The session cannot be verified.")
        }
    };
    let mut body = json!({
        "type": format!("urn:holdfast:problem:{code}"), "title": title, "status": status.as_u16(), "code": code, "detail": detail,
    });
    let mut answer = Response::new(());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if error.kind() == ErrorKind::NoSession {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if error.kind() == ErrorKind::Unavailable {
        let wait = error.retry_after().map_or(1, |wait| wait.as_secs().max(1));
        headers.insert(RETRY_AFTER, wait.into());
        body["retryAfterSeconds"] = wait.into();
    }
    answer.extensions_mut().insert(error);
    answer.map(|()| A::from(body.to_string()))
}
