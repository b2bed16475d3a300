//! CloudWatch metrics in the embedded metric format: lines on stdout after each invocation, no call to anything.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Holdfast";

type Values = BTreeMap<(&'static str, Unit), Vec<f64>>;

static DIMENSIONS: OnceLock<(String, String)> = OnceLock::new();
thread_local! {
    /// A function serves every invocation on one thread ([`crate::boot`]); a test has a thread of its own.
    static PENDING: RefCell<Values> = const { RefCell::new(Values::new()) };
}

/// Values of one metric that one record may carry (CloudWatch's limit).
const MAX_VALUES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Count,
    Milliseconds,
}

/// Names the function once, at start.
pub fn start(env: &str, function: &str) {
    let _ = DIMENSIONS.set((env.to_owned(), function.to_owned()));
}

/// Counts one in the metric `name`.
pub fn count(name: &'static str) {
    add(name, 1);
}

/// Counts `n` in the metric `name`.
pub fn add(name: &'static str, n: u64) {
    PENDING.with_borrow_mut(|pending| {
        let values = pending.entry((name, Unit::Count)).or_insert_with(|| vec![0.0]);
        if let Some(total) = values.first_mut() {
            *total += n as f64;
        }
    });
}

/// Records a duration.
pub fn millis(name: &'static str, value: f64) {
    PENDING.with_borrow_mut(|pending| pending.entry((name, Unit::Milliseconds)).or_default().push(value));
}

/// Writes what was counted since the last time, if anything was.
pub fn flush(now_millis: i64) {
    let taken = PENDING.take();
    if taken.is_empty() {
        return;
    }
    let mut out = std::io::stdout().lock();
    for part in parts(taken) {
        let _ = writeln!(out, "{}", record(&part, now_millis));
    }
}

/// Takes the counters of this thread, by name, and the names of the durations: what [`flush`] would
/// have written.
pub(crate) fn taken() -> (BTreeMap<&'static str, u64>, Vec<&'static str>) {
    let (mut counts, mut durations) = (BTreeMap::new(), Vec::new());
    for ((name, unit), values) in PENDING.take() {
        match unit {
            Unit::Count => {
                counts.insert(name, values.iter().sum::<f64>() as u64);
            }
            Unit::Milliseconds => durations.push(name),
        }
    }
    (counts, durations)
}

/// As many records as the longest list needs, each with at most [`MAX_VALUES`] values of a metric. None is left out: the last
/// ones of an invocation are the slowest.
fn parts(values: Values) -> Vec<Values> {
    let mut parts: Vec<Values> = Vec::new();
    for (metric, list) in values {
        for (index, chunk) in list.chunks(MAX_VALUES).enumerate() {
            if parts.len() == index {
                parts.push(Values::new());
            }
            parts[index].insert(metric, chunk.to_vec());
        }
    }
    parts
}

fn record(values: &Values, now_millis: i64) -> Value {
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
    fn no_value_is_left_out_and_no_record_has_too_many() {
        let all: Vec<f64> = (0..250).map(f64::from).collect();
        let values =
            Values::from([(("Latency", Unit::Milliseconds), all.clone()), (("DELIVERED", Unit::Count), vec![250.0])]);
        let parts = parts(values);
        assert_eq!(parts.iter().map(BTreeMap::len).collect::<Vec<_>>(), [2, 1, 1], "a count is in one of them");
        let written: Vec<f64> = parts.iter().flat_map(|part| part[&("Latency", Unit::Milliseconds)].clone()).collect();
        assert_eq!(written, all);
        assert!(parts.iter().flat_map(BTreeMap::values).all(|values| values.len() <= MAX_VALUES));
    }

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
