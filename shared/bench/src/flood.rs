//! What an anonymous flood of sign-ins costs: requests, write units, stream records and rows of one attempt. Every
//! request passes a proxy that records it, so these are counts and not estimates.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_dynamodb::SessionsTable;
use holdfast_dynamodb::sessions::keys;
use holdfast_fault_proxy::{DynamoDbProxy, Exchange};
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::service::{SignIn, SignInRequest, StrongReads};
use holdfast_testkit::LocalCloud;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords};
use serde_json::Value;

use crate::figures::figure;

type Done<T = ()> = Result<T, String>;
type Service = SignIn<SessionsTable, StrongReads<SessionsTable>, PlainPasswords, RealHost>;
type Rows = BTreeMap<(String, String), HashMap<String, AttributeValue>>;

/// DynamoDB counts one write unit for each kilobyte of an item that it writes.
const WRITE_UNIT: usize = 1024;

/// What one attempt did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Requests to DynamoDB.
    pub(crate) requests: usize,
    /// Write request units. A transaction counts twice, and so does each of its condition checks.
    pub(crate) write_units: usize,
    /// Changed items. Each makes a record of the table's stream.
    pub(crate) stream_records: usize,
    /// Those that pass the event source's filter (keys `U#…` and `L#…`). Of an attempt, each is one event on the bus.
    pub(crate) relayed_records: usize,
    /// Rows that were not there before.
    pub(crate) rows: usize,
    /// Rows in the audit trail, which keeps the events of accounts that exist. Each state of a sign-in is one event.
    pub(crate) audit_rows: usize,
}

/// A table, a sign-in service before it, and everything that passes between the two.
pub(crate) struct Flood {
    cloud: LocalCloud,
    proxy: DynamoDbProxy,
    service: Service,
    known: String,
}

impl Flood {
    pub(crate) async fn start() -> Done<Self> {
        let cloud = LocalCloud::start().await;
        let upstream = cloud.endpoint().trim_start_matches("http://");
        let proxy = DynamoDbProxy::recording(upstream).await.map_err(|error| error.to_string())?;
        let through = cloud.sdk_config().to_builder().endpoint_url(proxy.endpoint()).build();
        let bench = Bench::new(SessionsTable::new(&through, LocalCloud::SESSIONS), RealHost).await;
        let mut service = bench.sign_in_service(Policy::default());
        service.limits = SignInLimits::default();
        Ok(Self { cloud, proxy, service, known: bench.email })
    }

    /// One attempt with a wrong password: how it was refused, and what that cost.
    pub(crate) async fn attempt(&self, email: &str, ip: &str) -> Done<(Code, Cost)> {
        let before = self.rows().await?;
        self.proxy.exchanges();
        let request = SignInRequest {
            email: email.into(),
            password: "not the password".into(),
            ip: ip.into(),
            ..SignInRequest::default()
        };
        let Err(refusal) = self.service.sign_in(&request).await else {
            return Err("a wrong password was accepted".into());
        };
        let exchanges = self.proxy.exchanges();
        let after = self.rows().await?;
        Ok((refusal.code, cost(&exchanges, &before, &after)?))
    }

    async fn rows(&self) -> Done<Rows> {
        let client = aws_sdk_dynamodb::Client::new(self.cloud.sdk_config());
        let scan = client.scan().table_name(LocalCloud::SESSIONS).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        let mut rows = Rows::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| error.to_string())?;
            let key = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
            rows.insert((key(keys::PK), key(keys::SK)), item);
        }
        Ok(rows)
    }
}

/// The items that a request names, each with its partition key and whether it is changed and not only checked.
fn written(exchange: &Exchange) -> Vec<(String, bool)> {
    let key = |action: &Value| {
        let of = |holder: &str| action[holder]["PK"]["S"].as_str().map(str::to_owned);
        of("Key").or_else(|| of("Item")).unwrap_or_default()
    };
    match exchange.operation.as_str() {
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![(key(&exchange.request), true)],
        "TransactWriteItems" => {
            let actions = exchange.request["TransactItems"].as_array().into_iter().flatten();
            let kinds = actions.filter_map(Value::as_object).flatten();
            kinds.map(|(kind, action)| (key(action), kind != "ConditionCheck")).collect()
        }
        _ => Vec::new(),
    }
}

fn cost(exchanges: &[Exchange], before: &Rows, after: &Rows) -> Done<Cost> {
    let mut cost = Cost { requests: exchanges.len(), ..Cost::default() };
    for exchange in exchanges {
        let items = written(exchange);
        cost.write_units += items.len() * if exchange.operation == "TransactWriteItems" { 2 } else { 1 };
        let changed = items.iter().filter(|(_, changes)| *changes && exchange.accepted);
        for (key, _) in changed {
            cost.stream_records += 1;
            cost.relayed_records += usize::from(key.starts_with("U#") || key.starts_with("L#"));
        }
    }
    let changed = after.iter().filter(|(key, item)| before.get(*key) != Some(*item));
    for ((pk, sk), item) in changed {
        let size: usize = item.iter().map(|(name, value)| name.len() + size(value)).sum();
        if size > WRITE_UNIT {
            return Err(format!("{pk} {sk} has {size} bytes: it needs more than one write unit"));
        }
        cost.rows += usize::from(!before.contains_key(&(pk.clone(), sk.clone())));
        if matches!(keys::row(pk, sk), keys::Row::Login(_)) && item.contains_key("userId") {
            cost.audit_rows = cost.relayed_records;
        }
    }
    Ok(cost)
}

/// As DynamoDB counts: the bytes of texts and binaries; a number takes at most 21.
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(_) => 21,
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + size(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>(),
        _ => WRITE_UNIT,
    }
}

fn print(of: &str, cost: Cost) {
    #[allow(clippy::cast_precision_loss)]
    for (name, value) in [
        ("requests to DynamoDB", cost.requests),
        ("write units", cost.write_units),
        ("new rows", cost.rows),
        ("stream records", cost.stream_records),
        ("events on the bus", cost.relayed_records),
        ("rows in the audit trail", cost.audit_rows),
    ] {
        figure(of, name, value as f64, "");
    }
}

/// The attempts of one network until it is refused, and the first one that is.
async fn until_refused(flood: &Flood, ip: &str, email: impl Fn(usize) -> String) -> Done<(Vec<Cost>, Cost)> {
    let mut failed = Vec::new();
    loop {
        let (code, cost) = flood.attempt(&email(failed.len()), ip).await?;
        match code {
            Code::InvalidCredentials if failed.len() < 1000 => failed.push(cost),
            Code::TooManyAttempts => return Ok((failed, cost)),
            other => return Err(format!("attempt {} was answered with {other:?}", failed.len() + 1)),
        }
    }
}

pub(crate) async fn run() -> Done {
    let flood = Flood::start().await?;
    let nobody = |n: usize| format!("nobody-{n}@example.com");
    for (ip, who, email) in [
        ("198.51.1.7", "one account", Box::new(|_| flood.known.clone()) as Box<dyn Fn(usize) -> String>),
        ("198.51.2.7", "one e-mail of nobody", Box::new(|_| nobody(0))),
        ("198.51.3.7", "a fresh e-mail of nobody each time", Box::new(nobody)),
    ] {
        let (failed, refused) = until_refused(&flood, ip, email).await?;
        let (Some(first), Some(last)) = (failed.first(), failed.last()) else { return Err("refused at once".into()) };
        print(&format!("{who}: the first attempt"), *first);
        print(&format!("{who}: attempt {}, the last that is judged", failed.len()), *last);
        print(&format!("{who}: every attempt after it (429)"), refused);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits of a refused and of a verified attempt, for any account.
    #[tokio::test]
    async fn a_refused_attempt_writes_nothing_and_a_judged_one_a_bounded_number_of_units() {
        let flood = Flood::start().await.unwrap();
        for (ip, email) in [("198.51.1.7", flood.known.clone()), ("198.51.2.7", "nobody@example.com".into())] {
            let (failed, refused) = until_refused(&flood, ip, |_| email.clone()).await.unwrap();
            assert_eq!(failed.len(), 5);
            assert!(failed.iter().all(|cost| cost.write_units <= 8 && cost.rows <= 4), "{email}: {failed:?}");
            let written = Cost { requests: refused.requests, ..Cost::default() };
            assert_eq!(refused, written, "no write unit, row or record");
            assert!(refused.requests <= 3, "{refused:?}");
            let audit_rows = if email == flood.known { 2 } else { 0 };
            assert!(failed.iter().all(|cost| cost.audit_rows == audit_rows), "{failed:?}");
        }
    }
}
