//! The executables of a service, as Lambda starts them: each in a process of its own, with a Runtime API that only listens
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A function starts within milliseconds; a machine under load takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How a function asks for its first invocation.
const ASKS: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";

/// What Lambda itself tells every function.
const OF_LAMBDA: [(&str, &str); 8] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_NAME", "f"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
];

/// Every variable that some function needs. Nothing listens at these addresses: a function starts while its stores are down.
const CONFIGURATION: [(&str, &str); 22] = [
    ("ACTIVITY_TABLE", "activity"),
    ("ALERTS_QUEUE_URL", "http://127.0.0.1:1/alerts"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ("BROADCAST_DLQ_URL", "http://127.0.0.1:1/broadcast-dlq"),
    ("BROADCAST_QUEUE_URL", "http://127.0.0.1:1/broadcast"),
    ("CACHE_NAME", "cache"),
    ("CACHE_PROVIDER", "redis"),
    ("CLOSE_QUEUE_URL", "http://127.0.0.1:1/close"),
    ("CONNECTIONS_TABLE", "connections"),
    ("EVENT_BUS", "bus"),
    ("HOLDFAST_VERSION", "1.0.0"),
    ("MFA_ISSUER", "Holdfast"),
    ("MFA_KEY_ID", "alias/mfa"),
    ("PUSH_DLQ_URL", "http://127.0.0.1:1/push-dlq"),
    ("PUSH_QUEUE_URL", "http://127.0.0.1:1/push"),
    ("REDIS_URL", "redis://127.0.0.1:1/0"),
    ("REGISTRATION_ENABLED", "true"),
    ("RELAY_DLQ_URL", "http://127.0.0.1:1/relay-dlq"),
    ("SESSIONS_TABLE", "sessions"),
    ("STREAM_PARTIAL_BATCH", "true"),
    ("WS_CALLBACK_URL", "http://127.0.0.1:1"),
    ("WS_URL", "ws://127.0.0.1:1"),
];

/// The environment of a configured function: what Lambda tells it, and every variable that some function needs.
pub fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    OF_LAMBDA.into_iter().chain(CONFIGURATION)
}

/// Builds the executables of these functions, if they are not built, and finds them. Only cargo knows where they are.
pub fn executables<'a>(workspace: &Path, functions: impl Iterator<Item = &'a str>) -> BTreeMap<String, PathBuf> {
    let functions: Vec<_> = functions.collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--offline", "--locked", "--quiet", "--workspace", "--message-format", "json"]);
    build.args(functions.iter().flat_map(|function| ["--bin", function]));
    // What cargo tells a test about its own package is not the surroundings of a build: a build script that depends on it runs
    // again, and with it all that needs its crate, here and in the build that follows.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            build.env_remove(name);
        }
    }
    let output = build.current_dir(workspace).output().expect("cargo build runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("text");
    let built =
        messages.split("\"executable\":\"").skip(1).filter_map(|rest| rest.split('"').next()).map(PathBuf::from);
    let mut found: BTreeMap<_, _> =
        built.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path))).collect();
    found.retain(|name, _| functions.contains(&name.as_str()));
    assert_eq!(found.len(), functions.len(), "not every function has an executable");
    found
}

/// A function under way. It ends with the test, also with one that fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a function did first.
#[derive(Debug)]
enum Start {
    /// It sent this request to the Runtime API.
    Asked(String),
    /// It ended, with a success or not, after these lines on standard output.
    Ended(bool, Vec<String>),
    /// Neither, within [`PATIENCE`].
    Nothing,
}

/// Starts every function of `service` without its configuration, and then with it. `executable` is the executable of one of them;
/// those of the others are beside it. Functions of `needs_nothing` have no configuration.
///
/// # Panics
/// When a function does not fail with one line that names a missing variable, or does not ask for an invocation when it is
/// configured.
pub fn check(service: &str, executable: &str, needs_nothing: &[&str]) {
    let folder = Path::new(executable).parent().expect("a folder of executables");
    let functions = functions(service);
    assert!(!functions.is_empty(), "no function of {service}: this looks in the wrong place");
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let starts: Vec<_> = functions
            .iter()
            .map(|function| {
                let path = folder.join(function);
                (function, scope.spawn(move || [start(&path, &[]), start(&path, &CONFIGURATION)]))
            })
            .collect();
        for (function, started) in starts {
            let [bare, configured] = started.join().expect("a start that can be watched");
            let is_right =
                if needs_nothing.contains(&function.as_str()) { asks(&bare) } else { names_a_variable(&bare) };
            if !is_right {
                wrong.push(format!("{function} without its configuration: {bare:?}"));
            }
            if !asks(&configured) {
                wrong.push(format!("{function} with its configuration: {configured:?}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The functions of a service, by `services/functions.json`.
fn functions(service: &str) -> Vec<String> {
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../services/functions.json");
    let text = fs::read_to_string(list).expect("the list of functions");
    let names = text.lines().filter_map(|line| line.trim_start().strip_prefix('"')?.split_once("\":"));
    names.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(&format!("{service}-"))).collect()
}

fn asks(start: &Start) -> bool {
    matches!(start, Start::Asked(request) if request == ASKS)
}

fn names_a_variable(start: &Start) -> bool {
    let Start::Ended(false, lines) = start else { return false };
    let [line] = &lines[..] else { return false };
    line.starts_with('{')
        && line.contains(r#""level":"ERROR""#)
        && line.contains(r#""problem":"is not set""#)
        && CONFIGURATION.iter().any(|(name, _)| line.contains(&format!(r#""variable":"{name}""#)))
}

fn start(path: &Path, variables: &[(&str, &str)]) -> Start {
    let api = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
    api.set_nonblocking(true).expect("a listener that can be polled");
    let address = api.local_addr().expect("its address").to_string();
    let child = Command::new(path)
        .env_clear()
        // A mutation run tells a function which mutant is on.
        .envs(std::env::vars().filter(|(name, _)| ["HOLDFAST_MUTANT", "HOLDFAST_MUTANT_SEEN"].contains(&name.as_str())))
        .envs(OF_LAMBDA)
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut process = Process(child.unwrap_or_else(|error| panic!("{} does not start: {error}", path.display())));
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok((stream, _)) = api.accept() {
            return Start::Asked(request(stream));
        }
        if let Some(status) = process.0.try_wait().expect("the state of a child") {
            let mut text = String::new();
            let mut stdout = process.0.stdout.take().expect("standard output");
            stdout.read_to_string(&mut text).expect("text");
            return Start::Ended(status.success(), text.lines().map(str::to_owned).collect());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Start::Nothing
}

/// The first line of a request.
fn request(stream: TcpStream) -> String {
    stream.set_nonblocking(false).expect("a connection that can be waited for");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line.trim_end().to_owned()
}
