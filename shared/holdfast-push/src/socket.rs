//! A connection as its rows hold it, and the judgements over them.

use holdfast_domain::policy::Policy;
use holdfast_domain::session::{self, Slot};
use holdfast_domain::token::Address;
use holdfast_domain::{Millis, SessionId};

use crate::close::SessionOver;
use crate::ids::ConnectionId;

/// API Gateway ends a socket after 600 s without traffic; a minute more, and a row not seen since is dead.
pub const SILENT_SECONDS: i64 = 660;
/// `seenAt` is moved at most this often; the window in which frames are counted.
pub const WINDOW_SECONDS: i64 = 60;
/// Frames a client may send per minute.
pub const FRAMES_PER_MINUTE: u32 = 100;
/// While a handshake completes, @connections answers 410 for a socket that is about to live.
pub const HANDSHAKE_SECONDS: i64 = 30;
/// How long it is remembered that a socket was closed.
pub const GONE_SECONDS: i64 = 3_600;
/// Topics one socket may subscribe to.
pub const MAX_TOPICS: usize = 100;
/// Longest frame in bytes.
pub const MAX_FRAME_BYTES: usize = 32 * 1024;

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Which.
    pub id: ConnectionId,
    /// Where its session lives.
    pub at: Address,
    /// Its session.
    pub sid: SessionId,
    /// By the clock of `$connect`.
    pub connected_at: Millis,
    /// Last frame, exact to [`WINDOW_SECONDS`].
    pub seen_at: Millis,
    /// Nothing is posted from then on, unless the session moves it.
    pub session_expires_at: Millis,
    /// The rows may vanish from then on.
    pub expires_at: Millis,
}

impl Socket {
    /// Whether it counts for the cap and for presence.
    pub fn is_fresh(&self, now: Millis) -> bool {
        now < self.seen_at.plus_seconds(SILENT_SECONDS)
    }

    /// Whether messages may be posted to it.
    pub fn takes_posts(&self, now: Millis) -> bool {
        now < self.session_expires_at
    }

    /// Whether a 410 can no longer be a handshake that has not completed.
    pub fn is_settled(&self, now: Millis) -> bool {
        now >= self.connected_at.plus_seconds(HANDSHAKE_SECONDS)
    }
}

/// A socket as its own frame finds it, with the frames counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The socket.
    pub socket: Socket,
    /// Frames since `seen_at`, this one included.
    pub frames: u32,
    /// Frames of the window before.
    pub frames_before: u32,
}

impl Seen {
    /// Whether the window is over and the next begins with this frame.
    pub fn window_is_over(&self, now: Millis) -> bool {
        now >= self.socket.seen_at.plus_seconds(WINDOW_SECONDS)
    }

    /// Frames of the window that ends with this frame, as the next one remembers them: none if it ended long ago.
    pub fn carried(&self, now: Millis) -> u32 {
        let recent = now < self.socket.seen_at.plus_seconds(2 * WINDOW_SECONDS);
        if recent { self.frames.saturating_sub(1) } else { 0 }
    }

    /// Frames of the last minute: the current window's, and of the one before the share that the minute still covers.
    pub fn rate(&self, now: Millis) -> u32 {
        let window = WINDOW_SECONDS * 1_000;
        let into = (now.get() - self.socket.seen_at.get()).clamp(0, 2 * window);
        let (current, before, into) = if into >= window {
            (1, self.frames.saturating_sub(1), into - window)
        } else {
            (self.frames, self.frames_before, into)
        };
        let share = i64::from(before) * (window - into) / window;
        current.saturating_add(u32::try_from(share).unwrap_or_default())
    }

    /// Whether this frame is one too many.
    pub fn is_too_fast(&self, now: Millis) -> bool {
        self.rate(now) > FRAMES_PER_MINUTE
    }
}

/// Who has to go so that `cap` remain, when `newest` has just come: first those not heard of for long, then the oldest.
pub fn surplus<'a>(sockets: &'a [Socket], newest: &ConnectionId, cap: usize, now: Millis) -> Vec<&'a Socket> {
    let mut others: Vec<_> = sockets.iter().filter(|socket| socket.id != *newest).collect();
    others.sort_by_key(|s| (s.is_fresh(now), s.connected_at, s.id.clone()));
    let many = (others.len() + 1).saturating_sub(cap);
    others.truncate(many);
    others
}

/// Whether the session a socket was opened in is still the one in its slot, and live.
pub fn standing<'a>(
    slot: Option<&'a Slot>,
    at: Address,
    sid: SessionId,
    policy: &Policy,
    now: Millis,
) -> Result<&'a Slot, SessionOver> {
    match slot {
        Some(found) if found.sid == sid => match session::live(slot, at.slot, policy, now) {
            Some(live) => Ok(live),
            None if found.ended.is_none() && found.expires_at() <= now => Err(SessionOver::Expired),
            None => Err(SessionOver::Ended),
        },
        _ => Err(SessionOver::Ended),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use holdfast_domain::{SlotNo, UserId};

    use super::*;

    pub(crate) fn socket(name: &str, connected: i64) -> Socket {
        Socket {
            id: name.parse().unwrap(),
            at: Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).unwrap() },
            sid: SessionId::from_bytes([2; 16]),
            connected_at: Millis::new(connected),
            seen_at: Millis::new(connected),
            session_expires_at: Millis::new(connected + 3_600_000),
            expires_at: Millis::new(connected + 7_800_000),
        }
    }

    fn gone(sockets: &[Socket], newest: &str, cap: usize, now: i64) -> Vec<String> {
        surplus(sockets, &newest.parse().unwrap(), cap, Millis::new(now)).iter().map(|s| s.id.to_string()).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_never_the_newest() {
        let sockets = [socket("c", 30), socket("a", 10), socket("b", 20)];
        assert_eq!(gone(&sockets, "c", 3, 40), Vec::<String>::new());
        assert_eq!(gone(&sockets, "c", 2, 40), ["a"]);
        assert_eq!(gone(&sockets, "a", 1, 40), ["b", "c"]);
    }

    #[test]
    fn a_silent_one_goes_before_an_older_one_that_speaks() {
        let mut old = socket("old", 0);
        old.seen_at = Millis::new(700_000);
        let sockets = [old, socket("silent", 10), socket("new", 700_000)];
        assert_eq!(gone(&sockets, "new", 2, 700_000), ["silent"]);
    }

    #[test]
    fn a_hundred_frames_a_minute_pass_and_one_more_does_not() {
        let seen = |frames, before| Seen { socket: socket("a", 0), frames, frames_before: before };
        assert!(!seen(100, 0).is_too_fast(Millis::new(30_000)));
        assert!(seen(101, 0).is_too_fast(Millis::new(30_000)));
        // Half of the window before still lies in the last minute.
        assert!(!seen(50, 100).is_too_fast(Millis::new(30_000)));
        assert!(seen(51, 100).is_too_fast(Millis::new(30_000)));
    }

    #[test]
    fn a_burst_across_the_windows_edge_is_seen() {
        let seen = Seen { socket: socket("a", 0), frames: 101, frames_before: 0 };
        assert!(seen.window_is_over(Millis::new(60_000)));
        assert_eq!(seen.rate(Millis::new(60_000)), 101);
        assert_eq!(seen.rate(Millis::new(120_000)), 1);
        assert_eq!(seen.rate(Millis::new(10_000_000)), 1);
    }

    #[test]
    fn presence_ends_eleven_minutes_after_the_last_frame() {
        assert!(socket("a", 0).is_fresh(Millis::new(659_999)));
        assert!(!socket("a", 0).is_fresh(Millis::new(660_000)));
    }
}
