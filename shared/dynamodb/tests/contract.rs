//! The tables keep the contracts of their ports, on an emulator that each test starts for itself.

use holdfast_dynamodb::{ActivityTable, ConnectionsTable, SessionsTable};
use holdfast_sessions::Millis;
use holdfast_sessions::ports::Clock as _;
use holdfast_testkit::suites::activity::{Look, StoredEntry};
use holdfast_testkit::suites::rows::Row;
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
    Box::pin(suites::sessions::an_end_all_buries_what_has_expired(table.clone(), host.clone())).await;
    Box::pin(suites::sessions::an_identity_renews_its_own_session(table, host)).await;
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

/// The rows of the table of activity.
struct ActivityRows<'a>(&'a LocalCloud);

impl ActivityRows<'_> {
    async fn rows_of(&self, user: &str) -> Vec<Row> {
        let owner = format!("U#{user}");
        let mut rows = self.0.rows(LocalCloud::ACTIVITY).await;
        rows.retain(|row| text(row, "PK") == owner);
        rows.sort_by(|a, b| text(a, "SK").cmp(text(b, "SK")));
        rows
    }
}

fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row[name].as_s().expect("text")
}

impl Look for ActivityRows<'_> {
    async fn trail(&self, user: &str) -> Vec<StoredEntry> {
        let events = self.rows_of(user).await.into_iter().filter(|row| text(row, "SK").starts_with("E#"));
        events
            .map(|mut row| {
                let ttl = row.remove("ttl").expect("a TTL");
                let seconds: i64 = ttl.as_n().expect("a number").parse().expect("a whole number");
                let names: Vec<_> = row.keys().filter(|name| !["PK", "SK"].contains(&name.as_str())).cloned().collect();
                let fields = names.into_iter().map(|name| (name.clone(), text(&row, &name).to_owned())).collect();
                StoredEntry { fields, delete_after: Millis::new(seconds * 1_000) }
            })
            .collect()
    }

    async fn latest_login(&self, user: &str) -> Option<(String, String, String)> {
        let row = self.rows_of(user).await.into_iter().find(|row| text(row, "SK") == "LAST_LOGIN")?;
        Some((text(&row, "at").into(), text(&row, "sessionId").into(), text(&row, "device").into()))
    }
}

#[tokio::test]
async fn the_activity_table_keeps_the_contract_of_its_ports() {
    let cloud = LocalCloud::start().await;
    let table = ActivityTable::new(cloud.sdk_config(), LocalCloud::ACTIVITY);
    let host = ManualHost::at(suites::sessions::real_now());
    let delete_after = Millis::new(host.now().plus_seconds(86_400).seconds_up() * 1_000);
    suites::activity::all(&table, &ActivityRows(&cloud), &host, delete_after).await;
    suites::rows::of_activity(&cloud.rows(LocalCloud::ACTIVITY).await, delete_after);
}
