//! What every store of connections, channels and publishers' keys must do. Each check draws names of its own, so that
//! all can run against one store.

mod lifetimes;

use std::collections::BTreeSet;

use crate::suites::sessions::real_now;
use futures_util::future::join_all;
use holdfast_push::budget::{RecoveryReservation, Row};
use holdfast_push::channel::{Channel, Position, SHARDS, Topic};
use holdfast_push::data::Data;
use holdfast_push::ids::{ConnectionId, Epoch, MessageId};
use holdfast_push::message::{Message, Recorded};
use holdfast_push::ports::{
    Appended, Audience, Begun, Channels, Joined, PublishKeys, RecoveryBudget, Sockets, Subscriptions, Tickets,
};
use holdfast_push::publish::{Answer, KEY_SECONDS, Pending, PublishKey, Target};
use holdfast_push::socket::{FrameWindow, SILENCE_SECONDS, Socket, WINDOW_SECONDS};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{Clock, Rng, StoreError};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{Millis, Secret, SessionId, SlotNo, UserId, ids};

pub use lifetimes::*;

/// Everything that push needs from a store.
pub trait Store:
    Tickets + Sockets + Subscriptions + Audience + Channels + PublishKeys + RecoveryBudget + Clone + Send + Sync + 'static
{
}
impl<S> Store for S where
    S: Tickets
        + Sockets
        + Subscriptions
        + Audience
        + Channels
        + PublishKeys
        + RecoveryBudget
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Names that no other check has.
struct Names<'a, H>(&'a H);

impl<H: Clock + Rng> Names<'_, H> {
    fn user(&self) -> UserId {
        UserId::from_bytes(self.0.random())
    }

    fn connection(&self) -> ConnectionId {
        let text = ids::encode(&self.0.random::<12>());
        text.parse().expect("a connection id")
    }

    fn topic(&self) -> Topic {
        format!("t.{}", ids::encode(&self.0.random::<9>())).parse().expect("a topic")
    }

    fn epoch(&self) -> Epoch {
        Epoch::from_bytes(self.0.random())
    }

    fn socket(&self, user: UserId) -> Socket {
        let now = self.0.now();
        Socket {
            id: self.connection(),
            at: Address { user, slot: SlotNo::new(3).expect("a slot") },
            sid: SessionId::from_bytes(self.0.random()),
            connected_at: now,
            seen_at: now,
            session_expires_at: now.plus_seconds(600),
            expires_at: Millis::new(now.plus_seconds(7_800).seconds_up() * 1_000),
        }
    }

    fn message(&self, data: &str) -> Message {
        let now = self.0.now();
        Message {
            id: MessageId::from_bytes(self.0.random()),
            kind: "note".into(),
            data: Data::compact(data).expect("JSON"),
            sent_at: now,
            expires_at: now.plus_seconds(86_400),
            ephemeral: false,
        }
    }
}

async fn opened<S: Store, H: Clock + Rng>(store: &S, names: &Names<'_, H>, user: UserId) -> Socket {
    let socket = names.socket(user);
    assert_eq!(store.open(&socket, "a@example.com").await, Ok(()));
    assert_eq!(store.is_gone(&socket.id).await, Ok(false));
    socket
}

async fn audience<S: Store>(store: &S, channel: &Channel) -> Vec<ConnectionId> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let mut after = None;
        loop {
            let page = store.page(channel, shard, after.as_ref()).await.expect("a page");
            found.extend(page.recipients.into_iter().map(|r| r.connection));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    found
}

/// Of many who reserve at once, as many get something as there is room for.
pub async fn a_window_of_recoveries_is_never_overdrawn<S: Store, H: Clock + Rng>(store: S, host: H) {
    // Windows of this moment and later: a row of an old one may be deleted at any time.
    let window = host.now().get() / 5_000 + i64::from(u32::from_be_bytes(host.random()));
    let wanted = |posts| RecoveryReservation { window, window_seconds: 5, row: Row::Recovery(1), posts, limit: 100 };
    let results = join_all((0..8).map(|_| async { store.reserve(&wanted(30)).await })).await;
    assert_eq!(results.into_iter().filter(|r| r == &Ok(true)).count(), 3);
    assert_eq!(store.reserve(&wanted(11)).await, Ok(false));
    assert_eq!(store.reserve(&wanted(10)).await, Ok(true));
    assert_eq!(store.reserve(&RecoveryReservation { row: Row::Recovery(2), ..wanted(100) }).await, Ok(true));
    // A user's own rows are apart from it, and from other users'.
    let (one, other) = (UserId::from_bytes(host.random()), UserId::from_bytes(host.random()));
    for (row, window_seconds) in [(Row::RecoveryOf(one), 5), (Row::RecoveryOf(other), 5), (Row::TicketsOf(one), 60)] {
        assert_eq!(store.reserve(&RecoveryReservation { row, window_seconds, ..wanted(100) }).await, Ok(true));
        assert_eq!(store.reserve(&RecoveryReservation { row, window_seconds, ..wanted(1) }).await, Ok(false));
    }
    assert_eq!(store.reserve(&RecoveryReservation { row: Row::Recovery(3), ..wanted(101) }).await, Ok(false));
    assert_eq!(store.reserve(&RecoveryReservation { window: window + 1, ..wanted(1) }).await, Ok(true));
}

/// Of many who present a ticket at once, one gets it.
pub async fn a_ticket_is_consumed_once<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let hash = Ticket::new(Secret::new(host.random())).hash();
    let at = Address { user: names.user(), slot: SlotNo::new(9).expect("a slot") };
    let row =
        TicketRow { hash, at, sid: SessionId::from_bytes(host.random()), expires_at: host.now().plus_seconds(30) };
    store.put_ticket(&row).await.expect("kept");
    assert_eq!(store.ticket(&hash).await, Ok(Some(row)));
    let takers = (0..8).map(|_| store.consume(&hash, host.now()));
    let taken: Vec<_> = join_all(takers).await.into_iter().filter_map(|r| r.expect("decided")).collect();
    assert_eq!(taken, [row]);
    assert_eq!(store.ticket(&hash).await, Ok(None));
    // One that nobody presents is left alone.
    let other = TicketRow { hash: Ticket::new(Secret::new(host.random())).hash(), ..row };
    store.put_ticket(&other).await.expect("kept");
    assert_eq!(store.consume(&hash, host.now()).await, Ok(None));
    assert_eq!(store.ticket(&other.hash).await, Ok(Some(other)));
}

/// An expired ticket opens nothing, even while its row is there.
pub async fn an_expired_ticket_opens_nothing<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let hash = Ticket::new(Secret::new(host.random())).hash();
    let at = Address { user: names.user(), slot: SlotNo::new(0).expect("a slot") };
    let expires_at = host.now().plus_seconds(30);
    let row = TicketRow { hash, at, sid: SessionId::from_bytes(host.random()), expires_at };
    store.put_ticket(&row).await.expect("kept");
    assert_eq!(store.consume(&hash, expires_at).await, Ok(None));
    assert_eq!(store.consume(&hash, expires_at.plus_millis(-1)).await, Ok(Some(row)));
}

/// A socket is found by its id, by its user and among all sockets. After it is deleted, it is found nowhere.
pub async fn a_socket_is_found_until_it_is_forgotten<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let (one, two) = (opened(&store, &names, user).await, opened(&store, &names, user).await);
    assert_eq!(store.socket(&one.id).await, Ok(Some(one.clone())));
    let mut found = store.of_user(user).await.expect("read");
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let mut both = vec![one.clone(), two.clone()];
    both.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, both);
    let topic = names.topic();
    assert_eq!(store.join(&one, std::slice::from_ref(&topic)).await, Ok(Joined::Done));
    assert_eq!(audience(&store, &Channel::Topic(topic.clone())).await, std::slice::from_ref(&one.id));
    assert!(audience(&store, &Channel::Broadcast).await.contains(&one.id));

    store.forget(&one.id, None).await.expect("forgotten");
    assert_eq!(store.socket(&one.id).await, Ok(None));
    assert_eq!(store.of_user(user).await, Ok(vec![two.clone()]));
    assert_eq!(audience(&store, &Channel::Topic(topic)).await, Vec::<ConnectionId>::new());
    assert!(!audience(&store, &Channel::Broadcast).await.contains(&one.id));
    store.forget(&one.id, Some(user)).await.expect("nothing left to forget");
}

/// The mark of a closed socket is seen with its rows, and without them.
pub async fn a_socket_that_is_gone_is_marked<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let (early, late) = (names.socket(names.user()), opened(&store, &names, names.user()).await);
    for socket in [&early, &late] {
        store.mark_gone(&socket.id, host.now()).await.expect("marked");
        assert_eq!(store.is_gone(&socket.id).await, Ok(true));
    }
    store.open(&early, "a@example.com").await.expect("written");
    for socket in [&early, &late] {
        store.forget(&socket.id, Some(socket.at.user)).await.expect("forgotten");
        assert_eq!(store.is_gone(&socket.id).await, Ok(true));
        assert_eq!((store.socket(&socket.id).await, store.of_user(socket.at.user).await), (Ok(None), Ok(vec![])));
    }
}

/// Nothing that is said about a forgotten socket brings a row of it back.
pub async fn a_forgotten_socket_stays_forgotten<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    let seen = store.count_frame(&socket.id).await.expect("counted").expect("a socket");
    store.forget(&socket.id, Some(user)).await.expect("forgotten");
    let later = host.now().plus_seconds(120);
    store.refresh(&seen, later.plus_seconds(600), later).await.expect("nothing to refresh");
    assert_eq!(store.count_frame(&socket.id).await, Ok(None));
    let topic = names.topic();
    assert_eq!(store.join(&socket, std::slice::from_ref(&topic)).await, Ok(Joined::Closed));
    store.unsubscribe(&socket.id, &topic).await.expect("nothing to leave");
    assert_eq!(store.socket(&socket.id).await, Ok(None));
    assert_eq!(store.of_user(user).await, Ok(vec![]));
    assert_eq!(audience(&store, &Channel::Topic(topic)).await, Vec::<ConnectionId>::new());
}

/// Every frame counts; a new window begins with what the last one leaves; the session's expiry moves on every row.
pub async fn frames_are_counted_and_a_socket_is_kept_fresh<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    let topic = names.topic();
    assert_eq!(store.join(&socket, std::slice::from_ref(&topic)).await, Ok(Joined::Done));
    let counts = join_all((0..5).map(|_| store.count_frame(&socket.id))).await;
    let mut counts: Vec<_> = counts.into_iter().map(|c| c.expect("counted").expect("a socket").frames).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5]);

    let seen = store.count_frame(&socket.id).await.expect("counted").expect("a socket");
    let later = socket.seen_at.plus_seconds(WINDOW_SECONDS);
    let expires = later.plus_seconds(900);
    store.refresh(&seen, expires, later).await.expect("refreshed");
    let again = store.count_frame(&socket.id).await.expect("counted").expect("a socket");
    assert_eq!((again.frames, again.frames_before, again.socket.seen_at), (2, 5, later));
    assert_eq!(again.socket.session_expires_at, expires);
    let twin = store.of_user(user).await.expect("read").remove(0);
    assert_eq!((twin.seen_at, twin.session_expires_at), (later, expires));
    for channel in [Channel::Topic(topic), Channel::Broadcast] {
        let page = store.page(&channel, holdfast_push::channel::shard(&socket.id), None).await.expect("a page");
        let until = page.recipients.into_iter().find(|r| r.connection == socket.id).expect("a member").until;
        assert_eq!(until, expires);
    }
}

/// A try of a handshake's writes that arrives late undoes nothing that followed.
pub async fn a_late_try_of_opening_a_socket_changes_nothing<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    let seen = store.count_frame(&socket.id).await.expect("counted").expect("a socket");
    let (later, expires) = (socket.seen_at.plus_seconds(WINDOW_SECONDS), socket.session_expires_at.plus_seconds(900));
    store.refresh(&seen, expires, later).await.expect("refreshed");
    let before = (store.socket(&socket.id).await, store.of_user(user).await);
    assert_eq!(store.open(&socket, "a@example.com").await, Ok(()));
    assert_eq!((store.socket(&socket.id).await, store.of_user(user).await), before);
    let again = store.count_frame(&socket.id).await.expect("counted").expect("a socket");
    assert_eq!((again.frames, again.socket.session_expires_at), (2, expires));
}

/// A frame after a silence begins a window with one call, and no other frame does.
pub async fn a_frame_after_a_silence_is_counted_at_once<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    for _ in 0..3 {
        store.count_frame(&socket.id).await.expect("counted");
    }
    let silent = socket.seen_at.plus_seconds(SILENCE_SECONDS);
    assert_eq!(store.count_after_silence(&socket.id, silent.plus_millis(-1)).await, Ok(None));
    let of = |seen_at, frames| FrameWindow { socket: Socket { seen_at, ..socket.clone() }, frames, frames_before: 0 };
    assert_eq!(store.count_frame(&socket.id).await, Ok(Some(of(socket.seen_at, 4))), "nothing was counted before");
    assert_eq!(store.count_after_silence(&socket.id, silent).await, Ok(Some(of(silent, 1))));
    assert_eq!(store.count_after_silence(&socket.id, silent.plus_seconds(1)).await, Ok(None));
    assert_eq!(store.count_frame(&socket.id).await, Ok(Some(of(silent, 2))));
    let twin = store.of_user(user).await.expect("read").remove(0);
    assert_eq!(twin.seen_at, socket.seen_at, "the user's row is not touched");
    store.forget(&socket.id, Some(user)).await.expect("forgotten");
    assert_eq!(store.count_after_silence(&socket.id, silent.plus_seconds(600)).await, Ok(None));
    assert_eq!(store.socket(&socket.id).await, Ok(None));
}

/// An extended session moves the expiry on every row, and an open socket is recorded under its user only. Neither touches
/// the window of frames, nor brings rows back.
pub async fn a_silent_socket_is_extended_and_confirmed<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    let topic = names.topic();
    assert_eq!(store.join(&socket, std::slice::from_ref(&topic)).await, Ok(Joined::Done));
    store.count_frame(&socket.id).await.expect("counted");
    let (later, expires) = (socket.seen_at.plus_seconds(700), socket.session_expires_at.plus_seconds(900));
    store.extend(&socket, expires).await.expect("extended");
    store.confirm_open(&socket, later).await.expect("confirmed");
    let own = store.socket(&socket.id).await.expect("read").expect("a socket");
    assert_eq!((own.seen_at, own.session_expires_at), (socket.seen_at, expires));
    let twin = store.of_user(user).await.expect("read").remove(0);
    assert_eq!((twin.seen_at, twin.session_expires_at), (later, expires));
    assert_eq!(store.count_frame(&socket.id).await.expect("counted").expect("a socket").frames, 2);
    for channel in [Channel::Topic(topic.clone()), Channel::Broadcast] {
        let page = store.page(&channel, holdfast_push::channel::shard(&socket.id), None).await.expect("a page");
        let until = page.recipients.into_iter().find(|r| r.connection == socket.id).expect("a member").until;
        assert_eq!(until, expires, "{channel}");
    }
    store.forget(&socket.id, Some(user)).await.expect("forgotten");
    store.extend(&socket, expires).await.expect("nothing to extend");
    store.confirm_open(&socket, later).await.expect("nothing to confirm");
    assert_eq!((store.socket(&socket.id).await, store.of_user(user).await), (Ok(None), Ok(vec![])));
    assert_eq!(audience(&store, &Channel::Topic(topic)).await, Vec::<ConnectionId>::new());
}

/// A topic is subscribed to and left.
pub async fn topics_are_subscribed_to_and_left<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let socket = opened(&store, &names, names.user()).await;
    let (a, b) = (names.topic(), names.topic());
    assert_eq!(store.join(&socket, &[a.clone(), b.clone()]).await, Ok(Joined::Done));
    for again in [vec![a.clone()], vec![names.topic(), b.clone()]] {
        let repeated = store.join(&socket, &again).await;
        assert!(
            matches!(repeated, Err(StoreError::Conflict(_))),
            "one is there already, so nothing is added: {repeated:?}"
        );
    }
    let mut topics = store.topics(&socket.id).await.expect("read");
    topics.sort();
    let mut both = vec![a.clone(), b.clone()];
    both.sort();
    assert_eq!(topics, both);
    store.unsubscribe(&socket.id, &a).await.expect("left");
    store.unsubscribe(&socket.id, &a).await.expect("left already");
    assert_eq!(store.topics(&socket.id).await, Ok(vec![b]));
    assert_eq!(audience(&store, &Channel::Topic(a)).await, Vec::<ConnectionId>::new());
}

/// However many frames of a socket are served at once, it never has more than a hundred topics; what is left makes
/// room.
pub async fn a_socket_never_has_more_than_a_hundred_topics<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let socket = opened(&store, &names, names.user()).await;
    let wishes: Vec<Vec<Topic>> = (0..8).map(|_| (0..30).map(|_| names.topic()).collect()).collect();
    let join = async |topics: &[Topic]| loop {
        match store.join(&socket, topics).await {
            Err(StoreError::Conflict(_)) => host.sleep(1).await,
            answer => return answer.expect("decided"),
        }
    };
    let answers = join_all(wishes.iter().map(|topics| join(topics))).await;
    let added: Vec<_> = wishes.iter().zip(&answers).filter(|(_, answer)| **answer == Joined::Done).collect();
    assert_eq!(added.len(), 3, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Joined::TooMany).count(), 5, "{answers:?}");
    let there: BTreeSet<_> = store.topics(&socket.id).await.expect("read").into_iter().collect();
    let expected: BTreeSet<_> = added.iter().flat_map(|(topics, _)| topics.iter().cloned()).collect();
    assert_eq!(there, expected, "what was said to be added is there, and nothing else");

    let more: Vec<_> = (0..11).map(|_| names.topic()).collect();
    assert_eq!(join(&more).await, Joined::TooMany);
    assert_eq!(join(&more[..10]).await, Joined::Done);
    assert_eq!(join(&more[10..]).await, Joined::TooMany);
    for _ in 0..2 {
        store.unsubscribe(&socket.id, &more[0]).await.expect("left");
    }
    assert_eq!(join(&more[10..]).await, Joined::Done, "one was left");
    assert_eq!(join(&more[..1]).await, Joined::TooMany, "and it was counted once");
    assert_eq!(store.topics(&socket.id).await.expect("read").len(), 100);
}

/// The numbering of a channel begins once, even if several callers begin it at once.
pub async fn an_epoch_is_chosen_once<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    assert_eq!(store.head(&channel).await, Ok(None));
    let heads = join_all((0..8).map(|_| store.begin(&channel, names.epoch(), real_now()))).await;
    let first = *heads[0].as_ref().expect("begun");
    assert!(heads.iter().all(|head| *head == Ok(first)), "{heads:?}");
    assert_eq!(first.offset, 0);
    assert_eq!(store.head(&channel).await, Ok(Some(first)));
    assert_eq!(store.recent_head(&channel).await, Ok(Some(first)));
}

/// Messages are stored whole, without gaps, in the order in which they were appended.
pub async fn messages_stand_in_order<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::Topic(names.topic());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let messages: Vec<_> =
        (0..4).map(|n| names.message(&format!("{{\"n\":{n},\"big\":123456789012345678901}}"))).collect();
    assert_eq!(store.append(&channel, start, &[&messages[0]]).await, Ok(Appended::Done));
    let at = |offset| Position { offset, ..start };
    assert_eq!(store.append(&channel, at(1), &[&messages[1], &messages[2], &messages[3]]).await, Ok(Appended::Done));
    assert_eq!(store.head(&channel).await, Ok(Some(at(4))));
    let found = store.range(&channel, 0, at(4), usize::MAX).await.expect("read");
    assert_eq!(found.iter().map(|r| r.at).collect::<Vec<_>>(), [at(1), at(2), at(3), at(4)]);
    assert!(found.iter().zip(&messages).all(|(recorded, message)| recorded.message == *message));
    assert_eq!(store.range(&channel, 4, at(4), usize::MAX).await, Ok(vec![]), "nothing lies after the head");
    assert_eq!(store.range(&channel, u64::MAX, at(4), usize::MAX).await, Ok(vec![]), "nor beyond it");
    let middle = store.range(&channel, 1, at(3), usize::MAX).await.expect("read");
    assert_eq!(middle.iter().map(|r| r.at.offset).collect::<Vec<_>>(), [2, 3]);
}

/// A message that is in the channel already is not appended again, wherever the head is by now.
pub async fn a_message_is_appended_once<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let (one, two) = (names.message("1"), names.message("2"));
    assert_eq!(store.append(&channel, start, &[&one]).await, Ok(Appended::Done));
    let first = Position { offset: 1, ..start };
    assert_eq!(store.append(&channel, first, &[&one]).await, Ok(Appended::Already(vec![(0, first)])));
    assert_eq!(store.append(&channel, start, &[&one]).await, Ok(Appended::Already(vec![(0, first)])));
    assert_eq!(store.append(&channel, first, &[&two, &one]).await, Ok(Appended::Already(vec![(1, first)])));
    assert_eq!(store.head(&channel).await, Ok(Some(first)), "nothing of a refused append stays");
    assert_eq!(store.append(&channel, start, &[&two]).await, Ok(Appended::Moved));
    let other = Position { epoch: names.epoch(), offset: 1 };
    assert_eq!(store.append(&channel, other, &[&two]).await, Ok(Appended::Moved), "another epoch");
}

/// A message that is put behind the head is in the channel as soon as the head has moved to it, and leaves no id.
pub async fn a_message_is_recorded_before_the_head_moves<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let at = |offset| Position { offset, ..start };
    let (one, two) = (names.message("1"), names.message("2"));
    let first = Recorded { at: at(1), message: one.clone() };
    assert_eq!(store.record(&channel, at(1), &one).await, Ok(None));
    let other = Position { epoch: names.epoch(), offset: 1 };
    for (place, message) in [(at(1), &two), (at(1), &one), (other, &two)] {
        assert_eq!(store.record(&channel, place, message).await, Ok(Some(first.clone())), "the place is taken");
    }
    for wrong in [Recorded { at: other, ..first.clone() }, Recorded { at: at(2), ..first.clone() }] {
        assert_eq!(store.advance(&channel, &wrong).await, Ok(false), "{wrong:?}");
    }
    assert_eq!(store.head(&channel).await, Ok(Some(start)), "nothing is appended yet");
    assert_eq!(store.advance(&channel, &first).await, Ok(true));
    assert_eq!(store.advance(&channel, &first).await, Ok(false), "the head has moved");
    assert_eq!(store.head(&channel).await, Ok(Some(at(1))));
    assert_eq!(store.range(&channel, 0, at(1), usize::MAX).await, Ok(vec![first.clone()]));
    assert_eq!(store.message(&channel, at(1)).await, Ok(Some(first)));
    assert_eq!(store.message(&channel, at(2)).await, Ok(None));
    assert_eq!(store.append(&channel, at(1), &[&one]).await, Ok(Appended::Done), "its id is not known");
}

/// A transaction writes over what is behind the head. The caller that put it there sees the head move, and another message.
pub async fn a_transaction_takes_the_place_behind_the_head<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let first = Position { offset: 1, ..start };
    let (one, two) = (names.message("1"), names.message("2"));
    assert_eq!(store.record(&channel, first, &one).await, Ok(None));
    assert_eq!(store.append(&channel, start, &[&two]).await, Ok(Appended::Done));
    assert_eq!(store.advance(&channel, &Recorded { at: first, message: one }).await, Ok(false));
    assert_eq!(store.message(&channel, first).await, Ok(Some(Recorded { at: first, message: two })));
    assert_eq!(store.head(&channel).await, Ok(Some(first)));
}

/// Of many who put a message at one place, one does; of many who move the head there, one does.
pub async fn one_place_takes_one_message<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let first = Position { offset: 1, ..start };
    let messages: Vec<_> = (0..8).map(|n| names.message(&n.to_string())).collect();
    let tried = join_all(messages.iter().map(|message| store.record(&channel, first, message))).await;
    // Contention may also be reported as such; what counts is what was written.
    assert_eq!(tried.iter().filter(|answer| **answer == Ok(None)).count(), 1, "{tried:?}");
    let there = store.message(&channel, first).await.expect("read").expect("a message");
    let moved = join_all((0..8).map(|_| store.advance(&channel, &there))).await;
    assert_eq!(moved.iter().filter(|answer| **answer == Ok(true)).count(), 1, "{moved:?}");
    assert_eq!(store.head(&channel).await, Ok(Some(first)));
}

/// Of many who append at one head, one does.
pub async fn one_head_takes_one_append<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    let messages: Vec<_> = (0..8).map(|n| names.message(&n.to_string())).collect();
    let tried = join_all(messages.iter().map(|m| {
        let (store, channel) = (&store, &channel);
        async move { store.append(channel, start, &[m]).await }
    }))
    .await;
    // Contention may also be reported as such; what counts is what was written.
    let done = tried.iter().filter(|r| **r == Ok(Appended::Done)).count();
    assert_eq!(done, 1, "{tried:?}");
    assert_eq!(store.head(&channel).await, Ok(Some(Position { offset: 1, ..start })));
}

/// Reading stops when it has read enough.
pub async fn reading_is_bounded<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let channel = Channel::User(names.user());
    let start = store.begin(&channel, names.epoch(), real_now()).await.expect("begun");
    // 50 × 30 KB is more than one page of DynamoDB's 1 MB.
    let long = format!("\"{}\"", "x".repeat(30_000));
    for n in 0..50 {
        let head = Position { offset: n, ..start };
        assert_eq!(store.append(&channel, head, &[&names.message(&long)]).await, Ok(Appended::Done));
    }
    let head = Position { offset: 50, ..start };
    let all = store.range(&channel, 0, head, usize::MAX).await.expect("read");
    assert_eq!(all.len(), 50, "every page is read");
    let some = store.range(&channel, 0, head, 100_000).await.expect("read");
    assert!(some.len() < 50 && some.iter().map(|r| r.message.data.as_str().len()).sum::<usize>() > 100_000);
}

fn answer(pending: &Pending) -> Answer {
    Answer { message_id: pending.message.id, recipients: Some(2), channel: Some(Channel::Broadcast), offset: Some(7) }
}

/// A publisher's key returns its first request until that is queued, then its answer.
pub async fn a_key_stands_for_its_first_request<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let now = host.now();
    let key = PublishKey::new(&format!("arn:aws:iam::1:role/{}", names.user()), "order-1");
    let targets = [Target::Users(vec![names.user(), names.user()]), Target::Topic(names.topic()), Target::Broadcast];
    for (n, target) in targets.into_iter().enumerate() {
        let key = PublishKey::new(&key.publisher, &format!("order-{n}"));
        let first = Pending { target, message: names.message("{\"a\":1}") };
        let second = Pending { target: Target::Broadcast, message: names.message("2") };
        assert_eq!(store.begin_publish(&key, &first, now).await, Ok(Begun::New));
        assert_eq!(store.begin_publish(&key, &first, now).await, Ok(Begun::New), "our own write, its reply lost");
        assert_eq!(store.begin_publish(&key, &second, now).await, Ok(Begun::Pending(first.clone())));
        store.finish_publish(&key, &answer(&first)).await.expect("finished");
        store.finish_publish(&key, &answer(&first)).await.expect("finished already");
        assert_eq!(store.begin_publish(&key, &second, now).await, Ok(Begun::Queued(answer(&first))));
    }
    let other = PublishKey::new("arn:aws:iam::1:role/other", "order-0");
    let mine = Pending { target: Target::Broadcast, message: names.message("3") };
    store.begin_publish(&other, &mine, now).await.expect("another publisher's key is another key");
}

/// After a day the key is free, whether or not its row is still there. A late end of the old request does not change
/// the new one.
pub async fn a_key_is_honoured_for_a_day<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let now = host.now();
    let key = PublishKey::new(&names.user().to_string(), "k");
    let old = Pending { target: Target::Broadcast, message: names.message("1") };
    let new = Pending { target: Target::Broadcast, message: names.message("2") };
    assert_eq!(store.begin_publish(&key, &old, now).await, Ok(Begun::New));
    let day = now.plus_seconds(KEY_SECONDS);
    assert_eq!(store.begin_publish(&key, &new, day.plus_millis(-1)).await, Ok(Begun::Pending(old.clone())));
    assert_eq!(store.begin_publish(&key, &new, day).await, Ok(Begun::New));
    store.finish_publish(&key, &answer(&old)).await.expect("refused quietly");
    assert_eq!(store.begin_publish(&key, &old, day).await, Ok(Begun::Pending(new)));
}

/// The largest request that fits through the door is kept whole.
pub async fn the_largest_publish_is_kept<S: Store, H: Clock + Rng>(store: S, host: H) {
    let names = Names(&host);
    let users: Vec<_> = (0..9_000).map(|_| names.user()).collect();
    let data = format!("\"{}\"", "x".repeat(32 * 1024 - 2));
    let first = Pending { target: Target::Users(users), message: names.message(&data) };
    let key = PublishKey::new(&names.user().to_string(), "large");
    assert_eq!(store.begin_publish(&key, &first, host.now()).await, Ok(Begun::New));
    let other = Pending { target: Target::Broadcast, message: names.message("1") };
    assert_eq!(store.begin_publish(&key, &other, host.now()).await, Ok(Begun::Pending(first)));
}

/// Every check, one after another, against one store.
pub async fn all<S: Store, H: Clock + Rng + Clone>(store: S, host: H) {
    macro_rules! run {
        ($($check:ident),* $(,)?) => { $($check(store.clone(), host.clone()).await;)* };
    }
    run!(
        a_ticket_is_consumed_once,
        an_expired_ticket_opens_nothing,
        a_socket_is_found_until_it_is_forgotten,
        a_silent_socket_is_extended_and_confirmed,
        a_socket_that_is_gone_is_marked,
        a_forgotten_socket_stays_forgotten,
        frames_are_counted_and_a_socket_is_kept_fresh,
        a_frame_after_a_silence_is_counted_at_once,
        a_late_try_of_opening_a_socket_changes_nothing,
        topics_are_subscribed_to_and_left,
        a_socket_never_has_more_than_a_hundred_topics,
        an_epoch_is_chosen_once,
        messages_stand_in_order,
        a_message_is_appended_once,
        a_message_is_recorded_before_the_head_moves,
        a_transaction_takes_the_place_behind_the_head,
        one_place_takes_one_message,
        one_head_takes_one_append,
        reading_is_bounded,
        a_key_stands_for_its_first_request,
        a_key_is_honoured_for_a_day,
        the_largest_publish_is_kept,
        a_window_of_recoveries_is_never_overdrawn,
    );
}
