//! Sessions that end while their tokens are used, with every failure of the cache server and the table.
//!
//! Two ways check the tokens: the authorizer, and the layer of the Rust kit before introspection. Each has a connection of its own
//! to a real redis-server, and another function ends the sessions. No request that is sent after the answer `immediate` may be
//! accepted, and no live session may be refused.
//!
//! `HOLDFAST_REVOCATIONS` is the number of ends without a fault. Each fault gets a tenth of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_runtime::recording::answered;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::service::{LeasedCache, Sessions};
use holdfast_testkit::MemoryStore;
use holdfast_testkit::cache::leased;
use holdfast_testkit::failing::Trouble;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::sessions::Bench;
use serde_json::value::RawValue;
use tokio::task::spawn_local;

use super::agreement::{number_of, on_this_thread};
use super::gates::{Form, event, lets_in};
use super::kit::{Kit, Passed, pass};
use super::*;
use crate::authorizer::Requirements;

/// Users whose sessions are ended at the same time.
const LANES: usize = 8;
/// Requests with one token at the same time.
const ASKERS: usize = 2;
/// What the authorizer may take. Where the table never answers it is short, so that many requests are sent.
const BUDGET: Duration = Duration::from_secs(60);
const SHORT_BUDGET: Duration = Duration::from_millis(300);

type Cache = LeasedCache<TestStore, RedisCache<RealHost>, RealHost>;
type Service = Sessions<TestStore, Cache, RealHost>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    In,
    Refused,
    /// An error of the server.
    Unknown,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    /// Ends that were answered `immediate`, and the others.
    immediate: usize,
    bounded: usize,
    /// Requests that were sent after such an answer, and how many of them were accepted.
    after: usize,
    accepted_after: usize,
    /// Requests that were answered before their session was ended.
    accepted_before: usize,
    refused_before: usize,
    unknown: usize,
}

impl Tally {
    /// Counts a request: whether it was sent after an immediate end, or answered before the end was requested.
    fn note(&mut self, said: Said, is_after: bool, is_before: bool) {
        self.after += usize::from(is_after);
        match said {
            Said::In if is_after => self.accepted_after += 1,
            Said::In if is_before => self.accepted_before += 1,
            Said::Refused if is_before => self.refused_before += 1,
            Said::Unknown => self.unknown += 1,
            _ => {}
        }
    }
}

/// The functions of one deployment.
struct Place {
    /// The table as the functions that check sessions reach it.
    gate_store: TestStore,
    authorizer: Service,
    kit: Kit,
    /// Whether the table fails. Then no request waits long for an answer that does not come.
    fails: Cell<bool>,
    /// The function that creates and ends sessions. It reaches the table at all times.
    owner: Service,
    lanes: Vec<Bench<TestStore, RealHost, Cache>>,
}

fn service(store: &TestStore, url: &str) -> Service {
    let config = RedisConfig { url: url.to_owned(), cluster: false, tokens: None, authority: None };
    let server = RedisCache::new(&config, RealHost).expect("a good address");
    let cache = leased(store, &server, &RealHost);
    Sessions { store: store.clone(), cache, host: RealHost, policy: Policy::default() }
}

impl Place {
    async fn new(url: &str) -> Self {
        let table = MemoryStore::default();
        let (gate_store, store) = (TestStore::new(table.clone()), TestStore::new(table));
        let (authorizer, owner) = (service(&gate_store, url), service(&store, url));
        let kit = Kit::before(service(&gate_store, url)).await;
        let mut lanes = Vec::new();
        for _ in 0..LANES {
            lanes.push(Bench::behind(store.clone(), owner.cache.clone(), RealHost).await);
        }
        Self { gate_store, authorizer, kit, fails: Cell::new(false), owner, lanes }
    }

    /// The same users and tokens, checked through another server.
    async fn checked_through(self, url: &str) -> Self {
        let authorizer = service(&self.gate_store, url);
        Self { kit: Kit::before(service(&self.gate_store, url)).await, authorizer, ..self }
    }

    async fn authorizer(&self, token: &str) -> Said {
        let origins: Arc<[String]> = [PAGE.to_owned()].into();
        let requirements = Requirements::default();
        let deps = authorizer::Deps { sessions: self.authorizer.clone(), origins, requirements };
        let bearer = format!("Bearer {token}");
        let event = event(Form::Http, "GET", &[("authorization", &bearer)]);
        let event = RawValue::from_string(event.to_string()).expect("JSON");
        let budget = if self.fails.get() { SHORT_BUDGET } else { BUDGET };
        match authorizer::handle(&deps, event, budget).await {
            Ok(answer) if lets_in(Form::Http, &answer) => Said::In,
            Ok(_) => Said::Refused,
            Err(_) => Said::Unknown,
        }
    }

    async fn layer(&self, token: &str) -> Said {
        let bearer = format!("Bearer {token}");
        let layer = if self.fails.get() { self.kit.hasty_layer() } else { self.kit.layer() };
        match pass(&layer, "GET", &[("authorization", &bearer)]).await {
            Passed::In(_) => Said::In,
            Passed::Refused(401, _) => Said::Refused,
            Passed::Refused(503, _) => Said::Unknown,
            Passed::Refused(status, code) => panic!("an unexpected answer: {status} {code}"),
        }
    }

    async fn ask(&self, turn: usize, token: &str) -> Said {
        if turn.is_multiple_of(2) { self.authorizer(token).await } else { self.layer(token).await }
    }

    /// Ends the session of a token by its route; whether the answer was `immediate`.
    async fn end(&self, made: &SignedIn) -> bool {
        let sid = made.slot.sid.to_string();
        let call = Call::new("DELETE", &format!("/v1/sessions/{sid}")).path_parameter("sessionId", &sid);
        let call = call.bearer(&made.tokens.access.text());
        let answer = answered(&env(), &[], &call, |request| revoke::handle(&self.owner, request)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        match answer.body["effective"].as_str() {
            Some("immediate") => true,
            Some("bounded") => false,
            _ => panic!("no effect: {answer:?}"),
        }
    }

    /// Signs in, uses the token all the time, ends the session meanwhile, and sends some more requests.
    async fn end_one(self: &Rc<Self>, lane: usize, tally: &Rc<RefCell<Tally>>) {
        let made = self.lanes[lane].sign_in().await;
        let token = made.tokens.access.text();
        // Whether the end was requested, when it was answered with `immediate`, and whether enough was asked.
        let (requested, answered, enough) =
            (Rc::new(Cell::new(false)), Rc::new(Cell::new(None)), Rc::new(Cell::new(false)));
        let asked = Rc::new(Cell::new(0));
        let askers: Vec<_> = (0..ASKERS)
            .map(|first| {
                let (place, token, tally) = (self.clone(), token.clone(), tally.clone());
                let (requested, answered, enough) = (requested.clone(), answered.clone(), enough.clone());
                let asked = asked.clone();
                spawn_local(async move {
                    for turn in first.. {
                        if enough.get() {
                            break;
                        }
                        let is_after = answered.get().is_some_and(|at: Instant| Instant::now() >= at);
                        let said = place.ask(turn, &token).await;
                        asked.set(asked.get() + 1);
                        tally.borrow_mut().note(said, is_after, !requested.get());
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let more = async |count: usize| {
            let until = asked.get() + count;
            while asked.get() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        more(2 * ASKERS).await;
        requested.set(true);
        if self.end(&made).await {
            answered.set(Some(Instant::now()));
            tally.borrow_mut().immediate += 1;
        } else {
            tally.borrow_mut().bounded += 1;
        }
        more(3 * ASKERS).await;
        enough.set(true);
        for asker in askers {
            asker.await.expect("an asker");
        }
    }

    /// Ends so many sessions, all lanes at once. `strike` runs when the first has ended, and most have not begun.
    async fn end_many(self: &Rc<Self>, count: usize, strike: impl FnOnce()) -> Tally {
        let tally = Rc::new(RefCell::new(Tally::default()));
        let left = Rc::new(Cell::new(count));
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let (place, tally, left) = (self.clone(), tally.clone(), left.clone());
                spawn_local(async move {
                    while let Some(rest) = left.get().checked_sub(1) {
                        left.set(rest);
                        place.end_one(lane, &tally).await;
                    }
                })
            })
            .collect();
        let ended = || {
            let tally = tally.borrow();
            tally.immediate + tally.bounded
        };
        while ended() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        strike();
        for lane in lanes {
            lane.await.expect("a lane");
        }
        tally.take()
    }

    /// Makes sessions, and uses them until their copies are in the cache. On a busy machine a function gives up a slow fill.
    async fn cached(&self, count: usize, server: &RedisServer) -> Vec<SignedIn> {
        let mut made = Vec::new();
        for nth in 0..count {
            let session = self.lanes[nth % LANES].sign_in().await;
            for turn in 0..4 {
                assert_eq!(self.ask(turn, &session.tokens.access.text()).await, Said::In);
            }
            made.push(session);
        }
        while remembered(server) < count {
            for (turn, session) in made.iter().enumerate() {
                assert_eq!(self.ask(turn, &session.tokens.access.text()).await, Said::In);
            }
        }
        made
    }

    /// What both ways say of sessions that were ended.
    async fn accepted(&self, ended: &[SignedIn]) -> usize {
        let mut accepted = 0;
        for session in ended {
            for turn in 0..4 {
                let said = self.ask(turn, &session.tokens.access.text()).await;
                assert_ne!(said, Said::Unknown, "the table can be reached");
                accepted += usize::from(said == Said::In);
            }
        }
        accepted
    }
}

fn print(when: &str, tally: &Tally) {
    eprintln!(
        "{when}: {} ends answered immediate and {} bounded; {} requests after an immediate one, {} of them accepted; before, {} \
         accepted and {} refused; {} errors of the server",
        tally.immediate,
        tally.bounded,
        tally.after,
        tally.accepted_after,
        tally.accepted_before,
        tally.refused_before,
        tally.unknown
    );
}

/// Ends with one fault.
fn of_a_fault() -> usize {
    revocations().div_ceil(10).max(4 * LANES)
}

fn revocations() -> usize {
    number_of("HOLDFAST_REVOCATIONS").and_then(|count| count.try_into().ok()).unwrap_or(200)
}

#[test]
fn no_caller_is_accepted_after_an_immediate_end_and_none_refused_before() {
    on_this_thread(async {
        let mut server = RedisServer::start(&[]);
        let place = Rc::new(Place::new(&server.url()).await);
        let calm = place.end_many(revocations(), || {}).await;
        print("the cache as it should be", &calm);
        // A busy machine may take longer than the deadline of a delete.
        assert!(calm.immediate > 0 && calm.unknown == 0, "{calm:?}");
        let mut tallies = vec![("the cache as it should be", calm)];
        for what in ["frozen", "killed", "flushed", "read-only", "out of memory"] {
            let strike = || match what {
                "frozen" => server.freeze(),
                "killed" => server.kill(),
                "flushed" => drop(server.command("FLUSHALL")),
                "read-only" => drop(server.command("REPLICAOF 127.0.0.1 1")),
                _ => drop(server.command("CONFIG SET maxmemory 1")),
            };
            let tally = place.end_many(of_a_fault(), strike).await;
            print(what, &tally);
            assert_eq!(tally.unknown, 0, "{what}: the table can be reached");
            tallies.push((what, tally));
            match what {
                "frozen" => server.thaw(),
                "killed" => server.start_again(),
                "read-only" => drop(server.command("REPLICAOF NO ONE")),
                "out of memory" => drop(server.command("CONFIG SET maxmemory 0")),
                _ => {}
            }
            // Until the breakers have closed again.
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        for (what, trouble) in [
            ("the table unavailable", Trouble::Unavailable),
            ("the table throttled", Trouble::Throttled),
            ("a table that does not answer", Trouble::Silence),
        ] {
            let cached = place.cached(2, &server).await;
            let count = if trouble == Trouble::Silence { 2 * LANES } else { of_a_fault() };
            place.fails.set(true);
            // From the beginning: without the table nothing gets into the cache.
            place.gate_store.fail_at("slot", trouble);
            let tally = place.end_many(count, || {}).await;
            // A copy in the cache may still open a session, until it ends.
            for session in &cached {
                let token = session.tokens.access.text();
                for turn in 0..4 {
                    assert_ne!(place.ask(turn, &token).await, Said::Refused, "{what}: a live session");
                }
                assert!(place.end(session).await, "answered immediate");
                for turn in 0..4 {
                    assert_ne!(place.ask(turn, &token).await, Said::In, "{what}: an ended session");
                }
            }
            place.fails.set(false);
            place.gate_store.heal();
            print(what, &tally);
            assert!(tally.unknown > 0, "{what}: nobody noticed");
            tallies.push((what, tally));
        }
        for (what, tally) in &tallies {
            assert_eq!(tally.accepted_after, 0, "{what}: accepted after an end that was answered immediate");
            assert_eq!(tally.refused_before, 0, "{what}: a live session was refused");
            assert!(tally.accepted_before + tally.unknown > 0, "{what}: nobody asked before an end");
            assert!(tally.immediate == 0 || tally.after > 0, "{what}: nobody asked after an end");
        }
        let all = |of: fn(&Tally) -> usize| tallies.iter().map(|(_, tally)| of(tally)).sum::<usize>();
        eprintln!(
            "{} sessions ended under load, {} of them answered immediate: 0 of {} later requests accepted, 0 live sessions refused",
            all(|tally| tally.immediate + tally.bounded),
            all(|tally| tally.immediate),
            all(|tally| tally.after)
        );
    });
}

#[test]
fn an_old_cache_accepts_no_ended_session() {
    on_this_thread(async {
        // No user has more than five sessions.
        let count = 5 * LANES;
        let mut server = RedisServer::start(&[]);
        let place = Place::new(&server.url()).await;
        let sessions = place.cached(count, &server).await;
        assert_eq!(server.command("SAVE"), "+OK");
        for session in &sessions {
            assert!(place.end(session).await, "answered immediate");
        }
        assert_eq!(place.accepted(&sessions).await, 0);
        server.kill();
        server.start_again();
        assert!(remembered(&server) >= count, "the snapshot has the copies");
        assert_eq!(place.accepted(&sessions).await, 0, "after a restart with an old snapshot");

        let mut primary = RedisServer::start(&["--repl-diskless-sync-delay", "0"]);
        let replica = RedisServer::start(&[]);
        replica.command(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
        let place = Place::new(&primary.url()).await;
        let sessions = place.cached(count, &primary).await;
        while remembered(&replica) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Its link is cut, and it cannot make another: no delete reaches it.
        replica.freeze();
        assert_eq!(primary.command("CLIENT KILL TYPE REPLICA"), ":1");
        for session in &sessions {
            assert!(place.end(session).await, "answered immediate");
        }
        primary.kill();
        replica.thaw();
        assert_eq!(replica.command("REPLICAOF NO ONE"), "+OK");
        let place = place.checked_through(&replica.url()).await;
        assert!(remembered(&replica) >= count, "the promoted server missed the deletes");
        assert_eq!(place.accepted(&sessions).await, 0, "after a replica that missed the deletes was promoted");
        eprintln!("{count} sessions in an old snapshot and {count} in a promoted replica: 0 accepted");
    });
}

/// How many keys a server has.
fn remembered(server: &RedisServer) -> usize {
    server.command("DBSIZE").trim_start_matches(':').parse().expect("a number")
}
