//! The rows that a store must keep while time passes. DynamoDB deletes a row at any time after its TTL, and for two
//! days it may also keep it. Each check holds if `expire` deletes at once, and if it does nothing.

use holdfast_push::budget::{RecoveryReservation, TICKETS_PER_WINDOW};
use holdfast_push::channel::{Channel, Position, shard};
use holdfast_push::ports::{Appended, Begun, Joined};
use holdfast_push::publish::{Pending, PublishKey, Target};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{Secret, SessionId, SlotNo};

use super::{Names, Store, answer, opened};
use crate::ManualHost;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A ticket opens a socket until its last second, and never afterwards.
pub async fn a_ticket_is_there_until_it_expires<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let names = Names(&host);
    let at = Address { user: names.user(), slot: SlotNo::new(1).expect("a slot") };
    let put = async || {
        let hash = Ticket::new(Secret::new(host.random())).hash();
        let expires_at = host.now().plus_seconds(30);
        let row = TicketRow { hash, at, sid: SessionId::from_bytes(host.random()), expires_at };
        store.put_ticket(&row).await.expect("kept");
        row
    };
    let row = put().await;
    host.advance_seconds(29);
    expire().await;
    assert_eq!(store.consume(&row.hash, host.now()).await, Ok(Some(row)));
    let row = put().await;
    for wait in [30, HOUR, 2 * DAY] {
        host.advance_seconds(wait);
        expire().await;
        assert_eq!(store.consume(&row.hash, host.now()).await, Ok(None));
    }
}

/// A socket is found in every place for as long as API Gateway keeps it open, which is two hours.
pub async fn a_socket_is_there_for_two_hours<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let names = Names(&host);
    let user = names.user();
    let socket = opened(&store, &names, user).await;
    let topic = names.topic();
    assert_eq!(store.join(&socket, std::slice::from_ref(&topic)).await, Ok(Joined::Done));
    host.advance_seconds(2 * HOUR);
    expire().await;
    assert!(store.socket(&socket.id).await.expect("read").is_some());
    assert_eq!(store.of_user(user).await.expect("read").len(), 1);
    assert_eq!(store.topics(&socket.id).await, Ok(vec![topic.clone()]));
    for channel in [Channel::Topic(topic), Channel::Broadcast] {
        let page = store.page(&channel, shard(&socket.id), None).await.expect("a page");
        assert!(page.recipients.iter().any(|recipient| recipient.connection == socket.id), "{channel}");
    }
    assert!(store.count_frame(&socket.id).await.expect("counted").is_some());
}

/// That a socket was closed is known for an hour: longer than any handshake is retried.
pub async fn a_closed_socket_is_remembered_for_an_hour<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let names = Names(&host);
    let socket = names.socket(names.user());
    store.mark_gone(&socket.id, host.now()).await.expect("marked");
    host.advance_seconds(HOUR - 1);
    expire().await;
    assert_eq!(store.is_gone(&socket.id).await, Ok(true));
}

/// A message is in its channel for a day, and its id for three. A publish may be repeated for a day, and its queue may
/// deliver it two days later. The numbering of the channel outlives both.
pub async fn a_channel_remembers_for_a_day<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let names = Names(&host);
    let channel = Channel::Topic(names.topic());
    let start = store.begin(&channel, names.epoch(), host.now()).await.expect("begun");
    host.advance_seconds(29 * DAY);
    expire().await;
    assert_eq!(store.head(&channel).await, Ok(Some(start)), "a channel without messages keeps its numbering");
    let message = names.message("1");
    let first = Position { offset: 1, ..start };
    assert_eq!(store.append(&channel, start, &[&message]).await, Ok(Appended::Done));
    host.advance_seconds(DAY - 1);
    expire().await;
    let found = store.range(&channel, 0, first, usize::MAX).await.expect("read");
    assert_eq!(found.into_iter().map(|recorded| recorded.message).collect::<Vec<_>>(), std::slice::from_ref(&message));
    for wait in [0, DAY, DAY] {
        host.advance_seconds(wait);
        expire().await;
        assert_eq!(store.append(&channel, first, &[&message]).await, Ok(Appended::Already(vec![(0, first)])));
    }
    host.advance_seconds(27 * DAY);
    expire().await;
    assert_eq!(store.head(&channel).await, Ok(Some(first)), "thirty days after its last message");
    // A numbering that begins again must not meet messages or ids of the one before.
    host.advance_seconds(10 * DAY);
    expire().await;
    if store.head(&channel).await == Ok(None) {
        let again = store.begin(&channel, names.epoch(), host.now()).await.expect("begun");
        assert!(again.epoch != start.epoch && again.offset == 0);
        assert_eq!(store.append(&channel, again, &[&names.message("2")]).await, Ok(Appended::Done));
        let head = Position { offset: 1, ..again };
        assert_eq!(store.range(&channel, 0, head, usize::MAX).await.expect("read").len(), 1);
    }
}

/// An idempotency key holds its request for a day, whether the request was queued or not.
pub async fn a_key_is_there_for_a_day<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let names = Names(&host);
    let key = |name: &str| PublishKey::new("arn:aws:iam::1:role/lifetimes", name);
    let (one, two) = (key(&names.user().to_string()), key(&names.user().to_string()));
    let request = |data: &str| Pending { target: Target::Broadcast, message: names.message(data) };
    let (first, second) = (request("1"), request("2"));
    for key in [&one, &two] {
        assert_eq!(store.begin_publish(key, &first, host.now()).await, Ok(Begun::New));
    }
    store.finish_publish(&two, &answer(&first)).await.expect("finished");
    host.advance_seconds(DAY - 1);
    expire().await;
    assert_eq!(store.begin_publish(&one, &second, host.now()).await, Ok(Begun::Pending(first.clone())));
    assert_eq!(store.begin_publish(&two, &second, host.now()).await, Ok(Begun::Queued(answer(&first))));
    host.advance_seconds(1);
    expire().await;
    for key in [&one, &two] {
        assert_eq!(store.begin_publish(key, &second, host.now()).await, Ok(Begun::New));
    }
}

/// What was taken from a budget is missing until its window ends.
pub async fn a_budget_holds_until_its_window_is_over<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let user = Names(&host).user();
    for wanted in [
        |user, now| RecoveryReservation::of_user(user, 100, 20, 100, now),
        |user, now| RecoveryReservation { posts: TICKETS_PER_WINDOW, ..RecoveryReservation::ticket(user, now) },
    ] {
        let first: RecoveryReservation = wanted(user, host.now());
        assert_eq!(store.reserve(&first).await, Ok(true));
        host.advance_seconds((first.ends().get() - host.now().get() - 1) / 1_000);
        expire().await;
        assert_eq!(store.reserve(&wanted(user, host.now())).await, Ok(false), "{first:?}");
        host.advance_seconds(1);
        expire().await;
        assert_eq!(store.reserve(&wanted(user, host.now())).await, Ok(true), "{first:?}");
    }
}

/// Every check, one after another, against one store. `expire` deletes rows past their TTL by the clock, or does
/// nothing.
pub async fn lifetimes<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    macro_rules! run {
        ($($check:ident),* $(,)?) => { $(Box::pin($check(store.clone(), host.clone(), &expire)).await;)* };
    }
    run!(
        a_ticket_is_there_until_it_expires,
        a_socket_is_there_for_two_hours,
        a_closed_socket_is_remembered_for_an_hour,
        a_channel_remembers_for_a_day,
        a_key_is_there_for_a_day,
        a_budget_holds_until_its_window_is_over,
    );
}
