//! A password change that races sign-ins with the old password, under conflicts and lost replies.

use holdfast_testkit::faulty::{Faulty, Rates};
use holdfast_testkit::{ManualHost, MemoryStore, suites};

#[tokio::test]
async fn no_session_of_the_old_password_is_left() {
    let rounds = std::env::var("HOLDFAST_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let store = Faulty::new(MemoryStore::default(), Rates { conflicts: 20, lost: 5 }, 7);
    Box::pin(suites::sessions::an_old_password_never_outlives_its_change(store.clone(), ManualHost::default(), rounds))
        .await;
    let injected = store.injected();
    eprintln!("{rounds} password changes, each against 4 sign-ins with the old password; {injected} faults injected");
    assert!(injected > 0, "not a fault was injected: this shows nothing");
}
