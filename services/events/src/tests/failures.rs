//! What each function does when a call fails: acknowledge, or have the record or event delivered again.

use holdfast_testkit::failures::assert_documented;

use super::*;

/// The function, the call that fails, the answer, the line of the log, and the metric.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const AGAIN: &str = "the batch from this record on is delivered again";
const EVENT_AGAIN: &str = "the event is delivered again";
const ROWS: &[Row] = &[
    ("events-relay", "publish", AGAIN, "ERROR the batch will be delivered again", "RelayRetried"),
    ("events-relay", "ask", AGAIN, "ERROR the batch will be delivered again", "RelayRetried"),
    ("events-relay", "send", AGAIN, "ERROR the batch will be delivered again", "RelayRetried"),
    ("events-cache-repair", "delete", AGAIN, "WARN deletes were not confirmed; they will be repeated", "RepairRetried"),
    ("events-audit-trail", "append", EVENT_AGAIN, "ERROR the event will be delivered again", "SubscriberRetried"),
    ("events-last-login", "last_login", EVENT_AGAIN, "ERROR the event will be delivered again", "SubscriberRetried"),
    ("events-security-alerts", "device", EVENT_AGAIN, "ERROR the event will be delivered again", "SubscriberRetried"),
    ("events-security-alerts", "send", EVENT_AGAIN, "ERROR the event will be delivered again", "SubscriberRetried"),
];

/// Records that make the function call this.
fn records(call: &str) -> Vec<Value> {
    let mut records = vec![kinds::revocation("10"), kinds::revocation("11")];
    if call == "send" {
        records.insert(0, json!({"eventID": "e9", "dynamodb": {"SequenceNumber": "10", "Keys": {}, "NewImage": 7}}));
        records[0]["dynamodb"]["Keys"] = records[1]["dynamodb"]["Keys"].clone();
    }
    records
}

/// An event that makes the function call this.
async fn prepared(world: &World, call: &str) -> Value {
    if call == "send" {
        return event("TOKEN_REUSED", "e1-0");
    }
    // Of a first device nobody is told.
    world.event("events-security-alerts", &with_device("first"), TIME).await.0.unwrap();
    with_device("second")
}

fn with_device(name: &str) -> Value {
    let mut event = event("SESSION_CREATED", name);
    event["device"] = name.into();
    event
}

async fn play(world: &World, row: &Row, budget: Duration) -> (Result<Value, Broken>, Recorded) {
    match row.0 {
        "events-relay" | "events-cache-repair" => world.stream(row.0, records(row.1), budget).await,
        function => world.event(function, &prepared(world, row.1).await, budget).await,
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_whose_call_failed() {
    for row in ROWS {
        let (function, call, _, line, metric) = row;
        let calm = World::new();
        let (answer, recorded) = play(&calm, row, TIME).await;
        assert!(answer.is_ok_and(|answer| answer.is_null() || answer == done()), "{row:?}");
        assert!(!recorded.counts.contains_key(metric), "{row:?}: {recorded:?}");
        for trouble in Trouble::ERRORS.into_iter().chain([Trouble::Silence]) {
            for partial in [true, false] {
                let mut world = World::new();
                world.partial = partial;
                let silent = trouble == Trouble::Silence;
                let budget = if silent { Duration::from_millis(50) } else { TIME };
                let prepared = prepared(&world, call).await;
                world.fail_at(call, &trouble);
                let (answer, recorded) = match *function {
                    "events-relay" | "events-cache-repair" => world.stream(function, records(call), budget).await,
                    _ => world.event(function, &prepared, budget).await,
                };
                match (row.2, partial) {
                    (AGAIN, true) => assert_eq!(answer.unwrap(), again_from("10"), "{row:?}, {trouble:?}"),
                    _ => assert!(answer.is_err(), "{row:?}, {trouble:?}: {answer:?}"),
                }
                assert_eq!(recorded.counts.get(metric), Some(&1), "{row:?}, {trouble:?}: {recorded:?}");
                let (level, _) = line.split_once(' ').unwrap();
                let said = recorded.log.iter().any(|said| if silent { said.starts_with(level) } else { said == line });
                assert!(said, "{row:?}, {trouble:?}: {recorded:?}");
            }
        }
    }
}

#[test]
fn the_documentation_has_the_rows_of_events() {
    let row = |(function, call, answer, line, metric): &Row| {
        format!("| `{function}` | `{call}` | {answer} | `{line}` | `{metric}` |")
    };
    assert_documented("service-events", &ROWS.iter().map(row).collect::<Vec<_>>());
}
