//! The tables keep the contracts of their ports, on an emulator that each test starts for itself.

use holdfast_dynamodb::{ConnectionsTable, SessionsTable};
use holdfast_testkit::{LocalCloud, ManualHost, suites};

#[tokio::test]
async fn the_sessions_table_keeps_the_contract_of_the_session_ports() {
    let cloud = LocalCloud::start().await;
    Box::pin(suites::sessions::all(|| async {
        let table = SessionsTable::new(cloud.sdk_config(), LocalCloud::SESSIONS);
        (table, ManualHost::at(suites::sessions::real_now()))
    }))
    .await;
    let table = SessionsTable::new(cloud.sdk_config(), LocalCloud::SESSIONS);
    let host = ManualHost::at(suites::sessions::real_now());
    Box::pin(suites::sessions::an_end_all_buries_what_has_expired(table, host)).await;
}

#[tokio::test]
async fn the_connections_table_keeps_the_contract_of_the_push_ports() {
    let cloud = LocalCloud::start().await;
    let table = ConnectionsTable::new(cloud.sdk_config(), LocalCloud::CONNECTIONS);
    suites::connections::all(table, ManualHost::at(suites::sessions::real_now())).await;
}
