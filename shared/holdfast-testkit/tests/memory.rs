//! The in-memory store tells the same story as the table.

use holdfast_testkit::push::MemoryTable;
use holdfast_testkit::{ManualHost, MemoryStore, suites};

#[tokio::test]
async fn the_memory_store_keeps_the_contract_of_the_session_ports() {
    suites::sessions::all(|| async { (MemoryStore::default(), ManualHost::default()) }).await;
}

#[tokio::test]
async fn the_connections_in_memory_keep_the_contract_of_the_push_ports() {
    suites::connections::all(MemoryTable::default(), ManualHost::default()).await;
}
