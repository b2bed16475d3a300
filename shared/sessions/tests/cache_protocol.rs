//! The cache protocol step by step: the calls of each part, their order, and what a reader does with the answers.
//!
//! Every part here answers from a script. Other crates test real servers, stores and schedules.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use holdfast_sessions::cache::{CacheEvent, Cached, Lease};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{
    CacheTrouble, Clock, Effect, Fence, Found, LeaseCache, Rng, SessionCache, SessionReads, StoreError, StoreResult,
};
use holdfast_sessions::service::{DeleteOnly, LeasedCache, StrongReads};
use holdfast_sessions::session::{EndReason, Ended, Slot, UserState};
use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
use holdfast_sessions::token::{AccessToken, Address};
use holdfast_sessions::{Millis, Secret, SessionId, SlotNo, TokenHash, UserId};

const NOW: Millis = Millis::new(1_000_000);

/// Ready when it was polled this often.
struct After(u32);

impl Future for After {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        Poll::Pending
    }
}

/// Long enough that everything else comes before.
const NEVER: u32 = 1_000;

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10 * NEVER {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("it waits for something that nobody waits for");
}

thread_local! {
    /// The calls and the cache events, in order. Each test has a thread of its own.
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn log(line: impl Into<String>) {
    LOG.with_borrow_mut(|lines| lines.push(line.into()));
}

fn logged() -> String {
    LOG.take().join(" ")
}

fn notice(event: CacheEvent) {
    log(event.as_str());
}

/// Fixed time, fixed randomness, and patience for so many polls.
#[derive(Clone, Copy)]
struct Still {
    random: u8,
    patience: u32,
}

impl Clock for Still {
    fn now(&self) -> Millis {
        NOW
    }

    async fn sleep(&self, _: u64) {
        After(self.patience).await;
    }
}

impl Rng for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.random);
    }
}

/// The store: it returns its answers in turn, each after so many polls.
struct Truth(Mutex<VecDeque<(u32, StoreResult<Option<Slot>>)>>);

impl SessionReads for Truth {
    async fn slot(&self, _: Address) -> StoreResult<Option<Slot>> {
        log("truth");
        let (polls, answer) = self.0.lock().expect("one thread").pop_front().expect("the truth is not to be read");
        After(polls).await;
        answer
    }

    async fn user(&self, _: UserId) -> StoreResult<Option<UserState>> {
        unreachable!("nobody lists")
    }
}

type Answers<T> = Mutex<VecDeque<(u32, Result<T, CacheTrouble>)>>;

#[derive(Default)]
struct Server {
    reads: Answers<Found>,
    fills: Answers<bool>,
    deletes: Answers<Fence>,
    filled: Mutex<Vec<(Cached, u64)>>,
}

fn next<T>(answers: &Answers<T>, what: &str) -> (u32, Result<T, CacheTrouble>) {
    log(what);
    answers.lock().expect("one thread").pop_front().unwrap_or_else(|| panic!("no {what} was expected"))
}

impl LeaseCache for Server {
    async fn read(&self, _: Address) -> Result<Found, CacheTrouble> {
        let (polls, answer) = next(&self.reads, "read");
        After(polls).await;
        answer
    }

    async fn fill(&self, _: Address, lease: &Lease, copy: &Cached, life: u64) -> Result<bool, CacheTrouble> {
        assert_eq!(*lease, given());
        self.filled.lock().expect("one thread").push((copy.clone(), life));
        let (polls, answer) = next(&self.fills, "fill");
        After(polls).await;
        answer
    }

    async fn delete(&self, _: UserId, _: &[SlotNo]) -> Result<Fence, CacheTrouble> {
        let (polls, answer) = next(&self.deletes, "delete");
        After(polls).await;
        answer
    }
}

fn given() -> Lease {
    Lease(b"lease".to_vec())
}

fn at() -> Address {
    Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(3).expect("a slot") }
}

/// A session that began just now, and what opens it.
fn session() -> (Slot, TokenHash) {
    let draw = SessionSecrets { sid: SessionId::from_bytes([2; 16]), origin: Secret::new([3; 32]), seed: [4; 32] };
    let (slot, refresh) =
        new_session(at(), "a@b", &draw, &SessionOptions::default(), &Policy::default(), NOW, "op".to_owned());
    (slot, AccessToken::of(&refresh).hash())
}

fn copy() -> Box<Cached> {
    Box::new(Cached::of(&session().0, NOW, 60).expect("live"))
}

fn ended() -> Slot {
    Slot { ended: Some(Ended { at: NOW, reason: EndReason::Logout }), keys: None, ..session().0 }
}

/// The protocol over scripts; what is not set is not to be asked.
struct Scene {
    leased: LeasedCache<Truth, Server, Still>,
}

impl Scene {
    fn new() -> Self {
        let store = Truth(Mutex::default());
        let host = Still { random: 1, patience: NEVER };
        Self { leased: LeasedCache { store, server: Server::default(), host, max_age_seconds: 60, notice } }
    }

    fn truth(self, polls: u32, answer: StoreResult<Option<Slot>>) -> Self {
        self.leased.store.0.lock().expect("one thread").push_back((polls, answer));
        self
    }

    fn read(self, polls: u32, answer: Result<Found, CacheTrouble>) -> Self {
        self.leased.server.reads.lock().expect("one thread").push_back((polls, answer));
        self
    }

    fn fill(self, polls: u32, answer: Result<bool, CacheTrouble>) -> Self {
        self.leased.server.fills.lock().expect("one thread").push_back((polls, answer));
        self
    }

    fn delete(self, answer: Result<Fence, CacheTrouble>) -> Self {
        self.leased.server.deletes.lock().expect("one thread").push_back((0, answer));
        self
    }

    fn patience(mut self, polls: u32) -> Self {
        self.leased.host.patience = polls;
        self
    }

    /// The hit that is checked.
    fn audited(mut self) -> Self {
        self.leased.host.random = 0;
        self
    }

    fn look_up(&self) -> StoreResult<Option<Slot>> {
        wait(self.leased.look_up(at(), &session().1))
    }

    fn forget(&self) -> Effect {
        wait(self.leased.forget(at().user, &[at().slot]))
    }
}

fn down() -> CacheTrouble {
    CacheTrouble("down".into())
}

#[test]
fn a_hit_is_answered_without_the_truth() {
    let scene = Scene::new().read(0, Ok(Found::Hit(copy())));
    assert_eq!(scene.look_up().unwrap().unwrap().sid, session().0.sid);
    assert_eq!(logged(), "read CACHE_HIT");
}

#[test]
fn a_miss_reads_the_truth_after_the_lease_was_given_and_fills() {
    let scene = Scene::new().read(0, Ok(Found::Miss(Some(given())))).truth(0, Ok(Some(session().0))).fill(0, Ok(true));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_MISS truth fill");
    let filled = scene.leased.server.filled.lock().unwrap().pop().unwrap();
    assert_eq!(filled, (*copy(), 58_000), "the maximum age less a lease's life");
}

#[test]
fn a_miss_without_a_lease_fills_nothing() {
    let scene = Scene::new().read(0, Ok(Found::Miss(None))).truth(0, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_MISS truth");
}

#[test]
fn what_is_not_there_or_over_is_not_cached() {
    for truth in [None, Some(ended())] {
        let scene = Scene::new().read(0, Ok(Found::Miss(Some(given())))).truth(0, Ok(truth.clone()));
        assert_eq!(scene.look_up(), Ok(truth));
        assert_eq!(logged(), "read CACHE_MISS truth");
    }
}

#[test]
fn a_stranger_cannot_fill_the_cache() {
    let scene = Scene::new().read(0, Ok(Found::Miss(Some(given())))).truth(0, Ok(Some(session().0)));
    let found = wait(scene.leased.look_up(at(), &TokenHash::from_bytes([9; 32])));
    assert_eq!(found, Ok(Some(session().0)), "the service refuses it, by what is true");
    assert_eq!(logged(), "read CACHE_MISS truth");
}

#[test]
fn a_fill_whose_lease_died_is_counted() {
    let scene = Scene::new().read(0, Ok(Found::Miss(Some(given())))).truth(0, Ok(Some(session().0))).fill(0, Ok(false));
    assert!(scene.look_up().is_ok());
    assert_eq!(logged(), "read CACHE_MISS truth fill CACHE_LEASE_REJECTED");
}

#[test]
fn nobody_waits_for_a_slow_fill() {
    let scene = Scene::new()
        .patience(1)
        .read(0, Ok(Found::Miss(Some(given()))))
        .truth(0, Ok(Some(session().0)))
        .fill(NEVER * 20, Ok(true));
    assert!(scene.look_up().is_ok());
    assert_eq!(logged(), "read CACHE_MISS truth fill");
}

#[test]
fn a_copy_that_does_not_admit_is_no_refusal_but_a_reason_to_read_the_truth() {
    let mut other = copy();
    other.slot.at.user = UserId::from_bytes([8; 16]);
    let scene = Scene::new().read(0, Ok(Found::Hit(other))).truth(0, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_MISMATCH truth");
}

#[test]
fn what_cannot_be_read_is_deleted() {
    let scene = Scene::new().read(0, Ok(Found::Unreadable)).delete(Ok(Fence::On)).truth(0, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_MISMATCH delete truth");
}

#[test]
fn a_cache_in_trouble_is_done_without() {
    let scene = Scene::new().read(0, Err(down())).truth(0, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_FALLBACK truth");
}

#[test]
fn a_truth_in_trouble_is_trouble_and_not_nobody() {
    let trouble = || Err(StoreError::Unavailable("down".into()));
    for found in [Ok(Found::Miss(Some(given()))), Ok(Found::Miss(None)), Err(down())] {
        assert_eq!(Scene::new().read(0, found).truth(0, trouble()).look_up(), trouble());
    }
}

#[test]
fn a_hedged_read_never_fills() {
    // The lease comes while the store is being read. That reading was sent before the lease was given.
    let scene = Scene::new().patience(1).read(2, Ok(Found::Miss(Some(given())))).truth(5, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_HEDGED truth");
}

#[test]
fn a_silent_cache_is_not_waited_for() {
    let scene = Scene::new().patience(1).read(NEVER * 20, Err(down())).truth(1, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read CACHE_HEDGED truth");
}

#[test]
fn a_late_hit_is_good_enough_and_a_late_mismatch_is_not() {
    let slow_truth = || Ok(Some(Slot { version: 7, ..session().0 }));
    let scene = Scene::new().patience(1).read(2, Ok(Found::Hit(copy()))).truth(NEVER, slow_truth());
    assert_eq!(scene.look_up().unwrap().unwrap().version, session().0.version, "from the copy");
    let mut old = copy();
    old.valid_until = NOW;
    let scene = Scene::new().patience(1).read(2, Ok(Found::Hit(old))).truth(9, slow_truth());
    assert_eq!(scene.look_up(), slow_truth());
}

#[test]
fn a_checked_hit_that_agrees_is_a_hit() {
    let scene = Scene::new().audited().read(0, Ok(Found::Hit(copy()))).truth(0, Ok(Some(session().0)));
    assert_eq!(scene.look_up(), Ok(Some(session().0)));
    assert_eq!(logged(), "read truth CACHE_HIT");
}

#[test]
fn a_cache_that_lies_is_counted_corrected_and_not_believed() {
    let long_ago = Slot { last_updated_at: NOW.plus_millis(-2_001), ..ended() };
    for truth in [None, Some(long_ago)] {
        let scene = Scene::new()
            .audited()
            .read(0, Ok(Found::Hit(copy())))
            .truth(0, Ok(truth.clone()))
            .read(0, Ok(Found::Hit(copy())))
            .delete(Ok(Fence::On));
        assert_eq!(scene.look_up(), Ok(truth));
        assert_eq!(logged(), "read truth read CACHE_INCONSISTENT delete");
    }
}

#[test]
fn a_change_that_is_just_being_made_is_no_lie() {
    let just_now = Slot { last_updated_at: NOW.plus_millis(-2_000), ..ended() };
    let scene = Scene::new().audited().read(0, Ok(Found::Hit(copy()))).truth(0, Ok(Some(just_now.clone())));
    assert_eq!(scene.look_up(), Ok(Some(just_now)));
    assert_eq!(logged(), "read truth");
}

#[test]
fn a_copy_that_is_gone_or_another_by_then_is_no_lie() {
    let mut another = copy();
    another.slot.version += 1;
    for then in [Ok(Found::Miss(None)), Ok(Found::Hit(another)), Err(down())] {
        let scene = Scene::new().audited().read(0, Ok(Found::Hit(copy()))).truth(0, Ok(None)).read(0, then);
        assert_eq!(scene.look_up(), Ok(None));
        assert_eq!(logged(), "read truth read");
    }
}

#[test]
fn a_confirmed_delete_is_immediate() {
    assert_eq!(Scene::new().delete(Ok(Fence::On)).forget(), Effect::Immediate);
    assert_eq!(logged(), "delete");
}

#[test]
fn a_delete_that_fails_is_tried_once_more() {
    assert_eq!(Scene::new().delete(Err(down())).delete(Ok(Fence::On)).forget(), Effect::Immediate);
    assert_eq!(logged(), "delete delete");
    assert_eq!(Scene::new().delete(Err(down())).delete(Err(down())).forget(), Effect::Bounded(60));
    assert_eq!(logged(), "delete delete CACHE_DELETE_UNCONFIRMED");
}

#[test]
fn a_delete_on_a_server_without_a_proven_identity_is_done_and_not_immediate() {
    assert_eq!(Scene::new().delete(Ok(Fence::Unproven)).forget(), Effect::Bounded(60));
    assert_eq!(logged(), "delete", "it was confirmed, so nobody has to be told");
}

#[test]
fn without_a_fence_no_delete_is_final() {
    assert_eq!(Scene::new().delete(Ok(Fence::Off)).forget(), Effect::Bounded(60));
    assert_eq!(logged(), "delete CACHE_DELETE_UNCONFIRMED", "once more would not help");
}

#[test]
fn between_two_providers_the_truth_is_read_and_the_cache_is_told() {
    let scene = Scene::new().truth(0, Ok(Some(session().0))).delete(Ok(Fence::On));
    let LeasedCache { store, server, .. } = scene.leased;
    let between = DeleteOnly { store, server, max_age_seconds: 60, notice };
    assert_eq!(wait(between.look_up(at(), &session().1)), Ok(Some(session().0)));
    assert_eq!(wait(between.forget(at().user, &[at().slot])), Effect::Immediate);
    assert_eq!(logged(), "truth delete");
}

#[test]
fn without_a_cache_every_change_is_immediate() {
    let alone = StrongReads(Scene::new().truth(0, Ok(None)).leased.store);
    assert_eq!(wait(alone.look_up(at(), &session().1)), Ok(None));
    assert_eq!(wait(alone.forget(at().user, &[at().slot])), Effect::Immediate);
    assert_eq!(logged(), "truth");
}
