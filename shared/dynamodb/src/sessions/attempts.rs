//! Attempt counters, counted by conditional updates of one item each, so that a burst cannot overdraw.
//!
//! In an open window without a long run of failures, one update counts. The domain decides every other case (a new
//! counter, a new window, a wait after a long run) from the counter as it was read. The result is written only if the
//! counter has not changed.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnRefusal};
use futures_util::future::try_join_all;
use holdfast_sessions::attempts::{Counter, Scope};
use holdfast_sessions::policy::{RUN_LIMIT, RUN_MEMORY_SECONDS};
use holdfast_sessions::ports::{AttemptReservation, Attempts, Conditional, StoreError, StoreResult};
use holdfast_sessions::{Millis, TokenHash};

use super::SessionsTable;
use super::keys::{self, TTL};
use crate::attributes::{Item, Reader, binary, binary_set, number, timestamp};
use crate::call::{conditional, trouble};
use crate::statement::Statement;

/// Rounds before giving up: each refusal means that another request has just written this counter.
const ROUNDS: usize = 24;

/// What a counter's item holds; nothing where there is none.
#[derive(Debug, Default)]
struct CounterItem {
    counter: Counter,
    answers: Vec<[u8; 32]>,
    /// Whether there is an item at all.
    exists: bool,
}

fn read(item: Option<&Item>) -> StoreResult<CounterItem> {
    let Some(item) = item else { return Ok(CounterItem::default()) };
    let r = Reader::new(item);
    let time = |name: &str| r.time_opt(name).map(Option::unwrap_or_default);
    let answers = r.hashes("answers")?;
    let counted = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    let counter = Counter {
        // Answers to a second factor are counted as a set, everything else by number.
        count: r.int_opt("count")?.unwrap_or(counted).max(counted),
        window_ends: time("windowEnds")?,
        run: r.int_opt("run")?.unwrap_or_default(),
        run_ends: time("runEnds")?,
        wait_until: time("waitUntil")?,
        known_until: time("knownUntil")?,
    };
    Ok(CounterItem { counter, answers, exists: true })
}

impl SessionsTable {
    async fn counter(&self, scope: &Scope) -> StoreResult<CounterItem> {
        read(self.get(keys::attempts(&scope.key)).await?.as_ref())
    }

    async fn write_counter(
        &self,
        scope: &Scope,
        statement: &Statement,
    ) -> StoreResult<(Conditional<Option<Item>>, Option<Item>)> {
        let result = statement
            .update_item(&self.client, &self.table, keys::attempts(&scope.key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        let new = result.as_ref().ok().and_then(|answer| answer.attributes.clone());
        Ok((conditional("UpdateItem", None, result)?, new))
    }

    /// Writes a counter that the domain has computed, if it is still as it was read.
    async fn replace_counter(
        &self,
        scope: &Scope,
        seen: &CounterItem,
        next: &Counter,
        answers: Option<&HashSet<[u8; 32]>>,
    ) -> StoreResult<Conditional<Option<Item>>> {
        let mut statement =
            Statement::new().set("windowEnds", timestamp(next.window_ends)).set(TTL, number(keys::ttl(next.ends())));
        if scope.counts_runs {
            statement = statement
                .set("run", number(next.run))
                .set("runEnds", timestamp(next.run_ends))
                .set("waitUntil", timestamp(next.wait_until));
        }
        statement = match answers {
            None => statement.set("count", number(next.count)),
            // It has at least the answer that is drawn.
            Some(answers) => statement.set("answers", binary_set(answers.iter())),
        };
        statement = if seen.exists {
            let mut as_seen = statement;
            let Counter { count, run, window_ends, .. } = seen.counter;
            for (attribute, value) in
                [("windowEnds", timestamp(window_ends)), ("run", number(run)), ("count", number(count))]
            {
                let counted_by_set = attribute == "count" && answers.is_some();
                if counted_by_set || (attribute == "run" && !scope.counts_runs) {
                    continue;
                }
                let place = format!(":seen_{attribute}");
                let name = format!("#seen_{attribute}");
                // A counter of version 0.1.0, or one that only records a known network, has no such number yet.
                let none = if value == number(0) { format!("attribute_not_exists({name}) OR ") } else { String::new() };
                as_seen = as_seen.when(&format!("{none}{name} = {place}")).name(&name, attribute).value(&place, value);
            }
            as_seen
        } else {
            statement.when("attribute_not_exists(PK)")
        };
        Ok(self.write_counter(scope, &statement).await?.0)
    }

    /// Counts in an open window without a long run, in one update; refused otherwise.
    fn count_in_window(scope: &Scope, answer: Option<&TokenHash>, now: Millis) -> Statement {
        let mut statement = Statement::new().when("windowEnds > :now").value(":now", timestamp(now));
        statement = match answer {
            None => statement
                .set_to("#count = #count + :one")
                .name("#count", "count")
                .value(":one", number(1))
                .when("#count < :limit"),
            Some(answer) => statement
                .then("ADD answers :answers")
                .value(":answers", binary_set([answer.as_bytes()]))
                .value(":answer", binary(answer.as_bytes()))
                .when("attribute_not_exists(answers) OR (size(answers) < :limit AND NOT contains(answers, :answer))"),
        };
        statement = statement.value(":limit", number(scope.limit));
        if scope.counts_runs {
            let memory = now.plus_seconds(RUN_MEMORY_SECONDS);
            statement = statement
                .set_to("#run = #run + :more")
                .name("#run", "run")
                .value(":more", number(1))
                .set("runEnds", timestamp(memory))
                .when("#run < :almost AND runEnds > :now")
                .value(":almost", number(RUN_LIMIT - 1));
        }
        statement
    }

    /// Writes `in_window` if the reservation's window is still open there, else `afterwards`, if there is a counter at all.
    async fn undo(
        &self,
        reservation: &AttemptReservation,
        in_window: Statement,
        afterwards: Option<Statement>,
    ) -> StoreResult<()> {
        let in_window = match &reservation.answer {
            None => in_window
                .set_to("#count = #count - :one")
                .name("#count", "count")
                .value(":one", number(1))
                .value(":zero", number(0))
                .when("#count > :zero"),
            Some(answer) => {
                in_window.then("DELETE answers :answers").value(":answers", binary_set([answer.as_bytes()]))
            }
        };
        let in_window = in_window.when("windowEnds = :ends").value(":ends", timestamp(reservation.window_ends));
        if self.write_counter(&reservation.scope, &in_window).await?.0 == Conditional::Done {
            return Ok(());
        }
        match afterwards {
            None => Ok(()),
            Some(statement) => {
                self.write_counter(&reservation.scope, &statement.when("attribute_exists(PK)")).await.map(|_| ())
            }
        }
    }
}

impl Attempts for SessionsTable {
    async fn counters(&self, scopes: &[Scope]) -> StoreResult<Vec<Counter>> {
        let found = try_join_all(scopes.iter().map(|scope| self.counter(scope))).await?;
        Ok(found.into_iter().map(|stored| stored.counter).collect())
    }

    async fn draw(
        &self,
        scope: &Scope,
        answer: Option<&TokenHash>,
        now: Millis,
    ) -> StoreResult<Result<AttemptReservation, Millis>> {
        let reserved = |window_ends| AttemptReservation { scope: *scope, window_ends, answer: answer.copied() };
        for _ in 0..ROUNDS {
            let counting = Self::count_in_window(scope, answer, now);
            let seen = match self.write_counter(scope, &counting).await? {
                (Conditional::Done, Some(item)) => return Ok(Ok(reserved(Reader::new(&item).time("windowEnds")?))),
                (Conditional::Done, None) => {
                    return Err(StoreError::Corrupt("no attributes of a counter".into()));
                }
                (Conditional::Refused(there), _) => read(there.as_ref())?,
            };
            let is_open = now < seen.counter.window_ends;
            let mut answers: HashSet<[u8; 32]> =
                if is_open { seen.answers.iter().copied().collect() } else { HashSet::new() };
            if answer.is_some_and(|answer| !answers.insert(*answer.as_bytes())) {
                // The same answer again in this window is no new attempt.
                return Ok(Ok(reserved(seen.counter.window_ends)));
            }
            if let Some(until) = seen.counter.refuses(scope, now) {
                return Ok(Err(until));
            }
            let next = seen.counter.drawn(scope, now);
            let answers = answer.map(|_| &answers);
            if self.replace_counter(scope, &seen, &next, answers).await? == Conditional::Done {
                return Ok(Ok(reserved(next.window_ends)));
            }
        }
        Err(StoreError::Conflict("attempt counter".into()))
    }

    async fn give_back(&self, reservation: &AttemptReservation) -> StoreResult<()> {
        let mut shorter = Statement::new();
        if reservation.scope.counts_runs {
            shorter = shorter
                .set_to("#run = #run - :less")
                .name("#run", "run")
                .value(":less", number(1))
                .value(":none", number(0))
                .when("#run > :none");
        }
        self.undo(reservation, shorter, None).await
    }

    async fn settle(&self, reservation: &AttemptReservation, known_until: Option<Millis>) -> StoreResult<()> {
        let mut over = Statement::new();
        if reservation.scope.counts_runs {
            over = over.set("run", number(0)).set("waitUntil", number(0));
        }
        if let Some(until) = known_until {
            over = over
                .set("knownUntil", timestamp(until))
                .set(TTL, number(keys::ttl(until.max(reservation.window_ends))));
        }
        let afterwards = (reservation.scope.counts_runs || known_until.is_some()).then(|| over.clone());
        self.undo(reservation, over, afterwards).await
    }

    async fn remember(&self, scope: &Scope, known_until: Millis) -> StoreResult<()> {
        let known = Statement::new().set("knownUntil", timestamp(known_until)).set(TTL, number(keys::ttl(known_until)));
        self.write_counter(scope, &known).await.map(|_| ())
    }

    async fn clear(&self, scope: &Scope) -> StoreResult<()> {
        let delete = Statement::new().delete_item(&self.client, &self.table, keys::attempts(&scope.key));
        delete.send().await.map(|_| ()).map_err(|e| trouble("DeleteItem", &e))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use holdfast_testkit::CannedAws;
    use serde_json::{Value, json};

    use super::*;

    /// What the counter must still be when a draw replaces it, by the name of the attribute.
    async fn compared(counts_runs: bool, answer: Option<&TokenHash>) -> BTreeMap<String, String> {
        let scope = Scope { name: "test", key: [1; 32], limit: 5, window_seconds: 900, counts_runs };
        let refused = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Item": { "windowEnds": { "N": "1000" }, "count": { "N": "3" }, "run": { "N": "7" } },
        });
        let aws = CannedAws::new(&[(400, &refused.to_string()), (200, "{}")]);
        let table = SessionsTable::new(&aws.config(), "sessions");
        let drawn = table.draw(&scope, answer, Millis::new(2_000)).await.expect("counted").expect("a new window");
        assert_eq!(drawn.window_ends, Millis::new(902_000));
        let [_, replaced] = aws.requests().try_into().expect("the attempt in the window, and the new window");
        let sent: Value = serde_json::from_str(&replaced).unwrap();
        let condition = sent["ConditionExpression"].as_str().expect("a condition");
        let names = sent["ExpressionAttributeNames"].as_object().expect("names");
        let values = sent["ExpressionAttributeValues"].as_object().expect("values");
        let equal = condition.split(['(', ')']).filter_map(|part| part.split_once(" = "));
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        equal.map(|(name, value)| (text(&names[name]), text(&values[value]["N"]))).collect()
    }

    /// Two requests may compute a new window from the same counter. The second must not overwrite what the first wrote.
    /// Answers to a second factor are a set without a number, and each of them also lengthens the run.
    #[tokio::test]
    async fn a_counter_is_replaced_only_as_it_was_read() {
        let seen = [("windowEnds", "1000"), ("run", "7"), ("count", "3")];
        let these = |names: &[&str]| -> BTreeMap<String, String> {
            let seen = seen.into_iter().filter(|(name, _)| names.contains(name));
            seen.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        assert_eq!(compared(false, None).await, these(&["windowEnds", "count"]));
        assert_eq!(compared(true, None).await, these(&["windowEnds", "count", "run"]));
        let answer = TokenHash::from_bytes([1; 32]);
        assert_eq!(compared(true, Some(&answer)).await, these(&["windowEnds", "run"]));
    }
}
