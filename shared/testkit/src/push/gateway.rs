//! `@connections` for tests, which open and close sockets, script answers, and read the posts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::frame::ServerFrame;
use holdfast_push::ids::ConnectionId;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::Gateway;

#[derive(Debug, Default)]
struct Sockets {
    open: HashSet<ConnectionId>,
    /// The answers to the next posts. Without one, the state of the socket decides.
    answers: HashMap<ConnectionId, VecDeque<Posted>>,
    /// `(to, text, answer)`, in order.
    posts: Vec<(ConnectionId, String, Posted)>,
    closed: Vec<ConnectionId>,
    /// Answers to the next closes.
    refusals: HashMap<ConnectionId, VecDeque<Posted>>,
    /// The answer to probes, for open and closed sockets.
    probes: HashMap<ConnectionId, Probe>,
}

/// The client of `@connections`, which clones share.
#[derive(Clone, Debug, Default)]
pub struct FakeGateway(Arc<Mutex<Sockets>>);

impl FakeGateway {
    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the socket of a client.
    pub fn open(&self, id: &ConnectionId) {
        self.lock().open.insert(id.clone());
    }

    /// Closes the socket of a client, without an event.
    pub fn drop_socket(&self, id: &ConnectionId) {
        self.lock().open.remove(id);
    }

    /// Sets the answers to the next posts to this socket.
    pub fn script(&self, id: &ConnectionId, answers: impl IntoIterator<Item = Posted>) {
        self.lock().answers.entry(id.clone()).or_default().extend(answers);
    }

    /// Sets the answers to the next closes of this socket, which then do nothing.
    pub fn script_close(&self, id: &ConnectionId, answers: impl IntoIterator<Item = Posted>) {
        self.lock().refusals.entry(id.clone()).or_default().extend(answers);
    }

    /// Sets the answer to probes of this socket.
    pub fn script_probe(&self, id: &ConnectionId, answer: Probe) {
        self.lock().probes.insert(id.clone(), answer);
    }

    /// Whether the socket is open.
    pub fn is_open(&self, id: &ConnectionId) -> bool {
        self.lock().open.contains(id)
    }

    /// Texts that reached the socket, in order.
    pub fn received(&self, id: &ConnectionId) -> Vec<String> {
        let state = self.lock();
        state
            .posts
            .iter()
            .filter(|(to, _, a)| to == id && *a == Posted::Done)
            .map(|(_, text, _)| text.clone())
            .collect()
    }

    /// How many posts were tried.
    pub fn posts(&self) -> usize {
        self.lock().posts.len()
    }

    /// Sockets that Holdfast closed, in order.
    pub fn closed(&self) -> Vec<ConnectionId> {
        self.lock().closed.clone()
    }
}

impl Gateway for FakeGateway {
    /// The debug form, because tests of the use cases are not about JSON.
    fn text(&self, frame: &ServerFrame) -> String {
        format!("{frame:?}")
    }

    async fn post(&self, to: &ConnectionId, text: &str) -> Posted {
        let mut state = self.lock();
        let natural = if state.open.contains(to) { Posted::Done } else { Posted::Gone };
        let answer = state.answers.get_mut(to).and_then(VecDeque::pop_front).unwrap_or(natural);
        state.posts.push((to.clone(), text.to_owned(), answer));
        answer
    }

    async fn close(&self, id: &ConnectionId) -> Posted {
        let mut state = self.lock();
        state.closed.push(id.clone());
        if let Some(refusal) = state.refusals.get_mut(id).and_then(VecDeque::pop_front) {
            return refusal;
        }
        if state.open.remove(id) { Posted::Done } else { Posted::Gone }
    }

    async fn probe(&self, id: &ConnectionId) -> Probe {
        let state = self.lock();
        match state.probes.get(id) {
            Some(answer) => *answer,
            None if state.open.contains(id) => Probe::Alive,
            None => Probe::Gone,
        }
    }
}
