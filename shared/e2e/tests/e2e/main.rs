//! End to end: what a running deployment does, seen from outside, and what it leaves behind in its tables and queues.
//!
//! `HOLDFAST_OUTPUTS` names the `outputs.json` of a deployment on the local cloud. Every test makes up its own users,
//! so the tests run in any order, side by side, and again.
//!
//! Failed passwords are the one thing that runs have in common: all requests over HTTP come from 127.0.0.1, and a
//! network has 100 failures in 15 minutes. One run of everything here uses about 30, and tests that use several give
//! them back first (`World::clear_network`). The local cloud reports 127.0.0.1 for every client. So attackers from
//! other networks invoke the functions with an event that names their address (`World::request_from`).

#![allow(clippy::unwrap_used, reason = "all of this is tests, also what has no #[test] on it")]

mod admin;
mod attacks;
mod attempts;
mod channels;
mod contract;
mod cookies;
mod crowd;
mod devices;
mod events;
mod guessing;
mod iam;
mod mfa;
mod password;
mod path;
mod protected;
mod push;
mod race;
mod refresh;
mod sessions;
mod sockets;
mod store;
mod storm;
mod subscribers;
mod text;
mod thief;
mod world;
