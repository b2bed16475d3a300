//! SQS behind the queue ports: sending, and the JSON of what is sent. Receiving is Lambda's business.

mod ports;
mod send;
pub mod wire;

pub use ports::{Closing, Lanes, LanesWithDeadLetters};
pub use send::{MAX_DELAY_SECONDS, Queue};
