//! The heads of shared channels that a process keeps, so that a thousand pings are not a thousand reads. A head that is
//! some seconds old only delays a client's `hello` until the next message of the channel, or its next socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_sessions::Millis;

use crate::channel::{Channel, Position};

/// How long a head is kept before it is read again.
const KEEP_MILLIS: i64 = 5_000;
/// The number of channels that are kept at once. One more drops all of them.
const MOST: usize = 1_000;

/// Heads of shared channels. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Heads(Arc<Mutex<HashMap<Channel, (Position, Millis)>>>);

impl Heads {
    /// The head, if it was read within the last seconds.
    pub(super) fn known(&self, channel: &Channel, now: Millis) -> Option<Position> {
        let heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // If the clock was set back, a head that seems to be read in the future is not used.
        let fresh = |read: Millis| read <= now && now < read.plus_millis(KEEP_MILLIS);
        heads.get(channel).filter(|(_, read)| fresh(*read)).map(|(head, _)| *head)
    }

    pub(super) fn learn(&self, channel: &Channel, head: Position, now: Millis) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= MOST && !heads.contains_key(channel) {
            heads.clear();
        }
        heads.insert(channel.clone(), (head, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    #[test]
    fn a_head_is_known_for_five_seconds() {
        let heads = Heads::default();
        let head = Position { epoch: Epoch::from_bytes([1; 8]), offset: 3 };
        heads.learn(&Channel::Broadcast, head, Millis::new(1_000));
        assert_eq!(heads.known(&Channel::Broadcast, Millis::new(5_999)), Some(head));
        assert_eq!(heads.known(&Channel::Broadcast, Millis::new(6_000)), None);
        assert_eq!(heads.known(&Channel::Broadcast, Millis::new(0)), None);
    }

    #[test]
    fn as_many_heads_are_remembered_as_there_is_room_for() {
        let heads = Heads::default();
        let topic = |n: usize| Channel::Topic(format!("t{n}").parse().unwrap());
        let head = |offset| Position { epoch: Epoch::from_bytes([1; 8]), offset };
        let known = |n: usize| heads.known(&topic(n), Millis::new(0)).map(|head| head.offset);
        for n in 0..MOST {
            heads.learn(&topic(n), head(1), Millis::new(0));
        }
        assert!((0..MOST).all(|n| known(n) == Some(1)));
        heads.learn(&topic(3), head(2), Millis::new(0));
        assert_eq!((known(3), known(4)), (Some(2), Some(1)), "one that is known needs no room");
        heads.learn(&topic(MOST), head(1), Millis::new(0));
        assert_eq!((known(MOST), known(3)), (Some(1), None), "one more, and all others are forgotten");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let heads = Heads::default();
        let head = Position { epoch: Epoch::from_bytes([1; 8]), offset: 3 };
        for n in 0..5 * MOST {
            heads.learn(&Channel::Topic(format!("t{n}").parse().unwrap()), head, Millis::new(0));
        }
        assert!(heads.0.lock().unwrap().len() <= MOST);
    }
}
