//! One connection for a function's life, with a deadline on everything.
//!
//! Opening is a task of its own that requests may watch but never drive: a request that gives up does not abort the
//! connection that the next one needs. A connection that was silent for a whole deadline is dropped, because its next
//! reply may belong to the last question. Nothing here repeats a command that the server may have executed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use holdfast_domain::breaker::{Breaker, Gate};
use holdfast_domain::ports::{CacheTrouble, Host};
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::time::timeout;

use crate::config::{COMMAND, CONNECT, Connection, Opener};
use crate::scripts::{Script, WHO_SCRIPT};

type Opening = Shared<BoxFuture<'static, Result<Connection, CacheTrouble>>>;

#[derive(Default)]
struct State {
    /// Open, or being opened; the number tells a later one from an earlier.
    opening: Option<(u64, Opening)>,
    opened: u64,
    breaker: Breaker,
}

/// A connection that comes and goes.
pub(crate) struct Link<H> {
    opener: Arc<Opener>,
    host: H,
    state: Mutex<State>,
}

/// What a script call came to.
pub(crate) enum Reply<T> {
    /// An answer.
    Answered(T),
    /// The server refused the command, in its own words' first one (OOM, TRYAGAIN, NOPERM, …).
    Refused(String),
}

/// Whether a call must be let through an open breaker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A read can do without.
    Optional,
    /// A delete cannot: it is tried whatever the breaker thinks.
    Required,
}

fn trouble(what: impl Into<String>) -> CacheTrouble {
    CacheTrouble(what.into())
}

impl<H: Host + Clone + 'static> Link<H> {
    pub(crate) fn new(opener: Opener, host: H) -> Arc<Self> {
        Arc::new(Self { opener: Arc::new(opener), host, state: Mutex::new(State::default()) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current connection, or the one being opened; starts one if there is none.
    fn opening(&self) -> (u64, Opening) {
        let mut state = self.lock();
        if let Some((number, opening)) = &state.opening {
            return (*number, opening.clone());
        }
        let opener = self.opener.clone();
        let task = tokio::spawn(async move {
            match timeout(CONNECT, opener.open()).await {
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

    /// Forgets a connection, unless a newer one has taken its place.
    fn drop_connection(&self, number: u64) {
        let mut state = self.lock();
        if state.opening.as_ref().is_some_and(|(current, _)| *current == number) {
            state.opening = None;
        }
    }

    fn failed(&self, why: &CacheTrouble) {
        let random = u64::from_be_bytes(self.host.random());
        let now = self.host.now();
        if self.lock().breaker.failed(now, random) {
            tracing::warn!(%why, "the cache does not answer: reading the truth until it does");
        }
    }

    /// Runs `script` through the breaker. `None`: the breaker is open.
    pub(crate) async fn call<T: FromRedisValue>(
        self: &Arc<Self>,
        urgency: Urgency,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Reply<T>, CacheTrouble> {
        let gate = {
            let now = self.host.now();
            self.lock().breaker.gate(now)
        };
        match (gate, urgency) {
            (Gate::Call, _) | (Gate::Skip, Urgency::Required) => {}
            // This call is the probe.
            (Gate::Probe, Urgency::Required) => {}
            (Gate::Skip, Urgency::Optional) => return Err(trouble("the breaker is open")),
            (Gate::Probe, Urgency::Optional) => {
                let link = self.clone();
                tokio::spawn(async move {
                    let _: Result<Reply<Vec<String>>, _> = link.run(&WHO_SCRIPT, &[], &[]).await;
                });
                return Err(trouble("the breaker is open"));
            }
        }
        self.run(script, keys, arguments).await
    }

    /// Runs `script` and tells the breaker. A call that is given up counts as a failure: it was too slow for somebody.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<Reply<T>, CacheTrouble> {
        let mut given_up = GivenUp { link: self, armed: true };
        let result = self.evaluate(script, keys, arguments).await;
        given_up.armed = false;
        match &result {
            Ok(_) => self.lock().breaker.succeeded(),
            Err(why) => self.failed(why),
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
        let mut connection = match opening.await {
            Ok(connection) => connection,
            Err(error) => {
                self.drop_connection(number);
                return Err(error);
            }
        };
        let evalsha = command("EVALSHA", script.hash(), keys, arguments);
        let mut answer = timeout(COMMAND, query::<T>(&mut connection, &evalsha)).await;
        // It was not executed: sending the whole of it is no repetition.
        if matches!(&answer, Ok(Err(error)) if error.code() == Some("NOSCRIPT")) {
            let eval = command("EVAL", script.code(), keys, arguments);
            answer = timeout(COMMAND, query::<T>(&mut connection, &eval)).await;
        }
        match answer {
            Ok(Ok(value)) => Ok(Reply::Answered(value)),
            Ok(Err(error)) if is_reply(&error) => {
                // A server that was demoted or is loading is not the one to stay with.
                if matches!(error.code(), Some("READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN")) {
                    self.drop_connection(number);
                }
                Ok(Reply::Refused(describe(&error)))
            }
            Ok(Err(error)) => {
                self.drop_connection(number);
                Err(trouble(describe(&error)))
            }
            Err(_) => {
                self.drop_connection(number);
                Err(trouble("no reply in time"))
            }
        }
    }

    /// Leaves a server that turned out not to be the primary any more.
    pub(crate) fn reconnect(&self) {
        self.lock().opening = None;
    }

    /// Opens the connection before anybody needs it.
    pub(crate) async fn warm_up(&self) {
        let _: Result<Reply<Vec<String>>, _> = self.run(&WHO_SCRIPT, &[], &[]).await;
    }
}

struct GivenUp<'a, H: Host + Clone + 'static> {
    link: &'a Link<H>,
    armed: bool,
}

impl<H: Host + Clone + 'static> Drop for GivenUp<'_, H> {
    fn drop(&mut self) {
        if self.armed {
            self.link.failed(&trouble("given up while waiting"));
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

async fn query<T: FromRedisValue>(connection: &mut Connection, command: &Cmd) -> Result<T, RedisError> {
    match connection {
        Connection::Single(connection) => command.query_async(connection).await,
        Connection::Cluster(connection) => command.query_async(connection).await,
    }
}

/// Whether the server said it, rather than the connection.
fn is_reply(error: &RedisError) -> bool {
    error.code().is_some() && !error.is_io_error() && !error.is_timeout() && !error.is_connection_dropped()
}

/// The kind of trouble, and what the network or TLS says of it; never an argument, which may be a copy of a session.
fn describe(error: &RedisError) -> String {
    let kind = error.code().map_or_else(|| error.category().to_owned(), str::to_owned);
    if error.is_io_error() { format!("{kind}: {error}") } else { kind }
}
