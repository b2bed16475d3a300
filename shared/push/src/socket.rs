//! The rows of a connection, and the checks on them.

use std::collections::BTreeSet;

use holdfast_sessions::policy::Policy;
use holdfast_sessions::session::{self, Slot};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId};

use crate::close::SessionOver;
use crate::ids::ConnectionId;

/// API Gateway ends a socket after 600 s without traffic. A socket whose row was updated within this time counts as
/// open. Any other may still be open, because no function sees a keep-alive. API Gateway is then asked.
pub const SILENT_SECONDS: i64 = 660;
/// The length of the window in which frames are counted. `seenAt` moves at most this often. Two windows are the minute
/// of the limit.
pub const WINDOW_SECONDS: i64 = 30;
/// A window that began so long ago, or earlier, carries nothing over to a window that begins now.
pub const SILENCE_SECONDS: i64 = 2 * WINDOW_SECONDS;
/// Frames a client may send in any minute.
pub const FRAMES_PER_MINUTE: u32 = 100;
/// The time in which a handshake completes. Until then, `@connections` answers 410 for a socket that is about to open.
pub const HANDSHAKE_SECONDS: i64 = 30;
/// How long the mark that a socket was closed is kept.
pub const GONE_SECONDS: i64 = 3_600;
/// The most topics that one socket may have.
pub const MAX_TOPICS: usize = 100;
/// Longest frame in bytes.
pub const MAX_FRAME_BYTES: usize = 32 * 1024;

/// The row of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The id of the connection.
    pub id: ConnectionId,
    /// The slot of its session.
    pub at: Address,
    /// The session of the connection.
    pub sid: SessionId,
    /// When the socket opened, by the clock of `$connect`.
    pub connected_at: Millis,
    /// When the last frame came, exact to [`WINDOW_SECONDS`], or when API Gateway last confirmed that it is open.
    pub seen_at: Millis,
    /// When the session expires, as this row last learned. The session may have moved it since, but never back.
    pub session_expires_at: Millis,
    /// When the rows expire. DynamoDB may delete them from then on.
    pub expires_at: Millis,
}

impl Socket {
    /// Whether the socket is known to be open without asking API Gateway.
    pub fn is_fresh(&self, now: Millis) -> bool {
        now < self.seen_at.plus_seconds(SILENT_SECONDS)
    }

    /// Whether messages may be posted to it without reading its session.
    pub fn takes_posts(&self, now: Millis) -> bool {
        now < self.session_expires_at
    }

    /// Whether a 410 can no longer come from a handshake that has not completed.
    pub fn is_settled(&self, now: Millis) -> bool {
        now >= self.connected_at.plus_seconds(HANDSHAKE_SECONDS)
    }
}

/// A socket that one of its own frames has read, with that frame counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameWindow {
    /// The row of the socket.
    pub socket: Socket,
    /// Frames since `seen_at`, this one included.
    pub frames: u32,
    /// Frames of the window before.
    pub frames_before: u32,
}

impl FrameWindow {
    /// The window of a frame at `now` that comes after a silence, so that no earlier frame counts with it.
    pub fn after_silence(socket: Socket, now: Millis) -> Self {
        Self { socket: Socket { seen_at: now, ..socket }, frames: 1, frames_before: 0 }
    }

    /// The number of windows that have ended since this one began.
    fn ended(&self, now: Millis) -> i64 {
        (now.get() - self.socket.seen_at.get()).max(0) / (WINDOW_SECONDS * 1_000)
    }

    /// Whether this window has ended, so that the frame belongs to another one.
    pub fn window_is_over(&self, now: Millis) -> bool {
        self.ended(now) > 0
    }

    /// When the window of `now` began. Windows follow one another without a gap.
    pub fn window_of(&self, now: Millis) -> Millis {
        self.socket.seen_at.plus_seconds(self.ended(now) * WINDOW_SECONDS)
    }

    /// The frames that the window of `now` counts for the one before: those of this window, unless it is older.
    pub fn carried(&self, now: Millis) -> u32 {
        if self.ended(now) == 1 { self.frames.saturating_sub(1) } else { 0 }
    }

    /// Frames of this window and the one before, which are all of the last minute. A client that keeps the limit is
    /// never above it. A client that sends more than the limit within half a minute, or for longer than a minute,
    /// always is.
    pub fn rate(&self, now: Millis) -> u32 {
        match self.window_is_over(now) {
            true => self.carried(now).saturating_add(1),
            false => self.frames.saturating_add(self.frames_before),
        }
    }

    /// Whether this frame exceeds the limit.
    pub fn is_too_fast(&self, now: Millis) -> bool {
        self.rate(now) > FRAMES_PER_MINUTE
    }
}

/// The sockets that must close so that `cap` remain. Those that API Gateway reports as closed come first, then the
/// oldest. The order is total, so handshakes that see one another at the same time choose the same sockets.
pub fn excess_connections<'a>(sockets: &'a [Socket], closed: &BTreeSet<ConnectionId>, cap: usize) -> Vec<&'a Socket> {
    let mut all: Vec<_> = sockets.iter().collect();
    all.sort_by_key(|s| (!closed.contains(&s.id), s.connected_at, s.id.clone()));
    all.truncate(sockets.len().saturating_sub(cap));
    all
}

/// Checks whether the session in which a socket was opened is still in its slot and live.
pub fn check_session<'a>(
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
    use holdfast_sessions::{SlotNo, UserId};

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

    #[test]
    fn the_limits_are_those_of_the_page() {
        assert_eq!((MAX_FRAME_BYTES, MAX_TOPICS, FRAMES_PER_MINUTE), (32_768, 100, 100), "docs/websocket.md");
    }

    #[test]
    fn posts_are_taken_until_the_session_expires() {
        let socket = socket("a", 0);
        assert!(socket.takes_posts(Millis::new(3_599_999)) && !socket.takes_posts(Millis::new(3_600_000)));
        assert!(socket.is_fresh(Millis::new(659_999)) && !socket.is_fresh(Millis::new(660_000)));
        assert!(!socket.is_settled(Millis::new(29_999)) && socket.is_settled(Millis::new(30_000)));
    }

    /// A socket receives `SESSION_EXPIRED` only if the session was not ended before it expired.
    #[test]
    fn a_session_that_is_not_live_has_ended_or_expired() {
        use holdfast_sessions::TokenHash;
        use holdfast_sessions::session::{EndReason, Ended, Keys};
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(3).unwrap() };
        let hash = TokenHash::from_bytes([0; 32]);
        let expires = Millis::new(1_000);
        let live = Slot {
            at,
            sid: SessionId::from_bytes([2; 16]),
            email: "a@example.com".into(),
            identity: None,
            claims: holdfast_sessions::claims::Claims::default(),
            version: 1,
            keys: Some(Keys { access: hash, access_expires_at: expires, previous_access: None, refresh: None }),
            created_at: Millis::new(0),
            authenticated_at: Millis::new(0),
            last_used_at: Millis::new(0),
            last_updated_at: Millis::new(0),
            idle_expires_at: expires,
            absolute_expires_at: expires,
            stay_signed_in: false,
            mfa_verified_at: None,
            device: Default::default(),
            trust: None,
            op: String::new(),
            ended: None,
        };
        let ended =
            Slot { keys: None, ended: Some(Ended { at: Millis::new(5), reason: EndReason::Revoked }), ..live.clone() };
        let of = |slot: Option<&Slot>, sid: u8, max_sessions: u8, now: i64| {
            let policy = Policy { max_sessions, ..Policy::default() };
            check_session(slot, at, SessionId::from_bytes([sid; 16]), &policy, Millis::new(now)).map(|slot| slot.sid)
        };
        assert_eq!(of(Some(&live), 2, 5, 999), Ok(live.sid));
        assert_eq!(of(Some(&live), 2, 5, 1_000), Err(SessionOver::Expired));
        assert_eq!(of(Some(&live), 2, 3, 999), Err(SessionOver::Ended), "above a lowered limit");
        assert_eq!(of(Some(&live), 9, 5, 999), Err(SessionOver::Ended), "another session lives there");
        assert_eq!(of(None, 2, 5, 999), Err(SessionOver::Ended));
        for now in [10, 1_000, 5_000] {
            assert_eq!(of(Some(&ended), 2, 5, now), Err(SessionOver::Ended), "however late it is");
        }
    }

    #[test]
    fn a_frame_after_a_silence_begins_a_window_of_its_own() {
        assert_eq!(SILENCE_SECONDS, 60, "two windows, as a minute of the limit");
        let now = Millis::new(100_000);
        let seen = FrameWindow::after_silence(socket("a", 0), now);
        assert_eq!((seen.socket.seen_at, seen.frames, seen.frames_before), (now, 1, 0));
        assert_eq!((seen.rate(now), seen.socket.connected_at), (1, Millis::new(0)));
    }

    fn gone(sockets: &[Socket], closed: &[&str], cap: usize) -> Vec<String> {
        let closed = closed.iter().map(|id| id.parse().unwrap()).collect();
        excess_connections(sockets, &closed, cap).iter().map(|s| s.id.to_string()).collect()
    }

    #[test]
    fn the_oldest_makes_room() {
        let sockets = [socket("c", 30), socket("a", 10), socket("b", 20)];
        assert_eq!(gone(&sockets, &[], 3), Vec::<String>::new());
        assert_eq!(gone(&sockets, &[], 2), ["a"]);
        assert_eq!(gone(&sockets, &[], 1), ["a", "b"]);
    }

    #[test]
    fn whoever_sees_fewer_names_nobody_whom_whoever_sees_all_does_not() {
        let all: Vec<Socket> = (0..6).map(|n| socket(&format!("s{n}"), n / 2)).collect();
        for cap in 1..6 {
            let wanted = gone(&all, &[], cap);
            assert_eq!(wanted.len(), 6 - cap);
            for seen in 0..64_u32 {
                let some: Vec<Socket> = (0..6).rev().filter(|n| seen >> n & 1 == 1).map(|n| all[n].clone()).collect();
                assert!(gone(&some, &[], cap).iter().all(|id| wanted.contains(id)), "{some:?}");
            }
        }
    }

    #[test]
    fn a_closed_one_goes_before_an_older_one_that_is_open() {
        let sockets = [socket("old", 0), socket("closed", 10), socket("new", 700_000)];
        assert_eq!(gone(&sockets, &["closed"], 2), ["closed"]);
        assert_eq!(gone(&sockets, &["closed"], 1), ["closed", "old"]);
    }

    /// Frames at these times (ms), each counted as the table does; whether one was too much.
    fn is_dismissed(times: &[i64]) -> bool {
        let mut seen = FrameWindow { socket: socket("a", 0), frames: 0, frames_before: 0 };
        times.iter().any(|time| {
            let now = Millis::new(*time);
            seen.frames += 1;
            let too_fast = seen.is_too_fast(now);
            if seen.window_is_over(now) {
                (seen.frames_before, seen.frames, seen.socket.seen_at) = (seen.carried(now), 1, seen.window_of(now));
            }
            too_fast
        })
    }

    /// Most frames in any minute.
    fn most(times: &[i64]) -> usize {
        let within = |end: &i64| times.iter().filter(|time| **time <= *end && **time > end - 60_000).count();
        times.iter().map(within).max().unwrap_or_default()
    }

    #[test]
    fn a_hundred_frames_a_minute_pass_and_one_more_does_not() {
        let burst = |at: i64, frames: i64| (0..frames).map(move |n| at + n);
        for at in [0, 10, 29_980, 59_970, 1_000_000] {
            assert!(!is_dismissed(&burst(at, 100).collect::<Vec<_>>()), "{at}");
            assert!(is_dismissed(&burst(at, 101).collect::<Vec<_>>()), "{at}");
        }
        // A burst, a pause, and a few more: a hundred in any minute.
        let obedient: Vec<i64> = burst(0, 100).chain(burst(61_000, 20)).chain(burst(119_000, 70)).collect();
        assert_eq!(most(&obedient), 100);
        assert!(!is_dismissed(&obedient));
        // Slowly too fast: 102 a minute, evenly.
        let steady: Vec<i64> = (0..400).map(|n| n * 588).collect();
        assert!(is_dismissed(&steady));
    }

    #[test]
    fn who_keeps_to_the_limit_is_never_dismissed() {
        let mut random = 7_u64;
        for _ in 0..200 {
            let mut now = 0;
            let mut times = Vec::new();
            for _ in 0..400 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                now += if (random >> 60) == 0 { (random >> 33) as i64 % 90_000 } else { (random >> 33) as i64 % 300 };
                times.push(now);
                if most(&times) > FRAMES_PER_MINUTE as usize {
                    times.pop();
                    now += 5_000;
                }
            }
            assert!(!is_dismissed(&times));
        }
    }

    #[test]
    fn a_socket_counts_as_open_for_eleven_minutes_after_its_last_frame() {
        assert!(socket("a", 0).is_fresh(Millis::new(659_999)));
        assert!(!socket("a", 0).is_fresh(Millis::new(660_000)));
    }
}
