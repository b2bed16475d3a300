//! The tables keep the contracts of their ports, on an emulator that each test starts for itself.

use holdfast_domain::ports::Host as _;
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
    suites::rows::of_sessions(&cloud.rows(LocalCloud::SESSIONS).await);
}

#[tokio::test]
async fn sessions_do_not_depend_on_when_rows_past_their_ttl_are_deleted() {
    let cloud = LocalCloud::start().await;
    for deletes in [true, false] {
        Box::pin(suites::sessions::lifetimes(|| async {
            let table = SessionsTable::new(cloud.sdk_config(), LocalCloud::SESSIONS);
            let host = ManualHost::at(suites::sessions::real_now());
            let (cloud, clock) = (&cloud, host.clone());
            let expire = async move || {
                if deletes {
                    cloud.expire(LocalCloud::SESSIONS, clock.now()).await;
                }
            };
            (table, host, expire)
        }))
        .await;
    }
}

#[tokio::test]
async fn the_connections_table_keeps_the_contract_of_the_push_ports() {
    let cloud = LocalCloud::start().await;
    let table = ConnectionsTable::new(cloud.sdk_config(), LocalCloud::CONNECTIONS);
    let began = suites::sessions::real_now();
    suites::connections::all(table, ManualHost::at(began)).await;
    let rows = cloud.rows(LocalCloud::CONNECTIONS).await;
    suites::rows::of_connections(&rows, began, suites::sessions::real_now());
}

#[tokio::test]
async fn push_does_not_depend_on_when_rows_past_their_ttl_are_deleted() {
    let cloud = LocalCloud::start().await;
    for deletes in [true, false] {
        let table = ConnectionsTable::new(cloud.sdk_config(), LocalCloud::CONNECTIONS);
        let host = ManualHost::at(suites::sessions::real_now());
        let expire = async || {
            if deletes {
                cloud.expire(LocalCloud::CONNECTIONS, host.now()).await;
            }
        };
        suites::connections::lifetimes(table, host.clone(), &expire).await;
    }
}
