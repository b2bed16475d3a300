//! `@connections` with seeded faults, and a ledger of every post: its effect, its answer and its recipient.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::frame::ServerFrame;
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::Gateway;
use holdfast_testkit::seeded::SeededHost;

/// How many of 10 000 posts meet each fault. They are 500 in total.
const FAULTS: [(Trouble, u64); 6] = [
    (Trouble::FalseGone, 100),
    (Trouble::Throttled, 120),
    (Trouble::FailedBefore, 120),
    (Trouble::LostReply, 120),
    (Trouble::Slow, 38),
    (Trouble::TooLarge, 2),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// 410 for a live socket.
    FalseGone,
    /// 429: the rate is too high.
    Throttled,
    /// 5xx without effect.
    FailedBefore,
    /// The post has its effect, and gets no answer.
    LostReply,
    /// The post has its effect late.
    Slow,
    /// The message is too large (413).
    TooLarge,
    /// 410: the socket is closed.
    Gone,
    /// 429: the client does not read.
    Stalled,
    /// 403: the configuration is broken for a while.
    Forbidden,
}

/// One message to one socket, as the workers tried it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) posts: u32,
    pub(crate) effects: u32,
    pub(crate) lost_replies: u32,
    pub(crate) too_large: u32,
    pub(crate) stalled: u32,
}

#[derive(Default)]
struct Line {
    open: bool,
    stalled: bool,
    inbox: Vec<ServerFrame>,
}

#[derive(Default)]
struct State {
    lines: HashMap<ConnectionId, Line>,
    frames: Vec<ServerFrame>,
    pairs: HashMap<(ConnectionId, MessageId), Pair>,
    troubles: BTreeMap<Trouble, u64>,
    posts: u64,
    forbidden: bool,
}

/// The network, which clones share. Only that of the workers keeps a ledger.
#[derive(Clone)]
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
    host: SeededHost,
    faults: bool,
}

impl Network {
    pub(crate) fn new(host: SeededHost) -> Self {
        Self { state: Arc::default(), host, faults: true }
    }

    /// The same network without faults and ledger, which carries the answers to frames.
    pub(crate) fn calm(&self) -> Self {
        Self { faults: false, ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, id: &ConnectionId) {
        self.lock().lines.insert(id.clone(), Line { open: true, ..Line::default() });
    }

    pub(crate) fn drop_line(&self, id: &ConnectionId) {
        if let Some(line) = self.lock().lines.get_mut(id) {
            line.open = false;
        }
    }

    pub(crate) fn stall(&self, id: &ConnectionId, stalled: bool) {
        if let Some(line) = self.lock().lines.get_mut(id) {
            line.stalled = stalled;
        }
    }

    pub(crate) fn is_open(&self, id: &ConnectionId) -> bool {
        self.lock().lines.get(id).is_some_and(|line| line.open)
    }

    pub(crate) fn forbid(&self, forbidden: bool) {
        self.lock().forbidden = forbidden;
    }

    /// The frames that arrived since the last call.
    pub(crate) fn take(&self, id: &ConnectionId) -> Vec<ServerFrame> {
        self.lock().lines.get_mut(id).map(|line| std::mem::take(&mut line.inbox)).unwrap_or_default()
    }

    pub(crate) fn pairs(&self) -> HashMap<(ConnectionId, MessageId), Pair> {
        self.lock().pairs.clone()
    }

    pub(crate) fn troubles(&self) -> BTreeMap<Trouble, u64> {
        self.lock().troubles.clone()
    }

    /// Posts of workers.
    pub(crate) fn posts(&self) -> u64 {
        self.lock().posts
    }

    fn trouble(&self) -> Option<Trouble> {
        let mut roll = self.host.draw() % 10_000;
        for (trouble, share) in FAULTS {
            if roll < share {
                return Some(trouble);
            }
            roll -= share;
        }
        None
    }
}

impl Gateway for Network {
    /// The text of a frame is its number, so that the frame itself is kept.
    fn text(&self, frame: &ServerFrame) -> String {
        let mut state = self.lock();
        state.frames.push(frame.clone());
        (state.frames.len() - 1).to_string()
    }

    async fn post(&self, to: &ConnectionId, text: &str) -> Posted {
        let trouble = if self.faults { self.trouble() } else { None };
        if trouble == Some(Trouble::Slow) {
            self.host.advance_millis(200);
        }
        tokio::task::yield_now().await;
        let mut state = self.lock();
        let state = &mut *state;
        let frame = text.parse::<usize>().ok().and_then(|n| state.frames.get(n)).cloned().expect("a frame of ours");
        let line = state.lines.get_mut(to);
        let met = match (&line, trouble) {
            _ if state.forbidden && self.faults => Some(Trouble::Forbidden),
            (None, _) => Some(Trouble::Gone),
            (Some(line), _) if !line.open => Some(Trouble::Gone),
            (Some(line), _) if line.stalled && self.faults => Some(Trouble::Stalled),
            (_, trouble) => trouble,
        };
        let effect = matches!(met, None | Some(Trouble::LostReply | Trouble::Slow));
        if effect && let Some(line) = line {
            line.inbox.push(frame.clone());
        }
        if self.faults {
            state.posts += 1;
            if let ServerFrame::Message { id, .. } = &frame {
                let pair = state.pairs.entry((to.clone(), *id)).or_default();
                pair.posts += 1;
                pair.effects += u32::from(effect);
                pair.lost_replies += u32::from(met == Some(Trouble::LostReply));
                pair.too_large += u32::from(met == Some(Trouble::TooLarge));
                pair.stalled += u32::from(met == Some(Trouble::Stalled));
            }
            if let Some(met) = met {
                *state.troubles.entry(met).or_default() += 1;
            }
        }
        match met {
            None | Some(Trouble::Slow) => Posted::Done,
            Some(Trouble::Gone | Trouble::FalseGone) => Posted::Gone,
            Some(Trouble::Throttled | Trouble::Stalled) => Posted::Throttled,
            Some(Trouble::FailedBefore | Trouble::LostReply) => Posted::Unknown,
            Some(Trouble::TooLarge) => Posted::TooLarge,
            Some(Trouble::Forbidden) => Posted::Forbidden,
        }
    }

    async fn close(&self, id: &ConnectionId) -> Posted {
        let mut state = self.lock();
        match state.lines.get_mut(id) {
            Some(line) if line.open => {
                line.open = false;
                Posted::Done
            }
            _ => Posted::Gone,
        }
    }

    async fn probe(&self, id: &ConnectionId) -> Probe {
        if self.is_open(id) { Probe::Alive } else { Probe::Gone }
    }
}
