//! The JSON of queue messages. Each carries its version `v`; a reader refuses what it does not know, so that an old
//! consumer never guesses at a new message.

mod close;
mod job;
mod publish;

use std::fmt;

pub use close::{close_request_from_json, close_request_to_json};
pub use job::{job_from_json, job_to_json};
pub use publish::{Handed, PublishBody, publish_from_json, queued_to_json};

/// The version all messages have so far.
const VERSION: u32 = 1;

/// A body that is not a message of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable message: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}
