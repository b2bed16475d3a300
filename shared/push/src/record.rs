//! Records of queues, as their readers receive them. After a failure of a store, a record is sent to its queue once more.
//!
//! SQS hides a failed record for the visibility time of its queue, which is six times the time-out of the reader (6 min). A
//! store fails for seconds. A copy with a short delay is therefore tried again much sooner.

use holdfast_sessions::Millis;
use holdfast_sessions::ports::StoreError;

use crate::job::retry_delay;

/// The number of copies of one record. Their delays together are 63 to 126 s. After the last one, the queue itself delivers
/// the record again, and dead-letters it after `maxReceiveCount` deliveries.
pub const MAX_COPIES: u32 = 6;

/// A record of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The name of the queue.
    pub queue: String,
    /// The text of the record.
    pub body: String,
    /// The id that SQS gave to the record, or to the first one of its copies. A publish takes its own id from it.
    pub id: String,
    /// The `SenderId` of the first record.
    pub sender: String,
    /// When the first record was sent.
    pub sent_at: Millis,
    /// The number of this copy. The first record has 0.
    pub copy: u32,
}

impl Received {
    /// Returns the copy to send after `error`, and its delay in seconds. Returns `None` if the queue itself must deliver
    /// the record again: a store that cannot read its own row does not recover, and the copies have an end.
    pub fn copy_after(self, error: &StoreError, random: u64) -> Option<(Self, u32)> {
        let copy = self.copy.saturating_add(1);
        let is_transient = !matches!(error, StoreError::Corrupt(_));
        (is_transient && copy <= MAX_COPIES).then(|| (Self { copy, ..self }, retry_delay(copy, random)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(copy: u32) -> Received {
        let text = || String::from("x");
        Received { queue: text(), body: text(), id: text(), sender: text(), sent_at: Millis::new(7), copy }
    }

    #[test]
    fn copies_of_a_record_come_later_each_time_and_have_an_end() {
        let away = StoreError::Unavailable("away".into());
        let mut record = received(0);
        let mut delays = Vec::new();
        while let Some((copy, delay)) = record.clone().copy_after(&away, 0) {
            assert_eq!(copy, Received { copy: record.copy + 1, ..record });
            delays.push(delay);
            record = copy;
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32]);
        for random in 0..100 {
            assert!(received(0).copy_after(&away, random).is_some_and(|(_, delay)| delay <= 2), "{random}");
        }
    }

    #[test]
    fn only_a_failure_that_may_pass_leads_to_a_copy() {
        let what = || String::from("what");
        for (error, copied) in [
            (StoreError::Unavailable(what()), true),
            (StoreError::Conflict(what()), true),
            (StoreError::Throttled(what()), true),
            (StoreError::Corrupt(what()), false),
        ] {
            assert_eq!(received(0).copy_after(&error, 0).is_some(), copied, "{error:?}");
        }
        assert_eq!(received(u32::MAX).copy_after(&StoreError::Unavailable(what()), 0), None);
    }
}
