//! The messages that a reader missed: all of them, or the statement that they cannot be recovered.

use holdfast_sessions::Millis;
use holdfast_sessions::ports::StoreResult;

use crate::channel::{Channel, Position};
use crate::message::{HISTORY_SECONDS, Recorded};
use crate::ports::Channels;

/// The limits of one `hello`, or of one page of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The number of messages left.
    pub messages: u64,
    /// Bytes of data left.
    pub bytes: usize,
}

impl Default for Budget {
    /// The limits of one recovery (docs/websocket.md).
    fn default() -> Self {
        Self { messages: 1_000, bytes: 1024 * 1024 }
    }
}

/// What recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Every message after the mark, in order.
    Complete(Vec<Recorded>),
    /// Messages are missing, so none is returned.
    Lost,
}

/// Reads the messages after `mark` up to `head`, which was read before. A hole at the tail is read once more, because
/// the answer may have overtaken a write.
pub async fn recover<C: Channels>(
    channels: &C,
    channel: &Channel,
    mark: Option<Position>,
    head: Position,
    budget: &mut Budget,
) -> StoreResult<Recovery> {
    let Some(mark) = mark.filter(|mark| mark.epoch == head.epoch && mark.offset <= head.offset) else {
        return Ok(Recovery::Lost);
    };
    let missed = head.offset - mark.offset;
    if missed == 0 {
        return Ok(Recovery::Complete(Vec::new()));
    }
    if missed > budget.messages {
        return Ok(Recovery::Lost);
    }
    for _ in 0..2 {
        let found = channels.range(channel, mark.offset, head, budget.bytes).await?;
        let whole = found.len() as u64 == missed
            && found.iter().zip(mark.offset + 1..).all(|(m, offset)| m.at.offset == offset && m.at.epoch == head.epoch);
        let bytes: usize = found.iter().map(|m| m.message.data.as_str().len()).sum();
        if whole && bytes <= budget.bytes {
            budget.messages -= missed;
            budget.bytes -= bytes;
            return Ok(Recovery::Complete(found));
        }
        let hole_at_the_tail =
            found.iter().zip(mark.offset + 1..).all(|(m, offset)| m.at.offset == offset) && bytes <= budget.bytes;
        if !hole_at_the_tail {
            break;
        }
    }
    Ok(Recovery::Lost)
}

/// Reads one page of the messages after `mark` up to `head`. It begins with the message after the mark, and has at most
/// `limit` messages and the bytes of one budget. The page has no gaps, and the reader continues after its last message.
pub async fn page<C: Channels>(
    channels: &C,
    channel: &Channel,
    mark: Option<Position>,
    head: Position,
    limit: u64,
) -> StoreResult<Recovery> {
    let Some(mark) = mark.filter(|mark| mark.epoch == head.epoch && mark.offset <= head.offset) else {
        return Ok(Recovery::Lost);
    };
    let mut limit = limit.min(Budget::default().messages).min(head.offset - mark.offset);
    loop {
        let end = Position { offset: mark.offset + limit, ..head };
        match recover(channels, channel, Some(mark), end, &mut Budget::default()).await? {
            // The page has too many bytes, or a hole that a shorter page may not reach.
            Recovery::Lost if limit > 1 => limit /= 2,
            found => return Ok(found),
        }
    }
}

/// The position at which a reader without a mark begins: before the oldest message that is certainly kept. Older
/// messages are removed in no order.
pub async fn beginning<C: Channels>(
    channels: &C,
    channel: &Channel,
    head: Position,
    now: Millis,
) -> StoreResult<Position> {
    let is_kept = |m: &Recorded| m.at.epoch == head.epoch && m.message.sent_at.plus_seconds(HISTORY_SECONDS) > now;
    let mut after = 0;
    loop {
        let found = channels.range(channel, after, head, 0).await?;
        if let Some(first) = found.iter().find(|m| is_kept(m)) {
            return Ok(Position { offset: first.at.offset - 1, ..head });
        }
        match found.last() {
            Some(last) if last.at.offset < head.offset => after = last.at.offset,
            _ => return Ok(head),
        }
    }
}
