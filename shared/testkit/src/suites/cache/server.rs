//! The promises of a cache server. Each check has its own user, so that all can run against one server.

use std::time::Duration;

use holdfast_sessions::cache::{Cached, Lease};
use holdfast_sessions::device::Device;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Fence, Found, LeaseCache, Rng};
use holdfast_sessions::session::Slot;
use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Secret, SessionId, SlotNo, UserId};

/// Long enough for any check.
const LIFE: u64 = 60_000;

/// Runs every check.
pub async fn all<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    a_copy_filled_under_a_lease_is_a_hit(server, host).await;
    one_reader_at_a_time_may_fill(server, host).await;
    a_delete_kills_the_copy(server, host).await;
    a_refill_that_pauses_across_a_delete_is_rejected(server, host).await;
    a_lease_is_spent_by_its_fill(server, host).await;
    nobody_fills_without_a_lease(server, host).await;
    a_lease_fills_its_own_slot_only(server, host).await;
    a_delete_of_many_slots_leaves_other_users_alone(server, host).await;
    an_empty_delete_is_confirmed(server, host).await;
    the_largest_copy_fits(server, host).await;
}

/// A slot of a new user, and a copy of a session in it.
fn fresh<H: Clock + Rng>(host: &H) -> (Address, Cached) {
    let at = Address { user: UserId::from_bytes(host.random()), slot: SlotNo::new(3).expect("a slot") };
    (at, copy(host, at, Device::seen(Some("läptop"), "curl/8", "192.0.2.1")))
}

fn copy<H: Clock + Rng>(host: &H, at: Address, device: Device) -> Cached {
    let draw = SessionSecrets {
        sid: SessionId::from_bytes(host.random()),
        origin: Secret::new(host.random()),
        seed: host.random(),
    };
    let wishes = SessionOptions { stay_signed_in: false, device };
    let (slot, _): (Slot, _) =
        new_session(at, "a@example.com", &draw, &wishes, &Policy::default(), host.now(), host.op());
    Cached::of(&slot, host.now(), 60).expect("a live session")
}

async fn lease<L: LeaseCache>(server: &L, at: Address) -> Lease {
    match server.read(at).await {
        Ok(Found::Miss(Some(lease))) => lease,
        other => panic!("a lease was due, not {other:?}"),
    }
}

async fn is_hit<L: LeaseCache>(server: &L, at: Address, copy: &Cached) -> bool {
    matches!(server.read(at).await, Ok(Found::Hit(found)) if *found == *copy)
}

async fn a_copy_filled_under_a_lease_is_a_hit<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let lease = lease(server, at).await;
    assert_eq!(server.fill(at, &lease, &copy, LIFE).await, Ok(true));
    assert!(is_hit(server, at, &copy).await);
    assert!(is_hit(server, at, &copy).await, "reading changes nothing");
}

async fn one_reader_at_a_time_may_fill<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, _) = fresh(host);
    lease(server, at).await;
    assert_eq!(server.read(at).await, Ok(Found::Miss(None)));
}

async fn a_delete_kills_the_copy<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let first = lease(server, at).await;
    server.fill(at, &first, &copy, LIFE).await.expect("filled");
    assert_eq!(server.delete(at.user, &[at.slot]).await, Ok(Fence::On));
    lease(server, at).await;
}

/// The race of every look-aside cache. A reader misses, reads the old session, and pauses. A logout commits and
/// deletes. Then the reader stores what it read.
async fn a_refill_that_pauses_across_a_delete_is_rejected<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let paused = lease(server, at).await;
    server.delete(at.user, &[at.slot]).await.expect("deleted");
    assert_eq!(server.fill(at, &paused, &copy, LIFE).await, Ok(false));
    assert!(!is_hit(server, at, &copy).await);
    // The lease of a reader that came after the delete does not help the one that paused.
    assert_eq!(server.fill(at, &paused, &copy, LIFE).await, Ok(false));
}

async fn a_lease_is_spent_by_its_fill<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let lease = lease(server, at).await;
    assert_eq!(server.fill(at, &lease, &copy, LIFE).await, Ok(true));
    assert_eq!(server.fill(at, &lease, &copy, LIFE).await, Ok(false), "a duplicated fill");
}

async fn nobody_fills_without_a_lease<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    for forged in ["", "0", "1:1:1"] {
        assert_eq!(server.fill(at, &Lease(forged.into()), &copy, LIFE).await, Ok(false));
    }
    lease(server, at).await;
    assert_eq!(server.fill(at, &Lease(b"forged".to_vec()), &copy, LIFE).await, Ok(false));
    assert!(!is_hit(server, at, &copy).await);
}

async fn a_lease_fills_its_own_slot_only<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let neighbour = Address { slot: SlotNo::new(4).expect("a slot"), ..at };
    let lease = lease(server, at).await;
    assert_eq!(server.fill(neighbour, &lease, &copy, LIFE).await, Ok(false));
    assert!(!is_hit(server, neighbour, &copy).await);
}

async fn a_delete_of_many_slots_leaves_other_users_alone<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let ((mine, my_copy), (other, other_copy)) = (fresh(host), fresh(host));
    for (at, copy) in [(mine, &my_copy), (other, &other_copy)] {
        let lease = lease(server, at).await;
        server.fill(at, &lease, copy, LIFE).await.expect("filled");
    }
    let all: Vec<_> = SlotNo::all().collect();
    assert_eq!(server.delete(mine.user, &all).await, Ok(Fence::On));
    assert!(!is_hit(server, mine, &my_copy).await);
    assert!(is_hit(server, other, &other_copy).await);
}

async fn an_empty_delete_is_confirmed<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, _) = fresh(host);
    assert_eq!(server.delete(at.user, &[]).await, Ok(Fence::On));
}

async fn the_largest_copy_fits<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, _) = fresh(host);
    let long = "\u{1}".repeat(64);
    let device = Device { name: long.clone(), browser: long.clone(), os: long.clone(), ip: long };
    let mut largest = copy(host, at, device);
    largest.slot.email = format!("{}@example.com", "\"".repeat(240));
    let lease = lease(server, at).await;
    assert_eq!(server.fill(at, &lease, &largest, LIFE).await, Ok(true));
    assert!(is_hit(server, at, &largest).await);
}

/// A copy expires at the end of its life. This check is for servers with a clock of their own.
pub async fn a_copy_lives_as_long_as_it_was_given<L: LeaseCache, H: Clock + Rng>(server: &L, host: &H) {
    let (at, copy) = fresh(host);
    let lease = lease(server, at).await;
    assert_eq!(server.fill(at, &lease, &copy, 1).await, Ok(true));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!is_hit(server, at, &copy).await);
}
