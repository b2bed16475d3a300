//! Functions at their own edge: the release executables behind a Runtime API of ours, with a real redis-server and a table that answers
//! after a chosen time. What a caller waits for elsewhere (API Gateway, Lambda, the local cloud) is not in these figures.

mod commit;
pub(crate) mod memory;
pub(crate) mod process;
mod runtime_api;
mod server;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_dynamodb::SessionsTable;
use holdfast_dynamodb::sessions::keys;
use holdfast_redis::scripts::{READ_SCRIPT, copy_key, lease_key};
use holdfast_testkit::LocalCloud;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::started;
use holdfast_testkit::suites::sessions::Bench;
use hyper::body::Bytes;
use serde_json::{Value, json};

use self::process::{Function, Variables};
use self::table::Table;
use crate::figures::{figure, ratio};
use crate::scripts;

pub(super) type Done<T = ()> = Result<T, String>;

/// DynamoDB answers a request about one item within a few milliseconds.
const LATENCY: Duration = Duration::from_millis(3);
/// Invocations of a round. The functions take turns.
const ROUND: usize = 200;
const ROUNDS: usize = 9;
/// A function that does not ask the table has short requests. Other work of the machine slows all requests for seconds at a time. More and
/// shorter rounds spread that evenly, so many for each round of the others.
const SHORT_ROUNDS: usize = 16;
const SHORT_ROUND: usize = 50;
const WARM_UP: usize = 300;
const STARTS: usize = 21;
/// The functions whose starts are measured: without stores, with the cache, with password hashes, and with queues.
pub(crate) const STARTED: [&str; 5] =
    ["ops-not-found", "sessions-current", "auth-login", "auth-refresh", "push-fanout"];
const LONG_RUN: usize = 10_000;
/// How long a function is frozen. Any pause makes the next request slower, so each freeze is compared with a pause of the same length.
const FREEZES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(200)];
const THAWS: usize = 25;
/// Names of the peers in the report.
const NODE: &str = "Node, express-session and connect-redis";
/// Without it, express works as for its developers.
const PRODUCTION: [(&str, &str); 1] = [("NODE_ENV", "production")];
const RUST: &str = "Rust, tower-sessions and its store for Redis";

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A function under comparison.
struct Contestant {
    name: &'static str,
    command: Vec<String>,
    variables: Variables,
    event: Bytes,
    /// Whether an answer is right.
    is_right: fn(&Value) -> bool,
}

impl Contestant {
    fn check(&self, answer: &Bytes) -> Done {
        let answer: Value = serde_json::from_slice(answer).map_err(text)?;
        if (self.is_right)(&answer) { Ok(()) } else { Err(format!("{} answered {answer}", self.name)) }
    }
}

/// Everything that the functions talk to.
struct World {
    cloud: LocalCloud,
    table: Table,
    redis: String,
    /// For files that are made on the way.
    folder: PathBuf,
    /// The folder of the functions.
    functions: PathBuf,
    /// What they are compared with in Node (a folder) and in Rust (an executable). The path of a peer that is not available is empty.
    peers: [PathBuf; 2],
}

impl World {
    fn variables(&self, of: &[(&str, &str)]) -> Variables {
        let mut variables: Variables =
            started::environment().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        variables.push(("AWS_ENDPOINT_URL".into(), self.table.endpoint.clone()));
        variables.push(("REDIS_URL".into(), self.redis.clone()));
        variables.push(("SESSIONS_TABLE".into(), LocalCloud::SESSIONS.into()));
        variables.push(("CONNECTIONS_TABLE".into(), LocalCloud::CONNECTIONS.into()));
        variables.push(("ACTIVITY_TABLE".into(), LocalCloud::ACTIVITY.into()));
        variables.extend(of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        variables
    }

    /// The variables of a function with a cache. Its copies outlive the measurement, because the bare functions fail without a copy.
    fn with_cache(&self) -> Variables {
        self.variables(&[("CACHE_PROVIDER", "redis"), ("CACHE_MAX_AGE_SECONDS", "3600")])
    }

    /// The variables of a function without a cache.
    fn without_cache(&self) -> Variables {
        let mut variables = self.variables(&[("CACHE_PROVIDER", "dynamodb")]);
        // With an address, changes delete in that cache.
        variables.retain(|(name, _)| name != "REDIS_URL");
        variables
    }

    /// A new user, signed in. Validations and what they are compared with, all about this session.
    async fn contestants(&self) -> Done<Vec<Contestant>> {
        let bench = Bench::new(SessionsTable::new(self.cloud.sdk_config(), LocalCloud::SESSIONS), RealHost).await;
        let signed_in = bench.sign_in().await;
        let event = validation(&signed_in.tokens.access.text());
        let at = signed_in.slot.at;
        let (partition, sort) = keys::slot(at);
        // The answer of a validation, so that the others return as many bytes.
        let current = self.functions.join("sessions-current");
        let with_cache = self.with_cache();
        let function = Function::start(&[shown(&current)], &with_cache)?;
        let (_, answer) = function.invoke(&event)?;
        let answer = String::from_utf8(answer.to_vec()).map_err(text)?;
        let (copy, lease) = (copy_key(at), lease_key(at));
        let bare = |question: &str| {
            let of = [("QUESTION", question), ("COPY", &copy), ("LEASE", &lease), ("ANSWER", &answer)];
            self.variables(&of)
        };
        let of_table = |question: &str, answer: &str| {
            let of = [("QUESTION", question), ("PARTITION", &partition), ("SORT", &sort), ("ANSWER", answer)];
            self.variables(&of)
        };
        let contestant = |name, program: &Path, variables, event: &Bytes| Contestant {
            name,
            command: vec![shown(program)],
            variables,
            event: event.clone(),
            is_right: |answer| answer["statusCode"] == 200,
        };
        // The table keeps no write, so one refresh token is good for all refreshes.
        let refresh = self.functions.join("auth-refresh");
        let refreshing = refreshing(&signed_in.tokens.refresh.text());
        let without_cache = self.without_cache();
        let (_, refreshed) = Function::start(&[shown(&refresh)], &without_cache)?.invoke(&refreshing)?;
        let refreshed = String::from_utf8(refreshed.to_vec()).map_err(text)?;
        let (bare_redis, bare_table) = (process::beside("bare-redis")?, process::beside("bare-table")?);
        let (read, write) = (of_table("GetItem", &answer), of_table("UpdateItem", &refreshed));
        let mut contestants = vec![
            contestant("a validation, cache hit", &current, with_cache, &event),
            contestant("bare Rust, the same function", &bare_redis, bare("FCALL"), &event),
            contestant("bare Rust, GET", &bare_redis, bare("GET"), &event),
            contestant("a validation, dynamodb", &current, without_cache.clone(), &event),
            contestant("bare Rust, strong GetItem", &bare_table, read, &event),
            contestant("a refresh, dynamodb", &refresh, without_cache, &refreshing),
            contestant("bare Rust, strong GetItem and UpdateItem", &bare_table, write, &refreshing),
            Contestant {
                name: "bare Rust, nothing",
                command: vec![shown(&process::beside("bare-nothing")?)],
                variables: self.variables(&[]),
                event: event.clone(),
                is_right: |answer| answer == "nothing",
            },
        ];
        let [node, rust] = &self.peers;
        let peers = [(NODE, node, self.node("sessions.js")), (RUST, rust, vec![shown(rust)])];
        for (name, place, command) in peers {
            if place.as_os_str().is_empty() {
                eprintln!("{name} is not available, and is left out");
                continue;
            }
            contestants.push(Contestant {
                name,
                event: self.signed_in_with(&command, &answer)?,
                command,
                variables: self.variables(&PRODUCTION),
                is_right: |answer| answer["statusCode"] == 200,
            });
        }
        Ok(contestants)
    }

    fn node(&self, file: &str) -> Vec<String> {
        vec!["node".into(), shown(&self.peers[0].join(file))]
    }

    /// Makes a session of a peer that shows the same body as `answer`. Returns the event of a request with its cookie.
    fn signed_in_with(&self, command: &[String], answer: &str) -> Done<Bytes> {
        let shown: Value = serde_json::from_str(answer).map_err(text)?;
        let mut login: Value = serde_json::from_slice(&validation("-")).map_err(text)?;
        login["rawPath"] = "/login".into();
        login["requestContext"]["http"]["method"] = "POST".into();
        login["requestContext"]["http"]["path"] = "/login".into();
        login["headers"]["content-type"] = "application/json".into();
        login["headers"]["content-length"] = shown["body"].as_str().map_or(0, str::len).to_string().into();
        login["body"] = shown["body"].clone();
        let function = Function::start(command, &self.variables(&PRODUCTION))?;
        let (_, answer) = function.invoke(&Bytes::from(login.to_string()))?;
        let answer: Value = serde_json::from_slice(&answer).map_err(text)?;
        let cookie = answer["cookies"][0].as_str().or(answer["headers"]["set-cookie"].as_str()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default();
        if !cookie.contains('=') {
            return Err(format!("a peer answered {answer}"));
        }
        let mut event: Value = serde_json::from_slice(&validation("-")).map_err(text)?;
        event["cookies"] = json!([cookie]);
        event["headers"]["cookie"] = cookie.into();
        Ok(Bytes::from(event.to_string()))
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// `GET /v1/sessions/current` as an HTTP API sends it for a browser.
fn validation(token: &str) -> Bytes {
    let event = json!({
        "version": "2.0", "routeKey": "GET /v1/sessions/current", "rawPath": "/v1/sessions/current", "rawQueryString": "",
        "headers": {
            "accept": "*/*", "accept-encoding": "gzip, deflate, br", "accept-language": "en-GB,en;q=0.9",
            "authorization": format!("Bearer {token}"), "content-length": "0", "host": "api.example.com",
            "origin": "https://app.example.com", "referer": "https://app.example.com/",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000", "apiId": "a1b2c3d4e5", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {"method": "GET", "path": "/v1/sessions/current", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                     "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "GET /v1/sessions/current", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
        },
        "isBase64Encoded": false,
    });
    Bytes::from(event.to_string())
}

/// `POST /v1/auth/refresh` as an HTTP API sends it for a client that holds its tokens itself.
fn refreshing(token: &str) -> Bytes {
    posted("/v1/auth/refresh", &json!({"refreshToken": token}))
}

/// A `POST` of a caller without a session, as an HTTP API sends it.
fn posted(path: &str, body: &Value) -> Bytes {
    let mut event: Value = serde_json::from_slice(&validation("-")).unwrap_or_default();
    event["routeKey"] = format!("POST {path}").into();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["method"] = "POST".into();
    event["requestContext"]["http"]["path"] = path.into();
    event["headers"]["content-type"] = "application/json".into();
    if let Some(headers) = event["headers"].as_object_mut() {
        headers.remove("authorization");
    }
    event["body"] = body.to_string().into();
    Bytes::from(event.to_string())
}

fn median<T: Copy + Ord>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// What one function cost.
struct Cost {
    wall: Duration,
    processor: Duration,
    instructions: Option<u64>,
}

async fn requests(world: &World) -> Done {
    let contestants = world.contestants().await?;
    let functions: Vec<Function> =
        contestants.iter().map(|c| Function::start(&c.command, &c.variables)).collect::<Done<_>>()?;
    process::together(&world.redis).await?;
    functions.iter().for_each(Function::keep_together);
    let mut walls: Vec<Vec<Duration>> = vec![Vec::new(); functions.len()];
    let mut processors = vec![Duration::ZERO; functions.len()];
    let mut is_short = Vec::new();
    for (contestant, function) in contestants.iter().zip(&functions) {
        let requests = world.table.requests();
        for _ in 0..WARM_UP {
            contestant.check(&function.invoke(&contestant.event)?.1)?;
        }
        is_short.push(world.table.requests() - requests < WARM_UP / 2);
    }
    eprintln!(
        "{ROUNDS} rounds of {ROUND} invocations of each function, without the table {} of {SHORT_ROUND}, in turns",
        ROUNDS * SHORT_ROUNDS
    );
    let mut asked = vec![0; functions.len()];
    for round in 0..ROUNDS * SHORT_ROUNDS {
        for turn in 0..functions.len() {
            // In every second round the order is the other way round, because a function finds what the one before it has left in the
            // processor's caches.
            let index =
                if (round / SHORT_ROUNDS + round).is_multiple_of(2) { turn } else { functions.len() - 1 - turn };
            if round % SHORT_ROUNDS > 0 && !is_short[index] {
                continue;
            }
            let function = &functions[index];
            let (before, requests) = (function.processor_time()?, world.table.requests());
            let mut last = Bytes::new();
            let invocations = if is_short[index] { SHORT_ROUND } else { ROUND };
            for _ in 0..invocations {
                let (took, answer) = function.invoke(&contestants[index].event)?;
                walls[index].push(took);
                last = answer;
            }
            processors[index] += function.processor_time()? - before;
            asked[index] += world.table.requests() - requests;
            contestants[index].check(&last)?;
        }
    }
    let mut costs = Vec::new();
    for (index, contestant) in contestants.iter().enumerate() {
        // Callgrind cannot follow what V8 compiles as it runs.
        let instructions = if process::has_callgrind() && contestant.command.len() == 1 {
            let Contestant { command, variables, event, .. } = contestant;
            Some(process::instructions(command, variables, event, &world.folder)?)
        } else {
            None
        };
        let processor = processors[index] / u32::try_from(walls[index].len()).map_err(text)?;
        let cost = Cost { wall: median(&mut walls[index]), processor, instructions };
        let tenth = walls[index].len() / 10;
        figure(contestant.name, "wall, median", micros(cost.wall), "µs");
        figure(contestant.name, "wall, p10", micros(walls[index][tenth]), "µs");
        figure(contestant.name, "wall, p90", micros(walls[index][9 * tenth]), "µs");
        figure(contestant.name, "processor", micros(cost.processor), "µs");
        if let Some(instructions) = cost.instructions {
            #[allow(clippy::cast_precision_loss)]
            figure(contestant.name, "instructions", instructions as f64 / 1_000.0, "thousand");
        }
        #[allow(clippy::cast_precision_loss)]
        figure(
            contestant.name,
            "requests to the table",
            asked[index] as f64 / walls[index].len() as f64,
            "an invocation",
        );
        costs.push(cost);
    }
    compare("validation, cache hit", "bare, the same function", &costs[0], &costs[1]);
    compare("validation, cache hit", "bare, GET", &costs[0], &costs[2]);
    compare("validation, dynamodb", "bare, strong GetItem", &costs[3], &costs[4]);
    compare("refresh, dynamodb", "bare, strong GetItem and UpdateItem", &costs[5], &costs[6]);
    let a_second = |cost: &Cost| 1.0 / cost.processor.as_secs_f64();
    for (contestant, cost) in contestants.iter().zip(&costs).skip(8) {
        compare("validation, cache hit", contestant.name, &costs[0], cost);
        let (ours, theirs) = (a_second(&costs[0]), a_second(cost));
        ratio("requests a second of processor, cache hit", contestant.name, ours, theirs);
    }
    Ok(())
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn compare(one: &str, other: &str, ours: &Cost, theirs: &Cost) {
    ratio(one, &format!("{other}: wall"), micros(ours.wall), micros(theirs.wall));
    ratio(one, &format!("{other}: processor"), micros(ours.processor), micros(theirs.processor));
    if let (Some(ours), Some(theirs)) = (ours.instructions, theirs.instructions) {
        #[allow(clippy::cast_precision_loss)]
        ratio(one, &format!("{other}: instructions"), ours as f64, theirs as f64);
    }
}

/// From the start of the process to its first question for an event.
fn starts(world: &World) -> Done {
    let variables = world.variables(&[("CACHE_PROVIDER", "redis"), PRODUCTION[0]]);
    let mut programs = vec![("the smallest Rust function", vec![shown(&process::beside("bare-nothing")?)])];
    programs.extend(STARTED.map(|name| (name, vec![shown(&world.functions.join(name))])));
    if !world.peers[0].as_os_str().is_empty() {
        programs.push(("Node with the SDK's DynamoDB client and ioredis", world.node("start.js")));
    }
    let mut starts: Vec<Vec<Duration>> = vec![Vec::new(); programs.len()];
    let mut memory: Vec<Vec<u64>> = vec![Vec::new(); programs.len()];
    eprintln!("{STARTS} starts of each of {} functions, in turns", programs.len());
    for _ in 0..STARTS {
        for (index, (_, command)) in programs.iter().enumerate() {
            let function = Function::start(command, &variables)?;
            starts[index].push(function.start);
            memory[index].push(function.resident()?);
        }
    }
    #[allow(clippy::cast_precision_loss)]
    for (index, (name, command)) in programs.iter().enumerate() {
        figure(name, "start to first poll", median(&mut starts[index]).as_secs_f64() * 1e3, "ms");
        figure(name, "memory then", median(&mut memory[index]) as f64 / 1e6, "MB");
        let [program] = &command[..] else { continue };
        figure(name, "executable", process::size(Path::new(program))? as f64 / 1e6, "MB");
        if process::has_callgrind() {
            let counted = process::start_instructions(command, &variables, &world.folder)?;
            figure(name, "instructions to first poll", counted as f64 / 1e6, "million");
        }
    }
    Ok(())
}

/// The first request after Lambda has frozen the environment.
async fn long_run(world: &World) -> Done {
    let contestants = world.contestants().await?;
    let (hit, bare, read) = (&contestants[0], &contestants[1], &contestants[3]);
    // The processor would sleep during a freeze, and begin late with the request after it.
    let awake = process::Awake::keep();
    if awake.is_none() {
        eprintln!("The processor is not kept awake (chrt), so requests after a pause take longer.");
    }
    let function = Function::start(&hit.command, &hit.variables)?;
    process::together(&world.redis).await?;
    function.keep_together();
    eprintln!("{LONG_RUN} validations");
    let warm = measure_warm(&function, hit, LONG_RUN)?;
    for freeze in FREEZES {
        thaws(world, hit, &function, warm, freeze).await?;
    }
    drop(function);
    pauses(bare).await?;
    let function = Function::start(&read.command, &read.variables)?;
    function.keep_together();
    let warm = measure_warm(&function, read, WARM_UP)?;
    for freeze in FREEZES {
        thaws(world, read, &function, warm, freeze).await?;
    }
    Ok(())
}

/// The median time of so many requests without pauses.
fn measure_warm(function: &Function, contestant: &Contestant, requests: usize) -> Done<Duration> {
    let mut took = (0..requests).map(|_| Ok(function.invoke(&contestant.event)?.0)).collect::<Done<Vec<_>>>()?;
    Ok(median(&mut took))
}

/// What a pause of the length of a freeze costs a bare function. No other function can be expected to take less.
async fn pauses(bare: &Contestant) -> Done {
    let function = Function::start(&bare.command, &bare.variables)?;
    function.keep_together();
    let warm = measure_warm(&function, bare, LONG_RUN)?;
    for pause in FREEZES {
        let mut paused = Vec::new();
        for _ in 0..THAWS {
            // As for a freeze, which a signal ends. It changes nothing for a process that runs.
            function.signal("CONT")?;
            tokio::time::sleep(pause).await;
            function.signal("CONT")?;
            let (took, answer) = function.invoke(&bare.event)?;
            paused.push(took);
            bare.check(&answer)?;
        }
        let of = format!("{}, after a pause of {pause:?}", bare.name);
        let paused = median(&mut paused);
        figure(&of, "wall, median", micros(paused), "µs");
        ratio(&of, "a warm one", micros(paused), micros(warm));
    }
    Ok(())
}

/// Stops a function while the cache and the table close their connections, and lets it run again. The event comes then, or is there
/// already. Only the first case is timed, because the second one begins with the signal. A pause without a freeze, and a freeze in
/// which all connections stay open, show what each of them costs alone. In all three cases, the machine starts the program that sends a signal.
async fn thaws(world: &World, validation: &Contestant, function: &Function, warm: Duration, freeze: Duration) -> Done {
    let client = redis::Client::open(world.redis.as_str()).map_err(text)?;
    let mut server = client.get_multiplexed_async_connection().await.map_err(text)?;
    let (mut first, mut kept, mut paused) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked = [0; 2];
    for _ in 0..THAWS {
        function.signal("CONT")?;
        tokio::time::sleep(freeze).await;
        function.signal("CONT")?;
        paused.push(function.invoke(&validation.event)?.0);
        function.signal("STOP")?;
        tokio::time::sleep(freeze).await;
        function.signal("CONT")?;
        kept.push(function.invoke(&validation.event)?.0);
        for (is_there, asked) in [false, true].into_iter().zip(&mut asked) {
            function.signal("STOP")?;
            let _: i64 = redis::cmd("CLIENT")
                .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
                .query_async(&mut server)
                .await
                .map_err(text)?;
            world.table.close_connections();
            tokio::time::sleep(freeze).await;
            let before = world.table.requests();
            let answer = if is_there {
                function.give(&validation.event)?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                function.signal("CONT")?;
                function.answer()?
            } else {
                function.signal("CONT")?;
                let (took, answer) = function.invoke(&validation.event)?;
                first.push(took);
                answer
            };
            *asked += world.table.requests() - before;
            validation.check(&answer).map_err(|error| format!("after a freeze: {error}"))?;
            function.invoke(&validation.event)?;
        }
    }
    let of = format!("{}, after a freeze of {freeze:?}", validation.name);
    let (first, kept, paused) = (median(&mut first), median(&mut kept), median(&mut paused));
    figure(&of, "wall, median", micros(first), "µs");
    figure(&of, "wall, median, connections kept", micros(kept), "µs");
    figure(&of, "wall, median, after a pause of this length without a freeze", micros(paused), "µs");
    #[allow(clippy::cast_precision_loss)]
    for (name, asked) in ["requests to the table", "requests to the table, event waiting"].iter().zip(asked) {
        figure(&of, name, asked as f64 / THAWS as f64, "an invocation");
    }
    ratio(&of, "a warm one", micros(first), micros(warm));
    ratio(&of, "one with its connections", micros(first), micros(kept));
    ratio(&of, "a warm one after a pause of this length", micros(first), micros(paused));
    Ok(())
}

/// What the build of `sessions-current` in a folder costs at every start and at every validation. `name` is that of the build.
async fn build(world: &World, name: &str) -> Done {
    if !process::has_callgrind() {
        return Err("valgrind is missing: install your system's package valgrind.".into());
    }
    let program = world.functions.join("sessions-current");
    let with_cache = world.with_cache();
    let bench = Bench::new(SessionsTable::new(world.cloud.sdk_config(), LocalCloud::SESSIONS), RealHost).await;
    let event = validation(&bench.sign_in().await.tokens.access.text());
    let command = [shown(&program)];
    let start = process::start_instructions(&command, &with_cache, &world.folder)?;
    let hit = process::instructions(&command, &with_cache, &event, &world.folder)?;
    let of_table = world.without_cache();
    let read = process::instructions(&command, &of_table, &event, &world.folder)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Function::start(&command, &with_cache)?.start);
    }
    #[allow(clippy::cast_precision_loss)]
    {
        figure(name, "start to first poll", median(&mut starts).as_secs_f64() * 1e3, "ms");
        figure(name, "start", start as f64 / 1e6, "million instructions");
        figure(name, "validation, cache hit", hit as f64 / 1e3, "thousand instructions");
        figure(name, "validation, dynamodb", read as f64 / 1e3, "thousand instructions");
    }
    Ok(())
}

/// Instructions until the first question for an event, and of one validation with a cache hit and with a strong read, by their names.
/// `build` is the folder of the executables. A machine that is too slow asks the cache and the table, so a validation is counted
/// again until the count is low enough, at most six times.
#[cfg(test)]
pub(crate) async fn instructions(
    redis: &str,
    build: &str,
    is_low: impl Fn(&str, u64) -> bool,
) -> Done<Vec<(String, u64)>> {
    let world = world(redis, build, ["", ""], LATENCY).await?;
    let with_cache = world.with_cache();
    let mut counted = Vec::new();
    for name in STARTED {
        let program = [shown(&world.functions.join(name))];
        counted.push((format!("start of {name}"), process::start_instructions(&program, &with_cache, &world.folder)?));
    }
    let bench = Bench::new(SessionsTable::new(world.cloud.sdk_config(), LocalCloud::SESSIONS), RealHost).await;
    let event = validation(&bench.sign_in().await.tokens.access.text());
    let program = [shown(&world.functions.join("sessions-current"))];
    let of_table = world.without_cache();
    for (name, variables) in [("validation, cache hit", with_cache), ("validation, dynamodb", of_table)] {
        let mut least = u64::MAX;
        for _ in 0..6 {
            least = least.min(process::instructions(&program, &variables, &event, &world.folder)?);
            if is_low(name, least) {
                break;
            }
        }
        counted.push((name.to_owned(), least));
    }
    let _ = std::fs::remove_dir_all(&world.folder);
    Ok(counted)
}

async fn world(redis: &str, functions: &str, peers: [&str; 2], latency: Duration) -> Done<World> {
    let cloud = LocalCloud::start().await;
    let upstream = cloud.endpoint().trim_start_matches("http://").to_owned();
    let folder = std::env::temp_dir().join(format!("holdfast-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(text)?;
    let client = redis::Client::open(redis).map_err(text)?;
    let mut server = client.get_multiplexed_async_connection().await.map_err(text)?;
    scripts::load(&mut server, &READ_SCRIPT).await.map_err(text)?;
    let table = Table::start(&upstream, latency)?;
    let (functions, peers) = (functions.into(), peers.map(PathBuf::from));
    Ok(World { cloud, table, redis: redis.to_owned(), folder, functions, peers })
}

/// `functions` is the folder of the release executables. The peers are the folder of that in Node and the executable of that in Rust.
pub(crate) async fn run(redis: &str, functions: &str, node: &str, rust: &str) -> Done {
    let world = world(redis, functions, [node, rust], LATENCY).await?;
    let measured = async {
        starts(&world)?;
        requests(&world).await?;
        commit::run(&world).await?;
        long_run(&world).await
    }
    .await;
    let _ = std::fs::remove_dir_all(&world.folder);
    measured
}

/// One build, whose executables are in the folder `functions`.
pub(crate) async fn run_build(redis: &str, functions: &str, name: &str) -> Done {
    let world = world(redis, functions, ["", ""], LATENCY).await?;
    let measured = build(&world, name).await;
    let _ = std::fs::remove_dir_all(&world.folder);
    measured
}
