//! The commit of a sign-in, against a bare transaction of as many items. Both are sent in this process, in turns, by clients of the
//! same configuration.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem, Update};
use holdfast_dynamodb::SessionsTable;
use holdfast_dynamodb::sessions::keys;
use holdfast_sessions::ports::{Committed, SignIns as _};
use holdfast_testkit::LocalCloud;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::suites::sessions::Bench;

use super::{Done, ROUND, ROUNDS, World, median, micros, text};
use crate::figures::{figure, ratio};

type Item = HashMap<String, AttributeValue>;

fn key((partition, sort): (String, String)) -> Item {
    [("PK".to_owned(), AttributeValue::S(partition)), ("SK".to_owned(), AttributeValue::S(sort))].into()
}

/// A session, an account and a sign-in, as the commit has them.
struct Items {
    session: Item,
    account: Item,
    sign_in: Item,
}

impl Items {
    fn transaction(&self) -> Done<[TransactWriteItem; 3]> {
        let put = Put::builder()
            .table_name(LocalCloud::SESSIONS)
            .set_item(Some(self.session.clone()))
            .condition_expression("attribute_not_exists(PK)");
        let check = ConditionCheck::builder()
            .table_name(LocalCloud::SESSIONS)
            .set_key(Some(self.account.clone()))
            .condition_expression("authEpoch = :epoch")
            .expression_attribute_values(":epoch", AttributeValue::N("1".into()));
        let update = Update::builder()
            .table_name(LocalCloud::SESSIONS)
            .set_key(Some(self.sign_in.clone()))
            .update_expression("SET #state = :next")
            .condition_expression("#state = :seen")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":next", AttributeValue::S("DONE".into()))
            .expression_attribute_values(":seen", AttributeValue::S("STARTED".into()));
        Ok([
            TransactWriteItem::builder().put(put.build().map_err(text)?).build(),
            TransactWriteItem::builder().condition_check(check.build().map_err(text)?).build(),
            TransactWriteItem::builder().update(update.build().map_err(text)?).build(),
        ])
    }
}

pub(super) async fn run(world: &World) -> Done {
    let cloud = world.cloud.sdk_config();
    let through = cloud.to_builder().endpoint_url(&world.table.endpoint).build();
    let (store, bare) = (SessionsTable::new(&through, LocalCloud::SESSIONS), Client::new(&through));
    let bench = Bench::new(SessionsTable::new(cloud, LocalCloud::SESSIONS), RealHost).await;
    let plan = bench.planned(0).await;
    let signed_in = bench.sign_in().await;
    let written = Client::new(cloud)
        .get_item()
        .table_name(LocalCloud::SESSIONS)
        .set_key(Some(key(keys::slot(signed_in.slot.at))))
        .send()
        .await
        .map_err(text)?;
    let items = Items {
        session: written.item.ok_or("the sign-in has written no session")?,
        account: key(keys::account(plan.slot.at.user)),
        sign_in: key(keys::login(plan.login)),
    };
    let (mut ours, mut theirs): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    eprintln!("{ROUNDS} rounds of {ROUND} commits and as many transactions, in turns");
    for round in 0..=ROUNDS {
        if round == 1 {
            // The first round opened the connections.
            ours.clear();
            theirs.clear();
        }
        for _ in 0..ROUND {
            let began = Instant::now();
            match store.commit(&plan).await {
                Ok(Committed::Done) => ours.push(began.elapsed()),
                other => return Err(format!("a commit ended with {other:?}")),
            }
        }
        for _ in 0..ROUND {
            let began = Instant::now();
            let transaction = bare.transact_write_items().client_request_token(plan.token());
            let sent = transaction.set_transact_items(Some(items.transaction()?.into())).send().await;
            sent.map_err(text)?;
            theirs.push(began.elapsed());
        }
    }
    let (ours, theirs) = (micros(median(&mut ours)), micros(median(&mut theirs)));
    figure("the commit of a sign-in", "wall, median", ours, "µs");
    figure("a bare transaction of three items", "wall, median", theirs, "µs");
    ratio("commit of a sign-in", "bare, TransactWriteItems: wall", ours, theirs);
    Ok(())
}
