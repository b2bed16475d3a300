//! Every order in which two readers and two writers can take their steps, with the real scripts on a real server.
//!
//! A reader takes three steps (ask the cache, read the store, fill), and a writer two (commit, delete). That makes 10!
//! / (3! 3! 2! 2!) = 25 200 schedules. After each step the cache must hold nothing older than the last change that a
//! writer reported as effective.

mod common;
mod patient;

use holdfast_redis::server::{key_of_copy, key_of_lease};
use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::cache::{Cached, Lease};
use holdfast_sessions::device::Device;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{CacheTrouble, Clock, Fence, Found, LeaseCache, Rng};
use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Secret, SessionId, SlotNo, UserId};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use redis::AsyncTypedCommands as _;
use redis::aio::MultiplexedConnection;

/// Two readers, two writers, and how many steps each has.
const STEPS: [u8; 4] = [3, 3, 2, 2];
const SCHEDULES: usize = 25_200;

/// A defect that a test introduces on purpose, to check that it is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    None,
    /// The writer deletes the copy and leaves the lease.
    DeleteOfCopyOnly,
    /// The reader fills even if its lease was deleted.
    FillWithoutLease,
    /// The writer deletes before it commits.
    DeleteBeforeCommit,
}

fn schedules(left: [u8; 4], prefix: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if left == [0; 4] {
        all.push(prefix.clone());
        return;
    }
    for actor in 0..4 {
        if left[actor] > 0 {
            let mut less = left;
            less[actor] -= 1;
            prefix.push(actor);
            schedules(less, prefix, all);
            prefix.pop();
        }
    }
}

struct World {
    cache: RedisCache<RealHost>,
    raw: MultiplexedConnection,
    template: Cached,
    mutant: Mutant,
}

#[derive(Default)]
struct Reader {
    lease: Option<Lease>,
    done: bool,
    read: u64,
}

impl World {
    async fn new(server: &RedisServer, mutant: Mutant) -> Self {
        let config = RedisConfig { url: server.url(), cluster: false, tokens: None, authority: None };
        let host = RealHost;
        let at = Address { user: UserId::from_bytes(host.random()), slot: SlotNo::new(0).expect("a slot") };
        let draw = SessionSecrets { sid: SessionId::from_bytes([1; 16]), origin: Secret::new([2; 32]), seed: [3; 32] };
        let wishes = SessionOptions { stay_signed_in: false, device: Device::default() };
        let (slot, _) = new_session(at, "a@b", &draw, &wishes, &Policy::default(), host.now(), "op".into());
        Self {
            cache: patient::cache(&config),
            raw: common::connection(&server.url()).await,
            template: Cached::of(&slot, host.now(), 60).expect("live"),
            mutant,
        }
    }

    /// The version in the cache, read without the scripts.
    async fn cached(&mut self, at: Address) -> Option<u64> {
        let text: Option<String> = self.raw.get(key_of_copy(at)).await.expect("asked");
        let copy = text?.split_once('\n').and_then(|(_, copy)| holdfast_redis::value::read(copy.as_bytes()));
        Some(copy.expect("a copy of ours").slot.version)
    }

    async fn fill(&mut self, at: Address, lease: &Lease, version: u64) -> Result<(), CacheTrouble> {
        let mut copy = self.template.clone();
        copy.slot.at = at;
        copy.slot.version = version;
        if self.mutant == Mutant::FillWithoutLease {
            let incarnation: Vec<_> = std::str::from_utf8(&lease.0).expect("text").rsplitn(3, ':').collect();
            let text = holdfast_redis::value::write(&copy).expect("live");
            let stored = format!("{}:{}\n{text}", incarnation[1], incarnation[0]);
            self.raw.set(key_of_copy(at), stored).await.expect("set");
            Ok(())
        } else {
            self.cache.fill(at, lease, &copy, 60_000).await.map(drop)
        }
    }

    async fn delete(&mut self, at: Address) -> Result<(), CacheTrouble> {
        if self.mutant == Mutant::DeleteOfCopyOnly {
            let _: usize = self.raw.del(key_of_copy(at)).await.expect("deleted");
        } else {
            assert_eq!(self.cache.delete(at.user, &[at.slot]).await?, Fence::On);
        }
        Ok(())
    }

    /// Whether a version older than the effective one was served, or can be served. On a busy machine a call may miss
    /// its deadline. Its effect is then unknown, so the schedule runs again.
    async fn is_stale(&mut self, schedule: &[usize]) -> bool {
        for _ in 0..100 {
            match self.play(schedule).await {
                Ok(stale) => return stale,
                Err(_) => RealHost.sleep(200).await,
            }
        }
        panic!("the server never answers in time");
    }

    async fn play(&mut self, schedule: &[usize]) -> Result<bool, CacheTrouble> {
        let at = Address { user: UserId::from_bytes(RealHost.random()), slot: self.template.slot.at.slot };
        let (mut truth, mut effective) = (1, 1);
        let mut readers = [Reader::default(), Reader::default()];
        let mut committed = [0, 0];
        let mut taken = [0_u8; 4];
        let mut stale = false;
        for &actor in schedule {
            let step = taken[actor];
            taken[actor] += 1;
            match (actor, step) {
                (0 | 1, 0) => match self.cache.read(at).await? {
                    Found::Hit(copy) => {
                        stale |= copy.slot.version < effective;
                        readers[actor].done = true;
                    }
                    Found::Miss(lease) => readers[actor].lease = lease,
                    Found::Unreadable => panic!("a copy of ours"),
                },
                (0 | 1, 1) => readers[actor].read = truth,
                (0 | 1, _) => {
                    let (done, read) = (readers[actor].done, readers[actor].read);
                    if let (false, Some(lease)) = (done, readers[actor].lease.take()) {
                        self.fill(at, &lease, read).await?;
                    }
                }
                (writer, 0) if self.mutant != Mutant::DeleteBeforeCommit => {
                    truth += 1;
                    committed[writer - 2] = truth;
                }
                (_, 0) => self.delete(at).await?,
                (writer, _) => {
                    if self.mutant == Mutant::DeleteBeforeCommit {
                        truth += 1;
                        committed[writer - 2] = truth;
                    } else {
                        self.delete(at).await?;
                    }
                    effective = effective.max(committed[writer - 2]);
                }
            }
            stale |= self.cached(at).await.is_some_and(|version| version < effective);
        }
        let _: usize = self.raw.del(&[key_of_copy(at), key_of_lease(at)][..]).await.expect("tidied");
        Ok(stale)
    }
}

fn all() -> Vec<Vec<usize>> {
    let mut found = vec![];
    schedules(STEPS, &mut vec![], &mut found);
    found
}

#[tokio::test]
async fn in_all_25_200_schedules_nothing_stale_is_served() {
    let server = RedisServer::start(&[]);
    let mut world = World::new(&server, Mutant::None).await;
    let schedules = all();
    assert_eq!(schedules.len(), SCHEDULES);
    for schedule in &schedules {
        assert!(!world.is_stale(schedule).await, "stale after {schedule:?}");
    }
    eprintln!("{} schedules, 0 stale hits", schedules.len());
}

#[tokio::test]
async fn a_protocol_with_one_thing_wrong_is_caught() {
    let server = RedisServer::start(&[]);
    let schedules = all();
    for mutant in [Mutant::DeleteOfCopyOnly, Mutant::FillWithoutLease, Mutant::DeleteBeforeCommit] {
        let mut world = World::new(&server, mutant).await;
        let mut caught = false;
        for schedule in &schedules {
            if world.is_stale(schedule).await {
                caught = true;
                break;
            }
        }
        assert!(caught, "{mutant:?} was never seen to be wrong");
    }
}
