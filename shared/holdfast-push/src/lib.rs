//! Push: what a channel, a frame and a socket are, and what may happen to a message on its way. Pure: no I/O, no clock,
//! no JSON.
//!
//! # Layout
//! * [`ids`], [`channel`], [`data`]: the vocabulary.
//! * [`frame`]: what is said on a socket. [`close`]: why one is closed, and the request to close it.
//! * [`socket`]: a connection's rows and the judgements over them. [`ticket`]: what opens one.
//! * [`message`], [`publish`]: what is sent, and the door it comes in by.
//! * [`job`], [`outcome`]: what the queue carries, and what becomes of each post.
//! * [`ports`]: what push needs from outside. [`service`]: the use cases over the ports.

pub mod close;
pub mod ids;

pub use ids::ConnectionId;
