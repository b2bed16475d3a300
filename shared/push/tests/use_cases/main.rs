//! The use cases of push, over ports in memory. Each test says what a user of the system may rely on.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod appends;
mod chains;
mod close;
mod connect;
mod dying;
mod fan_out;
mod frames;
mod history;
mod interleavings;
mod pace;
mod publish;
mod topics;
mod waits;
mod world;
