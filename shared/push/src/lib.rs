//! Push: channels, frames and sockets, and the rules for a message on its way. This crate is pure: it has no I/O, no
//! clock and no JSON parser.
//!
//! # Layout
//! * [`ids`], [`channel`], [`data`]: the vocabulary.
//! * [`frame`]: the frames of a socket.
//! * [`close`]: the reasons to close a socket, and the request to close it.
//! * [`socket`]: the rows of a connection, and the checks on them.
//! * [`ticket`]: the credential that opens a socket.
//! * [`message`], [`publish`]: the messages, and the requests that publish them.
//! * [`job`], [`outcome`], [`budget`]: the work in the queues, the meaning of an answer to a post, and the rate of
//!   posts.
//! * [`record`]: the records of queues, and their copies after a failure.
//! * [`ports`]: the traits that push needs from its environment.
//! * [`service`]: the use cases over the ports.

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
pub mod record;
pub mod service;
pub mod socket;
pub mod ticket;

pub use channel::{Channel, Position, Topic};
pub use ids::{ConnectionId, Epoch, MessageId};
