//! End to end: what a running deployment does, seen from outside, and what it leaves behind in its tables and queues.
//!
//! `HOLDFAST_OUTPUTS` names the `outputs.json` of a deployment on the local cloud. Everybody in these tests is made up
//! anew each time, so they run in any order, side by side, and again.
//!
//! Failed passwords are the one thing that runs have in common: all come from 127.0.0.1, and a network has 100 in 15
//! minutes. One run of everything here uses 12 (see `attempts.rs`).

#![allow(clippy::unwrap_used, reason = "all of this is tests, also what has no #[test] on it")]

mod admin;
mod attempts;
mod channels;
mod contract;
mod cookies;
mod crowd;
mod events;
mod iam;
mod mfa;
mod password;
mod path;
mod push;
mod race;
mod refresh;
mod sessions;
mod sockets;
mod store;
mod storm;
mod subscribers;
mod world;
