//! What a session is and what may happen to it: pure, without I/O, clocks or randomness of its own.
//!
//! Time, random bytes and stores come in as arguments: [`Clock`](ports::Clock), [`Rng`](ports::Rng) and the other ports.
//! No async runtime, AWS crate, Redis or serde may appear below this crate; `tests/boundaries.rs` in the testkit checks it.
//!
//! * [`time`], [`ids`], [`secret`], [`token`]: the vocabulary.
//! * [`text`], [`email`], [`device`]: text that people write, checked and compared.
//! * [`policy`]: limits and lifetimes, with the ranges that configuration may move them in.
//! * [`account`], [`session`], [`signin`], [`attempts`]: records, and the rules about them.
//! * [`claims`]: what services state about a user.
//! * [`mfa`]: the second factor.
//! * [`coordinator`]: the steps of a sign-in, and what each one does.
//! * [`slots`]: the choice of the slot that a sign-in takes.
//! * [`rotation`]: the check of a presented refresh token.
//! * [`cache`]: what may be cached, and for how long.
//! * [`breaker`]: when functions stop asking a cache.
//! * [`change`]: one transaction over a user's account, slots and devices.
//! * [`event`]: which change of an item is which event.
//! * [`ports`]: what the domain needs from outside.
//! * [`service`]: the use cases over the ports.

pub mod account;
pub mod attempts;
pub mod breaker;
pub mod cache;
pub mod change;
pub mod claims;
pub mod coordinator;
pub mod device;
pub mod email;
pub mod error;
pub mod event;
pub mod ids;
pub mod mfa;
pub mod policy;
pub mod ports;
pub mod rotation;
pub mod secret;
pub mod service;
pub mod session;
pub mod signin;
pub mod slots;
pub mod text;
pub mod time;
pub mod token;
pub mod trusted_device;

pub use error::{Code, Failure};
pub use ids::{DeviceId, LoginId, SessionId, SlotNo, UserId};
pub use secret::{Secret, TokenHash};
pub use time::Millis;
