//! Tests that every frame of a client is answered once, with the handler over the in-memory table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_push::channel::{Channel, Position, Topic, TopicPolicy};
use holdfast_push::frame::ClientFrame;
use holdfast_push::ids::ConnectionId;
use holdfast_push::ports::{Channels as _, Sockets as _, Subscriptions as _};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::service::{Frames, Heads};
use holdfast_push::socket::Socket;
use holdfast_push_wiring::wire::frame_from_json;
use holdfast_runtime::websocket::{SocketEvent, status};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::token::Address;
use holdfast_sessions::{SessionId, SlotNo, UserId};
use holdfast_testkit::ManualHost;
use holdfast_testkit::push::{Counters, FakeGateway, MemoryTable, OpenSessions};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::handle;

const TIME: Duration = Duration::from_secs(29);

type TestFrames = Frames<OpenSessions, MemoryTable, FakeGateway, TopicPolicy, PresencePolicy, Counters, ManualHost>;

fn me() -> UserId {
    UserId::from_bytes([1; 16])
}

fn id() -> ConnectionId {
    "c=".parse().unwrap()
}

/// What a frame may change, besides that it is counted.
#[derive(Debug, PartialEq)]
struct State {
    sockets: Vec<Socket>,
    topics: Vec<Topic>,
    heads: Vec<Option<Position>>,
}

struct World(TestFrames);

impl World {
    /// One user with one socket, who follows one topic.
    async fn new() -> Self {
        let host = ManualHost::default();
        let at = Address { user: me(), slot: SlotNo::new(3).unwrap() };
        let (sid, now) = (SessionId::from_bytes([2; 16]), host.now());
        let expires = now.plus_seconds(3_600);
        let frames = Frames {
            sessions: OpenSessions::default(),
            table: MemoryTable::default(),
            gateway: FakeGateway::default(),
            topics: TopicPolicy::public(["public.".to_owned()]),
            presence: PresencePolicy::Own,
            tally: Counters::default(),
            host,
            policy: Policy::default(),
            recovery_per_second: 1_000,
            heads: Heads::default(),
        };
        frames.sessions.open(at, sid, expires);
        let socket = Socket {
            id: id(),
            at,
            sid,
            connected_at: now,
            seen_at: now,
            session_expires_at: expires,
            expires_at: now.plus_seconds(7_800),
        };
        frames.table.open(&socket, "a@example.com").await.unwrap();
        frames.table.join(&socket, &["public.followed".parse().unwrap()]).await.unwrap();
        frames.gateway.open(&id());
        Self(frames)
    }

    /// What the client receives because of this.
    async fn say(&self, body: Option<&str>) -> Vec<String> {
        let text = |name: &str, value: String| (name.to_owned(), value);
        let event = SocketEvent {
            connection_id: id().to_string(),
            route: "$default".into(),
            event_type: "MESSAGE".into(),
            context: vec![
                text("userId", me().to_string()),
                text("sid", SessionId::from_bytes([2; 16]).to_string()),
                text("slot", "3".into()),
            ],
            body: body.map(str::to_owned),
            ..SocketEvent::default()
        };
        let before = self.0.gateway.received(&id()).len();
        assert_eq!(handle(&self.0, event, TIME).await.unwrap(), status(200));
        self.0.gateway.received(&id()).split_off(before)
    }

    async fn state(&self) -> State {
        let table = &self.0.table;
        let channels = ["broadcast", "topic:public.x", "topic:public.followed"].map(|name| name.parse().unwrap());
        let mut heads = Vec::new();
        for channel in channels.into_iter().chain([Channel::User(me())]) {
            heads.push(table.head(&channel).await.unwrap());
        }
        State { sockets: table.of_user(me()).await.unwrap(), topics: table.topics(&id()).await.unwrap(), heads }
    }

    /// Says it, and holds the answer against what is promised.
    async fn check(&self, body: Option<&str>) {
        let before = self.state().await;
        let said = self.say(body).await;
        let shown = body.map(|text| text.chars().take(300).collect::<String>());
        let is_refused = said.iter().all(|frame| frame.starts_with("Error"));
        assert!(is_refused || names_an_action(body.unwrap_or_default()), "{shown:?} was served: {said:?}");
        assert!(self.0.gateway.is_open(&id()), "{shown:?} closed the socket: {said:?}");
        match frame_from_json(body.unwrap_or_default()) {
            Err(error) => {
                assert_eq!(said.len(), 1, "{shown:?}: {said:?}");
                assert!(said[0].starts_with("Error") && !error.detail.is_empty(), "{shown:?}: {said:?}");
                assert_eq!(self.state().await, before, "{shown:?} changed something");
            }
            // One error for each channel that may not be read, then the welcome; nobody ever published here.
            Ok(ClientFrame::Hello(marks)) => {
                let (welcome, errors) = said.split_last().unwrap();
                assert!(welcome.starts_with("Welcome") && errors.len() <= marks.len(), "{shown:?}: {said:?}");
                assert!(errors.iter().all(|error| error.starts_with("Error")), "{shown:?}: {said:?}");
            }
            Ok(_) => assert_eq!(said.len(), 1, "{shown:?}: {said:?}"),
        }
    }
}

/// Whether it is an object, at least, with an action that there is: not by the reader under test.
fn names_an_action(body: &str) -> bool {
    // As it is written: no number type holds 1e400, which may stand where an offset does.
    let Ok(frame) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(body) else { return false };
    let action = frame.get("action").and_then(|action| serde_json::from_str::<&str>(action.get()).ok());
    action.is_some_and(|action| ["ping", "hello", "subscribe", "unsubscribe", "presence"].contains(&action))
}

fn user(n: u8) -> String {
    UserId::from_bytes([n; 16]).to_string()
}

/// Frames that bug reports, and the review of attacks, are about.
fn named_cases() -> Vec<String> {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(2_000), close.repeat(2_000));
    let mut cases: Vec<String> = [
        "",
        " ",
        "\t\r\n",
        "\u{feff}{\"action\":\"ping\"}",
        "\u{0}",
        "\u{fffd}\u{fffd}\u{1}",
        "AQIDBA==",
        "x",
        "null",
        "true",
        "7",
        "1e400",
        "\"ping\"",
        "[]",
        "[\"ping\"]",
        "[\"subscribe\",\"public.x\"]",
        "[{\"action\":\"ping\"}]",
        "{}",
        "{\"type\":\"ping\"}",
        "{\"action\":7}",
        "{\"action\":null}",
        "{\"action\":[\"ping\"]}",
        "{\"action\":{\"action\":\"ping\"}}",
        "{\"action\":\"\"}",
        "{\"action\":\"PING\"}",
        "{\"action\":\"fly\"}",
        "{\"action\":\"$connect\"}",
        "{\"action\":\"$disconnect\"}",
        "{\"action\":\"$default\"}",
        "{\"action\":\"$connect\",\"action\":\"ping\"}",
        "{\"action\":\"ping\",\"action\":\"ping\"}",
        "{\"action\":\"ping\",\"\\u0061ction\":\"ping\"}",
        "{\"action\":\"ping\",\"x\":1}",
        "{\"action\":\"ping\"}{\"action\":\"ping\"}",
        "{\"action\":\"ping\"",
        "{\"action\":\"\\ud800\"}",
        "{\"action\":\"subscribe\"}",
        "{\"action\":\"subscribe\",\"topic\":7}",
        "{\"action\":\"subscribe\",\"topic\":\"a#b\"}",
        "{\"action\":\"subscribe\",\"topic\":\"public.x\",\"topic\":\"public.x\"}",
        "{\"action\":\"unsubscribe\",\"topic\":\"\"}",
        "{\"action\":\"presence\"}",
        "{\"action\":\"presence\",\"userIds\":\"x\"}",
        "{\"action\":\"presence\",\"userIds\":[null]}",
        "{\"action\":\"presence\",\"userIds\":[\"x\"]}",
        "{\"action\":\"hello\",\"channels\":null}",
        "{\"action\":\"hello\",\"channels\":{}}",
        "{\"action\":\"hello\",\"channels\":\"broadcast\"}",
        "{\"action\":\"hello\",\"channels\":[[\"broadcast\",\"BwcHBwcHBwc\",1]]}",
        "{\"action\":\"hello\",\"channels\":[{\"channel\":\"everybody\"}]}",
        "{\"action\":\"hello\",\"channels\":[{\"channel\":\"broadcast\",\"epoch\":7}]}",
        "{\"action\":\"hello\",\"channels\":[{\"channel\":\"broadcast\"},{\"channel\":\"broadcast\"}]}",
    ]
    .map(str::to_owned)
    .into();
    let many = |what: &dyn Fn(usize) -> Value, n: usize| (0..n).map(what).collect::<Vec<_>>();
    let topic = |n: usize| json!({"channel": format!("topic:public.{n}")});
    cases.extend([
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"action\":\"ping\",\"x\":{}}}", deep("[", "]")),
        json!({"action": "ping", "x": "x".repeat(33 * 1024)}).to_string(),
        json!({"action": "presence", "userIds": many(&|_| json!(user(1)), 101)}).to_string(),
        json!({"action": "hello", "channels": many(&topic, 103)}).to_string(),
    ]);
    cases
}

#[tokio::test]
async fn every_named_case_is_answered_with_an_error_that_changes_nothing() {
    for case in named_cases() {
        let world = World::new().await;
        let shown: String = case.chars().take(300).collect();
        assert!(frame_from_json(&case).is_err(), "{shown} is no frame");
        world.check(Some(&case)).await;
    }
    World::new().await.check(None).await;
}

#[tokio::test]
async fn a_keep_alive_is_the_only_frame_without_an_answer() {
    let world = World::new().await;
    let before = world.state().await;
    assert_eq!(world.say(Some("{\"action\":\"keepalive\"}")).await, Vec::<String>::new());
    assert_eq!(world.state().await, before);
    assert!(world.0.gateway.is_open(&id()));
    for malformed in ["{\"action\":\"keepalive\",\"x\":1}", "{\"action\":\"keepAlive\"}", "{\"action\":\"keepalive \"}"]
    {
        world.check(Some(malformed)).await;
        assert!(frame_from_json(malformed).is_err(), "{malformed}");
    }
}

#[tokio::test]
async fn every_frame_is_counted_whatever_it_says() {
    for case in ["{\"action\":\"$connect\"}", "{\"action\":\"$disconnect\"}", "", "[]"] {
        let world = World::new().await;
        for _ in 0..100 {
            world.check(Some(case)).await;
        }
        let said = world.say(Some(case)).await;
        assert!(said.len() == 1 && said[0].contains("RateLimited"), "{case}: {said:?}");
        assert!(!world.0.gateway.is_open(&id()));
    }
}

#[tokio::test]
async fn an_offset_of_a_client_whose_numbers_are_all_floating_point_recovers() {
    let world = World::new().await;
    world.say(Some("{\"action\":\"hello\"}")).await;
    let head = world.0.table.head(&Channel::Broadcast).await.unwrap().unwrap();
    for (offset, recovered) in
        [("0", true), ("0.0", true), ("0e3", true), ("0.5", false), ("\"0\"", false), ("-1", false)]
    {
        let epoch = head.epoch;
        let entry = format!("{{\"channel\":\"broadcast\",\"epoch\":\"{epoch}\",\"offset\":{offset}}}");
        let said = world.say(Some(&format!("{{\"action\":\"hello\",\"channels\":[{entry}]}}"))).await;
        assert_eq!(said.len(), 1, "{offset}");
        assert_eq!(said[0].contains("recovered: true"), recovered, "{offset}: {}", said[0]);
    }
}

/// Any JSON, built from the parts of frames.
fn any_json() -> BoxedStrategy<String> {
    let text = prop_oneof![
        Just("ping".to_owned()),
        Just("$connect".to_owned()),
        Just("broadcast".to_owned()),
        Just("topic:public.x".to_owned()),
        Just(format!("user:{}", user(1))),
        Just(user(1)),
        Just(user(2)),
        Just("BwcHBwcHBwc".to_owned()),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (-1e20..1e20_f64).prop_map(|n| format!("{n:e}")),
        Just("20.0".to_owned()),
        Just("1e400".to_owned()),
        text.prop_map(|text| json!(text).to_string()),
    ];
    let name = prop_oneof!["(action|channels|channel|epoch|offset|topic|userIds)", "[a-z]{0,4}"];
    leaf.prop_recursive(4, 16, 4, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
    .boxed()
}

/// A member as it should be, or dropped, of another type, twice, nested.
fn member(name: &'static str, value: BoxedStrategy<String>) -> BoxedStrategy<Vec<String>> {
    let whole = value.prop_map(move |value| format!("\"{name}\":{value}")).boxed();
    prop_oneof![
        12 => whole.clone().prop_map(|member| vec![member]),
        1 => Just(Vec::new()),
        1 => any_json().prop_map(move |value| vec![format!("\"{name}\":{value}")]),
        1 => (whole.clone(), whole.clone()).prop_map(|(a, b)| vec![a, b]),
        1 => whole.prop_map(move |member| vec![format!("\"{name}\":{{{member}}}")]),
    ]
    .boxed()
}

fn object(members: Vec<BoxedStrategy<Vec<String>>>) -> BoxedStrategy<String> {
    let extra = prop_oneof![
        8 => Just(Vec::new()),
        1 => ("[a-z]{0,6}", any_json()).prop_map(|(name, value)| vec![format!("\"{name}\":{value}")]),
    ];
    (members, extra)
        .prop_map(|(members, extra)| {
            let members: Vec<_> = members.into_iter().flatten().chain(extra).collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

fn array(item: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(","))).boxed()
}

fn one_of(texts: &[&str]) -> BoxedStrategy<String> {
    let texts: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
    prop::sample::select(texts).boxed()
}

fn action(name: &str) -> BoxedStrategy<Vec<String>> {
    member("action", one_of(&[name]))
}

/// A frame of the contract, possibly changed in its members or as a whole; or none at all.
fn any_frame() -> BoxedStrategy<String> {
    let users = [user(1), user(2)];
    let own = format!("user:{}", users[0]);
    let foreign = format!("user:{}", users[1]);
    let mark = object(vec![
        member("channel", one_of(&["broadcast", &own, &foreign, "topic:public.x", "topic:private.x", "nowhere"])),
        member("epoch", one_of(&["BwcHBwcHBwc", "", "x"])),
        member("offset", prop_oneof![any::<u64>().prop_map(|n| n.to_string()), Just("20.0".to_owned())].boxed()),
    ]);
    let topic = || member("topic", one_of(&["public.x", "public.followed", "private.x", "a#b", ""]));
    let frame = prop_oneof![
        object(vec![action("ping")]),
        object(vec![action("hello"), member("channels", array(mark))]),
        object(vec![action("subscribe"), topic()]),
        object(vec![action("unsubscribe"), topic()]),
        object(vec![action("presence"), member("userIds", array(one_of(&[&users[0], &users[1], "x"])))]),
    ]
    .boxed();
    let cut = (frame.clone(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
        let at = at.index(text.len() + 1);
        text.char_indices().take_while(|(i, _)| *i < at).map(|(_, c)| c).collect::<String>()
    });
    // The members' values alone, in an array.
    let values = frame.clone().prop_map(|text| match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) => json!(members.values().collect::<Vec<_>>()).to_string(),
        _ => text,
    });
    prop_oneof![
        20 => frame.clone(),
        1 => values,
        1 => frame.clone().prop_map(|text| format!("[{text}]")),
        1 => (frame.clone(), frame.clone()).prop_map(|(a, b)| a + &b),
        1 => frame.prop_map(|text| json!(text).to_string()),
        2 => cut,
        2 => any_json(),
        1 => any::<String>(),
    ]
    .boxed()
}

#[test]
fn the_frames_that_are_drawn_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..1_000 {
        let text = any_frame().new_tree(&mut runner).unwrap().current();
        kinds.insert(match frame_from_json(&text) {
            Ok(ClientFrame::Ping) => "ping",
            Ok(ClientFrame::KeepAlive) => "keepalive",
            Ok(ClientFrame::Hello(marks)) if marks.is_empty() => "hello without a mark",
            Ok(ClientFrame::Hello(_)) => "hello",
            Ok(ClientFrame::Subscribe(_)) => "subscribe",
            Ok(ClientFrame::Unsubscribe(_)) => "unsubscribe",
            Ok(ClientFrame::Presence(_)) => "presence",
            Err(error) => error.code.as_str(),
        });
    }
    let all = ["ping", "hello without a mark", "hello", "subscribe", "unsubscribe", "presence", "INVALID_FRAME"];
    assert!(kinds.is_superset(&all.into()), "{kinds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn whatever_is_sent_is_answered_once(frames in prop::collection::vec(any_frame(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            for frame in &frames {
                world.check(Some(frame)).await;
            }
        });
    }
}
