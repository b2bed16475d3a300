//! CloudWatch metrics in the embedded metric format: lines on stdout after each invocation, no call to anything.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
        if let Ok(record) = serde_json::to_string(&Record { values: &part, at_millis: now_millis }) {
            let _ = writeln!(out, "{record}");
        }
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

/// One line of CloudWatch's embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
struct Record<'a> {
    values: &'a Values,
    at_millis: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [[&'static str; 2]; 1],
    metrics: Vec<Definition<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    name: &'a str,
    unit: Unit,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (env, function) = DIMENSIONS.get().map_or(("", ""), |(env, function)| (env, function));
        let metrics = self.values.keys().map(|&(name, unit)| Definition { name, unit }).collect();
        let directive = Directive { namespace: NAMESPACE, dimensions: [["env", "function"]], metrics };
        let mut record = serializer.serialize_map(None)?;
        record.serialize_entry("_aws", &Metadata { timestamp: self.at_millis, cloud_watch_metrics: [directive] })?;
        record.serialize_entry("env", env)?;
        record.serialize_entry("function", function)?;
        for ((name, _), values) in self.values {
            match values.as_slice() {
                [one] => record.serialize_entry(name, one)?,
                many => record.serialize_entry(name, many)?,
            }
        }
        record.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let record = serde_json::to_value(Record { values: &values, at_millis: 7 }).unwrap();
        assert_eq!(record["SESSION_CREATED"], 2.0);
        assert_eq!(record["Latency"], json!([1.5, 2.5]));
        let declared = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Holdfast");
        assert_eq!(declared["Metrics"].as_array().map(Vec::len), Some(2));
        assert_eq!(record["_aws"]["Timestamp"], 7);
    }
}
