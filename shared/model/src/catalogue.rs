//! Every model and every mutant, and how much of each is explored.

use std::time::Duration;

use crate::cache::{self, Cache, World};
use crate::check::{self, Explored};
use crate::connect::{self, Connect};
use crate::protocol::Protocol;
use crate::refresh::{self, Refresh};
use crate::slots::{self, Slots};

/// The size of the exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds, for every build.
    Bounded,
    /// As large as memory and time allow.
    Full,
}

/// Called every two seconds with the number of different states so far.
pub type Progress<'a> = &'a dyn Fn(usize, Duration);

/// A model that must hold.
pub struct Claim {
    /// The name of the model.
    pub model: &'static str,
    /// How much of it.
    pub scope: String,
    /// The invariants that are properties of it.
    pub invariants: String,
    run: Box<dyn Fn(Progress) -> Explored>,
}

impl Claim {
    fn new<P: Protocol>(model: &'static str, scope: String, protocol: P) -> Self {
        let invariants = P::INVARIANTS.iter().map(|i| i.name()).collect::<Vec<_>>().join(" ");
        Self { model, scope, invariants, run: Box::new(move |progress| check::prove(&protocol, progress)) }
    }

    /// Explores it, whole.
    pub fn prove(&self, progress: Progress) -> Explored {
        (self.run)(progress)
    }
}

/// A variant that must be caught.
pub struct Variant {
    /// The name of its model.
    pub model: &'static str,
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What is wrong with it.
    pub wrong: &'static str,
    run: Box<dyn Fn(Progress) -> Explored>,
}

impl Variant {
    fn new<P: Protocol>(model: &'static str, name: &'static str, wrong: &'static str, protocol: P) -> Self {
        Self { model, name, wrong, run: Box::new(move |progress| check::hunt(&protocol, progress)) }
    }

    /// Explores it until it is caught.
    pub fn hunt(&self, progress: Progress) -> Explored {
        (self.run)(progress)
    }
}

const CACHE: &str = "cache";
const SLOTS: &str = "slots";
const REFRESH: &str = "refresh";
const CONNECT: &str = "connect";

const fn cache_scope(
    requests: usize,
    writers: usize,
    failovers: u8,
    strays: u8,
    ticks: u8,
    max_age: u8,
) -> cache::Scope {
    cache::Scope { readers: 2, requests, writers, failovers, strays, ticks, max_age }
}

fn claim_cache(world: World, scope: cache::Scope) -> Claim {
    let name = match world {
        World::OnePrimary => "cache",
        World::NoFence => "cache, no fence",
        World::TwoPrimaries => "cache, 2 primaries",
    };
    let cache::Scope { readers, requests, writers, failovers, strays, ticks, max_age } = scope;
    let text = format!(
        "{readers} readers × {requests}, {writers} writers, {failovers} failover, {strays} stray, {ticks} ticks, age {max_age}"
    );
    Claim::new(name, text, Cache { scope, world, mutant: None })
}

fn claim_slots(scope: slots::Scope) -> Claim {
    let slots::Scope { submits, end_alls, refreshes, touches, logouts, lost_replies, ticks } = scope;
    let text = format!(
        "{submits} submits, {end_alls} end-all, {refreshes} refresh, {touches} touch, {logouts} logout, {lost_replies} lost, \
         {ticks} ticks"
    );
    Claim::new(SLOTS, text, Slots { scope, mutant: None })
}

fn claim_refresh(scope: refresh::Scope) -> Claim {
    let refresh::Scope { presents, thefts, lost_replies, ticks, replaced } = scope;
    let other = if replaced { ", slot taken over" } else { "" };
    let text = format!("2 tabs × {presents}, thief × {thefts}, {lost_replies} lost, {ticks} ticks{other}");
    Claim::new(REFRESH, text, Refresh::new(scope, None))
}

/// All that must hold.
pub fn claims(size: Size) -> Vec<Claim> {
    let slots = |submits, end_alls, touches, logouts| slots::Scope {
        submits,
        end_alls,
        refreshes: 1,
        touches,
        logouts,
        lost_replies: 1,
        ticks: 2,
    };
    let refresh = |presents, ticks| refresh::Scope { presents, thefts: 2, lost_replies: 1, ticks, replaced: true };
    let mut claims = match size {
        Size::Bounded => vec![
            claim_cache(World::OnePrimary, cache_scope(1, 2, 1, 1, 1, 1)),
            claim_cache(World::OnePrimary, cache_scope(2, 1, 1, 1, 0, 1)),
            claim_cache(World::NoFence, cache_scope(1, 1, 1, 1, 1, 1)),
            claim_cache(World::TwoPrimaries, cache_scope(1, 1, 1, 1, 1, 1)),
            claim_slots(slots(2, 1, 1, 0)),
            claim_refresh(refresh(2, 4)),
        ],
        Size::Full => vec![
            claim_cache(World::OnePrimary, cache_scope(2, 1, 1, 1, 1, 1)),
            claim_cache(World::OnePrimary, cache_scope(2, 2, 1, 1, 0, 1)),
            claim_cache(World::OnePrimary, cache_scope(1, 2, 2, 1, 1, 1)),
            claim_cache(World::OnePrimary, cache_scope(1, 2, 1, 1, 2, 1)),
            claim_cache(World::NoFence, cache_scope(2, 1, 1, 1, 1, 1)),
            claim_cache(World::TwoPrimaries, cache_scope(2, 1, 1, 1, 1, 1)),
            claim_slots(slots(3, 1, 1, 1)),
            claim_slots(slots(2, 2, 1, 1)),
            claim_refresh(refresh(4, 5)),
        ],
    };
    let posts = 3;
    claims.push(Claim::new(CONNECT, format!("1 socket, 1 revocation, {posts} posts"), Connect { mutant: None, posts }));
    claims
}

/// All mutants that must be caught. The scope is the same for every size, because a stored counter-example belongs to
/// it.
pub fn variants() -> Vec<Variant> {
    [cache_variants(), slots_variants(), refresh_variants(), connect_variants()].into_iter().flatten().collect()
}

fn cache_variants() -> Vec<Variant> {
    use cache::Mutant::*;
    [
        ("fill-without-lease", "whoever misses stores what it read", FillWithoutLease),
        ("delete-of-v-only", "w2 leaves the lease alone", DeletesValueOnly),
        ("constant-nonce", "every lease has the same id", ConstantNonce),
        ("no-inc-on-v", "a hit does not compare the incarnation", NoIncarnationOnValue),
        ("no-inc-on-l", "r3 does not compare the incarnation", NoIncarnationOnLease),
        ("delete-before-commit", "w2 comes before w1", DeleteBeforeCommit),
        ("acknowledge-before-delete", "w3 comes before w2", AcknowledgeBeforeDelete),
        ("eventual-read", "r2 may find an earlier version", EventualRead),
        ("hedged-read-fills", "what was read before r1's reply is stored under the lease it brings", HedgedReadFills),
        ("client-made-lease", "the lease id comes with the request, and r1 may run twice", ClientMadeLease),
        ("inc-once-per-connection", "the incarnation is read once per connection", IncarnationOncePerConnection),
        ("writer-sets", "w2 stores the new value instead of deleting", WriterSets),
        ("no-max-age", "a hit does not look at validUntil", NoMaxAge),
        ("age-from-fill", "validUntil counts from r3, not from before r2", AgeCountsFromFill),
        ("lost-delete-is-immediate", "a delete that was not confirmed is answered `immediate`", LostDeleteIsImmediate),
        ("mismatch-is-401", "a cached value of another session refuses the request", MismatchIsRefusal),
        ("secret-not-compared", "a cached value lets in whoever asks for its slot", SecretNotCompared),
    ]
    .into_iter()
    .map(|(name, wrong, mutant)| {
        // A repeated r1 would catch a constant nonce too, as it catches a client's; two readers are enough.
        let strays = if mutant == ConstantNonce { 0 } else { 1 };
        let scope = cache_scope(2, 2, 1, strays, 1, 1);
        Variant::new(CACHE, name, wrong, Cache { scope, world: World::OnePrimary, mutant: Some(mutant) })
    })
    .collect()
}

fn slots_variants() -> Vec<Variant> {
    use slots::Mutant::*;
    let scope =
        slots::Scope { submits: 3, end_alls: 1, refreshes: 1, touches: 1, logouts: 1, lost_replies: 1, ticks: 2 };
    [
        ("end-all-ends-what-it-saw", "end-all has no condition on slots it saw empty", EndsOnlyWhatItSaw),
        ("end-all-leaves-expired", "end-all checks expired sessions and leaves them un-ended", LeavesExpiredUnended),
        ("epoch-not-checked", "the commit has no condition on authEpoch", EpochNotChecked),
        ("login-not-consumed", "the commit does not consume LOGIN", LoginNotConsumed),
        ("slot-not-checked", "the Put has no condition", SlotNotChecked),
        ("surplus-lives", "a sign-in under a lowered limit ends nothing above it", SurplusLives),
        ("count-then-put", "live sessions are counted, and the new one goes wherever there is room", CountsThenPuts),
        ("cancelled-is-success", "a transaction cancelled for its slot is taken for a success", CancelledIsSuccess),
    ]
    .into_iter()
    .map(|(name, wrong, mutant)| Variant::new(SLOTS, name, wrong, Slots { scope, mutant: Some(mutant) }))
    .collect()
}

fn refresh_variants() -> Vec<Variant> {
    use refresh::Mutant::*;
    let scope = refresh::Scope { presents: 3, thefts: 2, lost_replies: 1, ticks: 5, replaced: true };
    [
        ("theft-before-expiry", "an old token is theft even if its session is over", TheftBeforeExpiry),
        ("no-grace", "the previous token is theft at once", NoGrace),
        ("blind-write", "the rotation has no condition on the presented hash", BlindWrite),
        ("fresh-successor", "a repetition is answered under a new seed", FreshSuccessor),
        ("any-generation-in-grace", "within the grace every older generation is answered", AnyGenerationInGrace),
        ("family-not-checked", "an unknown token is theft whatever its family", FamilyNotChecked),
        ("seed-dropped", "the first tokens follow from the secret in mfaSessionId alone", SeedDropped),
        ("reuse-ends-nothing", "TOKEN_REUSED is answered and the session not ended", ReuseEndsNothing),
    ]
    .into_iter()
    .map(|(name, wrong, mutant)| Variant::new(REFRESH, name, wrong, Refresh::new(scope, Some(mutant))))
    .collect()
}

fn connect_variants() -> Vec<Variant> {
    use connect::Mutant::*;
    [
        ("connect-checks-first", "$connect looks at the session and then writes its row", ChecksBeforeWriting),
        ("post-410-trusted", "a post answered 410 removes the row at once", PostTrusts410),
        ("close-410-trusted", "the closer takes a 410 for closed at once", CloserTrusts410),
    ]
    .into_iter()
    .map(|(name, wrong, mutant)| Variant::new(CONNECT, name, wrong, Connect { mutant: Some(mutant), posts: 1 }))
    .collect()
}
