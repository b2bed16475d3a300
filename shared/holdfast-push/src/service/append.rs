//! Putting messages into a channel: one transaction per try, so that offsets have no gaps and no hole appears later.

use holdfast_domain::ports::{Host, StoreError, Stored};

use super::pause;
use crate::channel::{Channel, Position};
use crate::ids::Epoch;
use crate::message::Message;
use crate::ports::{Appended, Channels};

/// Waiting between tries, in all: then the channel is too busy (push.md).
const PATIENCE_MILLIS: i64 = 1_000;
const BASE_MILLIS: u64 = 8;
const CAP_MILLIS: u64 = 250;

/// The head of a channel, whose numbering begins if nobody has touched it yet.
pub(super) async fn head_of<C: Channels, H: Host>(channels: &C, host: &H, channel: &Channel) -> Stored<Position> {
    match channels.head(channel).await? {
        Some(head) => Ok(head),
        None => channels.begin(channel, Epoch::from_bytes(host.random())).await,
    }
}

/// Appends one message, or finds it there. [`StoreError::Busy`] when the channel is written too fast: nothing is appended.
pub(super) async fn append<C: Channels, H: Host>(
    channels: &C,
    host: &H,
    channel: &Channel,
    message: &Message,
) -> Stored<Position> {
    let started = host.now();
    let mut attempt = 0;
    loop {
        let head = head_of(channels, host, channel).await?;
        match channels.append(channel, head, &[message]).await {
            Ok(Appended::Done) => {
                return Ok(Position { epoch: head.epoch, offset: head.offset + 1 });
            }
            Ok(Appended::Already(places)) => {
                return match places.first() {
                    Some((_, at)) => Ok(*at),
                    None => Err(StoreError::Corrupt("an append refused for no message".into())),
                };
            }
            Ok(Appended::Moved) | Err(StoreError::Busy(_)) => {}
            Err(error) => return Err(error),
        }
        if host.now() >= started.plus_millis(PATIENCE_MILLIS) {
            return Err(StoreError::Busy("channel".into()));
        }
        pause(host, attempt, BASE_MILLIS, CAP_MILLIS).await;
        attempt += 1;
    }
}
