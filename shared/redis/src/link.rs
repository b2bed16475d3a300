//! One connection for a function's life, with a deadline on everything.
//!
//! A task of its own opens it. Requests may wait for that task but never drive it, so a request that gives up does not
//! abort the connection that the next one needs. A connection that was silent for a whole deadline is dropped, because
//! its next reply may belong to the last question. Nothing here repeats a command that the server may have executed.
//!
//! Some servers answer but cannot help: a demoted one, one that is loading, one that grants no rights. The breaker
//! counts them as failures like silent ones, because otherwise every request would open a connection to ask again. A
//! cluster has a breaker for each part of its slots, so that the failure of one node affects only its own users.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use holdfast_sessions::Millis;
use holdfast_sessions::breaker::{Breaker, Gate};
use holdfast_sessions::ports::{CacheTrouble, Clock, Rng};
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, FromRedisValue, RedisError, Value};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::{Connection, Opener, TimeLimits};
use crate::scripts::{CLUSTER_SLOTS, Function, Script, WHO_SCRIPT, cluster_slot};

/// The number of breakers of a cluster, each for the same number of neighbouring slots. A node owns ranges of slots, so
/// more parts than nodes are enough. The answers of the healthy half close a part on a boundary again.
const PARTS: u16 = 64;
/// A cluster's connection consists of several, and the client reconnects each of them. The whole is dropped when no
/// request was answered for this long.
const QUIET_MILLIS: i64 = 1_000;
/// The replies of a server that cannot help any request now, so that asking again at once is useless. Any other refusal
/// (OOM, TRYAGAIN, MISCONF, WRONGTYPE) concerns one command.
const OF_NO_USE: [&str; 8] =
    ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOAUTH", "WRONGPASS", "NOPERM"];

/// The replies of a server that can execute no script now, so that the script need not be sent after the function.
const EXECUTES_NOTHING: [&str; 6] = ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOAUTH", "WRONGPASS"];
/// The errors of a server that has no functions, or grants no right to them. Any other refusal of a function may pass.
const NO_FUNCTIONS: [&str; 2] = ["ERR", "NOPERM"];

type Opening = Shared<BoxFuture<'static, Result<Connection, CacheTrouble>>>;

struct State {
    /// The connection that is open or being opened, with a number that increases with each one.
    opening: Option<(u64, Opening)>,
    opened: u64,
    /// The connection whose server refuses functions, so that scripts are sent instead.
    without_functions: Option<u64>,
    /// When a request was last answered.
    answered: Millis,
    /// One for a single server, [`PARTS`] for a cluster.
    breakers: Vec<Breaker>,
}

/// A connection that is opened when it is needed, and dropped when it fails.
pub(crate) struct Link<H> {
    opener: Arc<Opener>,
    host: H,
    limits: TimeLimits,
    state: Mutex<State>,
}

/// The result of a script call.
pub(crate) enum Reply<T> {
    /// The answer of the server.
    Answered(T),
    /// The server refused the command, with this first word of its error (OOM, TRYAGAIN, NOPERM, …).
    Refused(String),
}

/// Whether a call must be let through an open breaker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A read, which can do without the cache.
    Optional,
    /// A delete, which is tried even if the breaker is open.
    Required,
}

fn trouble(what: impl Into<String>) -> CacheTrouble {
    CacheTrouble(what.into())
}

impl<H: Clock + Rng + Clone + 'static> Link<H> {
    pub(crate) fn new(opener: Opener, host: H, limits: TimeLimits) -> Arc<Self> {
        let parts = if matches!(opener, Opener::Cluster(_)) { PARTS } else { 1 };
        let breakers = vec![Breaker::default(); usize::from(parts)];
        let state = State { opening: None, opened: 0, without_functions: None, answered: Millis::new(0), breakers };
        Arc::new(Self { opener: Arc::new(opener), host, limits, state: Mutex::new(state) })
    }

    /// The breaker of these keys. A call without keys, which any node may answer, uses the first one.
    fn part(&self, keys: &[String]) -> usize {
        match (&*self.opener, keys.first()) {
            (Opener::Cluster(_), Some(key)) => usize::from(cluster_slot(key) / (CLUSTER_SLOTS / PARTS)),
            _ => 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the current connection or the one being opened, and starts to open one if there is none. A connection that is
    /// known to be closed counts as none. A server may close the connection of a frozen function, and nothing can have been sent
    /// on it since then.
    fn opening(&self) -> (u64, Opening) {
        let mut state = self.lock();
        if let Some((number, opening)) = &state.opening
            && !matches!(opening.peek(), Some(Ok(connection)) if connection.is_closed())
        {
            return (*number, opening.clone());
        }
        let (opener, limit) = (self.opener.clone(), self.limits.connect);
        let task = tokio::spawn(async move {
            match timeout(limit, opener.open()).await {
                Ok(Ok(connection)) => Ok(connection),
                Ok(Err(error)) => Err(trouble(describe(&error))),
                Err(_) => Err(trouble("connecting took too long")),
            }
        });
        let opening = async move { task.await.unwrap_or_else(|_| Err(trouble("connecting was interrupted"))) };
        let opening = opening.boxed().shared();
        state.opened += 1;
        let number = state.opened;
        state.opening = Some((number, opening.clone()));
        (number, opening)
    }

    /// Drops a connection, unless a newer one has replaced it.
    fn drop_connection(&self, number: u64) {
        let mut state = self.lock();
        if state.opening.as_ref().is_some_and(|(current, _)| *current == number) {
            state.opening = None;
        }
    }

    /// Drops a silent connection. A cluster's is dropped only if all of it is silent, because the client reconnects to
    /// single nodes.
    fn drop_silent(&self, number: u64) {
        let whole_again = matches!(*self.opener, Opener::Cluster(_)) && {
            let now = self.host.now();
            now < self.lock().answered.plus_millis(QUIET_MILLIS)
        };
        if !whole_again {
            self.drop_connection(number);
        }
    }

    fn succeeded(&self, part: usize) {
        let now = self.host.now();
        let mut state = self.lock();
        state.answered = now;
        state.breakers[part].succeeded();
    }

    fn failed(&self, part: usize, why: &CacheTrouble) {
        let random = u64::from_be_bytes(self.host.random());
        let now = self.host.now();
        if !self.lock().breakers[part].failed(now, random) {
            return;
        }
        tracing::warn!(%why, "the cache is of no use: reading the truth until it is again");
        // Requests give up on a silent connection before its deadline ends, so the probe begins with a new one.
        let open = self.lock().opening.clone();
        if let Some((number, opening)) = open
            && opening.peek().is_some()
        {
            self.drop_silent(number);
        }
    }

    /// Runs `script` through the breaker. While the breaker is open, an optional call is an error at once.
    pub(crate) async fn call<T: FromRedisValue>(
        self: &Arc<Self>,
        urgency: Urgency,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Reply<T>, CacheTrouble> {
        let part = self.part(keys);
        let gate = {
            let now = self.host.now();
            self.lock().breakers[part].gate(now)
        };
        match (gate, urgency) {
            (Gate::Call, _) | (Gate::Skip, Urgency::Required) => {}
            // This call is the probe.
            (Gate::Probe, Urgency::Required) => {}
            (Gate::Skip, Urgency::Optional) => return Err(trouble("the breaker is open")),
            (Gate::Probe, Urgency::Optional) => {
                // The probe has the key of the call, so it asks the same node and needs the same rights.
                let (link, key) = (self.clone(), keys.first().cloned());
                tokio::spawn(async move {
                    let _: Result<Reply<Vec<String>>, _> = link.run(&WHO_SCRIPT, key.as_slice(), &[]).await;
                });
                return Err(trouble("the breaker is open"));
            }
        }
        self.run(script, keys, arguments).await
    }

    /// Runs `script`, and reports the result to the breaker. A call that the caller gives up counts as a failure,
    /// because it was too slow.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Reply<T>, CacheTrouble> {
        let part = self.part(keys);
        let mut given_up = GivenUp { link: self, part, armed: true };
        let result = self.evaluate(script, keys, arguments).await;
        given_up.armed = false;
        match &result {
            Ok(Reply::Refused(code)) if OF_NO_USE.contains(&code.as_str()) => self.failed(part, &trouble(code)),
            Ok(_) => self.succeeded(part),
            Err(why) => self.failed(part, why),
        }
        result
    }

    async fn evaluate<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Reply<T>, CacheTrouble> {
        let (number, opening) = self.opening();
        let connection = match opening.await {
            Ok(connection) => connection,
            Err(error) => {
                self.drop_connection(number);
                return Err(error);
            }
        };
        // A server that forgot what it was sent, or refuses it, is sent more than one command.
        let mut asked =
            Asked { connection, number, limit: self.limits.command, end: Instant::now() + self.limits.command * 2 };
        let function = match script.function() {
            Some(function) => self.call_function(&mut asked, function, keys, arguments).await,
            None => None,
        };
        let answer = match function {
            Some(answer) => answer,
            // On the heap, so that a hit, which needs none of it, does not carry the room for it.
            None => Box::pin(call_script(&mut asked, script, keys, arguments)).await,
        };
        match answer {
            // The address leads to another primary now, or will soon.
            Ok(Ok(value)) if is_a_replicas(&value) => {
                self.drop_connection(number);
                Err(trouble("the server is a replica"))
            }
            Ok(Ok(value)) => match redis::from_redis_value(value) {
                Ok(value) => Ok(Reply::Answered(value)),
                // The reply may belong to another question.
                Err(_) => {
                    self.drop_connection(number);
                    Err(trouble("the reply makes no sense"))
                }
            },
            Ok(Err(error)) if is_reply(&error) => {
                let code = describe(&error);
                if OF_NO_USE.contains(&code.as_str()) {
                    self.drop_silent(number);
                }
                Ok(Reply::Refused(code))
            }
            Ok(Err(error)) => {
                self.drop_silent(number);
                Err(trouble(describe(&error)))
            }
            Err(_) => {
                self.drop_silent(number);
                Err(trouble("no reply in time"))
            }
        }
    }

    /// Calls the function. The result is `None` if the server did not execute it, but may execute the script. A server refuses a
    /// function as a whole where it refuses only single commands of a script: when memory is full, and on a replica.
    async fn call_function(
        &self,
        asked: &mut Asked,
        function: &Function,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Option<Answer> {
        if self.lock().without_functions == Some(asked.number) {
            return None;
        }
        let call = command("FCALL", function.name(), keys, arguments);
        let mut answer = asked.send(&call).await;
        if refusal(&answer).is_some_and(is_unknown_function) {
            let load = redis::cmd("FUNCTION").arg("LOAD").arg(function.library()).to_owned();
            let loaded = Box::pin(asked.send_to_primary(&load, keys)).await;
            let is_loaded = match refusal(&loaded) {
                Some(error) => is_there_already(error),
                None => matches!(loaded, Ok(Ok(_))),
            };
            answer = if is_loaded { Box::pin(asked.send(&call)).await } else { loaded };
        }
        let Some(code) = refusal(&answer).map(describe) else { return Some(answer) };
        if NO_FUNCTIONS.contains(&code.as_str()) {
            self.lock().without_functions = Some(asked.number);
        }
        EXECUTES_NOTHING.contains(&code.as_str()).then_some(answer)
    }

    /// Drops a connection whose replies cannot be trusted.
    pub(crate) fn reconnect(&self) {
        self.lock().opening = None;
    }

    /// Opens the connection before the first request needs it.
    pub(crate) async fn warm_up(&self) {
        let _: Result<Reply<Vec<String>>, _> = self.run(&WHO_SCRIPT, &[], &[]).await;
    }
}

/// What came back in time.
type Answer = Result<Result<Value, RedisError>, Elapsed>;

/// The error that the server answered with.
fn refusal(answer: &Answer) -> Option<&RedisError> {
    answer.as_ref().ok()?.as_ref().err().filter(|error| is_reply(error))
}

fn is_unknown_function(error: &RedisError) -> bool {
    error.detail() == Some("Function not found")
}

/// Another caller has loaded the library in the meantime.
fn is_there_already(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.ends_with("already exists"))
}

struct GivenUp<'a, H: Clock + Rng + Clone + 'static> {
    link: &'a Link<H>,
    part: usize,
    armed: bool,
}

impl<H: Clock + Rng + Clone + 'static> Drop for GivenUp<'_, H> {
    fn drop(&mut self) {
        if self.armed {
            self.link.failed(self.part, &trouble("given up while waiting"));
        }
    }
}

fn command(name: &str, script: &str, keys: &[String], arguments: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

/// A server that is asked by one call, with the time that the call has.
struct Asked {
    connection: Connection,
    /// The number of the connection.
    number: u64,
    /// The longest time of one command.
    limit: Duration,
    /// When the call ends.
    end: Instant,
}

impl Asked {
    /// One timer for the limit of a command and that of the call: each timer of a hit costs two calls of the kernel.
    fn until(&self) -> Instant {
        self.end.min(Instant::now() + self.limit)
    }

    async fn send(&mut self, command: &Cmd) -> Answer {
        timeout_at(self.until(), query(&mut self.connection, command)).await
    }

    /// Sends a command without keys to the primary of these keys.
    async fn send_to_primary(&mut self, command: &Cmd, keys: &[String]) -> Answer {
        timeout_at(self.until(), query_primary(&mut self.connection, command, keys)).await
    }
}

async fn call_script(asked: &mut Asked, script: &Script, keys: &[String], arguments: &[&[u8]]) -> Answer {
    let answer = asked.send(&command("EVALSHA", script.hash(), keys, arguments)).await;
    if refusal(&answer).is_none_or(|error| error.code() != Some("NOSCRIPT")) {
        return answer;
    }
    // The script was not executed, so sending all of it repeats nothing.
    asked.send(&command("EVAL", script.code(), keys, arguments)).await
}

async fn query(connection: &mut Connection, command: &Cmd) -> Result<Value, RedisError> {
    match connection {
        Connection::Single(connection, _) => command.query_async(connection).await,
        Connection::Cluster(connection) => command.query_async(connection).await,
    }
}

async fn query_primary(connection: &mut Connection, command: &Cmd, keys: &[String]) -> Result<Value, RedisError> {
    match connection {
        Connection::Single(connection, _) => command.query_async(connection).await,
        Connection::Cluster(connection) => {
            let slot = keys.first().map_or(0, |key| cluster_slot(key));
            let primary = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
            connection.route_command(command.clone(), RoutingInfo::SingleNode(primary)).await
        }
    }
}

/// Whether this is the reply of a script on a server that is not the primary.
fn is_a_replicas(value: &Value) -> bool {
    matches!(value, Value::Array(parts) if matches!(parts.as_slice(), [Value::BulkString(text)] if text == b"replica"))
}

/// Whether the error is a reply of the server, and not a failure of the connection. Only a reply has a code.
fn is_reply(error: &RedisError) -> bool {
    error.code().is_some()
}

/// The kind of an error, and what the network or TLS reports. It never holds an argument, which may be a copy of a
/// session.
fn describe(error: &RedisError) -> String {
    let kind = error.code().map_or_else(|| error.category().to_owned(), str::to_owned);
    if error.is_io_error() { format!("{kind}: {error}") } else { kind }
}

#[cfg(test)]
mod tests {
    use std::io;

    use holdfast_sessions::breaker::MAX_FAILURES;
    use holdfast_testkit::ManualHost;
    use redis::{ErrorKind, ServerErrorKind};

    use super::*;
    use crate::config::RedisConfig;

    /// A link to a server that refuses every connection.
    fn link(cluster: bool, host: &ManualHost) -> Arc<Link<ManualHost>> {
        let config = RedisConfig { url: "redis://127.0.0.1:1/0".into(), cluster, tokens: None, authority: None };
        let limits = TimeLimits::default();
        Link::new(config.opener(limits).expect("a good address"), host.clone(), limits)
    }

    fn is_kept(link: &Link<ManualHost>) -> bool {
        link.lock().opening.is_some()
    }

    #[tokio::test]
    async fn a_late_failure_of_an_old_connection_does_not_drop_the_new_one() {
        let link = link(false, &ManualHost::default());
        let (old, _) = link.opening();
        link.reconnect();
        let (new, _) = link.opening();
        link.drop_connection(old);
        assert!(is_kept(&link));
        link.drop_connection(new);
        assert!(!is_kept(&link));
    }

    #[tokio::test]
    async fn a_cluster_is_left_when_it_has_answered_nothing_for_a_second() {
        let host = ManualHost::default();
        let link = link(true, &host);
        link.succeeded(0);
        let (number, _) = link.opening();
        host.advance_millis(999);
        link.drop_silent(number);
        assert!(is_kept(&link), "another node may have answered");
        host.advance_millis(1);
        link.drop_silent(number);
        assert!(!is_kept(&link));
    }

    #[tokio::test]
    async fn the_failure_that_opens_the_breaker_drops_the_connection_and_no_earlier_one_does() {
        let link = link(false, &ManualHost::default());
        let (_, opening) = link.opening();
        let _ = opening.await;
        for _ in 1..MAX_FAILURES {
            link.failed(0, &trouble("given up while waiting"));
            assert!(is_kept(&link), "a single slow reply costs no connection");
        }
        link.failed(0, &trouble("given up while waiting"));
        assert!(!is_kept(&link), "the probe begins with a new one");
    }

    #[test]
    fn only_what_the_server_said_is_a_reply() {
        for kind in [ServerErrorKind::BusyLoading, ServerErrorKind::ResponseError, ServerErrorKind::ClusterDown] {
            assert!(is_reply(&RedisError::from((ErrorKind::Server(kind), "said by the server"))), "{kind:?}");
        }
        for kind in [ErrorKind::Parse, ErrorKind::Client, ErrorKind::Io, ErrorKind::ClusterConnectionNotFound] {
            assert!(!is_reply(&RedisError::from((kind, "found by the client"))), "{kind:?}");
        }
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionReset, io::ErrorKind::PermissionDenied] {
            assert!(!is_reply(&RedisError::from(io::Error::from(kind))), "{kind:?}");
        }
    }
}
