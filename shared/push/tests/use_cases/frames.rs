use std::collections::BTreeSet;

use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::{ClientFrame, ErrorCode, FrameError, Mark};
use holdfast_push::ids::Epoch;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::{Channels, Count, Sockets, Subscriptions};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::publish::Publish;
use holdfast_push::service::{Caller, Recovery, beginning, page};
use holdfast_sessions::UserId;
use holdfast_sessions::ports::Clock as _;

use crate::world::{Person, TestFrames, Watchers, World, id, says, to, to_all};

async fn connected(name: &str) -> (World, Person) {
    let world = World::default();
    let person = world.person();
    world.connect(&person, name).await.unwrap();
    (world, person)
}

fn last(world: &World, name: &str) -> String {
    world.gateway.received(&id(name)).last().cloned().unwrap_or_default()
}

async fn publish(world: &World, person: &Person, n: usize) {
    for i in 0..n {
        world.publisher().publish("arn", &to(&[person], &i.to_string())).await.unwrap();
    }
}

async fn head(world: &World, person: &Person) -> Position {
    world.table.head(&person.channel()).await.unwrap().unwrap()
}

fn hello(channel: Channel, at: Position) -> ClientFrame {
    ClientFrame::Hello(vec![Mark { channel, at: Some(at) }])
}

#[tokio::test]
async fn a_ping_is_answered_with_the_channels_heads() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 2).await;
    world.say(&person, "a", ClientFrame::Ping).await;
    let pong = last(&world, "a");
    assert!(pong.starts_with("Pong") && pong.contains("offset: 2") && pong.contains("Broadcast"), "{pong}");
}

#[tokio::test]
async fn a_frame_that_is_not_understood_is_answered_and_costs_nothing() {
    let (world, person) = connected("a").await;
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    let error = FrameError::new(ErrorCode::UnknownAction, "x");
    world.frames(&[]).receive(&caller, Err(error), world.soon()).await;
    assert!(says(&world.gateway.received(&id("a")), "Error", "UnknownAction"));
    assert!(world.gateway.is_open(&id("a")));
}

/// The account's requests are used up for a moment. The client still waits for an answer, and gets one.
#[tokio::test]
async fn an_answer_that_is_throttled_is_posted_again() {
    let (world, person) = connected("a").await;
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    let frames = [Ok(ClientFrame::Ping), Err(FrameError::new(ErrorCode::InvalidFrame, "x"))];
    for (frame, answer) in frames.into_iter().zip(["Pong", "Error"]) {
        world.gateway.script(&id("a"), [Posted::Throttled; 3]);
        let before = world.gateway.received(&id("a")).len();
        assert_eq!(world.frames(&[]).receive(&caller, frame, world.soon()).await, Posted::Done);
        assert!(last(&world, "a").starts_with(answer));
        assert_eq!(world.gateway.received(&id("a")).len(), before + 1);
    }
    // What may have been sent is not sent again.
    world.gateway.script(&id("a"), [Posted::Unknown]);
    assert_eq!(world.say(&person, "a", ClientFrame::Ping).await, Posted::Unknown);
}

#[tokio::test]
async fn a_frame_of_an_ended_session_is_not_served() {
    let (world, person) = connected("a").await;
    world.sessions.end(person.at, world.host.now());
    world.say(&person, "a", ClientFrame::Ping).await;
    let frames = world.gateway.received(&id("a"));
    assert!(says(&frames, "Bye", "SessionEnded") && frames.len() == 1, "{frames:?}");
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_frame_of_an_expired_session_says_that_it_expired() {
    let (world, person) = connected("a").await;
    world.host.advance_seconds(3_600);
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(says(&world.gateway.received(&id("a")), "Bye", "SessionExpired"));
}

#[tokio::test]
async fn a_frame_of_a_socket_nobody_knows_sends_it_away_to_come_back() {
    let (world, person) = connected("a").await;
    world.table.forget(&id("a"), None).await.unwrap();
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(says(&world.gateway.received(&id("a")), "Bye", "StateLost"));
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn while_sessions_cannot_be_read_nothing_is_served_and_nothing_closed() {
    let (world, person) = connected("a").await;
    world.sessions.set_down(true);
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(says(&world.gateway.received(&id("a")), "Error", "Unavailable"));
    assert!(world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn the_hundred_and_first_frame_in_a_minute_ends_the_socket() {
    let (world, person) = connected("a").await;
    for n in 0..100 {
        assert_eq!(world.say(&person, "a", ClientFrame::Ping).await, Posted::Done, "{n}");
    }
    assert!(world.gateway.is_open(&id("a")));
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(says(&world.gateway.received(&id("a")), "Bye", "RateLimited"));
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_steady_client_is_never_too_fast() {
    let (world, person) = connected("a").await;
    for _ in 0..600 {
        world.host.advance_seconds(1);
        assert_eq!(world.say(&person, "a", ClientFrame::Ping).await, Posted::Done);
    }
    assert!(world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_frame_keeps_the_socket_fresh_and_follows_the_session() {
    let (world, person) = connected("a").await;
    world.host.advance_seconds(300);
    let later = world.host.now().plus_seconds(3_600);
    world.sessions.open(person.at, person.sid, later);
    world.say(&person, "a", ClientFrame::Ping).await;
    let socket = world.table.socket(&id("a")).await.unwrap().unwrap();
    assert_eq!((socket.seen_at, socket.session_expires_at), (world.host.now(), later));
}

/// Also within the window in which frames are counted: what is posted meanwhile must not stop at the old expiry.
#[tokio::test]
async fn a_session_that_was_extended_extends_its_socket_at_the_next_frame() {
    let (world, person) = connected("a").await;
    let before = world.table.socket(&id("a")).await.unwrap().unwrap();
    world.host.advance_seconds(1);
    let later = world.host.now().plus_seconds(7_200);
    world.sessions.open(person.at, person.sid, later);
    world.say(&person, "a", ClientFrame::Ping).await;
    let socket = world.table.socket(&id("a")).await.unwrap().unwrap();
    assert_eq!((socket.seen_at, socket.session_expires_at), (before.seen_at, later));
}

#[tokio::test]
async fn everything_missed_follows_the_welcome_in_order() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 5).await;
    let mark = Position { offset: 2, ..head(&world, &person).await };
    world.say(&person, "a", hello(person.channel(), mark)).await;
    let frames = world.gateway.received(&id("a"));
    assert!(frames[0].starts_with("Welcome") && frames[0].contains("recovered: true"), "{}", frames[0]);
    assert_eq!(frames.len(), 4);
    for (frame, offset) in frames[1..].iter().zip(3..) {
        assert!(frame.starts_with("Message") && frame.contains(&format!("offset: {offset} ")), "{frame}");
    }
}

#[tokio::test]
async fn a_mark_that_proves_nothing_recovers_nothing() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 5).await;
    let head = head(&world, &person).await;
    let other = Position { epoch: Epoch::from_bytes([9; 8]), offset: 2 };
    let beyond = Position { offset: 6, ..head };
    for at in [Some(other), Some(beyond), None] {
        let frames = world.gateway.received(&id("a")).len();
        world.say(&person, "a", ClientFrame::Hello(vec![Mark { channel: person.channel(), at }])).await;
        let said = world.gateway.received(&id("a")).split_off(frames);
        assert_eq!(said.len(), 1, "nothing partial");
        assert!(said[0].contains("recovered: false") && !said[0].contains("recovered: true"), "{}", said[0]);
    }
}

#[tokio::test]
async fn a_hole_in_history_recovers_nothing() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 5).await;
    world.table.lose_message(&person.channel(), 3);
    let mark = Position { offset: 2, ..head(&world, &person).await };
    world.say(&person, "a", hello(person.channel(), mark)).await;
    assert!(last(&world, "a").starts_with("Welcome"));
    let after = Position { offset: 3, ..mark };
    world.say(&person, "a", hello(person.channel(), after)).await;
    assert!(says(&world.gateway.received(&id("a")), "Welcome", "recovered: true"), "what is whole is recovered");
}

#[tokio::test]
async fn more_than_a_thousand_missed_is_more_than_can_be_recovered() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 1_001).await;
    let start = Position { offset: 0, ..head(&world, &person).await };
    world.say(&person, "a", hello(person.channel(), start)).await;
    assert!(last(&world, "a").starts_with("Welcome"), "nothing follows");
    world.say(&person, "a", hello(person.channel(), Position { offset: 1, ..start })).await;
    assert_eq!(world.gateway.received(&id("a")).len(), 2 + 1_000);
}

#[tokio::test]
async fn more_than_a_megabyte_missed_is_more_than_can_be_recovered() {
    let (world, person) = connected("a").await;
    let data = format!("\"{}\"", "x".repeat(32 * 1024 - 2));
    for _ in 0..33 {
        world.publisher().publish("arn", &to(&[&person], &data)).await.unwrap();
    }
    let start = Position { offset: 0, ..head(&world, &person).await };
    world.say(&person, "a", hello(person.channel(), start)).await;
    assert!(last(&world, "a").starts_with("Welcome"));
    world.say(&person, "a", hello(person.channel(), Position { offset: 1, ..start })).await;
    assert_eq!(world.gateway.received(&id("a")).len(), 2 + 32);
}

#[tokio::test]
async fn a_missed_message_that_ran_out_keeps_its_place_and_loses_its_content() {
    let (world, person) = connected("a").await;
    let short = Publish { ttl_seconds: Some(5), ..to(&[&person], "\"secret\"") };
    world.publisher().publish("arn", &short).await.unwrap();
    world.host.advance_seconds(5);
    let start = Position { offset: 0, ..head(&world, &person).await };
    world.say(&person, "a", hello(person.channel(), start)).await;
    let message = last(&world, "a");
    assert!(message.contains("\"expired\"") && message.contains("null") && !message.contains("secret"), "{message}");
}

#[tokio::test]
async fn nobody_is_told_of_another_users_channel() {
    let (world, person) = connected("a").await;
    let other = world.person();
    publish(&world, &other, 1).await;
    let start = Position { offset: 0, ..head(&world, &other).await };
    world.say(&person, "a", hello(other.channel(), start)).await;
    let frames = world.gateway.received(&id("a"));
    assert!(says(&frames, "Error", "Forbidden"));
    let welcome = frames.iter().find(|f| f.starts_with("Welcome")).unwrap();
    assert!(!welcome.contains(&format!("{:?}", other.at.user)), "{welcome}");
    assert!(!frames.iter().any(|f| f.starts_with("Message")));
}

#[tokio::test]
async fn a_topic_is_open_only_where_the_policy_says_so() {
    let (world, person) = connected("a").await;
    world.say(&person, "a", ClientFrame::Subscribe("private.x".parse().unwrap())).await;
    assert!(last(&world, "a").contains("Forbidden"));
    assert_eq!(world.table.topics(&id("a")).await, Ok(vec![]));
    let topic: holdfast_push::Topic = "public.x".parse().unwrap();
    world.say(&person, "a", ClientFrame::Subscribe(topic.clone())).await;
    assert!(last(&world, "a").starts_with("Subscribed"));
    assert_eq!(world.table.topics(&id("a")).await, Ok(vec![topic.clone()]));
    world.say(&person, "a", ClientFrame::Unsubscribe(topic)).await;
    assert!(last(&world, "a").starts_with("Unsubscribed"));
    assert_eq!(world.table.topics(&id("a")).await, Ok(vec![]));
}

#[tokio::test]
async fn hello_subscribes_again_and_asks_the_policy_again() {
    let (world, person) = connected("a").await;
    let topic = |name: &str| Mark { channel: Channel::Topic(name.parse().unwrap()), at: None };
    world.say(&person, "a", ClientFrame::Hello(vec![topic("public.x"), topic("private.x")])).await;
    assert_eq!(world.table.topics(&id("a")).await, Ok(vec!["public.x".parse().unwrap()]));
    assert!(says(&world.gateway.received(&id("a")), "Error", "private.x"));
}

#[tokio::test]
async fn a_socket_has_a_hundred_topics_at_most() {
    let (world, person) = connected("a").await;
    let socket = world.table.socket(&id("a")).await.unwrap().unwrap();
    for n in 0..100 {
        world.table.join(&socket, &[format!("public.{n}").parse().unwrap()]).await.unwrap();
    }
    world.say(&person, "a", ClientFrame::Subscribe("public.more".parse().unwrap())).await;
    assert!(last(&world, "a").contains("TooManyTopics"));
    world.say(&person, "a", ClientFrame::Subscribe("public.7".parse().unwrap())).await;
    assert!(last(&world, "a").starts_with("Subscribed"), "one it has already");
}

#[tokio::test]
async fn a_keep_alive_is_not_answered_and_changes_nothing() {
    let (world, person) = connected("a").await;
    let before = world.table.of_user(person.at.user).await.unwrap();
    assert_eq!(world.say(&person, "a", ClientFrame::KeepAlive).await, Posted::Done);
    world.sessions.set_down(true);
    assert_eq!(world.say(&person, "a", ClientFrame::KeepAlive).await, Posted::Done);
    assert_eq!(world.gateway.posts(), 0);
    assert_eq!(world.table.of_user(person.at.user).await.unwrap(), before);
}

/// A deployment whose gateway has no route for keep-alives sends them to the function, like every other frame.
#[tokio::test]
async fn a_keep_alive_that_reaches_the_function_is_counted_and_its_session_checked() {
    let (world, person) = connected("a").await;
    for _ in 0..100 {
        world.say(&person, "a", ClientFrame::KeepAlive).await;
    }
    assert_eq!(world.gateway.posts(), 0);
    world.say(&person, "a", ClientFrame::KeepAlive).await;
    assert!(says(&world.gateway.received(&id("a")), "Bye", "RateLimited"));
    let (world, person) = connected("a").await;
    world.sessions.end(person.at, world.host.now());
    world.say(&person, "a", ClientFrame::KeepAlive).await;
    assert!(says(&world.gateway.received(&id("a")), "Bye", "SessionEnded"));
}

/// Whether `other` is online, by the presence that `person` is shown.
async fn sees(world: &World, person: &Person, other: &Person) -> bool {
    let user = other.at.user;
    let presence = watch(world, person, Watchers::Policy(PresencePolicy::Everyone), &[user]).await;
    let [yes, no] = [true, false].map(|online| presence.contains(&format!("({user:?}, {online})")));
    assert!(yes != no, "{presence}");
    yes
}

#[tokio::test]
async fn presence_needs_a_socket() {
    let (world, person) = connected("a").await;
    let asked = [person.at.user, UserId::from_bytes([7; 16])];
    let presence = watch(&world, &person, Watchers::Policy(PresencePolicy::Everyone), &asked).await;
    assert!(asked.iter().zip([true, false]).all(|(user, yes)| presence.contains(&format!("({user:?}, {yes})"))));
}

/// A socket that sends only keep-alives is silent in the table. API Gateway knows whether it is open.
#[tokio::test]
async fn a_silent_socket_is_present_exactly_if_it_is_open() {
    let (world, person) = connected("a").await;
    let [quiet, left] = [world.person(), world.person()];
    world.connect(&quiet, "b").await.unwrap();
    world.connect(&left, "c").await.unwrap();
    world.gateway.drop_socket(&id("c"));
    world.host.advance_seconds(659);
    assert!(sees(&world, &person, &left).await, "nobody was asked yet");
    world.host.advance_seconds(1);
    assert!(sees(&world, &person, &quiet).await);
    assert!(!sees(&world, &person, &left).await);
}

#[tokio::test]
async fn what_api_gateway_said_of_a_silent_socket_holds_for_eleven_minutes() {
    let (world, person) = connected("a").await;
    let quiet = world.person();
    world.connect(&quiet, "b").await.unwrap();
    world.host.advance_seconds(660);
    assert!(sees(&world, &person, &quiet).await);
    world.gateway.script_probe(&id("b"), Probe::Gone);
    world.host.advance_seconds(659);
    assert!(sees(&world, &person, &quiet).await, "asked again too soon");
    world.host.advance_seconds(1);
    assert!(!sees(&world, &person, &quiet).await);
    // The window in which frames are counted is another matter.
    let seen = world.table.count_frame(&id("b")).await.unwrap().unwrap();
    assert_eq!(seen.socket.seen_at, seen.socket.connected_at);
}

#[tokio::test]
async fn a_silent_socket_that_nothing_is_known_of_leaves_the_presence_undecided() {
    let (world, person) = connected("a").await;
    let quiet = world.person();
    world.connect(&quiet, "b").await.unwrap();
    world.host.advance_seconds(660);
    world.gateway.script_probe(&id("b"), Probe::Unknown);
    let asked = [person.at.user, quiet.at.user];
    let answer = watch(&world, &person, Watchers::Policy(PresencePolicy::Everyone), &asked).await;
    assert!(answer.starts_with("Error") && answer.contains("Unavailable"), "{answer}");
    // Another socket of the same user is known to be open, so that one does not matter.
    world.connect(&quiet, "c").await.unwrap();
    world.host.advance_seconds(660);
    assert!(sees(&world, &person, &quiet).await);
}

#[tokio::test]
async fn a_silent_socket_of_an_extended_session_is_present_and_one_of_an_ended_session_is_not() {
    let (world, person) = connected("a").await;
    let [extended, ended] = [world.person(), world.person()];
    world.connect(&extended, "b").await.unwrap();
    world.connect(&ended, "c").await.unwrap();
    world.host.advance_seconds(3_600);
    for live in [&person, &extended] {
        world.sessions.open(live.at, live.sid, world.host.now().plus_seconds(3_600));
    }
    assert!(sees(&world, &person, &extended).await);
    assert!(!sees(&world, &person, &ended).await);
}

#[tokio::test]
async fn a_socket_of_an_expired_session_is_absent_though_it_spoke_lately() {
    let (world, person) = connected("a").await;
    let short = world.person();
    world.sessions.open(short.at, short.sid, world.host.now().plus_seconds(100));
    world.connect(&short, "b").await.unwrap();
    world.host.advance_seconds(99);
    assert!(sees(&world, &person, &short).await);
    world.host.advance_seconds(1);
    assert!(!sees(&world, &person, &short).await);
}

/// What `person` is answered by one `presence`.
async fn watch(world: &World, person: &Person, presence: Watchers, users: &[UserId]) -> String {
    let frames = TestFrames { presence, ..world.frames(&[]) };
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    let before = world.gateway.received(&id("a")).len();
    frames.receive(&caller, Ok(ClientFrame::Presence(users.to_vec())), world.soon()).await;
    assert_eq!(world.gateway.received(&id("a")).len(), before + 1, "one answer");
    last(world, "a")
}

#[tokio::test]
async fn by_default_a_user_sees_no_presence_but_their_own() {
    let (world, person) = connected("a").await;
    let other = world.person();
    world.connect(&other, "b").await.unwrap();
    let own = || Watchers::Policy(PresencePolicy::default());
    let me = person.at.user;
    assert!(watch(&world, &person, own(), &[me, me]).await.contains(&format!("[({me:?}, true)]")));
    for asked in [vec![other.at.user], vec![me, other.at.user], vec![UserId::from_bytes([7; 16])]] {
        let error = watch(&world, &person, own(), &asked).await;
        assert!(
            error.starts_with("Error") && error.contains("Forbidden") && error.contains(&me.to_string()),
            "{error}"
        );
        assert!(!error.contains("true") && !error.contains(&other.at.user.to_string()), "{error}");
    }
    assert_eq!(watch(&world, &person, own(), &[]).await, "Presence([])");
    assert!(world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_function_decides_whose_presence_is_seen_and_says_nothing_of_the_others() {
    let (world, person) = connected("a").await;
    let [friend, stranger] = [world.person(), world.person()].map(|person| person.at.user);
    let names = || Watchers::Names(BTreeSet::from([friend]));
    assert!(watch(&world, &person, names(), &[friend]).await.contains(&format!("({friend:?}, false)")));
    let error = watch(&world, &person, names(), &[friend, stranger]).await;
    assert!(error.contains("Forbidden") && error.contains(&friend.to_string()), "{error}");
    assert!(!error.contains(&stranger.to_string()), "{error}");
    // Users do not see even themselves, where the function does not name them.
    assert!(watch(&world, &person, names(), &[person.at.user]).await.contains("Forbidden"));
}

#[tokio::test]
async fn a_presence_policy_in_trouble_shows_nobody() {
    let (world, person) = connected("a").await;
    let error = watch(&world, &person, Watchers::Undecided, &[person.at.user]).await;
    assert!(error.starts_with("Error") && error.contains("Unavailable"), "{error}");
    // A request for no users calls no function.
    assert_eq!(watch(&world, &person, Watchers::Undecided, &[]).await, "Presence([])");
    assert!(world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn frames_that_are_not_understood_count_as_every_other() {
    let (world, person) = connected("a").await;
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    for _ in 0..=100 {
        let error = FrameError::new(ErrorCode::InvalidFrame, "x");
        world.frames(&[]).receive(&caller, Err(error), world.soon()).await;
    }
    let received = world.gateway.received(&id("a"));
    assert_eq!(received.iter().filter(|frame| frame.starts_with("Error")).count(), 100);
    assert!(says(&received, "Bye", "RateLimited") && received.len() == 101);
}

#[tokio::test]
async fn a_recovery_that_cannot_be_finished_sends_the_client_away_to_come_back() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 3).await;
    let start = Position { offset: 0, ..head(&world, &person).await };
    // Welcome and the first message pass; then nothing does, however often it is tried.
    let answers = [Posted::Done, Posted::Done].into_iter().chain([Posted::Throttled; 4]);
    world.gateway.script(&id("a"), answers);
    world.say(&person, "a", hello(person.channel(), start)).await;
    let frames = world.gateway.received(&id("a"));
    assert_eq!(frames.iter().filter(|f| f.starts_with("Message")).count(), 1);
    assert!(says(&frames, "Bye", "StateLost"));
    assert!(!world.gateway.is_open(&id("a")));
}

/// API Gateway also answers 410 for live sockets.
#[tokio::test]
async fn a_410_in_the_middle_of_a_recovery_leaves_no_gap() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 3).await;
    let start = Position { offset: 0, ..head(&world, &person).await };
    world.gateway.script(&id("a"), [Posted::Done, Posted::Done, Posted::Gone]);
    assert_eq!(world.say(&person, "a", hello(person.channel(), start)).await, Posted::Done);
    let messages = world.gateway.received(&id("a")).iter().filter(|f| f.starts_with("Message")).count();
    assert_eq!(messages, 3);
    // If the 410 stays, the socket must close, because its client expects every message.
    world.gateway.script(&id("a"), [Posted::Done, Posted::Done].into_iter().chain([Posted::Gone; 4]));
    assert_eq!(world.say(&person, "a", hello(person.channel(), start)).await, Posted::Gone);
    assert!(!world.gateway.is_open(&id("a")));
}

/// Even the close fails at first. It is repeated until it succeeds.
#[tokio::test]
async fn a_client_with_a_gap_is_closed_however_often_it_takes() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 3).await;
    let start = Position { offset: 0, ..head(&world, &person).await };
    world.gateway.script(&id("a"), [Posted::Done].into_iter().chain([Posted::Throttled; 4 + 3]));
    world.gateway.script_close(&id("a"), [Posted::Throttled, Posted::Unknown]);
    assert_eq!(world.say(&person, "a", hello(person.channel(), start)).await, Posted::Throttled);
    assert!(!world.gateway.is_open(&id("a")));
    assert_eq!(world.gateway.closed().len(), 3);
}

#[tokio::test]
async fn history_comes_in_pages_and_begins_with_what_is_kept() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 5).await;
    let (table, channel, head) = (&world.table, person.channel(), head(&world, &person).await);
    let mark = |offset| Some(Position { offset, ..head });
    let read = async |after, limit| match page(table, &channel, mark(after), head, limit).await.unwrap() {
        Recovery::Complete(found) => Some(found.iter().map(|m| m.at.offset).collect::<Vec<_>>()),
        Recovery::Lost => None,
    };
    assert_eq!(read(0, 2).await, Some(vec![1, 2]));
    assert_eq!(read(4, 2).await, Some(vec![5]));
    assert_eq!(read(5, 2).await, Some(vec![]));
    assert_eq!(read(6, 2).await, None, "beyond the head");
    table.lose_message(&channel, 4);
    // As far as there is no hole.
    assert_eq!(read(0, 5).await, Some(vec![1, 2]));
    assert_eq!(read(3, 5).await, None);
    assert_eq!(page(table, &channel, None, head, 5).await, Ok(Recovery::Lost));
    let begins = async || beginning(table, &channel, head, world.host.now()).await.unwrap().offset;
    assert_eq!(begins().await, 0);
    table.lose_message(&channel, 1);
    assert_eq!(begins().await, 1);
    world.host.advance_seconds(86_400);
    assert_eq!(begins().await, 5, "nothing of the last 24 hours");
}

#[tokio::test]
async fn a_page_is_as_short_as_its_bytes_make_it() {
    let (world, person) = connected("a").await;
    let large = format!("\"{}\"", "x".repeat(32 * 1024 - 2));
    for _ in 0..40 {
        world.publisher().publish("arn", &to(&[&person], &large)).await.unwrap();
    }
    let (channel, head) = (person.channel(), head(&world, &person).await);
    let mut mark = Position { offset: 0, ..head };
    let mut pages = 0;
    while mark.offset < head.offset {
        let Recovery::Complete(found) = page(&world.table, &channel, Some(mark), head, 1_000).await.unwrap() else {
            panic!("lost after {mark:?}");
        };
        mark = found.last().unwrap().at;
        pages += 1;
    }
    assert_eq!(pages, 2);
}

#[tokio::test]
async fn what_was_broadcast_meanwhile_is_recovered_too() {
    let (world, person) = connected("a").await;
    world.say(&person, "a", ClientFrame::Hello(vec![])).await;
    let start = world.table.head(&Channel::Broadcast).await.unwrap().expect("hello begins the numbering");
    world.publisher().publish("arn", &to_all("\"all\"")).await.unwrap();
    world.say(&person, "a", hello(Channel::Broadcast, start)).await;
    assert!(last(&world, "a").starts_with("Message") && last(&world, "a").contains("Broadcast"));
}

#[tokio::test]
async fn recoveries_beyond_the_budget_are_told_to_reload_and_get_nothing() {
    let world = World::default();
    let people: Vec<_> = (0..4).map(|_| world.person()).collect();
    let mut marks = Vec::new();
    for (n, person) in people.iter().enumerate() {
        world.connect(person, &format!("s{n}")).await.unwrap();
        publish(&world, person, 400).await;
        marks.push(Position { offset: 0, ..head(&world, person).await });
    }
    // The smallest budget: one row, which has room for one whole `hello` of 1 000 messages.
    let frames = TestFrames { recovery_per_second: 1, ..world.frames(&[]) };
    for (n, (person, mark)) in people.iter().zip(marks).enumerate() {
        let caller = Caller { connection: id(&format!("s{n}")), at: person.at, sid: person.sid };
        frames.receive(&caller, Ok(hello(person.channel(), mark)), world.soon()).await;
    }
    let posted = |n: usize| world.gateway.received(&id(&format!("s{n}"))).len();
    assert_eq!([posted(0), posted(1), posted(2), posted(3)], [401, 401, 1, 1]);
    assert!(says(&world.gateway.received(&id("s2")), "Welcome", "recovered: false"));
    assert_eq!(world.counters.of(Count::RecoveryRefused), 2);
    assert_eq!(world.counters.of(Count::RecoveryPosted), 800);
    // The next window has room again.
    world.host.advance_seconds(5);
    let caller = Caller { connection: id("s2"), at: people[2].at, sid: people[2].sid };
    let mark = Position { offset: 0, ..head(&world, &people[2]).await };
    frames.receive(&caller, Ok(hello(people[2].channel(), mark)), world.soon()).await;
    assert_eq!(posted(2), 1 + 401);
}

/// One user who sends `hello` again and again takes a part of the budget. All other users recover as before.
#[tokio::test]
async fn a_greedy_user_drains_the_recoveries_of_nobody_else() {
    let world = World::default();
    let (greedy, others) = (world.person(), [world.person(), world.person(), world.person()]);
    world.connect(&greedy, "greedy").await.unwrap();
    publish(&world, &greedy, 400).await;
    for (n, person) in others.iter().enumerate() {
        world.connect(person, &format!("o{n}")).await.unwrap();
        publish(&world, person, 400).await;
    }
    // Room for ten thousand posts in a window, a thousand of them for one user.
    let frames = TestFrames { recovery_per_second: 2_000, ..world.frames(&[]) };
    let mark = Position { offset: 0, ..head(&world, &greedy).await };
    let caller = Caller { connection: id("greedy"), at: greedy.at, sid: greedy.sid };
    for _ in 0..40 {
        frames.receive(&caller, Ok(hello(greedy.channel(), mark)), world.soon()).await;
    }
    let posted = |name: &str| world.gateway.received(&id(name)).len();
    assert_eq!(posted("greedy"), 40 + 2 * 400, "two recoveries of four hundred, and forty welcomes");
    for (n, person) in others.iter().enumerate() {
        let caller = Caller { connection: id(&format!("o{n}")), at: person.at, sid: person.sid };
        let mark = Position { offset: 0, ..head(&world, person).await };
        frames.receive(&caller, Ok(hello(person.channel(), mark)), world.soon()).await;
        assert_eq!(posted(&format!("o{n}")), 401, "person {n}");
    }
}

#[tokio::test]
async fn nothing_missed_costs_nothing_of_the_budget() {
    let (world, person) = connected("a").await;
    publish(&world, &person, 1).await;
    let frames = TestFrames { recovery_per_second: 1, ..world.frames(&[]) };
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    for _ in 0..50 {
        let now = head(&world, &person).await;
        frames.receive(&caller, Ok(hello(person.channel(), now)), world.soon()).await;
    }
    assert_eq!((world.counters.of(Count::RecoveryRefused), world.counters.of(Count::RecoveryPosted)), (0, 0));
    assert!(world.gateway.received(&id("a")).iter().all(|frame| frame.contains("recovered: true")));
    assert_eq!(world.table.reservations(), 0, "nothing is asked of the budget, either");
}

#[tokio::test]
async fn a_shared_head_is_read_once_in_five_seconds() {
    let (world, person) = connected("a").await;
    world.say(&person, "a", ClientFrame::Ping).await;
    world.publisher().publish("arn", &to_all("1")).await.unwrap();
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(last(&world, "a").contains("(Broadcast, Position { epoch") && !last(&world, "a").contains("offset: 1"));
    world.host.advance_seconds(5);
    world.say(&person, "a", ClientFrame::Ping).await;
    assert!(last(&world, "a").contains("offset: 1"));
}
