//! Push: what a channel, a frame and a socket are, and what may happen to a message on its way. Pure: no I/O, no clock,
//! no JSON.
//!
//! # Layout
//! * [`ids`], [`channel`], [`data`]: the vocabulary.
//! * [`frame`]: what is said on a socket. [`close`]: why one is closed, and the request to close it.
//! * [`socket`]: a connection's rows and the judgements over them. [`ticket`]: what opens one.
//! * [`message`], [`publish`]: what is sent, and the door it comes in by.
//! * [`job`], [`outcome`], [`budget`]: what the queues carry, what an answer to a post means, how fast posts may go.
//! * [`ports`]: what push needs from outside. [`service`]: the use cases over the ports.

pub mod budget;
pub mod channel;
pub mod close;
pub mod data;
pub mod frame;
pub mod ids;
pub mod job;
pub mod message;
pub mod outcome;
pub mod ports;
pub mod presence;
pub mod publish;
pub mod service;
pub mod socket;
pub mod ticket;

pub use channel::{Channel, Position, Topic};
pub use ids::{ConnectionId, Epoch, MessageId};
