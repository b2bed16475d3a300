//! Exploring a [`Protocol`] with stateright, breadth first and in one thread: the first violation found is a shortest one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, Model, Path, Property};

use crate::invariant::Invariant;
use crate::protocol::{Passed, Protocol};

/// What an exploration came to.
#[derive(Clone, Debug)]
pub struct Explored {
    /// States generated, repetitions included.
    pub states: usize,
    /// The number of different states.
    pub unique: usize,
    /// Steps to the state farthest from the start.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// The invariant that does not hold, and the steps that break it, in words.
    pub broken: Option<(Invariant, Vec<String>)>,
    /// Landmarks that no run passed.
    pub unreached: Vec<&'static str>,
}

/// Every state: all invariants of the model as `always`, all its landmarks as `sometimes`.
pub fn prove<P: Protocol>(protocol: &P, progress: &dyn Fn(usize, Duration)) -> Explored {
    explore(protocol, Aim::Proof, progress)
}

/// Until the first state that breaks any invariant.
///
/// stateright records the *last* violation of a block of states unless there is but one property, and then stops at the
/// first. So this asks for one property, and finds out afterwards which invariant it was.
pub fn hunt<P: Protocol>(protocol: &P, progress: &dyn Fn(usize, Duration)) -> Explored {
    explore(protocol, Aim::Prey, progress)
}

const PROGRESS_EVERY: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Proof,
    Prey,
}

fn explore<P: Protocol>(protocol: &P, aim: Aim, progress: &dyn Fn(usize, Duration)) -> Explored {
    let began = Instant::now();
    let watched = Watched { protocol: protocol.clone(), aim, passed: AtomicU32::new(0), reported: AtomicU32::new(0) };
    let mut checker = watched.checker().spawn_bfs();
    let workers = checker.handles();
    let mut next_line = PROGRESS_EVERY;
    while workers.iter().any(|worker| !worker.is_finished()) {
        std::thread::sleep(POLL);
        if began.elapsed() >= next_line {
            progress(checker.unique_state_count(), began.elapsed());
            next_line += PROGRESS_EVERY;
        }
    }
    for worker in workers {
        if let Err(panic) = worker.join() {
            std::panic::resume_unwind(panic);
        }
    }
    let took = began.elapsed();
    let discoveries = checker.discoveries();
    let names: Vec<&'static str> = match aim {
        Aim::Proof => P::INVARIANTS.iter().map(|i| i.name()).collect(),
        Aim::Prey => vec![ANY],
    };
    let broken = names.iter().find_map(|name| discoveries.get(name)).and_then(|path| told(protocol, path.clone()));
    let unreached = match aim {
        Aim::Proof => {
            protocol.landmarks().into_iter().map(|(name, _)| name).filter(|n| !discoveries.contains_key(n)).collect()
        }
        Aim::Prey => vec![],
    };
    Explored {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth().saturating_sub(1),
        took,
        broken,
        unreached,
    }
}

fn told<P: Protocol>(protocol: &P, path: Path<P::State, P::Step>) -> Option<(Invariant, Vec<String>)> {
    let trace = path.into_vec();
    let invariant = trace.last().and_then(|(state, _)| P::broken(state))?;
    let words = trace
        .windows(2)
        .filter_map(|pair| {
            let [(before, step), (after, _)] = pair else { return None };
            step.as_ref().map(|step| protocol.tell(before, step, after))
        })
        .collect();
    Some((invariant, words))
}

/// The one property of a hunt.
const ANY: &str = "every invariant";

/// A protocol under observation. What was passed is noted beside the states, not in them: as part of a state it would
/// multiply them.
struct Watched<P> {
    protocol: P,
    aim: Aim,
    passed: AtomicU32,
    reported: AtomicU32,
}

impl<P: Protocol> Model for Watched<P> {
    type State = P::State;
    type Action = P::Step;

    fn init_states(&self) -> Vec<Self::State> {
        self.protocol.start()
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        if P::broken(state).is_none() {
            self.protocol.steps(state, actions);
        }
    }

    fn next_state(&self, last: &Self::State, step: Self::Action) -> Option<Self::State> {
        let mut next = last.clone();
        let mut passed = Passed::default();
        self.protocol.apply(&mut next, &step, &mut passed);
        if passed.bits() & !self.passed.load(Ordering::Relaxed) != 0 {
            self.passed.fetch_or(passed.bits(), Ordering::Relaxed);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.aim == Aim::Prey {
            return vec![Property::always(ANY, |_, state| P::broken(state).is_none())];
        }
        let invariants = P::INVARIANTS.iter().map(|i| Property::always(i.name(), holds::<P>(*i)));
        let landmarks = self
            .protocol
            .landmarks()
            .into_iter()
            .map(|(name, number)| Property::sometimes(name, passes::<P>()[usize::from(number)]));
        invariants.chain(landmarks).collect()
    }
}

type Condition<P> = fn(&Watched<P>, &<P as Protocol>::State) -> bool;

/// Conditions are plain functions, so there is one for each invariant and each landmark.
fn holds<P: Protocol>(invariant: Invariant) -> Condition<P> {
    match invariant {
        Invariant::Auth => |_, s| P::broken(s) != Some(Invariant::Auth),
        Invariant::Cap => |_, s| P::broken(s) != Some(Invariant::Cap),
        Invariant::One => |_, s| P::broken(s) != Some(Invariant::One),
        Invariant::Dur => |_, s| P::broken(s) != Some(Invariant::Dur),
        Invariant::Iso => |_, s| P::broken(s) != Some(Invariant::Iso),
        Invariant::Alarm => |_, s| P::broken(s) != Some(Invariant::Alarm),
    }
}

/// True once, at the first state that is checked after the landmark was passed, because stateright notes a path each
/// time it is true.
fn reached<P: Protocol, const NUMBER: u32>(watched: &Watched<P>, _: &P::State) -> bool {
    let bit = 1 << NUMBER;
    watched.passed.load(Ordering::Relaxed) & bit != 0 && watched.reported.fetch_or(bit, Ordering::Relaxed) & bit == 0
}

fn passes<P: Protocol>() -> [Condition<P>; 16] {
    [
        reached::<P, 0>,
        reached::<P, 1>,
        reached::<P, 2>,
        reached::<P, 3>,
        reached::<P, 4>,
        reached::<P, 5>,
        reached::<P, 6>,
        reached::<P, 7>,
        reached::<P, 8>,
        reached::<P, 9>,
        reached::<P, 10>,
        reached::<P, 11>,
        reached::<P, 12>,
        reached::<P, 13>,
        reached::<P, 14>,
        reached::<P, 15>,
    ]
}
