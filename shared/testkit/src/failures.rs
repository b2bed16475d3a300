//! The table of failures: what each function does when a call to a store, queue or bus fails.
//!
//! The tests of a service hold its rows, run each of them, and compare them with the table in
//! `docs/failure-modes.md`. With `HOLDFAST_WRITE_FAILURES=1` they write that table instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use crate::failing::Trouble;

/// What a call to an HTTP function led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Names of the calls that its handler made.
    pub calls: BTreeSet<&'static str>,
    /// The status of the answer.
    pub status: u64,
    /// The `code` of the answer; empty where it is no problem.
    pub code: String,
    /// `LEVEL message` of each line of the log.
    pub log: Vec<String>,
    /// Counters above zero.
    pub counts: BTreeMap<&'static str, u64>,
}

/// What becomes of a request when one of its calls fails.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The name of the function.
    pub function: &'static str,
    /// Calls whose failure ends the request: 503, or 500 if a record cannot be read.
    pub ends: &'static [&'static str],
    /// Calls whose failure changes nothing in the answer.
    pub passes: &'static [&'static str],
    /// Calls whose failure is answered otherwise: the statuses for a store that is unavailable, busy, throttled, and for a
    /// record that cannot be read.
    pub differs: &'static [(&'static str, [u64; 4])],
}

impl Route {
    /// A row of the table.
    pub fn row(&self) -> String {
        let names = |calls: &[&str]| match calls {
            [] => "–".to_owned(),
            calls => calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", "),
        };
        let differs = self
            .differs
            .iter()
            .map(|(call, statuses)| format!("`{call}`: {}", statuses.map(|status| status.to_string()).join(" / ")));
        let differs: Vec<_> = differs.collect();
        let differs = if differs.is_empty() { "–".to_owned() } else { differs.join("; ") };
        format!("| `{}` | {} | {} | {differs} |", self.function, names(self.ends), names(self.passes))
    }

    fn expected(&self, call: &str, calm: &Played) -> [u64; 4] {
        if let Some((_, statuses)) = self.differs.iter().find(|(name, _)| *name == call) {
            return *statuses;
        }
        if self.passes.contains(&call) {
            return [calm.status; 4];
        }
        [503, 503, 503, 500]
    }

    /// Runs the request without a failure, and once for each call and each failure. `play` makes a separate world each
    /// time.
    ///
    /// # Panics
    /// Panics if an answer, its log line or its metric is not as the row says, or if the handler makes other calls.
    pub async fn check(&self, play: impl AsyncFn(Option<(&'static str, Trouble)>) -> Played) {
        let name = self.function;
        let calm = play(None).await;
        assert!((200..300).contains(&calm.status), "{name} without trouble: {calm:?}");
        assert!(!calm.log.iter().any(|line| line.starts_with("ERROR")), "{name} without trouble: {calm:?}");
        let mut wrong = Vec::new();
        for call in &calm.calls {
            let mut statuses = [0; 4];
            for (status, trouble) in statuses.iter_mut().zip(Trouble::ERRORS) {
                let played = play(Some((call, trouble.clone()))).await;
                *status = played.status;
                assert_counted(name, call, &played);
            }
            if statuses != self.expected(call, &calm) {
                wrong.push(format!("{call}: {statuses:?}"));
            }
        }
        let listed = self.ends.iter().chain(self.passes).copied().chain(self.differs.iter().map(|(call, _)| *call));
        let listed: BTreeSet<&str> = listed.collect();
        for call in listed.symmetric_difference(&calm.calls) {
            wrong.push(format!("{call}: listed or made, not both"));
        }
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        if let Some(call) = self.ends.first() {
            let played = play(Some((call, Trouble::Silence))).await;
            assert_eq!((played.status, played.code.as_str()), (503, "UNAVAILABLE"), "{name}: {call} never answers");
        }
    }
}

/// Each failed request is counted once under its code, and one that failed for our reasons is logged as an error.
fn assert_counted(function: &str, call: &str, played: &Played) {
    let is_error = played.status >= 400;
    assert_eq!(played.code.is_empty(), !is_error, "{function}, {call}: {played:?}");
    if is_error {
        assert_eq!(played.counts.get(played.code.as_str()), Some(&1), "{function}, {call}: {played:?}");
        let line = if played.status >= 500 { "ERROR request failed" } else { "INFO request refused" };
        assert!(played.log.iter().any(|said| said == line), "{function}, {call}: {played:?}");
    }
}

/// Compares the rows of a table with the documentation, where they stand between `<!-- name -->` and `<!-- end -->`.
///
/// # Panics
/// Panics if they differ.
pub fn assert_documented(name: &str, rows: &[String]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/failure-modes.md");
    let text = fs::read_to_string(&file).expect("docs/failure-modes.md");
    let mark = format!("<!-- {name} -->\n");
    let start = text.find(&mark).unwrap_or_else(|| panic!("docs/failure-modes.md has no {mark}")) + mark.len();
    let length = text[start..].find("<!-- end -->").expect("an end of the table");
    let wanted = format!("{}\n", rows.join("\n"));
    if env::var("HOLDFAST_WRITE_FAILURES").is_ok() {
        let text = format!("{}{wanted}{}", &text[..start], &text[start + length..]);
        fs::write(&file, text).expect("written");
        return;
    }
    assert_eq!(
        &text[start..start + length],
        wanted,
        "docs/failure-modes.md, {name}: run the test with HOLDFAST_WRITE_FAILURES=1"
    );
}
