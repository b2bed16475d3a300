//! Twenty tabs that refresh one token at once, with conflicts and lost replies, again and again.
//!
//! `HOLDFAST_REFRESHES` says how often (100 unless told; `make prove` says 5 000).

use holdfast_testkit::faulty::{Faulty, Rates};
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
