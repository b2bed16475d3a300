//! The JSON of queue messages. Each carries its version `v`; a reader refuses what it does not know, so that an old
//! consumer never guesses at a new message.

mod close;
mod job;
mod publish;

use std::fmt;

use holdfast_push::job::Job;
use holdfast_push::publish::Queued;

pub use close::{close_request_from_json, close_request_to_json};
pub use job::{job_from_json, job_to_json};
pub use publish::{MessageOrigin, PublishBody, publish_from_json, queued_to_json};

/// The version all messages have so far.
const VERSION: u32 = 1;

/// What a record of the queue `push` or `broadcast` asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A piece of work of the fan-out.
    Job(Job),
    /// A publish of a producer that uses the queue.
    Publish(Queued),
}

/// Reads the body of a record. A piece of work is decoded once. Only a record that is none is read as a publish.
///
/// # Errors
/// Refuses a body that is neither, or of another version.
pub fn work_from_json(body: &str, handed: MessageOrigin<'_>) -> Result<Work, Unreadable> {
    job_from_json(body)
        .map(Work::Job)
        .or_else(|no_job| publish_from_json(body, handed).map_or(Err(no_job), |queued| queued.map(Work::Publish)))
}

/// A body that is not a message of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable message: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use holdfast_sessions::Millis;

    use super::*;

    #[test]
    fn a_body_that_cannot_be_read_says_what_is_wrong_with_it() {
        assert_eq!(Unreadable("not a push job").to_string(), "unreadable message: not a push job");
    }

    #[test]
    fn a_body_is_a_piece_of_work_a_publish_or_unreadable() {
        let handed = MessageOrigin { record: "m1", sender: "x", sent_at: Millis::new(7) };
        let read = |body: &str| work_from_json(body, handed);
        let message = r#""message":{"id":"AAAAAAAAAAAAAAAAAAAAAA","kind":"publish","data":1,"sentAt":1,"expiresAt":2,"ephemeral":false}"#;
        let job = format!(r#"{{"v":1,"kind":"channel",{message},"channel":"broadcast"}}"#);
        assert_eq!(read(&job), job_from_json(&job).map(Work::Job));
        let publish = r#"{"v":1,"kind":"publish","publish":{"to":{"broadcast":true},"kind":"users","data":1}}"#;
        assert_eq!(Some(read(publish)), publish_from_json(publish, handed).map(|queued| queued.map(Work::Publish)));
        assert!(matches!(read(publish), Ok(Work::Publish(_))));
        for (body, error) in [
            ("", "not a push job"),
            (
                r#"{"v":2,"kind":"publish","publish":{"to":{"broadcast":true},"kind":"n","data":1}}"#,
                "of another version",
            ),
            (r#"{"v":1,"kind":"publish","publish":{"to":{},"kind":"n","data":1}}"#, "a publish that would be refused"),
            (&job.replace(r#""v":1"#, r#""v":2"#), "of another version"),
        ] {
            assert_eq!(read(body), Err(Unreadable(error)), "{body}");
        }
    }
}
