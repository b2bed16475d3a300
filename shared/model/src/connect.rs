//! A handshake against a revocation and a post. The handshake writes its row before its last check, and a 410 does not
//! prove that a socket is closed.
//!
//! One socket, one session. The request that ends a session asks for its sockets to be closed. The closer asks API
//! Gateway again until a 410 can no longer mean a handshake under way.

use crate::invariant::Invariant;
use crate::protocol::{Passed, Protocol};

/// Connecting, revoking, posting; or a variant of it.
#[derive(Clone, Debug)]
pub struct Connect {
    /// What is wrong with it, if anything.
    pub mutant: Option<Mutant>,
    /// Posts that may meet the socket.
    pub posts: u8,
}

/// Faults that the model must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// `$connect` checks the session and then writes its row.
    ChecksBeforeWriting,
    /// A post that is answered 410 removes the row at once.
    PostTrusts410,
    /// The closer takes 410 for closed at once.
    CloserTrusts410,
}

/// What API Gateway holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Socket {
    /// `$connect` has not returned: @connections answers 410.
    Handshake,
    Open,
    Closed,
}

/// How far `$connect` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Handler {
    Begun,
    /// The row is written and the session is not checked (or the reverse, for a mutant).
    Half,
    Sure,
    Refusing,
    Done,
}

/// How far the revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Revoker {
    Idle,
    /// The session is ended; rows have not been looked for.
    Ended,
    /// The row was found: to be closed.
    Closing,
    Finished,
}

/// The whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    socket: Socket,
    handler: Handler,
    row: bool,
    /// The time of the handshake has ended, in any state.
    late: bool,
    revoker: Revoker,
    posts_left: u8,
}

/// One step of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `$connect` writes its row.
    Write,
    /// `$connect` checks the session.
    Look,
    /// `$connect` returns: the socket opens.
    Return,
    /// `$connect` takes its row back and refuses.
    Refuse,
    /// The session is ended.
    End,
    /// Rows of the session are looked for.
    Query,
    /// The closer asks API Gateway to close the socket.
    Close,
    /// A message is posted to the row's socket.
    Post,
    /// The time that a handshake may take has ended.
    Late,
}

/// Places that a run must pass.
#[derive(Clone, Copy, Debug)]
enum At {
    Opened,
    Refused,
    Closed,
    CloseTooEarly,
    PostTooEarly,
    Posted,
}

impl Connect {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn look(&self, s: &mut State) {
        let lives = s.revoker == Revoker::Idle;
        s.handler = match (s.handler, lives) {
            (_, false) => Handler::Refusing,
            (Handler::Begun, true) => Handler::Half,
            (_, true) => Handler::Sure,
        };
    }

    fn write(s: &mut State) {
        s.row = true;
        s.handler = if s.handler == Handler::Begun { Handler::Half } else { Handler::Sure };
    }
}

impl Protocol for Connect {
    type State = State;
    type Step = Step;

    const INVARIANTS: &'static [Invariant] = &[Invariant::Auth];

    fn start(&self) -> Vec<State> {
        vec![State {
            socket: Socket::Handshake,
            handler: Handler::Begun,
            row: false,
            late: false,
            revoker: Revoker::Idle,
            posts_left: self.posts,
        }]
    }

    fn steps(&self, s: &State, steps: &mut Vec<Step>) {
        let (first, second) =
            if self.is(Mutant::ChecksBeforeWriting) { (Step::Look, Step::Write) } else { (Step::Write, Step::Look) };
        match s.handler {
            Handler::Begun => steps.push(first),
            Handler::Half => steps.push(second),
            Handler::Sure => steps.push(Step::Return),
            Handler::Refusing => steps.push(Step::Refuse),
            Handler::Done => {}
        }
        match s.revoker {
            Revoker::Idle => steps.push(Step::End),
            Revoker::Ended => steps.push(Step::Query),
            Revoker::Closing => steps.push(Step::Close),
            Revoker::Finished => {}
        }
        if s.row && s.posts_left > 0 {
            steps.push(Step::Post);
        }
        if s.socket != Socket::Handshake && !s.late {
            steps.push(Step::Late);
        }
    }

    fn apply(&self, s: &mut State, step: &Step, passed: &mut Passed) {
        match step {
            Step::Write => Self::write(s),
            Step::Look => self.look(s),
            Step::Return => {
                (s.handler, s.socket) = (Handler::Done, Socket::Open);
                passed.at(At::Opened as u8);
            }
            Step::Refuse => {
                (s.handler, s.socket, s.row) = (Handler::Done, Socket::Closed, false);
                passed.at(At::Refused as u8);
            }
            Step::End => s.revoker = Revoker::Ended,
            Step::Query => s.revoker = if s.row { Revoker::Closing } else { Revoker::Finished },
            Step::Close if s.socket == Socket::Open => {
                (s.socket, s.row, s.revoker) = (Socket::Closed, false, Revoker::Finished);
                passed.at(At::Closed as u8);
            }
            Step::Close if s.late || self.is(Mutant::CloserTrusts410) => {
                (s.row, s.revoker) = (false, Revoker::Finished);
            }
            Step::Close => passed.at(At::CloseTooEarly as u8),
            Step::Post => {
                s.posts_left -= 1;
                match s.socket {
                    Socket::Open => passed.at(At::Posted as u8),
                    _ if s.late || self.is(Mutant::PostTrusts410) => s.row = false,
                    _ => passed.at(At::PostTooEarly as u8),
                }
            }
            Step::Late => s.late = true,
        }
    }

    fn broken(s: &State) -> Option<Invariant> {
        (s.revoker == Revoker::Finished && s.socket == Socket::Open).then_some(Invariant::Auth)
    }

    fn landmarks(&self) -> Vec<(&'static str, u8)> {
        vec![
            ("a socket opens", At::Opened as u8),
            ("a handshake is refused", At::Refused as u8),
            ("a socket is closed", At::Closed as u8),
            ("the closer meets a handshake", At::CloseTooEarly as u8),
            ("a post meets a handshake", At::PostTooEarly as u8),
            ("a post arrives", At::Posted as u8),
        ]
    }

    fn tell(&self, before: &State, step: &Step, after: &State) -> String {
        let answer = if before.socket == Socket::Open { "200" } else { "410" };
        let row = if before.row && !after.row { "; the row is removed" } else { "" };
        match step {
            Step::Write => "$connect writes its row".to_owned(),
            Step::Look if after.handler == Handler::Refusing => "$connect looks: the session is over".to_owned(),
            Step::Look => "$connect looks: the session lives".to_owned(),
            Step::Return => "$connect returns: the socket is open".to_owned(),
            Step::Refuse => "$connect takes its row back and refuses".to_owned(),
            Step::End => "the session is ended".to_owned(),
            Step::Query if before.row => "its sockets are looked for: one row".to_owned(),
            Step::Query => "its sockets are looked for: none; the revocation is finished".to_owned(),
            Step::Close => format!("the closer deletes the connection: {answer}{row}"),
            Step::Post => format!("a message is posted: {answer}{row}"),
            Step::Late => "the time of a handshake is over".to_owned(),
        }
    }
}
