//! Posts byte by byte: what a gateway gets, and what becomes of a post whose connection is closed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::identity::Identity;
use holdfast_aws::Roots;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::Gateway as _;
use holdfast_websocket_api::Connections;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// 2026-11-29T23:59:00Z, a minute before midnight.
const EVENING: u64 = 1_795_996_740;

/// A clock that tests set, in seconds since 1970.
#[derive(Clone, Debug)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds)))
    }

    fn add(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Gives other credentials every time, which are good for a minute.
#[derive(Debug)]
struct Rotating {
    clock: Clock,
    asked: Arc<AtomicU64>,
}

fn secret(access_key: &str) -> String {
    format!("secret of {access_key}")
}

fn minted(access_key: &str, token: Option<&str>, expiry: Option<SystemTime>) -> Credentials {
    Credentials::new(access_key, secret(access_key), token.map(str::to_owned), expiry, "test")
}

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let nth = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let expiry = self.clock.now() + Duration::from_secs(60);
        future::ProvideCredentials::ready(Ok(minted(&format!("AKID{nth}"), Some(&format!("token{nth}")), Some(expiry))))
    }
}

/// Has no credentials.
#[derive(Debug)]
struct Without;

impl ProvideCredentials for Without {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none")))
    }
}

async fn config(clock: &Clock, credentials: impl ProvideCredentials + 'static) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .time_source(clock.clone())
        .credentials_provider(credentials);
    holdfast_aws::sdk_config_with(loader, false).load().await
}

/// What arrived in one request.
#[derive(Clone, Debug)]
struct Arrived {
    /// The number of its connection, from 0.
    connection: usize,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Arrived {
    /// Access key, day and Region of its signature.
    fn credential(&self) -> [&str; 3] {
        let rest = self.headers["authorization"].split_once("Credential=").unwrap().1;
        let mut parts = rest.split('/');
        [(); 3].map(|()| parts.next().unwrap())
    }

    /// Signs what arrived once more, as AWS's library does it for API Gateway, and compares.
    fn assert_signature(&self) {
        let [access_key, _, region] = self.credential();
        let url = format!("http://{}{}", self.headers["host"], self.path);
        let token = self.headers.get("x-amz-security-token").map(String::as_str);
        let at = parsed(&self.headers["x-amz-date"]);
        let content_type = [("content-type", &self.headers["content-type"][..])];
        let expected = by_the_library(&minted(access_key, token, None), region, at, &url, &content_type, &self.body);
        assert_eq!(self.headers["authorization"], expected, "{self:?}");
    }
}

fn parsed(date_time: &str) -> SystemTime {
    let number = |at: usize, digits: usize| -> u8 { date_time[at..at + digits].parse().unwrap() };
    let year = date_time[..4].parse().unwrap();
    let date = time::Date::from_calendar_date(year, time::Month::try_from(number(4, 2)).unwrap(), number(6, 2));
    let time = time::Time::from_hms(number(9, 2), number(11, 2), number(13, 2));
    time::OffsetDateTime::new_utc(date.unwrap(), time.unwrap()).into()
}

/// The header `authorization` of a post, by aws-sigv4 with the settings that the SDK has for API Gateway (its defaults).
fn by_the_library(
    credentials: &Credentials,
    region: &str,
    at: SystemTime,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let identity = Identity::from(credentials.clone());
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("execute-api")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let request =
        SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    instructions.headers().find(|header| header.0 == "authorization").unwrap().1.to_owned()
}

/// What a gateway does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer,
    /// It answers, and then closes the connection without the header `connection: close`.
    AnswerAndClose,
    /// It closes the connection instead of an answer.
    Close,
    /// It refuses, at this time of its own.
    Refuse(&'static str),
    /// It says that it cannot answer now.
    Trouble,
}

/// A gateway that speaks HTTP/1.1 byte by byte.
struct Wire {
    endpoint: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Wire {
    /// `act` decides by the number of the request, from 0.
    async fn start(stage: &str, act: fn(usize) -> Act) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}{stage}", listener.local_addr().unwrap());
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let all = arrived.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, act, all.clone()));
            }
        });
        Self { endpoint, arrived }
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, connection: usize, act: fn(usize) -> Act, all: Arc<Mutex<Vec<Arrived>>>) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let (first, rest) = text.split_once("\r\n").unwrap();
        let mut words = first.split(' ').map(str::to_owned);
        let headers: BTreeMap<String, String> = rest
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let end = head + 4 + headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while bytes.len() < end {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "half a body");
        }
        let body = String::from_utf8(bytes[head + 4..end].to_vec()).unwrap();
        bytes.drain(..end);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let nth = {
            let mut all = all.lock().unwrap();
            all.push(Arrived { connection, method, path, headers, body });
            all.len() - 1
        };
        let act = act(nth);
        let head = match act {
            Act::Answer | Act::AnswerAndClose => "200 OK".to_owned(),
            Act::Close => return,
            Act::Refuse(date) => format!("403 Forbidden\r\ndate: {date}"),
            Act::Trouble => "503 Service Unavailable".to_owned(),
        };
        stream.write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
        if act == Act::AnswerAndClose {
            return;
        }
    }
}

#[tokio::test]
async fn a_gateway_can_verify_every_signature() {
    let clock = Clock::at(EVENING);
    for stage in ["/v1", "", "/", "/_aws/execute-api/a1b2c3/$default"] {
        let gateway = Wire::start(stage, |_| Act::Answer).await;
        for token in [None, Some("a+session/token=="), Some("")] {
            let client =
                Connections::new(&config(&clock, minted("AKID", token, None)).await, Roots::System, &gateway.endpoint);
            for id in ["L0SM9cOFvHcCIhw=", "a/b+c.d-e_f=", "x"] {
                for text in ["{}", "", "{\"text\":\"Grüße\"}"] {
                    assert_eq!(client.post(&id.parse().unwrap(), text).await, Posted::Done);
                    let last = gateway.arrived().pop().unwrap();
                    let id = id.replace('=', "%3D").replace('/', "%2F").replace('+', "%2B");
                    let path = format!("{}/@connections/{id}", stage.trim_end_matches('/'));
                    assert_eq!((&last.method[..], last.path.clone(), &last.body[..]), ("POST", path, text));
                    assert_eq!(last.headers.get("x-amz-security-token").map(String::as_str), token);
                    last.assert_signature();
                }
            }
        }
    }
}

/// Ten minutes after [`EVENING`], and the next day.
const LATER: &str = "Mon, 30 Nov 2026 00:09:00 GMT";

#[tokio::test]
async fn a_wrong_clock_costs_no_delivery() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |nth| if nth == 0 { Act::Refuse(LATER) } else { Act::Answer }).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    for _ in 0..2 {
        assert_eq!(client.post(&"s".parse().unwrap(), "{}").await, Posted::Done);
    }
    let arrived = gateway.arrived();
    arrived.iter().for_each(Arrived::assert_signature);
    let dates: Vec<&str> = arrived.iter().map(|one| &one.headers["x-amz-date"][..]).collect();
    assert_eq!(dates, ["20261129T235900Z", "20261130T000900Z", "20261130T000900Z"]);
}

#[tokio::test]
async fn a_wrong_clock_costs_none_of_the_posts_that_are_under_way() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |nth| if nth < 20 { Act::Refuse(LATER) } else { Act::Answer }).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    let id = "s".parse().unwrap();
    let posts = std::iter::repeat_with(|| client.post(&id, "{}")).take(20);
    let outcomes = futures_util::future::join_all(posts).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Posted::Done), "{outcomes:?}");
}

#[tokio::test]
async fn a_post_that_is_refused_for_another_reason_is_not_repeated() {
    let clock = Clock::at(EVENING);
    for (act, requests) in [
        // The clocks differ by less than a signature may be old, or the header is no date.
        ((|_| Act::Refuse("Mon, 30 Nov 2026 00:02:59 GMT")) as fn(usize) -> Act, [1, 1]),
        (|_| Act::Refuse("now"), [1, 1]),
        // The right time did not help.
        (|_| Act::Refuse(LATER), [2, 1]),
    ] {
        let gateway = Wire::start("/v1", act).await;
        let client =
            Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
        for expected in requests {
            let before = gateway.arrived().len();
            assert_eq!(client.post(&"s".parse().unwrap(), "{}").await, Posted::Forbidden);
            assert_eq!(gateway.arrived().len() - before, expected);
        }
    }
}

#[tokio::test]
async fn a_server_in_trouble_gets_no_further_post_on_its_connection() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |nth| if nth == 1 { Act::Trouble } else { Act::Answer }).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(client.post(&"s".parse().unwrap(), "{}").await);
    }
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Posted::Done).count(), 3, "{outcomes:?}");
    let connections: Vec<usize> = gateway.arrived().iter().map(|one| one.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn the_key_changes_at_midnight() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::Answer).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    for seconds in [0, 59, 1, 86_399, 1] {
        clock.add(seconds);
        assert_eq!(client.post(&"s".parse().unwrap(), "{}").await, Posted::Done);
    }
    let arrived = gateway.arrived();
    arrived.iter().for_each(Arrived::assert_signature);
    let days: Vec<&str> = arrived.iter().map(|one| one.credential()[1]).collect();
    assert_eq!(days, ["20261129", "20261129", "20261130", "20261130", "20261201"]);
}

#[tokio::test]
async fn credentials_are_renewed_before_they_expire_and_not_earlier() {
    let clock = Clock::at(EVENING);
    let asked = Arc::new(AtomicU64::new(0));
    let gateway = Wire::start("/v1", |_| Act::Answer).await;
    let provider = Rotating { clock: clock.clone(), asked: asked.clone() };
    let client = Connections::new(&config(&clock, provider).await, Roots::System, &gateway.endpoint);
    let id = "s".parse().unwrap();
    // The SDK's cache renews them five to ten seconds early.
    for seconds in [0, 1, 48, 7, 1, 40] {
        clock.add(seconds);
        let posts = std::iter::repeat_with(|| client.post(&id, "{}")).take(20);
        let outcomes = futures_util::future::join_all(posts).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Posted::Done), "{outcomes:?}");
    }
    let arrived = gateway.arrived();
    arrived.iter().for_each(Arrived::assert_signature);
    let keys: Vec<&str> = arrived.iter().step_by(20).map(|one| one.credential()[0]).collect();
    assert_eq!(keys, ["AKID1", "AKID1", "AKID1", "AKID2", "AKID2", "AKID2"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "20 posts at once ask once");
}

#[tokio::test]
async fn a_post_that_cannot_be_signed_is_not_sent() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::Answer).await;
    let without = Connections::new(&config(&clock, Without).await, Roots::System, &gateway.endpoint);
    assert_eq!(without.post(&"s".parse().unwrap(), "{}").await, Posted::Unknown);
    let nowhere = config(&clock, minted("AKID", None, None)).await.to_builder().region(None).build();
    assert_eq!(
        Connections::new(&nowhere, Roots::System, &gateway.endpoint).post(&"s".parse().unwrap(), "{}").await,
        Posted::Unknown
    );
    assert!(gateway.arrived().is_empty());
}

#[tokio::test]
async fn posts_and_what_the_sdk_calls_share_connections() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::Answer).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    let id = "s".parse().unwrap();
    assert_eq!(client.post(&id, "{}").await, Posted::Done);
    assert_eq!(client.probe(&id).await, Probe::Alive);
    assert_eq!(client.post(&id, "{}").await, Posted::Done);
    assert_eq!(client.close(&id).await, Posted::Done);
    let arrived: Vec<_> = gateway.arrived().into_iter().map(|one| (one.connection, one.method)).collect();
    let expected = ["POST", "GET", "POST", "DELETE"].map(|method| (0, method.to_owned()));
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_since_costs_no_delivery() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::AnswerAndClose).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    for n in 0..3 {
        assert_eq!(client.post(&"s".parse().unwrap(), &n.to_string()).await, Posted::Done);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let arrived: Vec<_> = gateway.arrived().into_iter().map(|one| (one.connection, one.body)).collect();
    assert_eq!(arrived, [0, 1, 2].map(|n| (n, n.to_string())));
}

/// The gateway closes a connection while the next post is on its way. The post may be lost, but is not delivered twice.
#[tokio::test]
async fn a_connection_that_is_closed_under_a_post_delivers_at_most_once() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::AnswerAndClose).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    let mut outcomes = Vec::new();
    for n in 0..200 {
        outcomes.push(client.post(&"s".parse().unwrap(), &n.to_string()).await);
    }
    let mut copies = vec![0; outcomes.len()];
    for one in gateway.arrived() {
        copies[one.body.parse::<usize>().unwrap()] += 1;
    }
    for (outcome, copies) in outcomes.iter().zip(&copies) {
        assert!(matches!((outcome, copies), (Posted::Done, 1) | (Posted::Unknown, 0 | 1)), "{outcome:?}, {copies}");
    }
}

#[tokio::test]
async fn a_post_that_was_written_is_never_written_again() {
    let clock = Clock::at(EVENING);
    // Both on a connection that was kept and on a new one.
    let gateway = Wire::start("/v1", |nth| if nth == 0 || nth == 3 { Act::Answer } else { Act::Close }).await;
    let client = Connections::new(&config(&clock, minted("AKID", None, None)).await, Roots::System, &gateway.endpoint);
    let mut outcomes = Vec::new();
    for n in 0..4 {
        outcomes.push(client.post(&"s".parse().unwrap(), &n.to_string()).await);
    }
    assert_eq!(outcomes, [Posted::Done, Posted::Unknown, Posted::Unknown, Posted::Done]);
    let arrived: Vec<_> = gateway.arrived().into_iter().map(|one| (one.connection, one.body)).collect();
    assert_eq!(arrived, [(0, "0"), (0, "1"), (1, "2"), (2, "3")].map(|(n, text)| (n, text.to_owned())));
}

#[tokio::test]
async fn a_client_is_printed_without_its_secrets() {
    let clock = Clock::at(EVENING);
    let gateway = Wire::start("/v1", |_| Act::Answer).await;
    let client = Connections::new(
        &config(&clock, minted("AKID", Some("a-token"), None)).await,
        Roots::System,
        &gateway.endpoint,
    );
    assert_eq!(client.post(&"s".parse().unwrap(), "{}").await, Posted::Done);
    let printed = format!("{client:?}");
    let host = gateway.endpoint.trim_start_matches("http://").trim_end_matches("/v1");
    assert!(printed.contains(host) && printed.contains("/v1/@connections/"), "{printed}");
    assert!(!printed.contains(&secret("AKID")) && !printed.contains("a-token"), "{printed}");
}
