//! The in-memory store tells the same story as the table.

use holdfast_testkit::{ManualHost, MemoryStore, suites};

#[tokio::test]
async fn the_memory_store_keeps_the_contract_of_the_session_ports() {
    suites::sessions::all(|| async { (MemoryStore::default(), ManualHost::default()) }).await;
}
