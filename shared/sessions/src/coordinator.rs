//! The coordinator of a sign-in: pure `step(state, input) → (state, effect)`.
//!
//! A sign-in has a parent (the login session, 5–10 minutes) and, if a second factor is asked for, a child (the MFA
//! session, 5 minutes). It becomes exactly one user session or leaves nothing. Every step is **one** transaction of the
//! store, so a step is never half done. A crash between two steps leaves a parent, perhaps with a child. Both expire,
//! and no job has to remove them.

use crate::event::Kind;
use crate::signin::{LoginFailure, LoginState};

/// The inputs of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A client asks to sign in.
    Begin,
    /// The password step failed.
    Refused(LoginFailure),
    /// The password is right, and nothing more is asked.
    PasswordSuffices,
    /// The password is right, and a second factor is asked for.
    SecondFactorNeeded,
    /// A wrong answer to the second factor. The sign-in stays open: attempts are bounded elsewhere.
    WrongAnswer,
    /// The right one.
    RightAnswer,
    /// The account changed meanwhile: password, second factor or status.
    Superseded,
}

/// What is to be done about it, as one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInEffect {
    /// Write the parent.
    OpenParent,
    /// Move the parent on and write the child.
    OpenChild,
    /// Consume the parent, and the child if there is one, and write the session.
    CreateSession {
        /// Whether a second factor was shown.
        with_mfa: bool,
    },
    /// Note the wrong answer at the child.
    NoteWrongAnswer,
    /// Close the parent and delete the child.
    Fail(LoginFailure),
}

impl SignInEffect {
    /// The event of the sign-in that exists iff the transaction commits. (A session that is created is an event of its
    /// own, of its slot.)
    pub const fn event(self) -> Option<Kind> {
        match self {
            SignInEffect::OpenParent => Some(Kind::LoginStarted),
            SignInEffect::OpenChild => Some(Kind::MfaRequired),
            SignInEffect::CreateSession { with_mfa: true } => Some(Kind::MfaCompleted),
            SignInEffect::CreateSession { with_mfa: false } => None,
            SignInEffect::NoteWrongAnswer | SignInEffect::Fail(_) => Some(Kind::AuthFailed),
        }
    }
}

/// The next state and what brings it about; `None` where the input means nothing in this state, which is then refused.
/// `None` as a state is a sign-in that has not begun.
pub const fn step(state: Option<LoginState>, input: Input) -> Option<(LoginState, SignInEffect)> {
    match (state, input) {
        (None, Input::Begin) => Some((LoginState::Started, SignInEffect::OpenParent)),
        (Some(LoginState::Started), Input::Refused(why)) => Some((LoginState::Failed, SignInEffect::Fail(why))),
        (Some(LoginState::Started), Input::PasswordSuffices) => {
            Some((LoginState::Consumed, SignInEffect::CreateSession { with_mfa: false }))
        }
        (Some(LoginState::Started), Input::SecondFactorNeeded) => {
            Some((LoginState::MfaRequired, SignInEffect::OpenChild))
        }
        (Some(LoginState::MfaRequired), Input::WrongAnswer) => {
            Some((LoginState::MfaRequired, SignInEffect::NoteWrongAnswer))
        }
        (Some(LoginState::MfaRequired), Input::RightAnswer) => {
            Some((LoginState::Consumed, SignInEffect::CreateSession { with_mfa: true }))
        }
        (Some(LoginState::Started | LoginState::MfaRequired), Input::Superseded) => {
            Some((LoginState::Failed, SignInEffect::Fail(LoginFailure::Superseded)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    const INPUTS: [Input; 7] = [
        Input::Begin,
        Input::Refused(LoginFailure::WrongPassword),
        Input::PasswordSuffices,
        Input::SecondFactorNeeded,
        Input::WrongAnswer,
        Input::RightAnswer,
        Input::Superseded,
    ];

    /// The rows of one sign-in as the store holds them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Rows {
        parent: Option<LoginState>,
        child: bool,
        sessions: u8,
    }

    /// What the store does with an effect: all of it, or, where its conditions no longer hold, nothing.
    fn apply(rows: Rows, from: Option<LoginState>, (to, effect): (LoginState, SignInEffect)) -> Rows {
        if rows.parent != from {
            return rows;
        }
        let mut next = Rows { parent: Some(to), ..rows };
        match effect {
            SignInEffect::OpenParent | SignInEffect::NoteWrongAnswer => {}
            SignInEffect::OpenChild => next.child = true,
            SignInEffect::CreateSession { with_mfa } => {
                if with_mfa && !rows.child {
                    return rows;
                }
                next.child = false;
                next.sessions += 1;
            }
            SignInEffect::Fail(_) => next.child = false,
        }
        next
    }

    fn check(rows: Rows) {
        assert_eq!(
            rows.sessions,
            u8::from(rows.parent == Some(LoginState::Consumed)),
            "one sign-in, one session: {rows:?}"
        );
        assert_eq!(rows.child, rows.parent == Some(LoginState::MfaRequired), "a usable orphan: {rows:?}");
    }

    /// Every state that can be reached at all, by following every input from every state found, with a crash possible
    /// after each.
    #[test]
    fn no_path_leaves_a_usable_orphan() {
        let key = |rows: Rows| (rows.parent.map(LoginState::as_str), rows.child, rows.sessions);
        let (mut seen, mut open) = (BTreeSet::new(), vec![Rows::default()]);
        while let Some(rows) = open.pop() {
            if !seen.insert(key(rows)) {
                continue;
            }
            check(rows);
            open.extend(INPUTS.iter().filter_map(|input| Some(apply(rows, rows.parent, step(rows.parent, *input)?))));
        }
        assert_eq!(seen.len(), 5, "not begun, started, waiting, consumed, failed: {seen:?}");
    }

    #[test]
    fn what_is_over_stays_over() {
        for state in [LoginState::Consumed, LoginState::Failed] {
            assert!(INPUTS.iter().all(|input| step(Some(state), *input).is_none()));
        }
    }

    #[test]
    fn a_second_factor_that_is_asked_for_cannot_be_gone_round() {
        assert_eq!(step(Some(LoginState::MfaRequired), Input::PasswordSuffices), None);
        assert_eq!(step(Some(LoginState::Started), Input::RightAnswer), None);
    }

    proptest! {
        /// Several workers advance one sign-in. Each has its own view, which may be old, and each may crash between
        /// deciding and acting. The rows stay consistent in every order.
        #[test]
        fn workers_that_crash_and_race_leave_the_rows_whole(
            moves in prop::collection::vec((0usize..3, 0usize..INPUTS.len(), 0u8..3), 0..40)
        ) {
            let mut rows = Rows::default();
            type Decided = Option<(Option<LoginState>, (LoginState, SignInEffect))>;
            let mut views: [Decided; 3] = [None; 3];
            for (worker, input, what) in moves {
                match what {
                    // Reads, and decides.
                    0 => views[worker] = step(rows.parent, INPUTS[input]).map(|next| (rows.parent, next)),
                    // Does what it decided, however long ago; perhaps twice, for a lost reply.
                    1 => if let Some((from, next)) = views[worker] { rows = apply(rows, from, next); },
                    // Crashes.
                    _ => views[worker] = None,
                }
                check(rows);
            }
        }
    }

    /// The whole table: every state with every input.
    #[test]
    fn every_input_means_one_thing_in_a_state_or_nothing() {
        use LoginState::{Consumed, Failed, MfaRequired, Started};
        let why = LoginFailure::WrongPassword;
        let table = [
            (None, Input::Begin, Started, SignInEffect::OpenParent, Some(Kind::LoginStarted)),
            (Some(Started), Input::Refused(why), Failed, SignInEffect::Fail(why), Some(Kind::AuthFailed)),
            (Some(Started), Input::PasswordSuffices, Consumed, SignInEffect::CreateSession { with_mfa: false }, None),
            (Some(Started), Input::SecondFactorNeeded, MfaRequired, SignInEffect::OpenChild, Some(Kind::MfaRequired)),
            (
                Some(Started),
                Input::Superseded,
                Failed,
                SignInEffect::Fail(LoginFailure::Superseded),
                Some(Kind::AuthFailed),
            ),
            (Some(MfaRequired), Input::WrongAnswer, MfaRequired, SignInEffect::NoteWrongAnswer, Some(Kind::AuthFailed)),
            (
                Some(MfaRequired),
                Input::RightAnswer,
                Consumed,
                SignInEffect::CreateSession { with_mfa: true },
                Some(Kind::MfaCompleted),
            ),
            (
                Some(MfaRequired),
                Input::Superseded,
                Failed,
                SignInEffect::Fail(LoginFailure::Superseded),
                Some(Kind::AuthFailed),
            ),
        ];
        for state in [None, Some(Started), Some(MfaRequired), Some(Consumed), Some(Failed)] {
            for input in INPUTS {
                let row = table.iter().find(|row| (row.0, row.1) == (state, input));
                assert_eq!(step(state, input), row.map(|row| (row.2, row.3)), "{state:?} {input:?}");
                assert_eq!(step(state, input).and_then(|(_, effect)| effect.event()), row.and_then(|row| row.4));
            }
        }
    }
}
