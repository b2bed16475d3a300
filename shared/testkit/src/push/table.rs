//! The table `connections` behind its ports, as maps behind one lock. Every call is atomic, except that a socket's rows are
//! written and deleted one after the other. Nothing is ever lost or late.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::budget::{RecoveryReservation, Row};
use holdfast_push::channel::{Channel, Position, Topic, shard};
use holdfast_push::ids::{ConnectionId, Epoch, MessageId};
use holdfast_push::job::Recipient;
use holdfast_push::message::{Message, Recorded};
use holdfast_push::ports::{
    Appended, Audience, Begun, Channels, Joined, Page, PublishKeys, RecoveryBudget, Sockets, Subscriptions, Tickets,
};
use holdfast_push::publish::{Answer, KEY_SECONDS, Pending, PublishKey};
use holdfast_push::socket::{FrameWindow, MAX_TOPICS, SILENCE_SECONDS, Socket};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{Clock as _, StoreError, StoreResult};
use holdfast_sessions::{Millis, TokenHash, UserId};

use crate::host::ManualHost;
use crate::push::stepped::step;

/// Recipients on a page of an audience. They are few, so that tests read several pages.
const PAGE: usize = 100;

#[derive(Debug, Default)]
struct Line {
    head: Option<Position>,
    /// When the head was begun or last moved.
    moved_at: Millis,
    messages: BTreeMap<u64, Recorded>,
    /// The position of each message, and when it was sent.
    ids: HashMap<MessageId, (Position, Millis)>,
}

#[derive(Debug, Default)]
struct Tables {
    tickets: HashMap<[u8; 32], TicketRow>,
    sockets: BTreeMap<ConnectionId, FrameWindow>,
    /// The rows under the users.
    twins: BTreeMap<ConnectionId, Socket>,
    /// When each socket was closed.
    gone: HashMap<ConnectionId, Millis>,
    topics: BTreeSet<(ConnectionId, Topic)>,
    channels: HashMap<Channel, Line>,
    keys: HashMap<PublishKey, (Millis, Pending, Option<Answer>)>,
    /// Posts that were taken from each row of the budgets, and when the window ends.
    reserved: HashMap<(i64, Row), (u32, Millis)>,
    /// How often the budget was asked for something.
    reservations: usize,
    /// Appends that are still refused as if others wrote.
    contended: usize,
    /// Every page of an audience continues where it began.
    stuck: bool,
    /// Appends that were done.
    appends: usize,
    /// The error of reading the head of a channel.
    broken: HashMap<Channel, StoreError>,
}

/// The table in memory. Clones share it. Its rows stay permanently, unless [`MemoryTable::expiring`] created it.
/// DynamoDB may also keep rows for two days after their TTL.
#[derive(Clone, Default)]
pub struct MemoryTable(Arc<Mutex<Tables>>, Arc<Mutex<Option<Hook>>>, Option<ManualHost>);

/// A call that a test inserts between two steps.
type Hook = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for MemoryTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MemoryTable").field(&self.0).finish()
    }
}

/// The seconds that a row of the table `connections` stays after it has expired.
const GRACE: i64 = 3_600;
/// The seconds that the mark of a closed socket stays.
const GONE: i64 = 3_600;
/// The seconds that a message stays in its channel.
const HISTORY: i64 = 86_400;
/// The seconds that the id of an appended message is kept.
const APPENDED: i64 = 3 * 86_400;
/// The seconds that a head stays after it was last moved.
const HEAD: i64 = 30 * 86_400;

impl Tables {
    /// Deletes what is past its TTL.
    fn expire(&mut self, now: Millis) {
        let stays = |void: Millis| now < void.plus_seconds(GRACE);
        self.tickets.retain(|_, ticket| stays(ticket.expires_at));
        self.sockets.retain(|_, seen| now < seen.socket.expires_at);
        self.twins.retain(|_, twin| now < twin.expires_at);
        let sockets = &self.sockets;
        self.topics.retain(|(socket, _)| sockets.contains_key(socket));
        self.gone.retain(|_, at| now < at.plus_seconds(GONE));
        self.keys.retain(|_, (expires, _, _)| stays(*expires));
        self.reserved.retain(|_, (_, ends)| stays(*ends));
        for line in self.channels.values_mut() {
            line.messages.retain(|_, recorded| stays(recorded.message.sent_at.plus_seconds(HISTORY)));
            line.ids.retain(|_, (_, sent)| stays(sent.plus_seconds(APPENDED)));
            line.head = line.head.filter(|_| stays(line.moved_at.plus_seconds(HEAD)));
        }
    }
}

impl MemoryTable {
    /// A table that deletes every row at its TTL by this clock, as DynamoDB may.
    pub fn expiring(clock: &ManualHost) -> Self {
        Self(Arc::default(), Arc::default(), Some(clock.clone()))
    }

    /// Deletes every row that is past its TTL at `now`.
    pub fn expire(&self, now: Millis) {
        self.lock().expire(now);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = &self.2 {
            tables.expire(clock.now());
        }
        tables
    }

    /// Runs `hook` just before the next socket's rows are written.
    pub fn before_open(&self, hook: impl FnOnce() + Send + 'static) {
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Closes a socket as `$disconnect` does, without waiting.
    pub fn close_at_once(&self, id: &ConnectionId) {
        let mut state = self.lock();
        state.gone.insert(id.clone(), Millis::new(i64::MAX));
        state.sockets.remove(id);
        state.twins.remove(id);
    }

    /// Lets every page of an audience continue where it began.
    pub fn repeat_pages(&self) {
        self.lock().stuck = true;
    }

    /// The next `n` appends meet another writer.
    pub fn contend(&self, n: usize) {
        self.lock().contended = n;
    }

    /// Makes every read of the channel's head fail with this error. With `None` reads succeed again.
    pub fn break_channel(&self, channel: &Channel, error: Option<StoreError>) {
        let broken = &mut self.lock().broken;
        match error {
            Some(error) => broken.insert(channel.clone(), error),
            None => broken.remove(channel),
        };
    }

    /// The number of transactions that appended something.
    pub fn appends(&self) -> usize {
        self.lock().appends
    }

    /// How often the budget of recoveries or tickets was asked for something.
    pub fn reservations(&self) -> usize {
        self.lock().reservations
    }

    /// Deletes one message of a channel, as TTL does.
    pub fn lose_message(&self, channel: &Channel, offset: u64) {
        if let Some(line) = self.lock().channels.get_mut(channel) {
            line.messages.remove(&offset);
        }
    }

    /// Messages of a channel up to its head, in order.
    pub fn messages(&self, channel: &Channel) -> Vec<Recorded> {
        let state = self.lock();
        let Some(line) = state.channels.get(channel) else { return Vec::new() };
        let head = line.head.map_or(0, |head| head.offset);
        line.messages.range(..=head).map(|(_, recorded)| recorded.clone()).collect()
    }
}

impl Tickets for MemoryTable {
    async fn put_ticket(&self, ticket: &TicketRow) -> StoreResult<()> {
        self.lock().tickets.insert(*ticket.hash.as_bytes(), *ticket);
        Ok(())
    }

    async fn ticket(&self, hash: &TokenHash) -> StoreResult<Option<TicketRow>> {
        Ok(self.lock().tickets.get(hash.as_bytes()).copied())
    }

    async fn consume(&self, hash: &TokenHash, now: Millis) -> StoreResult<Option<TicketRow>> {
        let mut state = self.lock();
        let valid = state.tickets.get(hash.as_bytes()).is_some_and(|ticket| ticket.is_valid(now));
        Ok(if valid { state.tickets.remove(hash.as_bytes()) } else { None })
    }
}

impl Sockets for MemoryTable {
    /// Other callers may come between the two rows.
    async fn open(&self, socket: &Socket, _email: &str) -> StoreResult<()> {
        if let Some(hook) = self.1.lock().unwrap_or_else(PoisonError::into_inner).take() {
            hook();
        }
        let seen = FrameWindow { socket: socket.clone(), frames: 0, frames_before: 0 };
        self.lock().sockets.entry(socket.id.clone()).or_insert(seen);
        step().await;
        self.lock().twins.entry(socket.id.clone()).or_insert_with(|| socket.clone());
        Ok(())
    }

    async fn is_gone(&self, id: &ConnectionId) -> StoreResult<bool> {
        Ok(self.lock().gone.contains_key(id))
    }

    async fn socket(&self, id: &ConnectionId) -> StoreResult<Option<Socket>> {
        Ok(self.lock().sockets.get(id).map(|seen| seen.socket.clone()))
    }

    async fn of_user(&self, user: UserId) -> StoreResult<Vec<Socket>> {
        Ok(self.lock().twins.values().filter(|twin| twin.at.user == user).cloned().collect())
    }

    /// As in the real table, the row under the user is found by the socket's own row, or by the user that the caller names.
    async fn forget(&self, id: &ConnectionId, user: Option<UserId>) -> StoreResult<()> {
        let own = self.lock().sockets.get(id).cloned();
        let owner = own.as_ref().map(|seen| seen.socket.at.user).or(user);
        step().await;
        {
            let mut state = self.lock();
            state.topics.retain(|(socket, _)| socket != id);
            if state.twins.get(id).is_some_and(|twin| Some(twin.at.user) == owner) {
                state.twins.remove(id);
            }
        }
        step().await;
        if own.is_some() {
            self.lock().sockets.remove(id);
        }
        Ok(())
    }

    async fn mark_gone(&self, id: &ConnectionId, now: Millis) -> StoreResult<()> {
        self.lock().gone.insert(id.clone(), now);
        Ok(())
    }

    async fn count_frame(&self, id: &ConnectionId) -> StoreResult<Option<FrameWindow>> {
        let mut state = self.lock();
        Ok(state.sockets.get_mut(id).map(|seen| {
            seen.frames += 1;
            seen.clone()
        }))
    }

    async fn count_after_silence(&self, id: &ConnectionId, now: Millis) -> StoreResult<Option<FrameWindow>> {
        let mut state = self.lock();
        let row = state.sockets.get_mut(id).filter(|row| now >= row.socket.seen_at.plus_seconds(SILENCE_SECONDS));
        Ok(row.map(|row| {
            *row = FrameWindow::after_silence(row.socket.clone(), now);
            row.clone()
        }))
    }

    async fn refresh(&self, seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()> {
        let mut state = self.lock();
        let id = &seen.socket.id;
        if let Some(row) = state.sockets.get_mut(id) {
            row.socket.session_expires_at = session_expires_at;
            if seen.window_is_over(now) {
                row.frames_before = seen.carried(now);
                row.frames = 1;
                row.socket.seen_at = seen.window_of(now);
            }
        }
        if let Some(twin) = state.twins.get_mut(id) {
            twin.session_expires_at = session_expires_at;
            twin.seen_at = seen.window_of(now);
        }
        Ok(())
    }

    async fn extend(&self, socket: &Socket, session_expires_at: Millis) -> StoreResult<()> {
        let mut state = self.lock();
        if let Some(row) = state.sockets.get_mut(&socket.id) {
            row.socket.session_expires_at = session_expires_at;
        }
        if let Some(twin) = state.twins.get_mut(&socket.id) {
            twin.session_expires_at = session_expires_at;
        }
        Ok(())
    }

    async fn confirm_open(&self, socket: &Socket, now: Millis) -> StoreResult<()> {
        if let Some(twin) = self.lock().twins.get_mut(&socket.id) {
            twin.seen_at = now;
        }
        Ok(())
    }
}

impl Subscriptions for MemoryTable {
    async fn join(&self, socket: &Socket, topics: &[Topic]) -> StoreResult<Joined> {
        let mut state = self.lock();
        if !state.sockets.contains_key(&socket.id) {
            return Ok(Joined::Closed);
        }
        let member = |topic: &Topic| (socket.id.clone(), topic.clone());
        if topics.iter().any(|topic| state.topics.contains(&member(topic))) {
            return Err(StoreError::Conflict("a topic that is there already".into()));
        }
        let there = state.topics.iter().filter(|(id, _)| *id == socket.id).count();
        if there + topics.len() > MAX_TOPICS {
            return Ok(Joined::TooMany);
        }
        state.topics.extend(topics.iter().map(member));
        Ok(Joined::Done)
    }

    async fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> StoreResult<()> {
        self.lock().topics.remove(&(id.clone(), topic.clone()));
        Ok(())
    }

    async fn topics(&self, id: &ConnectionId) -> StoreResult<Vec<Topic>> {
        Ok(self.lock().topics.iter().filter(|(socket, _)| socket == id).map(|(_, topic)| topic.clone()).collect())
    }
}

impl Audience for MemoryTable {
    async fn page(&self, channel: &Channel, part: u8, after: Option<&ConnectionId>) -> StoreResult<Page> {
        let state = self.lock();
        let member = |id: &ConnectionId| match channel {
            Channel::User(_) => false,
            Channel::Topic(topic) => state.topics.contains(&(id.clone(), topic.clone())),
            Channel::Broadcast => true,
        };
        let mut recipients: Vec<Recipient> = state
            .sockets
            .values()
            .map(|seen| &seen.socket)
            .filter(|s| shard(&s.id) == part && after.is_none_or(|after| s.id > *after) && member(&s.id))
            .map(|s| Recipient { connection: s.id.clone(), until: s.session_expires_at, reason: None })
            .collect();
        let more = recipients.len() > PAGE;
        recipients.truncate(PAGE);
        let next = recipients.last().filter(|_| more).map(|r| r.connection.clone());
        let next = if state.stuck { after.cloned().or(next) } else { next };
        Ok(Page { recipients, next })
    }
}

impl Channels for MemoryTable {
    async fn head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        let state = self.lock();
        match state.broken.get(channel) {
            Some(error) => Err(error.clone()),
            None => Ok(state.channels.get(channel).and_then(|line| line.head)),
        }
    }

    async fn recent_head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.head(channel).await
    }

    async fn begin(&self, channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position> {
        let mut state = self.lock();
        let line = state.channels.entry(channel.clone()).or_default();
        if line.head.is_none() {
            line.moved_at = now;
        }
        Ok(*line.head.get_or_insert(Position { epoch, offset: 0 }))
    }

    async fn append(&self, channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended> {
        let mut state = self.lock();
        if state.contended > 0 {
            state.contended -= 1;
            return Ok(Appended::Moved);
        }
        let line = state.channels.entry(channel.clone()).or_default();
        let there = |(index, message): (usize, &&Message)| line.ids.get(&message.id).map(|(at, _)| (index, *at));
        let already: Vec<_> = messages.iter().enumerate().filter_map(there).collect();
        if !already.is_empty() {
            return Ok(Appended::Already(already));
        }
        if line.head != Some(head) {
            return Ok(Appended::Moved);
        }
        for (message, offset) in messages.iter().zip(head.offset + 1..) {
            let at = Position { epoch: head.epoch, offset };
            line.messages.insert(offset, Recorded { at, message: (*message).clone() });
            line.ids.insert(message.id, (at, message.sent_at));
            line.head = Some(at);
            line.moved_at = message.sent_at;
        }
        state.appends += 1;
        Ok(Appended::Done)
    }

    async fn record(&self, channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>> {
        let mut state = self.lock();
        if state.contended > 0 {
            state.contended -= 1;
            return Err(StoreError::Conflict("another writer".into()));
        }
        let line = state.channels.entry(channel.clone()).or_default();
        match line.messages.entry(place.offset) {
            Entry::Occupied(there) => Ok(Some(there.get().clone())),
            Entry::Vacant(free) => {
                free.insert(Recorded { at: place, message: message.clone() });
                Ok(None)
            }
        }
    }

    async fn advance(&self, channel: &Channel, to: &Recorded) -> StoreResult<bool> {
        let mut state = self.lock();
        let line = state.channels.entry(channel.clone()).or_default();
        if line.head.is_none_or(|head| head.epoch != to.at.epoch || head.offset + 1 != to.at.offset) {
            return Ok(false);
        }
        (line.head, line.moved_at) = (Some(to.at), to.message.sent_at);
        state.appends += 1;
        Ok(true)
    }

    async fn message(&self, channel: &Channel, place: Position) -> StoreResult<Option<Recorded>> {
        Ok(self.lock().channels.get(channel).and_then(|line| line.messages.get(&place.offset).cloned()))
    }

    async fn range(
        &self,
        channel: &Channel,
        after: u64,
        head: Position,
        max_bytes: usize,
    ) -> StoreResult<Vec<Recorded>> {
        if after >= head.offset {
            return Ok(Vec::new());
        }
        let state = self.lock();
        let mut bytes = 0;
        let Some(line) = state.channels.get(channel) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (_, recorded) in line.messages.range(after + 1..=head.offset) {
            if bytes > max_bytes {
                break;
            }
            bytes += recorded.message.data.as_str().len();
            found.push(recorded.clone());
        }
        Ok(found)
    }
}

impl PublishKeys for MemoryTable {
    async fn begin_publish(&self, key: &PublishKey, pending: &Pending, now: Millis) -> StoreResult<Begun> {
        let mut state = self.lock();
        match state.keys.get(key).filter(|(expires, _, _)| *expires > now) {
            Some((_, _, Some(answer))) => Ok(Begun::Queued(answer.clone())),
            Some((_, stored, None)) if stored.message.id != pending.message.id => Ok(Begun::Pending(stored.clone())),
            Some(_) => Ok(Begun::New),
            None => {
                state.keys.insert(key.clone(), (now.plus_seconds(KEY_SECONDS), pending.clone(), None));
                Ok(Begun::New)
            }
        }
    }

    async fn finish_publish(&self, key: &PublishKey, answer: &Answer) -> StoreResult<()> {
        let mut state = self.lock();
        if let Some((_, pending, slot)) = state.keys.get_mut(key)
            && pending.message.id == answer.message_id
            && slot.is_none()
        {
            *slot = Some(answer.clone());
        }
        Ok(())
    }
}

impl RecoveryBudget for MemoryTable {
    async fn reserve(&self, reservation: &RecoveryReservation) -> StoreResult<bool> {
        let mut state = self.lock();
        state.reservations += 1;
        let fresh = (0, reservation.ends());
        let (taken, _) = state.reserved.entry((reservation.window, reservation.row)).or_insert(fresh);
        let fits = *taken + reservation.posts <= reservation.limit;
        if fits {
            *taken += reservation.posts;
        }
        Ok(fits)
    }
}
