//! A socket has at most a hundred topics, for every kind of request. One `hello` recovers a limited amount of all
//! channels together.

use std::cell::RefCell;
use std::collections::BTreeSet;

use holdfast_push::channel::{Channel, Position, Topic, TopicPolicy};
use holdfast_push::frame::{ClientFrame, Mark};
use holdfast_push::outcome::Posted;
use holdfast_push::ports::{Channels as _, Count, Joined, Subscriptions as _};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::service::{Caller, Frames};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::Clock as _;
use holdfast_testkit::push::stepped::{Actor, Schedule, Stepped, every_schedule};

use crate::world::{Person, TestFrames, Watchers, World, id, says, to, to_all};

fn topic(n: usize) -> Topic {
    format!("public.{n:03}").parse().unwrap()
}

fn mark(topic: Topic) -> Mark {
    Mark { channel: Channel::Topic(topic), at: None }
}

/// A socket that has these topics already.
async fn connected(topics: usize) -> (World, Person) {
    let world = World::default();
    let person = world.person();
    let socket = world.connect(&person, "a").await.unwrap();
    for part in (0..topics).map(topic).collect::<Vec<_>>().chunks(50) {
        assert_eq!(world.table.join(&socket, part).await, Ok(Joined::Done));
    }
    (world, person)
}

async fn subscribed(world: &World) -> BTreeSet<Topic> {
    world.table.topics(&id("a")).await.unwrap().into_iter().collect()
}

/// The number of errors with too many topics, among the frames that the socket received.
fn refused(world: &World) -> usize {
    world.gateway.received(&id("a")).iter().filter(|frame| frame.contains("TooManyTopics")).count()
}

#[tokio::test]
async fn a_hello_subscribes_to_no_more_topics_than_a_socket_may_have() {
    for (there, asked) in [(0, 101), (0, 140), (100, 3), (99, 2), (60, 60)] {
        let (world, person) = connected(there).await;
        // Also some of those that it has: they are not new.
        let wanted: Vec<Topic> = (there.saturating_sub(3)..there + asked).map(topic).collect();
        let new = asked;
        let room = 100 - there;
        world.say(&person, "a", ClientFrame::Hello(wanted.iter().cloned().map(mark).collect())).await;
        let expected: BTreeSet<_> = (0..there + new.min(room)).map(topic).collect();
        assert_eq!(subscribed(&world).await, expected, "{there} there and {asked} asked for: the first ones");
        assert_eq!(refused(&world), new.saturating_sub(room), "{there} there and {asked} asked for");
        let welcome = world.gateway.received(&id("a")).into_iter().find(|frame| frame.starts_with("Welcome")).unwrap();
        for name in &wanted {
            let named = welcome.contains(name.as_str());
            assert_eq!(named, expected.contains(name), "{} is welcomed iff it is subscribed to", name.as_str());
        }
        assert!(world.gateway.is_open(&id("a")));
    }
}

/// Serves these frames of one socket, in the order of their steps that the schedule says.
fn serve_at_once(world: &World, person: &Person, schedule: &mut Schedule, frames: [ClientFrame; 2]) {
    let service = Frames {
        sessions: world.sessions.clone(),
        table: OnlyTopics(world.table.clone()),
        gateway: world.gateway.clone(),
        host: world.host.clone(),
        policy: Policy::default(),
        topics: TopicPolicy::public(["public.".to_owned()]),
        presence: Watchers::Policy(PresencePolicy::default()),
        tally: world.counters.clone(),
        recovery_per_second: 1_000,
        heads: world.heads.clone(),
    };
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    let serve = |frame: ClientFrame| {
        let (service, caller, soon) = (&service, &caller, world.soon());
        Box::pin(async move {
            assert_eq!(service.receive(caller, Ok(frame), soon).await, Posted::Done);
        }) as Actor<'_>
    };
    schedule.run(frames.into_iter().map(serve).collect());
}

/// Both see that the topic is new. The table refuses the one that comes second, which then looks again.
#[test]
fn frames_that_are_served_at_once_may_ask_for_the_same_topic() {
    let count = every_schedule(|schedule| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (world, person) = runtime.block_on(connected(0));
        serve_at_once(&world, &person, schedule, [0, 0].map(|n| ClientFrame::Subscribe(topic(n))));
        assert_eq!(runtime.block_on(subscribed(&world)), BTreeSet::from([topic(0)]));
        let received = world.gateway.received(&id("a"));
        assert!(received.len() == 2 && received.iter().all(|frame| frame.starts_with("Subscribed")), "{received:?}");
    });
    assert!(count > 1, "{count}");
}

/// Two frames of one socket that both see room for one more topic, in every order of their steps.
#[test]
fn frames_that_are_served_at_once_leave_no_more_topics_than_a_socket_may_have() {
    let kinds: [fn(usize) -> ClientFrame; 2] =
        [|n| ClientFrame::Subscribe(topic(n)), |n| ClientFrame::Hello(vec![mark(topic(n)), mark(topic(n + 50))])];
    let outcomes = RefCell::new(BTreeSet::new());
    for second in kinds {
        let count = every_schedule(|schedule| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (world, person) = runtime.block_on(connected(99));
            serve_at_once(&world, &person, schedule, [ClientFrame::Subscribe(topic(200)), second(300)]);
            let there = runtime.block_on(subscribed(&world));
            assert_eq!(there.len(), 100, "one of the two topics that were new, and no more");
            let received = world.gateway.received(&id("a"));
            let first = there.contains(&topic(200));
            let told = |n: usize| {
                let name = topic(n);
                received.iter().any(|frame| {
                    (frame.starts_with("Subscribed") || frame.starts_with("Welcome")) && frame.contains(name.as_str())
                })
            };
            assert_eq!(told(200), first, "{received:?}");
            assert_eq!(told(300), there.contains(&topic(300)), "{received:?}");
            assert!(refused(&world) >= 1);
            outcomes.borrow_mut().insert(first);
        });
        assert!(count > 1, "{count}");
    }
    assert_eq!(outcomes.into_inner(), BTreeSet::from([false, true]), "either may be first");
}

/// A table that reads and changes a socket's topics step by step. Everything else happens at once, which keeps the
/// orders few.
#[derive(Clone, Debug)]
struct OnlyTopics(holdfast_testkit::push::MemoryTable);

mod only_topics {
    use holdfast_push::budget::RecoveryReservation;
    use holdfast_push::channel::{Channel, Position, Topic};
    use holdfast_push::ids::{ConnectionId, Epoch};
    use holdfast_push::message::{Message, Recorded};
    use holdfast_push::ports::{Appended, Channels, Joined, RecoveryBudget, Sockets, Subscriptions};
    use holdfast_push::socket::{FrameWindow, Socket};
    use holdfast_sessions::ports::StoreResult;
    use holdfast_sessions::{Millis, UserId};

    use super::{OnlyTopics, Stepped};

    impl Subscriptions for OnlyTopics {
        async fn join(&self, socket: &Socket, topics: &[Topic]) -> StoreResult<Joined> {
            Stepped(self.0.clone()).join(socket, topics).await
        }

        async fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> StoreResult<()> {
            Stepped(self.0.clone()).unsubscribe(id, topic).await
        }

        async fn topics(&self, id: &ConnectionId) -> StoreResult<Vec<Topic>> {
            Stepped(self.0.clone()).topics(id).await
        }
    }

    macro_rules! at_once {
        ($trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
            impl $trait for OnlyTopics {
                $(async fn $name(&self, $($arg: $type),*) -> $result { self.0.$name($($arg),*).await })*
            }
        };
    }

    at_once!(Sockets {
        fn open(socket: &Socket, email: &str) -> StoreResult<()>;
        fn is_gone(id: &ConnectionId) -> StoreResult<bool>;
        fn socket(id: &ConnectionId) -> StoreResult<Option<Socket>>;
        fn of_user(user: UserId) -> StoreResult<Vec<Socket>>;
        fn forget(id: &ConnectionId, user: Option<UserId>) -> StoreResult<()>;
        fn mark_gone(id: &ConnectionId, now: Millis) -> StoreResult<()>;
        fn count_frame(id: &ConnectionId) -> StoreResult<Option<FrameWindow>>;
        fn count_after_silence(id: &ConnectionId, now: Millis) -> StoreResult<Option<FrameWindow>>;
        fn refresh(seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()>;
        fn extend(socket: &Socket, session_expires_at: Millis) -> StoreResult<()>;
        fn confirm_open(socket: &Socket, now: Millis) -> StoreResult<()>;
    });
    at_once!(Channels {
        fn head(channel: &Channel) -> StoreResult<Option<Position>>;
        fn recent_head(channel: &Channel) -> StoreResult<Option<Position>>;
        fn begin(channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position>;
        fn append(channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended>;
        fn record(channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>>;
        fn advance(channel: &Channel, to: &Recorded) -> StoreResult<bool>;
        fn message(channel: &Channel, place: Position) -> StoreResult<Option<Recorded>>;
        fn range(channel: &Channel, after: u64, head: Position, max_bytes: usize) -> StoreResult<Vec<Recorded>>;
    });
    at_once!(RecoveryBudget {
        fn reserve(reservation: &RecoveryReservation) -> StoreResult<bool>;
    });
}

async fn published(world: &World, person: &Person, own: usize, shared: usize, data: &str) -> [Position; 2] {
    world.say(person, "a", ClientFrame::Hello(vec![])).await;
    let start = async |channel: Channel| world.table.head(&channel).await.unwrap().unwrap();
    let marks = [start(person.channel()).await, start(Channel::Broadcast).await];
    for _ in 0..own {
        world.publisher().publish("arn", &to(&[person], data)).await.unwrap();
    }
    for _ in 0..shared {
        world.publisher().publish("arn", &to_all(data)).await.unwrap();
    }
    marks
}

/// One `hello` recovers at most a thousand messages and a mebibyte of all its channels together.
#[tokio::test]
async fn the_channels_of_one_hello_share_what_may_come_back() {
    let large = format!("\"{}\"", "x".repeat(30_000));
    for (own, shared, data, both) in [
        (600, 400, "1", true),
        (600, 401, "1", false),
        (1, 1_000, "1", false),
        (17, 17, &large, true),
        (18, 18, &large, false),
    ] {
        let (world, person) = connected(0).await;
        let marks = published(&world, &person, own, shared, data).await;
        let channels = [person.channel(), Channel::Broadcast];
        let hello = channels.into_iter().zip(marks).map(|(channel, at)| Mark { channel, at: Some(at) }).collect();
        let before = world.gateway.received(&id("a")).len();
        world.say(&person, "a", ClientFrame::Hello(hello)).await;
        let frames = world.gateway.received(&id("a")).split_off(before);
        let posted = frames.iter().filter(|frame| frame.starts_with("Message")).count();
        let case = format!("{own} and {shared} of {} bytes", data.len());
        assert_eq!(posted, if both { own + shared } else { own }, "{case}: all of a channel, or nothing of it");
        assert_eq!(says(&frames, "Welcome", "recovered: false"), !both, "{case}");
        assert_eq!(world.counters.of(Count::RecoveryPosted), posted, "{case}");
        let lost = usize::from(!both);
        // The first `hello` named no marks: both of its channels began anew.
        let counted = (world.counters.of(Count::Recovered), world.counters.of(Count::NotRecovered));
        assert_eq!(counted, (2 - lost, 2 + lost), "{case}");
    }
}

/// The budget of all functions counts the posts of every channel of a `hello`.
#[tokio::test]
async fn every_channel_of_a_hello_counts_in_the_budget_of_all() {
    let (world, person) = connected(0).await;
    let frames = TestFrames { recovery_per_second: 1, ..world.frames(&[]) };
    let marks = published(&world, &person, 300, 300, "1").await;
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    let channels = [person.channel(), Channel::Broadcast];
    let hello: Vec<_> = channels.into_iter().zip(marks).map(|(channel, at)| Mark { channel, at: Some(at) }).collect();
    let mut posted = Vec::new();
    for _ in 0..2 {
        let before = world.counters.of(Count::RecoveryPosted);
        frames.receive(&caller, Ok(ClientFrame::Hello(hello.clone())), world.soon()).await;
        posted.push(world.counters.of(Count::RecoveryPosted) - before);
    }
    assert_eq!(posted, [600, 0], "there is room for a thousand posts: once six hundred");
    assert_eq!(world.counters.of(Count::RecoveryRefused), 1);
}

/// A user whose session has expired is not online, however recently their socket sent a frame.
#[tokio::test]
async fn a_user_whose_session_has_expired_is_not_online() {
    let (world, person) = connected(0).await;
    let other = world.person();
    world.connect(&other, "b").await.unwrap();
    world.sessions.open(person.at, person.sid, world.host.now().plus_seconds(86_400));
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    for (wait, online) in [(3_000, true), (599, true), (1, false), (1, false)] {
        world.host.advance_seconds(wait);
        world.say(&other, "b", ClientFrame::Ping).await;
        let presence = Watchers::Policy(PresencePolicy::Everyone);
        let frames = TestFrames { presence, ..world.frames(&[]) };
        frames.receive(&caller, Ok(ClientFrame::Presence(vec![other.at.user])), world.soon()).await;
        let said = world.gateway.received(&id("a")).pop().unwrap();
        assert_eq!(said, format!("Presence([({:?}, {online})])", other.at.user), "after {wait} s more");
    }
}
