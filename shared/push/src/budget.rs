//! The rate at which one worker may post. Posts share the account's 10 000 requests a second with the HTTP API, so
//! fan-out without a budget could cause an outage.
//!
//! No state is shared: each invocation has its own bucket, which starts empty and fills at its share (budget ÷ workers
//! at once). After a 429 of API Gateway the rate halves and then regrows linearly, as TCP does (AIMD).

use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_sessions::{Millis, UserId};

use crate::job::Lane;

/// Time in which the rate grows from zero to the whole share, if API Gateway throttles no post.
const REGROW_MILLIS: i64 = 10_000;
/// 429s closer together than this are one event: a hundred posts in flight meet the same limit.
const ONE_EVENT_MILLIS: i64 = 200;
/// The rate never falls below the share divided by this number, so that a worker always notices when more is possible.
const FLOOR_PARTS: i64 = 20;
/// Tokens are counted in thousandths, so that slow rates fill evenly.
const UNIT: i64 = 1_000;

/// A token bucket whose rate falls when API Gateway throttles it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Posts a second while API Gateway throttles none.
    share: i64,
    /// The current rate, in thousandths of posts a second.
    rate: i64,
    /// Tokens, in thousandths of posts. The number is negative while posts wait for their tokens.
    tokens: i64,
    at: Millis,
    throttled_at: Option<Millis>,
}

impl Bucket {
    /// An empty bucket that fills with `per_second` posts a second (at least 1).
    pub fn new(per_second: u32, now: Millis) -> Self {
        let share = i64::from(per_second.max(1));
        Self { share, rate: share * UNIT, tokens: 0, at: now, throttled_at: None }
    }

    fn advance(&mut self, now: Millis) {
        let elapsed = (now.get() - self.at.get()).max(0);
        if elapsed == 0 {
            return;
        }
        self.at = now;
        let full = self.share * UNIT;
        self.tokens = self.tokens.saturating_add(self.rate.saturating_mul(elapsed) / UNIT);
        // At most a tenth of a second's worth is saved up: a bucket that idles must not burst afterwards.
        self.tokens = self.tokens.min((full / 10).max(UNIT));
        self.rate = (self.rate + full.saturating_mul(elapsed) / REGROW_MILLIS).min(full);
    }

    /// Takes the token of one post, and returns how many milliseconds the caller must wait before it posts.
    pub fn take(&mut self, now: Millis) -> u64 {
        self.advance(now);
        self.tokens -= UNIT;
        if self.tokens >= 0 {
            return 0;
        }
        u64::try_from((-self.tokens).saturating_mul(UNIT) / self.rate.max(1)).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Halves the rate after a 429 of API Gateway, at most once per event.
    pub fn throttled(&mut self, now: Millis) {
        self.advance(now);
        if self.throttled_at.is_some_and(|last| now < last.plus_millis(ONE_EVENT_MILLIS)) {
            return;
        }
        self.throttled_at = Some(now);
        self.rate = (self.rate / 2).max(self.share * UNIT / FLOOR_PARTS).max(1);
    }

    /// The current rate in posts a second.
    pub fn per_second(&self) -> i64 {
        self.rate / UNIT
    }
}

/// The rate limits of one invocation, one for each lane. All records of the invocation share them.
#[derive(Debug)]
pub struct RateLimiters {
    direct: Mutex<Bucket>,
    broadcast: Mutex<Bucket>,
}

impl RateLimiters {
    /// Creates empty buckets with these shares, in posts a second.
    pub fn new(direct: u32, broadcast: u32, now: Millis) -> Self {
        Self { direct: Mutex::new(Bucket::new(direct, now)), broadcast: Mutex::new(Bucket::new(broadcast, now)) }
    }

    /// Returns the bucket of a lane. The caller must not hold it while it waits.
    pub fn of(&self, lane: Lane) -> MutexGuard<'_, Bucket> {
        let bucket = match lane {
            Lane::Direct => &self.direct,
            Lane::Broadcast => &self.broadcast,
        };
        bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Recoveries are counted in windows of this length, in rows that all functions share. Reconnects come in storms, and
/// no function knows how many others serve one. The account's burst of 5 000 requests covers posts that come at the
/// same moment of a window.
pub const RECOVERY_WINDOW_SECONDS: i64 = 5;
/// Each row of a window allows about this many posts a second. One item of DynamoDB takes 1 000 writes a second, and a
/// `hello` writes once.
const RECOVERY_SHARE: u32 = 500;

/// One user may take one part in this many of a window's recoveries, or one whole `hello` if that is more. So no user
/// takes the recoveries of all others.
const USERS_PART: u32 = 10;
/// A user's tickets in [`TICKET_WINDOW_SECONDS`]. A user has at most ten sockets, and a page that is loaded again
/// requests a new ticket.
pub const TICKETS_PER_WINDOW: u32 = 60;
/// Tickets are counted in windows of this length.
pub const TICKET_WINDOW_SECONDS: i64 = 60;

/// The row that a reservation draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// One of the rows that all recoveries share.
    Recovery(u32),
    /// The recoveries of one user.
    RecoveryOf(UserId),
    /// The tickets of one user.
    TicketsOf(UserId),
}

/// A request for posts or tickets from one row of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryReservation {
    /// The window: seconds since 1970 divided by its length.
    pub window: i64,
    /// The length of the window.
    pub window_seconds: i64,
    /// The row of the counter.
    pub row: Row,
    /// The number of posts or tickets.
    pub posts: u32,
    /// What the row holds at the start of its window.
    pub limit: u32,
}

impl RecoveryReservation {
    /// A reservation of `posts` at `now`, from the `per_second` posts of all functions. `random` chooses the row. A row
    /// always has room for one whole `hello` of `largest` posts, because otherwise no client could recover that much.
    pub fn new(posts: u32, per_second: u32, largest: u32, now: Millis, random: u64) -> Self {
        let shards = (per_second / RECOVERY_SHARE).clamp(1, 16);
        let seconds = u32::try_from(RECOVERY_WINDOW_SECONDS).unwrap_or(1);
        let limit = (per_second.saturating_mul(seconds) / shards).max(largest);
        let shard = u32::try_from(random % u64::from(shards)).unwrap_or_default();
        Self::within(RECOVERY_WINDOW_SECONDS, Row::Recovery(shard), posts, limit, now)
    }

    /// A reservation of `posts` from the part of one user.
    pub fn of_user(user: UserId, posts: u32, per_second: u32, largest: u32, now: Millis) -> Self {
        let seconds = u32::try_from(RECOVERY_WINDOW_SECONDS).unwrap_or(1);
        let limit = (per_second.saturating_mul(seconds) / USERS_PART).max(largest);
        Self::within(RECOVERY_WINDOW_SECONDS, Row::RecoveryOf(user), posts, limit, now)
    }

    /// A reservation of one ticket of a user.
    pub fn ticket(user: UserId, now: Millis) -> Self {
        Self::within(TICKET_WINDOW_SECONDS, Row::TicketsOf(user), 1, TICKETS_PER_WINDOW, now)
    }

    fn within(window_seconds: i64, row: Row, posts: u32, limit: u32, now: Millis) -> Self {
        Self { window: now.get().div_euclid(window_seconds * 1_000), window_seconds, row, posts, limit }
    }

    /// When the window ends.
    pub const fn ends(&self) -> Millis {
        Millis::new((self.window + 1).saturating_mul(self.window_seconds * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred posts in flight meet one limit and halve the rate once; what comes 200 ms later is another event.
    #[test]
    fn throttles_that_are_close_together_are_one_event() {
        for (second, rate) in [(0, 500), (199, 500), (200, 250)] {
            let mut bucket = Bucket::new(1_000, Millis::new(0));
            bucket.throttled(Millis::new(0));
            bucket.throttled(Millis::new(second));
            // It regrows by a tenth of the share in a second.
            let regrown = second / 10;
            let halved = if rate == 500 { 500 + regrown } else { (500 + regrown) / 2 };
            assert_eq!(bucket.per_second(), halved, "{second} ms");
        }
    }

    /// How many posts pass in `millis` when the caller posts as often as the bucket allows.
    fn passed(bucket: &mut Bucket, from: i64, millis: i64) -> i64 {
        let (mut now, mut count) = (from, 0);
        while now < from + millis {
            now += i64::try_from(bucket.take(Millis::new(now))).unwrap();
            if now < from + millis {
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_second_takes_no_more_than_its_share() {
        for share in [1, 7, 100, 3_000] {
            let mut bucket = Bucket::new(share, Millis::new(0));
            let count = passed(&mut bucket, 0, 10_000);
            let most = i64::from(share) * 10;
            assert!(count <= most && count * 10 >= most * 8, "{share}: {count} of {most}");
        }
    }

    #[test]
    fn the_rows_of_a_window_hold_its_budget() {
        let of = |per_second, random| RecoveryReservation::new(10, per_second, 1_000, Millis::new(12_345), random);
        let shared = |shard| RecoveryReservation {
            window: 2,
            window_seconds: 5,
            row: Row::Recovery(shard),
            posts: 10,
            limit: 2_500,
        };
        assert_eq!((of(1_000, 0), of(1_000, 3)), (shared(0), shared(1)));
        assert_eq!((of(100, 7).row, of(100, 7).limit), (Row::Recovery(0), 1_000), "one hello always fits");
        assert_eq!((of(10_000, 15).row, of(10_000, 15).limit), (Row::Recovery(15), 3_125));
    }

    #[test]
    fn a_user_has_a_part_of_the_recoveries_and_so_many_tickets_a_minute() {
        let (user, now) = (UserId::from_bytes([1; 16]), Millis::new(12_345));
        assert_eq!(RecoveryReservation::of_user(user, 10, 10_000, 1_000, now).limit, 5_000);
        assert_eq!(RecoveryReservation::of_user(user, 10, 100, 1_000, now).limit, 1_000, "one hello always fits");
        let ticket = RecoveryReservation::ticket(user, now);
        assert_eq!((ticket.limit, ticket.posts, ticket.ends()), (60, 1, Millis::new(60_000)));
    }

    #[test]
    fn it_starts_empty() {
        assert!(Bucket::new(100, Millis::new(0)).take(Millis::new(0)) >= 10);
    }

    #[test]
    fn idling_saves_up_a_tenth_of_a_second_and_no_more() {
        let mut bucket = Bucket::new(1_000, Millis::new(0));
        let later = Millis::new(60_000);
        let free = (0..1_000).take_while(|_| bucket.take(later) == 0).count();
        assert_eq!(free, 100);
    }

    #[test]
    fn a_429_halves_the_rate_once_and_time_brings_it_back() {
        let mut bucket = Bucket::new(1_000, Millis::new(0));
        for _ in 0..50 {
            bucket.throttled(Millis::new(0));
        }
        assert_eq!(bucket.per_second(), 500);
        bucket.take(Millis::new(2_000));
        assert_eq!(bucket.per_second(), 700);
        bucket.take(Millis::new(60_000));
        assert_eq!(bucket.per_second(), 1_000);
    }

    #[test]
    fn it_never_stops_altogether() {
        let mut bucket = Bucket::new(1_000, Millis::new(0));
        for n in 0..100 {
            bucket.throttled(Millis::new(n * ONE_EVENT_MILLIS));
        }
        assert!(bucket.per_second() >= 50);
    }
}
