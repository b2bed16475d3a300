//! What grows with the number of sessions, of sockets and of recipients: a validation's question to the cache, and a worker of the fan-out.

use std::time::{Duration, Instant};

use crate::fanout::{Worker, gateway, memory_of_worker};
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
/// Open sockets of a user.
const SOCKETS: [usize; 5] = [1, 2, 4, 7, 10];
/// Users who are sent a message each.
const USERS: usize = 5_000;
/// The shortest of so many is taken.
const TRIES: usize = 5;

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

/// The shortest time of a delivery of each size, in milliseconds. The sizes take turns.
async fn shortest<const N: usize>(sizes: [usize; N], deliver: impl AsyncFn(usize) -> Done) -> Done<[f64; N]> {
    let mut best = [f64::INFINITY; N];
    for _ in 0..TRIES {
        for (size, best) in sizes.into_iter().zip(&mut best) {
            let began = Instant::now();
            deliver(size).await?;
            *best = best.min(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(best)
}

/// How a time grows with a size.
fn growth<const N: usize>(plot: &str, of: &str, sizes: [usize; N], times: [f64; N]) {
    #[allow(clippy::cast_precision_loss)]
    let points: Vec<[f64; 2]> = sizes.into_iter().zip(times).map(|(size, time)| [size as f64, time]).collect();
    curve(plot, "posts that take no time", of, "ms", &points);
    figure(&format!("time by {of}"), "share explained by a straight line (R²)", straightness(&points), "");
}

async fn recipients() -> Done {
    let endpoint = gateway(Duration::ZERO, RECIPIENTS[RECIPIENTS.len() - 1])?;
    let worker = Worker::new(&endpoint).await?;
    // Opens the connections.
    worker.deliver(1_000).await?;
    eprintln!("1 to {} recipients, {TRIES} times", RECIPIENTS[RECIPIENTS.len() - 1]);
    let times = shortest(RECIPIENTS, async |recipients| worker.deliver(recipients).await).await?;
    for (count, time) in RECIPIENTS.into_iter().zip(times) {
        figure(&format!("a message to {count} recipients"), "time", time, "ms");
    }
    growth("A worker of the fan-out", "recipients", RECIPIENTS, times);
    eprintln!("{USERS} users with 1 to {} sockets each, {TRIES} times", SOCKETS[SOCKETS.len() - 1]);
    let to_users = async |each| worker.deliver_in_records_of(each, USERS * each).await;
    let times = shortest(SOCKETS, to_users).await?;
    for (each, time) in SOCKETS.into_iter().zip(times) {
        figure(&format!("messages to {USERS} users with {each} sockets each"), "time", time, "ms");
    }
    growth("Messages to single users", "sockets of a user", SOCKETS, times);
    for count in RECIPIENTS.into_iter().filter(|count| *count >= 1_000) {
        #[allow(clippy::cast_precision_loss)]
        let memory = memory_of_worker(&endpoint, count)? as f64 / 1e6;
        figure(&format!("a message to {count} recipients"), "memory of the worker then", memory, "MB");
    }
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
