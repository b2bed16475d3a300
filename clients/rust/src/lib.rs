//! The kit for back ends: verifies Holdfast sessions, publishes messages, and creates sessions. README.md has examples.
//!
//! [`Holdfast`] is the client. [`SessionLayer`] lets only requests with a live session reach a service, and [`Session`] is an
//! extractor for axum. An [`Error`] says which reaction it needs, and an outage is never the same as "signed out".
#![forbid(unsafe_code)]

// Each module uses those after it.
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tower")]
mod layer;

mod function;

mod client;
mod transport;

mod retries;
mod signing;

mod answers;
mod calls;
mod requests;
mod tokens;

mod error;

#[cfg(test)]
mod tests;

pub use answers::{Identity, NewSession, Published, Session, Tokens};
pub use calls::{ClientOfUser, Message, NewSessionRequest, Transport};
pub use client::{Builder, Holdfast};
pub use error::{Error, ErrorKind};
pub use function::{CreateSession, CreateSessionBuilder};
#[cfg(feature = "tower")]
pub use layer::{SessionLayer, SessionService};

/// The programs of README.md are compiled.
#[cfg(all(doctest, feature = "axum", feature = "lambda_http"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
