//! What every Lambda of Holdfast shares: boot, configuration, HTTP and WebSocket edges, logs, metrics, deadlines.
//!
//! A function is `fn main() -> ExitCode { boot::http(init, handle) }` and a handler
//! `async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure>`. Only the edges in here know
//! JSON, statuses and events; only [`config::Env`] reads the environment.

pub mod authorizer;
pub mod boot;
pub mod config;
pub mod cookies;
mod edge;
pub mod events;
pub mod host;
pub mod http;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod recording;
pub mod stream;
pub mod websocket;
pub mod wire;

pub use config::{ConfigError, Env};
pub use host::System;
pub use http::{Rejection, Request, Response, problem};
