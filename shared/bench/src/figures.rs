//! What a benchmark prints, one line of JSON each: `{"of","figure","value","unit"}` is a cell of a table, and
//! `{"plot","series","x","y","points"}` a curve. `scripts/holdfast_cli/verify/bench.py` reads them.

use std::time::Duration;

use serde_json::json;

/// Percentiles of a curve, and of the table.
const SHOWN: [f64; 3] = [0.5, 0.9, 0.99];

/// One figure of one thing.
pub(crate) fn figure(of: &str, figure: &str, value: f64, unit: &str) {
    println!("{}", json!({"of": of, "figure": figure, "value": value, "unit": unit}));
}

/// A line in a plot.
pub(crate) fn curve(plot: &str, series: &str, x: &str, y: &str, points: &[[f64; 2]]) {
    println!("{}", json!({"plot": plot, "series": series, "x": x, "y": y, "points": points}));
}

/// Durations of one thing, in the order they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The time that this share of them did not exceed, in milliseconds. Not for an empty list.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let place = ((sorted.len() - 1) as f64 * share).round() as usize;
        sorted[place].as_secs_f64() * 1e3
    }

    /// Prints p50, p90 and p99, and how many there were.
    pub(crate) fn print(&self, of: &str) {
        for share in SHOWN {
            figure(of, &format!("p{:.0}", share * 100.0), self.quantile_ms(share), "ms");
        }
        #[allow(clippy::cast_precision_loss)]
        figure(of, "n", self.0.len() as f64, "");
    }

    /// Prints how long the quicker ones took, as a curve: share of them in percent against milliseconds.
    pub(crate) fn curve(&self, plot: &str, series: &str) {
        let points: Vec<[f64; 2]> =
            (1..=99_u32).map(|percent| [f64::from(percent), self.quantile_ms(f64::from(percent) / 100.0)]).collect();
        curve(plot, series, "share of them, %", "ms", &points);
    }
}

/// How one thing compares with another that was measured in the same run, in turns.
pub(crate) fn ratio(one: &str, other: &str, ours: f64, theirs: f64) {
    figure(&format!("{one} ÷ {other}"), "ratio", ours / theirs, "×");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let mut times = Times::default();
        for milliseconds in [30, 10, 20] {
            times.push(Duration::from_millis(milliseconds));
        }
        assert_eq!([0.0, 0.5, 1.0].map(|share| times.quantile_ms(share)), [10.0, 20.0, 30.0]);
    }
}
