//! Twenty tabs refresh one token at once, with conflicts and lost replies, in many rounds.
//!
//! `HOLDFAST_REFRESHES` is the number of rounds (100 if it is not set; `make prove` sets 5 000).

use holdfast_sessions::Millis;
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::service::{Sessions, StrongReads};
use holdfast_testkit::faulty::{Faulty, Rates};
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{ManualHost, MemoryStore, suites};

#[tokio::test]
async fn whatever_becomes_of_a_reply_twenty_tabs_agree_on_one_pair() {
    let rounds: u64 = std::env::var("HOLDFAST_REFRESHES").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut injected = 0;
    for round in 0..rounds {
        let store = Faulty::new(MemoryStore::default(), Rates { conflicts: 20, lost: 10 }, round);
        let check = suites::sessions::twenty_refreshes_of_one_token_make_one_generation;
        Box::pin(check(store.clone(), ManualHost::default())).await;
        injected += store.injected();
    }
    eprintln!(
        "{rounds} rounds of 20 refreshes of one token: one generation, 20 answers alike, an older one ends the session; \
         {injected} faults injected"
    );
    assert!(injected > rounds, "hardly a fault was injected: this shows nothing");
}

/// A host on which every wait takes eleven seconds, which is more than the grace.
#[derive(Clone, Debug)]
struct Slow(ManualHost);

impl Clock for Slow {
    fn now(&self) -> Millis {
        self.0.now()
    }

    async fn sleep(&self, _: u64) {
        self.0.advance_seconds(11);
    }
}

impl Rng for Slow {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

#[tokio::test]
async fn a_refresh_whose_reply_is_lost_for_longer_than_the_grace_is_no_theft() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host.clone()).await;
    let session = bench.sign_in().await;
    let sessions = Sessions {
        store: Faulty::new(store.clone(), Rates { conflicts: 0, lost: 100 }, 1),
        cache: StrongReads(store.clone()),
        host: Slow(host),
        policy: Policy::default(),
    };
    let (_, tokens, _) =
        sessions.refresh(&session.tokens.refresh.text(), &Origin::default()).await.expect("its own write, found again");
    assert!(bench.sessions().identify(Some(&tokens.access.text())).await.is_ok());
    bench.sessions().refresh(&tokens.refresh.text(), &Origin::default()).await.expect("and it goes on from there");
}
