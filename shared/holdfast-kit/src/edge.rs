//! Around every HTTP request: what is checked before its handler, and what is done with the handler's answer.
//!
//! Whatever the event holds, the answer is the handler's or a problem document with a request id.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use holdfast_domain::{Code, Failure};
use serde_json::Value;

use crate::boot::Invocation;
use crate::config::{ConfigError, Env};
use crate::http::proxy::Cloudfront;
use crate::http::{Rejection, Request, Response, payload};
use crate::metrics;

/// What is the same for all requests of a function.
pub(crate) struct Edge {
    /// Empty where `ALLOWED_ORIGINS` is not set: then no origin is allowed.
    origins: Arc<[String]>,
    /// Set where every request has to come through a content delivery network.
    proxy: Option<Cloudfront>,
    /// The query parameters that the route takes.
    parameters: &'static [&'static str],
}

impl Edge {
    pub(crate) fn from_env(env: &Env, parameters: &'static [&'static str]) -> Result<Self, ConfigError> {
        Ok(Self { origins: env.list("ALLOWED_ORIGINS").into(), proxy: Cloudfront::from_env(env)?, parameters })
    }

    /// Answers one request in API Gateway's format.
    pub(crate) async fn answer<H, HF, E>(&self, invocation: &Invocation, handle: H) -> Value
    where
        H: FnOnce(Request) -> HF,
        HF: Future<Output = Result<Response, E>>,
        E: Into<Rejection>,
    {
        let Some(event) = payload::parse(invocation.payload.get()) else {
            let failure = Failure::new(Code::InvalidRequest, "The request cannot be read.");
            return refused(&Request::from_payload(&Value::Null, &invocation.id, &[]), failure.into());
        };
        let request = Request::from_payload(&event, &invocation.id, self.parameters).allowing(self.origins.clone());
        let viewer = self.proxy.as_ref().map(|proxy| proxy.viewer(&request)).transpose();
        let request = match viewer {
            Ok(address) => request.seen_from(address.flatten()),
            Err(failure) => return refused(&request, failure.into()),
        };
        let outcome = match tokio::time::timeout(invocation.budget, caught(|| handle(request.clone()))).await {
            Ok(Some(outcome)) => outcome.map_err(Into::into),
            Ok(None) => {
                Err(Failure::new(Code::Internal, "The request failed; it may or may not have happened.").into())
            }
            Err(_) => {
                let detail = "The request took too long; it may or may not have happened.";
                Err(Failure::new(Code::Unavailable, detail).into())
            }
        };
        // A handler refuses a query that its route does not take when it reads the form. Here nothing is forgotten.
        match outcome.and_then(|response| request.only_known_query().map(|()| response).map_err(Into::into)) {
            Ok(response) if request.method() == "HEAD" => response.without_body().into_event(request.id()),
            Ok(response) => response.into_event(request.id()),
            Err(rejection) => refused(&request, rejection),
        }
    }
}

fn refused(request: &Request, rejection: Rejection) -> Value {
    let Rejection { failure, expire_tokens, headers } = rejection;
    metrics::count(failure.code.text());
    let (code, route, request_id) = (failure.code.text(), request.route(), request.id());
    if failure.code.status() >= 500 {
        tracing::error!(code, detail = %failure.detail, %route, %request_id, "request failed");
    } else {
        tracing::info!(code, %route, %request_id, "request refused");
    }
    let mut response = Response::problem(&failure, request.id());
    for (name, value) in headers {
        response = response.with_header(name, value);
    }
    if expire_tokens && request.no_foreign_origin().is_ok() {
        response = response.without_tokens();
    }
    if request.method() == "HEAD" {
        response = response.without_body();
    }
    response.into_event(request.id())
}

/// Runs a handler; nothing where it panics. What it was doing is dropped, as after a timeout.
async fn caught<F: Future>(start: impl FnOnce() -> F) -> Option<F::Output> {
    let mut running = pin!(catch_unwind(AssertUnwindSafe(start)).ok()?);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}
