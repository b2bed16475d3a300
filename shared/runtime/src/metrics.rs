//! CloudWatch metrics in the embedded metric format: lines on stdout after each invocation, no call to anything.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

/// The namespace of every metric.
pub const NAMESPACE: &str = "Holdfast";

type Values = BTreeMap<(&'static str, Unit), Vec<f64>>;

/// What every record says of its function: `"env":…,"function":…` as JSON.
static DIMENSIONS: OnceLock<String> = OnceLock::new();
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
    let _ = DIMENSIONS.set(dimensions(env, function));
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
        let _ = out.write_all(record(&part, now_millis).as_bytes());
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

fn dimensions(env: &str, function: &str) -> String {
    format!("\"env\":{},\"function\":{}", serde_json::Value::from(env), serde_json::Value::from(function))
}

/// One line of CloudWatch's embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>), with
/// its end. The names of metrics are identifiers of this code, so nothing in them needs an escape.
fn record(values: &Values, at_millis: i64) -> String {
    let mut line = String::with_capacity(512);
    let _ = write!(line, "{{\"_aws\":{{\"Timestamp\":{at_millis},\"CloudWatchMetrics\":[{{\"Namespace\":\"");
    line.push_str(NAMESPACE);
    line.push_str("\",\"Dimensions\":[[\"env\",\"function\"]],\"Metrics\":[");
    for (nth, &(name, unit)) in values.keys().enumerate() {
        if nth > 0 {
            line.push(',');
        }
        let unit = match unit {
            Unit::Count => "Count",
            Unit::Milliseconds => "Milliseconds",
        };
        for part in ["{\"Name\":\"", name, "\",\"Unit\":\"", unit, "\"}"] {
            line.push_str(part);
        }
    }
    line.push_str("]}]},");
    match DIMENSIONS.get() {
        Some(dimensions) => line.push_str(dimensions),
        None => line.push_str(&dimensions("", "")),
    }
    for (&(name, _), values) in values {
        for part in [",\"", name, "\":"] {
            line.push_str(part);
        }
        match values.as_slice() {
            [one] => put(&mut line, *one),
            many => {
                line.push('[');
                for (nth, value) in many.iter().enumerate() {
                    if nth > 0 {
                        line.push(',');
                    }
                    put(&mut line, *value);
                }
                line.push(']');
            }
        }
    }
    line.push_str("}\n");
    line
}

/// Writes a number; JSON has none that is not finite.
fn put(line: &mut String, value: f64) {
    let _ = if value.is_finite() { write!(line, "{value:?}") } else { line.write_str("null") };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
            (("Odd", Unit::Milliseconds), vec![f64::NAN, f64::INFINITY, 1e300, -0.25]),
        ]);
        let line = record(&values, 7);
        let record: Value = serde_json::from_str(&line).unwrap();
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert_eq!(record["SESSION_CREATED"], 2.0);
        assert_eq!(record["Latency"], json!([1.5, 2.5]));
        assert_eq!(record["Odd"], json!([null, null, 1e300, -0.25]));
        let declared = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Holdfast");
        assert_eq!(declared["Dimensions"], json!([["env", "function"]]));
        let metrics = json!([
            {"Name": "Latency", "Unit": "Milliseconds"},
            {"Name": "Odd", "Unit": "Milliseconds"},
            {"Name": "SESSION_CREATED", "Unit": "Count"}
        ]);
        assert_eq!(declared["Metrics"], metrics);
        assert_eq!(record["_aws"]["Timestamp"], 7);
        assert_eq!((&record["env"], &record["function"]), (&json!(""), &json!("")));
        let odd = format!("{{{}}}", dimensions("a\"b", "c\\"));
        assert_eq!(serde_json::from_str::<Value>(&odd).unwrap(), json!({"env": "a\"b", "function": "c\\"}));
    }
}
