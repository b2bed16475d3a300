//! What grows with the number of sessions and of recipients: a validation's question to the cache, and a worker of the fan-out.

use std::time::{Duration, Instant};

use crate::fanout::{Worker, gateway};
use crate::figures::{curve, figure, ratio};
use crate::functions::process::together;
use crate::scripts::{self, Bench, median};

type Done<T = ()> = Result<T, String>;

/// Sessions with a copy in the cache.
const SESSIONS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Questions of a run, at each of these sizes.
const QUESTIONS: u32 = 1_000;
/// Runs of questions. The median counts.
const RUNS: u32 = 15;
/// Recipients of a message.
const RECIPIENTS: [usize; 9] = [1, 10, 100, 1_000, 10_000, 25_000, 50_000, 75_000, 100_000];
/// The shortest of so many is taken.
const TRIES: usize = 3;

/// How well a straight line fits: 1 if all points are on it.
fn straightness(points: &[[f64; 2]]) -> f64 {
    let n = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let mean = |of: usize| points.iter().map(|point| point[of]).sum::<f64>() / n;
    let (x, y) = (mean(0), mean(1));
    let sum = |term: &dyn Fn(&[f64; 2]) -> f64| points.iter().map(term).sum::<f64>();
    let (xy, xx, yy) = (
        sum(&|point| (point[0] - x) * (point[1] - y)),
        sum(&|point| (point[0] - x).powi(2)),
        sum(&|point| (point[1] - y).powi(2)),
    );
    xy * xy / (xx * yy)
}

/// Each number of sessions is in a database of its own of one server. They are asked in turns, because the machine is not equally fast all the time.
async fn sessions(server: &str) -> Done {
    let mut bench = Bench::new(server).await?;
    for (database, size) in SESSIONS.into_iter().enumerate() {
        eprintln!("{size} sessions in the cache");
        bench.select(database).await?;
        for some in (0..size).step_by(10_000) {
            bench.store(some..size.min(some + 10_000)).await?;
        }
    }
    let mut runs = [const { Vec::new() }; SESSIONS.len()];
    for run in 0..RUNS {
        for (database, size) in SESSIONS.into_iter().enumerate() {
            bench.select(database).await?;
            runs[database].push(bench.hit_micros(run, QUESTIONS, size).await?);
        }
    }
    let figures = ["caller's time", "server time"];
    let medians = runs
        .map(|runs: Vec<[f64; 2]>| [0, 1].map(|of| median(&mut runs.iter().map(|run| run[of]).collect::<Vec<_>>())));
    let mut points = Vec::new();
    for (size, micros) in SESSIONS.into_iter().zip(medians) {
        let of = format!("r1 with a hit, {size} sessions");
        for (index, name) in figures.into_iter().enumerate() {
            figure(&of, name, micros[index], "µs");
            ratio(&format!("{of}, {name}"), "1 000", micros[index], medians[0][index]);
        }
        points.push([f64::from(size).log10(), micros[1]]);
    }
    curve(
        "A validation's question to the cache",
        "r1 with a hit",
        "sessions, power of ten",
        "server time, µs",
        &points,
    );
    Ok(())
}

async fn recipients() -> Done {
    let largest = RECIPIENTS[RECIPIENTS.len() - 1];
    let worker = Worker::new(&gateway(Duration::ZERO, largest)?).await?;
    // Opens the connections.
    worker.deliver(1_000).await?;
    let mut points = Vec::new();
    for count in RECIPIENTS {
        eprintln!("{count} recipients");
        let mut best = f64::INFINITY;
        for _ in 0..TRIES {
            let began = Instant::now();
            worker.deliver(count).await?;
            best = best.min(began.elapsed().as_secs_f64());
        }
        figure(&format!("a message to {count} recipients"), "time", best * 1e3, "ms");
        #[allow(clippy::cast_precision_loss)]
        points.push([count as f64, best * 1e3]);
    }
    curve("A worker of the fan-out", "posts that take no time", "recipients", "ms", &points);
    figure("time by recipients", "share explained by a straight line (R²)", straightness(&points), "");
    Ok(())
}

/// The server must be one of its own: at the end it has no keys.
pub(crate) async fn run(server: &str) -> Done {
    recipients().await?;
    together(server).await?;
    sessions(server).await?;
    scripts::empty(server).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_are_straight_and_others_less() {
        assert!((straightness(&[[1.0, 3.0], [2.0, 5.0], [4.0, 9.0]]) - 1.0).abs() < 1e-9);
        let bent = straightness(&[[1.0, 1.0], [2.0, 4.0], [3.0, 9.0], [4.0, 16.0], [5.0, 25.0]]);
        assert!(bent < 0.97, "{bent}");
    }
}
