//! What can happen: each step is one script, one DynamoDB call, or one misfortune.

use super::state::{Fill, Lease, MAX_REQUESTS, Owed, Phase, Reader, State, Value, Writer};
use super::{At, Cache, Mutant, World};
use crate::invariant::Invariant;
use crate::protocol::Passed;

/// One step of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A reader begins a request with a token and sends r1.
    Ask(usize, u8),
    /// r1 is executed and its reply arrives.
    R1(usize),
    /// r1 of a request is executed, late or once more; no reader receives the reply.
    StrayR1(usize),
    /// The reader does not wait for r1 any longer (silence or an error) and reads the table.
    Hedge(usize, u8),
    /// The reader reads the table after a miss, and finds this version.
    R2(usize, u8),
    /// r3 of a request is executed.
    R3(usize),
    /// r3 of a request is executed and will be once more.
    StrayR3(usize),
    /// w1 of the next version.
    Commit(usize),
    /// w2, confirmed, and w3.
    Delete(usize),
    /// w2 does not arrive, and w3.
    DeleteLost(usize),
    /// A mutant's w3 before its w2.
    Promise(usize),
    /// V is evicted, runs out, or is deleted once more (REPAIR).
    LoseV,
    /// The same for L.
    LoseL,
    /// Another server answers from now on, with this of the old one's memory.
    Failover(Option<u8>, Option<u8>),
    /// The clock moves on.
    Tick,
}

impl Cache {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn fence(&self) -> bool {
        self.world != World::NoFence
    }

    pub(super) fn offer(&self, s: &State, steps: &mut Vec<Step>) {
        let readers = &s.readers[..self.scope.readers];
        if readers.iter().all(|r| r.phase == Phase::Idle && usize::from(r.begun) == self.scope.requests) {
            return; // No reader is left that could be accepted.
        }
        for (i, reader) in readers.iter().enumerate() {
            match reader.phase {
                Phase::Idle if usize::from(reader.begun) < self.scope.requests => {
                    steps.extend((0..=s.truth).map(|token| Step::Ask(i, token)));
                }
                Phase::Idle => {}
                Phase::Asked { .. } => {
                    steps.push(Step::R1(i));
                    self.readable(s).for_each(|version| steps.push(Step::Hedge(i, version)));
                }
                Phase::Missed { .. } => self.readable(s).for_each(|version| steps.push(Step::R2(i, version))),
                Phase::Keeps { .. } => steps.push(Step::R1(i)),
            }
            if s.strays_left > 0 {
                steps.extend((0..usize::from(reader.begun)).map(|n| Step::StrayR1(i * MAX_REQUESTS + n)));
            }
        }
        for (request, fill) in s.fills.iter().enumerate() {
            if fill.is_some() {
                steps.push(Step::R3(request));
                if s.strays_left > 0 {
                    steps.push(Step::StrayR3(request));
                }
            }
        }
        for (i, writer) in s.writers[..self.scope.writers].iter().enumerate() {
            self.offer_writer(s, i, *writer, steps);
        }
        if s.v.is_some() {
            steps.push(Step::LoseV);
        }
        if s.l.is_some() {
            steps.push(Step::LoseL);
        }
        if s.failovers_left > 0 {
            let values: Vec<_> = s.old_values().enumerate().map(|(n, _)| index(n)).collect();
            let leases: Vec<_> = s.old_leases().enumerate().map(|(n, _)| index(n)).collect();
            values.iter().for_each(|v| steps.extend(leases.iter().map(|l| Step::Failover(*v, *l))));
        }
        if s.now < self.scope.ticks {
            steps.push(Step::Tick);
        }
    }

    fn offer_writer(&self, s: &State, i: usize, writer: Writer, steps: &mut Vec<Step>) {
        // Version k + 1 is written by writer k: which writer commits first is only a matter of names.
        let next = usize::from(s.truth) == i;
        match writer {
            Writer::Idle if next && self.is(Mutant::DeleteBeforeCommit) => steps.push(Step::Delete(i)),
            Writer::Idle | Writer::Deleted if next => steps.push(Step::Commit(i)),
            Writer::Committed if self.is(Mutant::AcknowledgeBeforeDelete) => steps.push(Step::Promise(i)),
            Writer::Committed => steps.extend([Step::Delete(i), Step::DeleteLost(i)]),
            Writer::Promised => steps.push(Step::Delete(i)),
            Writer::Idle | Writer::Deleted | Writer::Immediate | Writer::Bounded => {}
        }
    }

    /// What a read of the table may find: consistently read, the latest.
    fn readable(&self, s: &State) -> impl Iterator<Item = u8> + use<> {
        let oldest = if self.is(Mutant::EventualRead) { 0 } else { s.truth };
        oldest..=s.truth
    }

    pub(super) fn take(&self, s: &mut State, step: Step, passed: &mut Passed) {
        match step {
            Step::Ask(i, token) => {
                let owed = self.owed(s, token);
                s.readers[i].begun += 1;
                s.readers[i].phase = Phase::Asked { token, owed };
                if self.is(Mutant::IncarnationOncePerConnection) {
                    s.readers[i].connected_to.get_or_insert(s.inc);
                }
            }
            Step::R1(i) => self.r1(s, i, passed),
            Step::StrayR1(request) => {
                let copy = s.strays_left;
                s.strays_left -= 1;
                // No reader receives the value; what remains of the script is the lease.
                let inc = self.compared_inc(s, s.readers[request / MAX_REQUESTS]);
                if !self.v_is_current(s, inc) && s.l.is_none() {
                    s.set_l(self.lease(request, copy, inc));
                    passed.at(At::StrayR1 as u8);
                }
            }
            Step::Hedge(i, version) => {
                if let Phase::Asked { token, owed } = s.readers[i].phase {
                    passed.at(At::HedgedRead as u8);
                    self.answer(s, token, owed, version, passed);
                    let until = s.now + self.scope.max_age;
                    s.readers[i].phase =
                        if self.is(Mutant::HedgedReadFills) { Phase::Keeps { version, until } } else { Phase::Idle };
                }
            }
            Step::R2(i, version) => {
                if let Phase::Missed { token, owed, lease, before } = s.readers[i].phase {
                    self.answer(s, token, owed, version, passed);
                    s.readers[i].phase = Phase::Idle;
                    if lease.is_some() || self.is(Mutant::FillWithoutLease) {
                        let until = before + self.scope.max_age;
                        s.fills[request_of(s.readers[i], i)] = Some(Fill { version, until, lease });
                    }
                }
            }
            Step::R3(request) => {
                if let Some(fill) = s.fills[request].take() {
                    self.r3(s, fill, passed);
                }
            }
            Step::StrayR3(request) => {
                if let Some(fill) = s.fills[request] {
                    s.strays_left -= 1;
                    passed.at(At::StrayR3 as u8);
                    self.r3(s, fill, passed);
                }
            }
            Step::Commit(i) => {
                s.truth += 1;
                s.committed_at[i] = s.now;
                s.writers[i] = if s.writers[i] == Writer::Deleted { Writer::Immediate } else { Writer::Committed };
            }
            Step::Delete(i) => self.delete(s, i, passed),
            Step::DeleteLost(i) if self.is(Mutant::LostDeleteIsImmediate) => s.writers[i] = Writer::Immediate,
            Step::DeleteLost(i) => {
                s.writers[i] = Writer::Bounded;
                passed.at(At::Bounded as u8);
            }
            Step::Promise(i) => s.writers[i] = Writer::Promised,
            Step::LoseV => s.v = None,
            Step::LoseL => s.l = None,
            Step::Failover(v, l) => {
                s.v = v.and_then(|n| s.old_values().nth(usize::from(n)).flatten());
                s.l = l.and_then(|n| s.old_leases().nth(usize::from(n)).flatten());
                s.failovers_left -= 1;
                if self.world != World::TwoPrimaries {
                    s.inc += 1;
                }
                if s.failovers_left == 0 {
                    (s.held_v, s.held_l) = (0, 0);
                }
            }
            Step::Tick => s.now += 1,
        }
    }

    fn owed(&self, s: &State, token: u8) -> Owed {
        let in_force = |k: usize| {
            let promised = matches!(s.writers[k], Writer::Immediate | Writer::Promised);
            (promised && self.world == World::OnePrimary) || s.committed_at[k] + self.scope.max_age <= s.now
        };
        let acknowledged = token == 0 || s.writers[usize::from(token) - 1] != Writer::Committed;
        if (usize::from(token)..usize::from(s.truth)).any(in_force) {
            Owed::Refusal
        } else if token == s.truth && acknowledged {
            Owed::Entry
        } else {
            Owed::Nothing
        }
    }

    /// The incarnation that the scripts of this reader compare with.
    fn compared_inc(&self, s: &State, reader: Reader) -> u8 {
        reader.connected_to.unwrap_or(s.inc)
    }

    fn v_is_current(&self, s: &State, inc: u8) -> bool {
        s.v.is_some_and(|v| v.inc == inc || !self.fence() || self.is(Mutant::NoIncarnationOnValue))
    }

    fn lease(&self, request: usize, copy: u8, inc: u8) -> Lease {
        let request = u8::try_from(request).unwrap_or(u8::MAX);
        match self.mutant {
            Some(Mutant::ConstantNonce) => Lease { request: 0, copy: 0, inc },
            Some(Mutant::ClientMadeLease) => Lease { request, copy: 0, inc },
            _ => Lease { request, copy, inc },
        }
    }

    fn r1(&self, s: &mut State, i: usize, passed: &mut Passed) {
        let inc = self.compared_inc(s, s.readers[i]);
        let hit = s.v.filter(|_| self.v_is_current(s, inc));
        if s.v.is_some() && hit.is_none() {
            passed.at(At::OldIncarnationMissed as u8);
        }
        let lease = (hit.is_none() && s.l.is_none()).then(|| self.lease(request_of(s.readers[i], i), 0, inc));
        if let Some(lease) = lease {
            s.set_l(lease);
        }
        match s.readers[i].phase {
            Phase::Asked { token, owed } => {
                let before = if lease.is_some() || self.is(Mutant::FillWithoutLease) { s.now } else { 0 };
                s.readers[i].phase = match hit {
                    Some(value) if self.lets_in(s, value, token, owed, passed) => Phase::Idle,
                    _ => Phase::Missed { token, owed, lease, before },
                };
            }
            Phase::Keeps { version, until } => {
                s.readers[i].phase = Phase::Idle;
                if lease.is_some() {
                    s.fills[request_of(s.readers[i], i)] = Some(Fill { version, until, lease });
                }
            }
            Phase::Idle | Phase::Missed { .. } => {}
        }
    }

    /// Whether a hit answers the request; if not, it falls through to a read of the table.
    fn lets_in(&self, s: &mut State, value: Value, token: u8, owed: Owed, passed: &mut Passed) -> bool {
        if value.until <= s.now && !self.is(Mutant::NoMaxAge) {
            passed.at(At::OutOfAge as u8);
            return false;
        }
        let opens = value.version == token || self.is(Mutant::SecretNotCompared);
        if !opens && !self.is(Mutant::MismatchIsRefusal) {
            return false;
        }
        if opens {
            passed.at(At::Hit as u8);
            if value.version != s.truth {
                passed.at(At::StaleWithinBound as u8);
            }
        }
        answered(s, token, owed, opens.then_some(value.version), passed);
        true
    }

    /// Answers the request from the content of the table, which accepts only the token of its version.
    fn answer(&self, s: &mut State, token: u8, owed: Owed, version: u8, passed: &mut Passed) {
        answered(s, token, owed, (version == token).then_some(version), passed);
    }

    fn r3(&self, s: &mut State, fill: Fill, passed: &mut Passed) {
        let leased = s.l.filter(|l| fill.lease == Some(*l));
        let once = self.is(Mutant::IncarnationOncePerConnection);
        let same_server = |l: Lease| l.inc == s.inc || once || !self.fence() || self.is(Mutant::NoIncarnationOnLease);
        if !leased.is_some_and(same_server) && !self.is(Mutant::FillWithoutLease) {
            passed.at(At::FillRejected as u8);
            return;
        }
        s.l = None;
        let until = if self.is(Mutant::AgeCountsFromFill) { s.now + self.scope.max_age } else { fill.until };
        if until > s.now {
            let inc = leased.filter(|_| once).map_or(s.inc, |l| l.inc);
            s.set_v(Value { version: fill.version, inc, until });
            passed.at(At::Filled as u8);
        }
    }

    fn delete(&self, s: &mut State, i: usize, passed: &mut Passed) {
        s.v = None;
        if !self.is(Mutant::DeletesValueOnly) {
            s.l = None;
        }
        if self.is(Mutant::WriterSets) {
            let (version, until) = (u8::try_from(i + 1).unwrap_or(u8::MAX), s.now + self.scope.max_age);
            s.set_v(Value { version, inc: s.inc, until });
        }
        s.writers[i] = match s.writers[i] {
            Writer::Idle => Writer::Deleted,
            _ if self.fence() => Writer::Immediate,
            _ => Writer::Bounded,
        };
        passed.at(if self.fence() { At::Immediate } else { At::Bounded } as u8);
    }
}

/// Every answer of every request passes here: refused, or accepted with the data of a version.
fn answered(s: &mut State, token: u8, owed: Owed, entry: Option<u8>, passed: &mut Passed) {
    passed.at(if entry.is_some() { At::LetIn } else { At::Refused } as u8);
    let wrong = match (entry, owed) {
        (Some(version), _) if version != token => Some(Invariant::Iso),
        (Some(_), Owed::Refusal) => Some(Invariant::Auth),
        (None, Owed::Entry) if token == s.truth => Some(Invariant::Dur),
        _ => None,
    };
    s.broken = s.broken.or(wrong);
}

fn index(n: usize) -> Option<u8> {
    u8::try_from(n).ok()
}

fn request_of(reader: Reader, i: usize) -> usize {
    i * MAX_REQUESTS + usize::from(reader.begun) - 1
}
