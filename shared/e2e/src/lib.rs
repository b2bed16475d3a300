//! Holdfast from the outside: a client of the deployed system that knows its contract and nothing of its code.
//!
//! It depends on no other crate of the workspace, so that a mistake made on both sides of the wire cannot hide.
//!
//! * [`Deployment`]: what `make deploy` wrote into `outputs.json`
//! * [`Api`]: every HTTP route, one function each; answers are [`Reply`]s that can say what they should have been
//! * [`Socket`]: a WebSocket client that waits for frames by type
//! * [`Person`]: random test data, so that runs never meet
//! * [`path`]: the whole path through the system, as `holdfast-smoke` runs it

mod api;
mod deployment;
mod fault;
mod http;
mod person;
mod sign;
mod socket;

pub mod path;

pub use api::{Api, SignIn, SignedIn};
pub use deployment::{Authorizer, Deployment, Queues, Tables};
pub use fault::Fault;
pub use http::{Call, Http, Reply};
pub use person::{Person, random_text};
pub use sign::Signer;
pub use socket::{Handshake, Socket};
