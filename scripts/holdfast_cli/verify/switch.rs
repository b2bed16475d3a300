//! Tells a build that holds every mutant which one is on. `scripts/holdfast_cli/verify/mutants.py` writes this crate into its copy of the workspace.
//!
//! `HOLDFAST_MUTANT=<number>` switches one on; `HOLDFAST_MUTANT_SEEN=<file>` records which ones a run comes past. Where the compiler
//! evaluates a function, none is on.
#![feature(core_intrinsics, const_eval_select)]
#![allow(internal_features)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};

const UNREAD: u32 = u32::MAX;
const WATCH: u32 = u32::MAX - 1;
const LIMIT: usize = 1 << 17;

static STATE: AtomicU32 = AtomicU32::new(UNREAD);
static SEEN: [AtomicBool; LIMIT] = [const { AtomicBool::new(false) }; LIMIT];
static NOTES: OnceLock<File> = OnceLock::new();

/// Whether this mutant is on.
pub const fn on(mutant: u32) -> bool {
    !off(mutant, mutant)
}

/// Whether none of these mutants is on.
pub const fn off(first: u32, last: u32) -> bool {
    core::intrinsics::const_eval_select((first, last), never, none_on)
}

/// Whether this mutant is on, of a place that has asked `off` before.
pub const fn is(mutant: u32) -> bool {
    core::intrinsics::const_eval_select((mutant,), not, chosen)
}

const fn never(_: u32, _: u32) -> bool {
    true
}

const fn not(_: u32) -> bool {
    false
}

fn chosen(mutant: u32) -> bool {
    STATE.load(Relaxed) == mutant
}

fn none_on(first: u32, last: u32) -> bool {
    let mut state = STATE.load(Relaxed);
    if state == UNREAD {
        state = read();
    }
    if state == WATCH {
        note(first, last);
    }
    state < first || state > last
}

#[cold]
fn read() -> u32 {
    let state = if let Some(number) = std::env::var("HOLDFAST_MUTANT").ok().filter(|text| !text.is_empty()) {
        number.parse().expect("HOLDFAST_MUTANT is a number")
    } else if let Some(path) = std::env::var_os("HOLDFAST_MUTANT_SEEN") {
        NOTES.get_or_init(|| OpenOptions::new().append(true).create(true).open(path).expect("a file to write in"));
        WATCH
    } else {
        0
    };
    STATE.store(state, Relaxed);
    state
}

#[cold]
fn note(first: u32, last: u32) {
    for mutant in first..=last {
        if !SEEN[mutant as usize].swap(true, Relaxed) {
            let mut notes = NOTES.get().expect("opened before");
            notes.write_all(format!("{mutant}\n").as_bytes()).expect("a file to write in");
        }
    }
}

/// One of two iterators: what a function returns whose result is `impl Iterator`.
#[derive(Clone, Debug)]
pub enum Either<O, S> {
    /// What a mutant returns.
    Other(O),
    /// What the function returns.
    Same(S),
}

impl<T, O: Iterator<Item = T>, S: Iterator<Item = T>> Iterator for Either<O, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Other(iterator) => iterator.next(),
            Self::Same(iterator) => iterator.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Other(iterator) => iterator.size_hint(),
            Self::Same(iterator) => iterator.size_hint(),
        }
    }
}

impl<T, O: DoubleEndedIterator<Item = T>, S: DoubleEndedIterator<Item = T>> DoubleEndedIterator for Either<O, S> {
    fn next_back(&mut self) -> Option<T> {
        match self {
            Self::Other(iterator) => iterator.next_back(),
            Self::Same(iterator) => iterator.next_back(),
        }
    }
}

impl<T, O: ExactSizeIterator<Item = T>, S: ExactSizeIterator<Item = T>> ExactSizeIterator for Either<O, S> {}
