//! Appends messages to a channel, so that offsets have no gaps and no hole appears later. A message that may come again is
//! appended in one transaction with its id; one that does not is put behind the head before the head moves.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng, StoreError, StoreResult};

use super::pause;
use crate::channel::{Channel, Position};
use crate::ids::Epoch;
use crate::message::{Message, Recorded};
use crate::ports::{Appended, Channels};

/// The total time of the retries. After it the channel is too busy (`CHANNEL_BUSY` in docs/api.md).
const PATIENCE_MILLIS: i64 = 1_000;
const BASE_MILLIS: u64 = 8;
const CAP_MILLIS: u64 = 250;
/// A message that is behind the head for longer than this was given up by its publisher, and does not come into the channel.
const ABANDONED_MILLIS: i64 = 1_000;
/// The number of messages in one transaction. They need two items each and one for the head, of the 100 that DynamoDB
/// takes. At 32 KiB each they are well under its 4 MB.
const MAX_APPEND: usize = 40;

/// Reads the head of a channel, and begins the numbering if the channel was never used.
pub(super) async fn head_of<C: Channels, H: Clock + Rng>(
    channels: &C,
    host: &H,
    channel: &Channel,
) -> StoreResult<Position> {
    match channels.head(channel).await? {
        Some(head) => Ok(head),
        None => channels.begin(channel, Epoch::from_bytes(host.random()), host.now()).await,
    }
}

/// Appends one message, or finds it if it is already there. Returns [`StoreError::Conflict`] when the channel is
/// written too fast; then nothing is appended.
pub(super) async fn append<C: Channels, H: Clock + Rng>(
    channels: &C,
    host: &H,
    channel: &Channel,
    message: &Message,
) -> StoreResult<Position> {
    match append_all(channels, host, channel, &[message]).await?.first() {
        Some(at) => Ok(*at),
        None => Err(StoreError::Corrupt("an append of nothing".into())),
    }
}

/// Appends a message that no other call appends, and returns its place. Returns [`StoreError::Conflict`] when the channel
/// is written too fast. After an error, the message may be in the channel.
///
/// This takes two plain writes, which cost half of a transaction of the two. The message is put at the place after the
/// head, and then the head moves there. The place is free, or holds a message whose publisher has not moved the head
/// yet, so this call moves it for that one. Nothing up to the head changes any more. A transaction of [`append`] writes over what is
/// behind the head, such as a message that its publisher has given up. So where another call has moved the head, the place is read again.
pub(super) async fn append_unrepeated<C: Channels, H: Clock + Rng>(
    channels: &C,
    host: &H,
    channel: &Channel,
    message: &Message,
) -> StoreResult<Position> {
    let started = host.now();
    let mut attempt = 0;
    let mut tried: Option<Position> = None;
    loop {
        let head = head_of(channels, host, channel).await?;
        let place = Position { epoch: head.epoch, offset: head.offset + 1 };
        if let Some(tried) = tried.filter(|tried| tried.epoch == head.epoch && tried.offset <= head.offset) {
            let there = channels.message(channel, tried).await?;
            if there.is_some_and(|recorded| recorded.is(tried, message)) {
                return Ok(tried);
            }
        }
        if attempt > 0 && host.now() >= started.plus_millis(PATIENCE_MILLIS) {
            return Err(StoreError::Conflict("channel".into()));
        }
        match place_at(channels, host, channel, place, message).await {
            Ok(Placed::Appended) => return Ok(place),
            Ok(Placed::Unsure) | Err(StoreError::Conflict(_)) => tried = Some(place),
            // The transaction compares the head before it writes over anything.
            Ok(Placed::Blocked) => return append(channels, host, channel, message).await,
            Err(error) => return Err(error),
        }
        pause(host, attempt, BASE_MILLIS, CAP_MILLIS).await;
        attempt += 1;
    }
}

/// The result of one attempt at one place.
enum Placed {
    /// The message is in the channel.
    Appended,
    /// The message is in the channel or not; the place shows it as soon as the head has moved.
    Unsure,
    /// The place holds a message of another epoch, whose deletion DynamoDB has not got to, or one that was given up.
    Blocked,
}

async fn place_at<C: Channels, H: Clock>(
    channels: &C,
    host: &H,
    channel: &Channel,
    place: Position,
    message: &Message,
) -> StoreResult<Placed> {
    let there = match channels.record(channel, place, message).await? {
        None => Recorded { at: place, message: message.clone() },
        Some(there) if there.is(place, message) => there,
        Some(there) if there.at.epoch == place.epoch && !is_abandoned(&there.message, host.now()) => there,
        Some(_) => return Ok(Placed::Blocked),
    };
    let moved = match channels.advance(channel, &there).await {
        // Otherwise the message stays behind the head.
        Err(StoreError::Unavailable(_)) => channels.advance(channel, &there).await?,
        answer => answer?,
    };
    Ok(if moved && there.is(place, message) { Placed::Appended } else { Placed::Unsure })
}

fn is_abandoned(message: &Message, now: Millis) -> bool {
    now >= message.sent_at.plus_millis(ABANDONED_MILLIS)
}

/// Appends messages in this order, as many in one transaction as fit. Messages that are already there keep their
/// positions. Returns the positions in the order of `messages`. Returns [`StoreError::Conflict`] when the channel is
/// written too fast. Messages that were appended until then stay, and the next attempt finds them.
pub(super) async fn append_all<C: Channels, H: Clock + Rng>(
    channels: &C,
    host: &H,
    channel: &Channel,
    messages: &[&Message],
) -> StoreResult<Vec<Position>> {
    // A repeated message is appended once, because a transaction must not name an item twice.
    let mut names = BTreeSet::new();
    let once: Vec<&Message> = messages.iter().copied().filter(|message| names.insert(message.id)).collect();
    let mut places = BTreeMap::new();
    for part in once.chunks(MAX_APPEND) {
        let found = append_part(channels, host, channel, part).await?;
        places.extend(part.iter().map(|message| message.id).zip(found));
    }
    Ok(messages.iter().filter_map(|message| places.get(&message.id).copied()).collect())
}

async fn append_part<C: Channels, H: Clock + Rng>(
    channels: &C,
    host: &H,
    channel: &Channel,
    messages: &[&Message],
) -> StoreResult<Vec<Position>> {
    let started = host.now();
    let mut places: Vec<Option<Position>> = vec![None; messages.len()];
    let mut attempt = 0;
    loop {
        let missing: Vec<usize> = (0..messages.len()).filter(|index| places[*index].is_none()).collect();
        if missing.is_empty() {
            return Ok(places.into_iter().flatten().collect());
        }
        let head = head_of(channels, host, channel).await?;
        let part: Vec<&Message> = missing.iter().map(|index| messages[*index]).collect();
        match channels.append(channel, head, &part).await {
            Ok(Appended::Done) => {
                for (index, offset) in missing.into_iter().zip(head.offset + 1..) {
                    places[index] = Some(Position { epoch: head.epoch, offset });
                }
                continue;
            }
            // No other writer is in the way, so the rest is tried at once.
            Ok(Appended::Already(found)) if !found.is_empty() => {
                for (index, at) in found {
                    let index = missing.get(index).ok_or_else(|| StoreError::Corrupt("an append of others".into()))?;
                    places[*index] = Some(at);
                }
                continue;
            }
            Ok(Appended::Already(_)) => return Err(StoreError::Corrupt("an append refused for no message".into())),
            Ok(Appended::Moved) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        if host.now() >= started.plus_millis(PATIENCE_MILLIS) {
            return Err(StoreError::Conflict("channel".into()));
        }
        pause(host, attempt, BASE_MILLIS, CAP_MILLIS).await;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use holdfast_testkit::ManualHost;

    use super::*;
    use crate::data::Data;
    use crate::ids::MessageId;

    /// A store that refuses an append and names the places of these messages.
    struct Refusing(Vec<(usize, Position)>);

    const HEAD: Position = Position { epoch: Epoch::from_bytes([1; 8]), offset: 7 };

    impl Channels for Refusing {
        async fn head(&self, _: &Channel) -> StoreResult<Option<Position>> {
            Ok(Some(HEAD))
        }

        async fn recent_head(&self, _: &Channel) -> StoreResult<Option<Position>> {
            Ok(Some(HEAD))
        }

        async fn begin(&self, _: &Channel, _: Epoch, _: Millis) -> StoreResult<Position> {
            Ok(HEAD)
        }

        async fn append(&self, _: &Channel, _: Position, _: &[&Message]) -> StoreResult<Appended> {
            Ok(Appended::Already(self.0.clone()))
        }

        async fn record(&self, _: &Channel, _: Position, _: &Message) -> StoreResult<Option<Recorded>> {
            Ok(None)
        }

        async fn advance(&self, _: &Channel, _: &Recorded) -> StoreResult<bool> {
            Ok(true)
        }

        async fn message(&self, _: &Channel, _: Position) -> StoreResult<Option<Recorded>> {
            Ok(None)
        }

        async fn range(&self, _: &Channel, _: u64, _: Position, _: usize) -> StoreResult<Vec<Recorded>> {
            Ok(Vec::new())
        }
    }

    /// An answer that no append gives must not be retried.
    #[tokio::test]
    async fn a_refusal_that_names_none_of_the_messages_is_a_defect() {
        let message = Message {
            id: MessageId::from_bytes([1; 16]),
            kind: "note".into(),
            data: Data::null(),
            sent_at: Millis::new(0),
            expires_at: Millis::new(1),
            ephemeral: false,
        };
        let host = ManualHost::default();
        for (places, answer) in [
            (vec![], Err(StoreError::Corrupt("an append refused for no message".into()))),
            (vec![(1, HEAD)], Err(StoreError::Corrupt("an append of others".into()))),
            (vec![(0, HEAD)], Ok(HEAD)),
        ] {
            assert_eq!(append(&Refusing(places), &host, &Channel::Broadcast, &message).await, answer);
        }
    }
}
