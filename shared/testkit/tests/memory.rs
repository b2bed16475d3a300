//! The in-memory store behaves as the table does.

use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::service::{DeleteOnly, StrongReads};
use holdfast_testkit::activity::{MemoryActivity, MemoryBus};
use holdfast_testkit::cache::{MemoryCache, leased};
use holdfast_testkit::push::MemoryTable;
use holdfast_testkit::{ManualHost, MemoryStore, suites};

#[tokio::test]
async fn the_memory_store_keeps_the_contract_of_the_session_ports() {
    suites::sessions::all(|| async { (MemoryStore::default(), ManualHost::default()) }).await;
    suites::sessions::an_end_all_buries_what_has_expired(MemoryStore::default(), ManualHost::default()).await;
    suites::sessions::an_identity_renews_its_own_session(
        MemoryStore::default(),
        ManualHost::at(suites::sessions::real_now()),
    )
    .await;
}

#[tokio::test]
async fn the_connections_in_memory_keep_the_contract_of_the_push_ports() {
    suites::connections::all(MemoryTable::default(), ManualHost::default()).await;
}

#[tokio::test]
async fn the_store_has_what_a_use_case_says() {
    Box::pin(suites::sessions::recorded()).await;
}

#[tokio::test]
async fn sessions_hold_up_to_their_bounds_and_no_longer() {
    Box::pin(suites::sessions::at_their_bounds(MemoryStore::default)).await;
}

/// DynamoDB deletes a row at any time after its TTL. Both extremes keep the contract: at once, and never.
#[tokio::test]
async fn nothing_depends_on_when_a_row_past_its_ttl_is_deleted() {
    suites::sessions::all(|| async {
        let host = ManualHost::default();
        (MemoryStore::expiring(&host), host)
    })
    .await;
    suites::sessions::lifetimes(|| async {
        let host = ManualHost::default();
        (MemoryStore::expiring(&host), host, async || {})
    })
    .await;
    suites::sessions::lifetimes(|| async { (MemoryStore::default(), ManualHost::default(), async || {}) }).await;
    let host = ManualHost::default();
    suites::connections::all(MemoryTable::expiring(&host), host.clone()).await;
    suites::connections::lifetimes(MemoryTable::expiring(&host), host, async || {}).await;
    suites::connections::lifetimes(MemoryTable::default(), ManualHost::default(), async || {}).await;
}

#[tokio::test]
async fn the_cache_in_memory_keeps_the_contract_of_the_cache_server() {
    let host = ManualHost::default();
    suites::cache::server::all(&MemoryCache::new(host.clone()), &host).await;
}

#[tokio::test]
async fn sessions_tell_the_same_story_without_a_cache() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    suites::cache::provider::all(&store, &StrongReads(store.clone()), &host).await;
}

#[tokio::test]
async fn sessions_tell_the_same_story_behind_a_cache_in_memory() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let server = MemoryCache::new(host.clone());
    suites::cache::provider::all(&store, &leased(&store, &server, &host), &host).await;
}

#[tokio::test]
async fn sessions_tell_the_same_story_while_the_provider_is_switched() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let server = MemoryCache::new(host.clone());
    let cache = DeleteOnly { store: store.clone(), server, max_age_seconds: 60, notice: |_| {} };
    suites::cache::provider::all(&store, &cache, &host).await;
}

#[tokio::test]
async fn the_activity_in_memory_keeps_the_contract_of_its_ports() {
    let host = ManualHost::default();
    let memory = MemoryActivity::default();
    suites::activity::all(&memory, &memory, &host, host.now().plus_seconds(86_400)).await;
}

#[tokio::test]
async fn the_event_bus_in_memory_keeps_the_contract_of_the_event_bus() {
    let bus = MemoryBus::default();
    let mut seen = 0;
    let published = &mut async |count| {
        let new = bus.published().split_off(seen);
        seen += new.len();
        assert_eq!(new.len(), count);
        new
    };
    suites::bus::all(&bus, published).await;
}
