//! From `main` to the first invocation, and around each one.
//!
//! A function that cannot start says why in one structured line and exits: it must never run half-configured. Around
//! each invocation: a budget derived from its deadline, the metrics record, and nothing left running behind it.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock as _, StoreError};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::config::{ConfigError, Env};
use crate::edge::{Edge, Invocation};
use crate::events::{Envelope, Event};
use crate::host::System;
use crate::http::{ApiGatewayResponse, Rejection, Request, Response, payload};
use crate::websocket::SocketEvent;
use crate::{log, metrics};

/// Kept back from an invocation's time for answering.
const RESERVE: Duration = Duration::from_millis(300);

/// An invocation that failed as a whole (queues and streams). HTTP failures are responses, never this.
#[derive(Debug)]
pub struct InvocationError(pub &'static str);

impl From<InvocationError> for Diagnostic {
    fn from(broken: InvocationError) -> Self {
        Diagnostic { error_type: "Holdfast".to_owned(), error_message: broken.0.to_owned() }
    }
}

/// Runs an HTTP route that takes no query parameters.
pub fn http<D, I, IF, H, HF, E>(init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    H: Fn(&'static D, Request) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<Rejection> + Send + 'static,
{
    http_with_query(&[], init, handle)
}

/// Runs an HTTP route that takes these query parameters. Every other parameter is refused.
pub fn http_with_query<D, I, IF, H, HF, E>(parameters: &'static [&'static str], init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    H: Fn(&'static D, Request) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<Rejection> + Send + 'static,
{
    let start = |env: Env| async move {
        let edge = Edge::from_env(&env, parameters)?;
        Ok((edge, init(env).await?))
    };
    invocations(start, move |(edge, deps): &'static (Edge, D), invocation: Invocation| {
        let handle = handle.clone();
        async move { Ok(Answer::Http(edge.answer(&invocation, |request| handle(deps, request)).await)) }
    })
}

/// Runs a WebSocket route. `handle` gets the time it may use; it answers with a status, frames go through @connections.
pub fn socket<D, I, IF, H, HF>(init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    H: Fn(&'static D, SocketEvent, Duration) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<Value, InvocationError>> + Send + 'static,
{
    invocations(init, move |deps: &'static D, invocation: Invocation| {
        let event = payload::parse(invocation.payload.get()).unwrap_or_default();
        let handling = handle(deps, SocketEvent::from_payload(&event), invocation.budget);
        async move { written(&handling.await?) }
    })
}

/// Runs a function that takes any event. `handle` gets the time it may use; when it does not keep to it, the invocation
/// fails as a whole.
pub fn event<D, I, IF, E, R, H, HF>(init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    H: Fn(&'static D, E, Duration) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<R, InvocationError>> + Send + 'static,
{
    invocations(init, move |deps: &'static D, invocation: Invocation| {
        let handle = handle.clone();
        async move {
            match serde_json::from_str::<E>(invocation.payload.get()) {
                Ok(payload) => written(&handle(deps, payload, invocation.budget).await?),
                Err(error) => {
                    tracing::error!(line = error.line(), category = ?error.classify(), "event is not of the expected form");
                    Err(InvocationError("the event is not of the expected form"))
                }
            }
        }
    })
}

/// What a function returns to Lambda. Of one type, so that Lambda's runtime is compiled once.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    /// Written once, by Lambda's runtime.
    Http(ApiGatewayResponse),
    Event(Box<RawValue>),
}

fn written(answer: &impl Serialize) -> Result<Answer, InvocationError> {
    to_raw_value(answer).map(Answer::Event).map_err(|_| InvocationError("the answer cannot be written"))
}

fn invocations<D, I, IF, H, HF>(init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    H: Fn(&'static D, Invocation) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<Answer, InvocationError>> + Send + 'static,
{
    let env = Env::of_process();
    log::start(env.optional("LOG_LEVEL"));
    metrics::start(env.optional("HOLDFAST_ENV").unwrap_or(""), env.optional("FUNCTION_KEY").unwrap_or(""));
    // One request at a time is what Lambda sends, and one thread serves it without any hand-over.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        tracing::error!("the async runtime could not be started");
        return ExitCode::FAILURE;
    };
    runtime.block_on(async move {
        let deps: &'static D = match init(env).await {
            Ok(deps) => Box::leak(Box::new(deps)),
            Err(error) => {
                tracing::error!(variable = error.variable, problem = error.problem, "configuration");
                return ExitCode::FAILURE;
            }
        };
        let running = run(Box::new(move |event| {
            let handle = handle.clone();
            Box::pin(async move {
                let LambdaEvent { payload, context } = event;
                let budget = budget(context.deadline, System.now());
                let result = handle(deps, Invocation { payload, id: context.request_id, budget }).await;
                metrics::flush(System.now().get());
                result
            })
        }));
        match running.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the Lambda runtime stopped");
                ExitCode::FAILURE
            }
        }
    })
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Handler = Box<dyn Fn(LambdaEvent<Box<RawValue>>) -> Boxed<Result<Answer, InvocationError>> + Send + Sync>;

/// Neither generic nor async: Lambda's runtime is compiled here, once, and not in every function.
fn run(handler: Handler) -> Pin<Box<dyn Future<Output = Result<(), lambda_runtime::Error>>>> {
    // Not `lambda_runtime::run`: it also opens a span for each invocation, and no line of our log shows spans.
    Box::pin(lambda_runtime::Runtime::new(service_fn(handler)).run())
}

/// Runs a subscriber of the event bus. An error makes Lambda deliver the event again. After the last try, Lambda puts
/// it into the subscription's dead-letter queue. An event that cannot be read fails in the same way.
pub fn subscriber<D, I, IF, H, HF>(init: I, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    I: FnOnce(Env) -> IF,
    IF: Future<Output = Result<D, ConfigError>>,
    H: Fn(&'static D, Event) -> HF + Clone + Send + Sync + 'static,
    HF: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    event(init, move |deps: &'static D, envelope: Envelope, budget| {
        let handle = handle.clone();
        async move { acknowledged(handle(deps, envelope.detail), budget).await }
    })
}

/// Acknowledges an event whose handler succeeded within `budget`. Every other end fails the invocation, so that Lambda
/// delivers the event again.
pub(crate) async fn acknowledged(
    handling: impl Future<Output = Result<(), StoreError>>,
    budget: Duration,
) -> Result<Value, InvocationError> {
    match tokio::time::timeout(budget, handling).await {
        Ok(Ok(())) => Ok(Value::Null),
        Ok(Err(error)) => {
            metrics::count("SubscriberRetried");
            tracing::error!(%error, "the event will be delivered again");
            Err(InvocationError("a store is in trouble"))
        }
        Err(_) => {
            metrics::count("SubscriberRetried");
            tracing::error!("out of time; the event will be delivered again");
            Err(InvocationError("out of time"))
        }
    }
}

/// What is left of an invocation that Lambda ends at `deadline_millis`, less [`RESERVE`]. An invocation that is late gets a moment
/// all the same: to answer that it is.
fn budget(deadline_millis: u64, now: Millis) -> Duration {
    let now = u64::try_from(now.get()).unwrap_or_default();
    Duration::from_millis(deadline_millis.saturating_sub(now)).saturating_sub(RESERVE).max(Duration::from_millis(50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_invocation_ends_before_its_deadline() {
        for (deadline, now, expected) in [
            (10_000, 0, 9_700),
            (1_790_000_010_000, 1_790_000_000_000, 9_700),
            (30_000, 1_000, 28_700),
            (10_000, 9_649, 51),
            (10_000, 9_650, 50),
            (10_000, 9_900, 50),
            (10_000, 10_000, 50),
            (10_000, 20_000, 50),
            (0, 1_790_000_000_000, 50),
        ] {
            assert_eq!(budget(deadline, Millis::new(now)), Duration::from_millis(expected), "{deadline} {now}");
        }
    }
}
