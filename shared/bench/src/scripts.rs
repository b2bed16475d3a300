//! The cache's scripts on a real server of this machine, compared with a bare `GET` on the same connection. The figures are the
//! latency of the caller and the time that the server reports.

use std::time::{Duration, Instant};

use holdfast_redis::scripts::{DELETE_SCRIPT, FILL_SCRIPT, LEASE_LIFE, READ_SCRIPT, Script, copy_key, lease_key};
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, UserId};
use redis::aio::MultiplexedConnection;

use crate::figures::{Times, figure, ratio};
use crate::functions::process::together;

/// Bytes of a copy: a session with the name, browser and address of its device.
const COPY_BYTES: usize = 500;
const ROUNDS: u32 = 2_000;
/// The server's own time is the median of so many runs, because other work on the machine makes single runs longer.
const RUNS: usize = 9;
/// From one user to the next one that is asked about. It is a prime, so all users have their turn.
const STRIDE: u64 = 7_919;

/// What is measured, in the order of the report.
const KINDS: [&str; 5] = [
    "GET of a copy",
    "r1 with a hit",
    "r1 with a miss (makes a lease)",
    "r1 with a hit, on a server without functions",
    "w2 (deletes a copy)",
];
/// The question that a library's function answers, and the same one that a script answers.
const HIT: usize = 1;
const HIT_OF_A_SCRIPT: usize = 3;

/// Loads a script, and the function that does the same.
pub(crate) async fn load(server: &mut MultiplexedConnection, script: &Script) -> Result<(), redis::RedisError> {
    redis::cmd("SCRIPT").arg("LOAD").arg(script.code()).exec_async(server).await?;
    let Some(function) = script.function() else { return Ok(()) };
    redis::cmd("FUNCTION").arg(&["LOAD", "REPLACE"]).arg(function.library()).exec_async(server).await
}

pub(crate) struct Bench {
    connection: MultiplexedConnection,
    /// So that every miss is one.
    fresh: u128,
}

type Reply<T> = Result<T, String>;

fn said(error: &redis::RedisError) -> String {
    format!("redis-server: {error}")
}

impl Bench {
    /// With every script loaded.
    pub(crate) async fn new(server: &str) -> Reply<Self> {
        let client = redis::Client::open(server).map_err(|error| said(&error))?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(|error| said(&error))?;
        for script in [&*READ_SCRIPT, &FILL_SCRIPT, &DELETE_SCRIPT] {
            load(&mut connection, script).await.map_err(|error| said(&error))?;
        }
        Ok(Bench { connection, fresh: 0 })
    }

    /// Stores a copy that can be read for each of the users with these numbers.
    pub(crate) async fn store(&mut self, users: std::ops::Range<u32>) -> Reply<()> {
        let at = self.somebody();
        self.fill(at).await?;
        let copy: Vec<u8> = redis::cmd("GET")
            .arg(copy_key(at))
            .query_async(&mut self.connection)
            .await
            .map_err(|error| said(&error))?;
        let mut all = redis::pipe();
        for user in users {
            all.set(copy_key(numbered(user)), copy.as_slice()).ignore();
        }
        all.query_async(&mut self.connection).await.map_err(|error| said(&error))
    }

    /// Microseconds of a hit: the median that its caller waits, and the mean of the server's own time. The questions are about users below this
    /// number, far from each other, and in each run about the next ones in turn.
    pub(crate) async fn hit_micros(&mut self, run: u32, questions: u32, users: u32) -> Reply<[f64; 2]> {
        self.reset().await?;
        let mut waited = Vec::new();
        for question in 0..questions {
            let user = u64::from(run * questions + question) * STRIDE % u64::from(users);
            let took = self.call(HIT, numbered(u32::try_from(user).unwrap_or_default())).await?;
            waited.push(took.as_secs_f64() * 1e6);
        }
        Ok([median(&mut waited), self.server_micros("fcall").await?])
    }

    /// Asks another database of the server from now on.
    pub(crate) async fn select(&mut self, database: usize) -> Reply<()> {
        redis::cmd("SELECT").arg(database).exec_async(&mut self.connection).await.map_err(|error| said(&error))
    }

    /// Forgets the server's statistics.
    async fn reset(&mut self) -> Reply<()> {
        redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut self.connection).await.map_err(|error| said(&error))
    }

    async fn ask<T: redis::FromRedisValue>(
        &mut self,
        (command, name): (&str, &str),
        at: Address,
        arguments: &[&[u8]],
    ) -> Reply<T> {
        let mut command = redis::cmd(command);
        command.arg(name).arg(2).arg(copy_key(at)).arg(lease_key(at));
        for argument in arguments {
            command.arg(*argument);
        }
        command.query_async(&mut self.connection).await.map_err(|error| said(&error))
    }

    async fn script<T: redis::FromRedisValue>(
        &mut self,
        script: &Script,
        at: Address,
        arguments: &[&[u8]],
    ) -> Reply<T> {
        self.ask(("EVALSHA", script.hash()), at, arguments).await
    }

    async fn read(&mut self, at: Address) -> Reply<Vec<Vec<u8>>> {
        let name = READ_SCRIPT.function().map_or("", |function| function.name());
        self.ask(("FCALL", name), at, &[b"nonce", LEASE_LIFE.to_string().as_bytes()]).await
    }

    async fn fill(&mut self, at: Address) -> Reply<()> {
        let Some(lease) = self.read(at).await?.into_iter().nth(1) else { return Err("r1 gave no lease".into()) };
        let stored: i64 = self.script(&FILL_SCRIPT, at, &[&lease, &[b'x'; COPY_BYTES], b"60000"]).await?;
        if stored == 1 { Ok(()) } else { Err("r3 stored nothing".into()) }
    }

    fn somebody(&mut self) -> Address {
        self.fresh += 1;
        address(UserId::from_bytes(self.fresh.to_be_bytes()))
    }

    /// One call of a kind: how long its caller waited. It is an error if it was not of that kind after all.
    async fn call(&mut self, kind: usize, filled: Address) -> Reply<Duration> {
        let at = if [0, HIT, HIT_OF_A_SCRIPT].contains(&kind) { filled } else { self.somebody() };
        if kind == 4 {
            self.fill(at).await?;
        }
        let began = Instant::now();
        let right = match kind {
            0 => {
                let copy: Option<Vec<u8>> = redis::cmd("GET")
                    .arg(copy_key(at))
                    .query_async(&mut self.connection)
                    .await
                    .map_err(|error| said(&error))?;
                copy.is_some()
            }
            HIT => self.read(at).await?.first().is_some_and(|kind| kind == b"hit"),
            HIT_OF_A_SCRIPT => {
                let life = LEASE_LIFE.to_string();
                let answer: Vec<Vec<u8>> = self.script(&READ_SCRIPT, at, &[b"nonce", life.as_bytes()]).await?;
                answer.first().is_some_and(|kind| kind == b"hit")
            }
            2 => self.read(at).await?.first().is_some_and(|kind| kind == b"lease"),
            _ => self
                .script::<Vec<Vec<u8>>>(&DELETE_SCRIPT, at, &[])
                .await?
                .first()
                .is_some_and(|kind| kind == b"deleted"),
        };
        if right { Ok(began.elapsed()) } else { Err(format!("{}: the server answered something else", KINDS[kind])) }
    }

    /// Microseconds of the server's own time for one call of a command, since the last reset.
    async fn server_micros(&mut self, command: &str) -> Reply<f64> {
        let text: String = redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut self.connection)
            .await
            .map_err(|error| said(&error))?;
        text.lines()
            .find_map(|line| {
                line.strip_prefix(&format!("cmdstat_{command}:"))?
                    .split(',')
                    .find_map(|part| part.strip_prefix("usec_per_call=")?.parse().ok())
            })
            .ok_or_else(|| format!("redis-server has no statistics of {command}"))
    }
}

pub(crate) fn median(runs: &mut [f64]) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// A user of [`Bench::store`], and none of [`Bench::somebody`].
fn numbered(user: u32) -> Address {
    address(UserId::from_bytes((1 << 64 | u128::from(user)).to_be_bytes()))
}

fn address(user: UserId) -> Address {
    Address { user, slot: SlotNo::all().next().unwrap_or_else(|| unreachable!("a user has slots")) }
}

/// Takes every key away. The server does it beside its work, because a million keys take longer than the client waits.
pub(crate) async fn empty(server: &str) -> Result<(), String> {
    let mut bench = Bench::new(server).await?;
    redis::cmd("FLUSHALL").arg("ASYNC").query_async(&mut bench.connection).await.map_err(|error| said(&error))
}

/// Resets the statistics of `server`, which must have no other client.
pub(crate) async fn run(server: &str) -> Result<(), String> {
    together(server).await?;
    let mut bench = Bench::new(server).await?;
    let filled = bench.somebody();
    bench.fill(filled).await?;
    let mut times: [Times; KINDS.len()] = Default::default();
    for round in 0..ROUNDS + 100 {
        for (kind, times) in times.iter_mut().enumerate() {
            let took = bench.call(kind, filled).await?;
            if round >= 100 {
                times.push(took);
            }
        }
    }
    for (kind, times) in times.iter().enumerate() {
        times.print(KINDS[kind]);
        times.curve("Round trips to the cache server", KINDS[kind]);
    }
    // `r1` alone, then `GET` alone: the server counts by command, not by script.
    let mut costs = Vec::new();
    for (kind, command) in [(0, "get"), (HIT, "fcall"), (2, "fcall"), (HIT_OF_A_SCRIPT, "evalsha")] {
        let mut runs = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            bench.reset().await?;
            for _ in 0..ROUNDS {
                bench.call(kind, filled).await?;
            }
            runs.push(bench.server_micros(command).await?);
        }
        costs.push(median(&mut runs));
        figure(KINDS[kind], "server time", costs[costs.len() - 1], "µs");
    }
    ratio("r1 with a hit", "GET, round trip p50", times[HIT].quantile_ms(0.5), times[0].quantile_ms(0.5));
    figure("r1 with a hit", "more server time than GET", costs[1] - costs[0], "µs");
    Ok(())
}
