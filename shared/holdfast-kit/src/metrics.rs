//! CloudWatch metrics in the embedded metric format: one line on stdout per invocation, no call to anything.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Map, Value, json};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Holdfast";

static DIMENSIONS: OnceLock<(String, String)> = OnceLock::new();
static PENDING: Mutex<BTreeMap<(&'static str, Unit), Vec<f64>>> = Mutex::new(BTreeMap::new());

/// Values of one metric that one record may carry (CloudWatch's limit).
const MAX_VALUES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Count,
    Milliseconds,
}

fn pending() -> MutexGuard<'static, BTreeMap<(&'static str, Unit), Vec<f64>>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names the function once, at start.
pub fn start(env: &str, function: &str) {
    let _ = DIMENSIONS.set((env.to_owned(), function.to_owned()));
}

/// Counts one.
pub fn count(name: &'static str) {
    add(name, 1);
}

/// Counts `n`.
pub fn add(name: &'static str, n: u64) {
    let mut pending = pending();
    let values = pending.entry((name, Unit::Count)).or_insert_with(|| vec![0.0]);
    if let Some(total) = values.first_mut() {
        *total += n as f64;
    }
}

/// Records a duration.
pub fn millis(name: &'static str, value: f64) {
    let mut pending = pending();
    let values = pending.entry((name, Unit::Milliseconds)).or_default();
    if values.len() < MAX_VALUES {
        values.push(value);
    }
}

/// Writes what was counted since the last time, if anything was.
pub fn flush(now_millis: i64) {
    let taken = std::mem::take(&mut *pending());
    if taken.is_empty() {
        return;
    }
    let line = record(&taken, now_millis);
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn record(values: &BTreeMap<(&'static str, Unit), Vec<f64>>, now_millis: i64) -> Value {
    let (env, function) = DIMENSIONS.get().cloned().unwrap_or_default();
    let mut record = Map::new();
    let metrics: Vec<_> = values
        .keys()
        .map(|(name, unit)| json!({"Name": name, "Unit": match unit { Unit::Count => "Count", Unit::Milliseconds => "Milliseconds" }}))
        .collect();
    record.insert(
        "_aws".into(),
        json!({
            "Timestamp": now_millis,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["env", "function"]],
                "Metrics": metrics,
            }],
        }),
    );
    record.insert("env".into(), env.into());
    record.insert("function".into(), function.into());
    for ((name, _), values) in values {
        let value = match values.as_slice() {
            [one] => json!(one),
            many => json!(many),
        };
        record.insert((*name).into(), value);
    }
    Value::Object(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_declares_what_it_carries() {
        let values = BTreeMap::from([
            (("SESSION_CREATED", Unit::Count), vec![2.0]),
            (("Latency", Unit::Milliseconds), vec![1.5, 2.5]),
        ]);
        let record = record(&values, 7);
        assert_eq!(record["SESSION_CREATED"], 2.0);
        assert_eq!(record["Latency"], json!([1.5, 2.5]));
        let declared = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Holdfast");
        assert_eq!(declared["Metrics"].as_array().map(Vec::len), Some(2));
        assert_eq!(record["_aws"]["Timestamp"], 7);
    }
}
