//! Tests against a server of the test's own, with an injected clock.

mod calls;
mod connections;
mod credentials;
mod errors;
mod function;
#[cfg(all(feature = "axum", feature = "lambda_http"))]
mod handlers;
#[cfg(feature = "tower")]
mod layer;
mod requests;
mod retries;
mod server;
mod signature;
