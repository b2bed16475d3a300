//! What the session service promises one user, as simply as it can be said: no store, no cache, no tokens, no races.

const MAX_LIVE: usize = 5;
const ACCESS: i64 = 900;
const IDLE: i64 = 3_600;
const ABSOLUTE: i64 = 86_400;
const GRACE: i64 = 10;
const TOUCH: i64 = 300;

/// Which of a session's tokens is presented, counted back from the newest pair.
pub(crate) type Age = usize;

/// What a client asks for. Sessions are named by the order in which they were made.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    SignIn,
    Validate { session: usize, age: Age },
    Refresh { session: usize, age: Age },
    End { by: usize, session: usize },
    EndAll { by: usize, keep: bool },
    Trust { by: usize, session: usize, trusted: bool, tag: Tag },
    Wait { seconds: i64 },
}

/// `If-Match`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    None,
    Right,
    Wrong,
}

/// What is answered, without anything random in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A new session; this is its number.
    Made(usize),
    /// Let in, as this session at this version.
    In(usize, u64),
    /// A pair: of which generation.
    Pair(usize),
    /// So many ended.
    Ended(usize),
    /// An edit; the version after it.
    Edited(u64, bool),
    /// Refused, with this code.
    Refused(&'static str),
    Done,
}

#[derive(Clone, Debug)]
struct Session {
    ended: bool,
    created: i64,
    used: i64,
    idle: i64,
    absolute: i64,
    version: u64,
    trusted: bool,
    generation: usize,
    rotated: i64,
    /// Expiry of the newest access token, and of the one before.
    access: i64,
    previous: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: i64,
    sessions: Vec<Session>,
}

impl Model {
    fn is_live(&self, number: usize) -> bool {
        self.sessions.get(number).is_some_and(|s| !s.ended && self.now < s.idle && self.now < s.absolute)
    }

    fn live(&self) -> Vec<usize> {
        (0..self.sessions.len()).filter(|number| self.is_live(*number)).collect()
    }

    fn opens(&self, number: usize, age: Age) -> bool {
        self.is_live(number)
            && match age {
                0 => self.now < self.sessions[number].access,
                1 => self.now < self.sessions[number].previous,
                _ => false,
            }
    }

    /// How many sessions were ever made.
    pub(crate) fn made(&self) -> usize {
        self.sessions.len()
    }

    /// The newest generation of a session.
    pub(crate) fn generation(&self, number: usize) -> usize {
        self.sessions[number].generation
    }

    /// The version of a session.
    pub(crate) fn version(&self, number: usize) -> u64 {
        self.sessions[number].version
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Answer {
        match *command {
            Command::Wait { seconds } => {
                self.now += seconds;
                Answer::Done
            }
            Command::SignIn => self.sign_in(),
            Command::Validate { session, age } => self.validate(session, age),
            Command::Refresh { session, age } => self.refresh(session, age),
            Command::End { by, session } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                if !self.is_live(session) {
                    return Answer::Refused("NOT_FOUND");
                }
                self.end(session);
                Answer::Ended(1)
            }
            Command::EndAll { by, keep } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                let over: Vec<_> = self.live().into_iter().filter(|number| !(keep && *number == by)).collect();
                over.iter().for_each(|number| self.end(*number));
                Answer::Ended(over.len())
            }
            Command::Trust { by, session, trusted, tag } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                if !self.is_live(session) {
                    return Answer::Refused("NOT_FOUND");
                }
                if matches!(tag, Tag::Wrong) {
                    return Answer::Refused("PRECONDITION_FAILED");
                }
                let edited = &mut self.sessions[session];
                edited.version += 1;
                edited.trusted = trusted;
                Answer::Edited(edited.version, trusted)
            }
        }
    }

    fn end(&mut self, number: usize) {
        self.sessions[number].ended = true;
        self.sessions[number].version += 1;
    }

    /// Time passes with every sign-in, so that no two were last used at the same moment.
    fn sign_in(&mut self) -> Answer {
        self.now += 1;
        let live = self.live();
        if live.len() == MAX_LIVE {
            let oldest =
                live.into_iter().min_by_key(|number| (self.sessions[*number].used, self.sessions[*number].created));
            // Replaced, not ended: it leaves no tombstone.
            self.sessions[oldest.unwrap_or_default()].ended = true;
        }
        let now = self.now;
        self.sessions.push(Session {
            ended: false,
            created: now,
            used: now,
            idle: now + IDLE,
            absolute: now + ABSOLUTE,
            version: 1,
            trusted: false,
            generation: 0,
            rotated: now,
            access: now + ACCESS,
            previous: now,
        });
        Answer::Made(self.sessions.len() - 1)
    }

    fn validate(&mut self, number: usize, age: Age) -> Answer {
        if !self.opens(number, age) {
            return Answer::Refused("UNAUTHENTICATED");
        }
        let now = self.now;
        let session = &mut self.sessions[number];
        if now >= session.used + TOUCH {
            session.used = now;
        }
        Answer::In(number, session.version)
    }

    fn refresh(&mut self, number: usize, age: Age) -> Answer {
        if !self.is_live(number) {
            return Answer::Refused("INVALID_REFRESH_TOKEN");
        }
        let now = self.now;
        let session = &mut self.sessions[number];
        if age == 0 {
            session.previous = session.access.min(now + GRACE);
            session.generation += 1;
            session.rotated = now;
            session.used = now;
            session.idle = (now + IDLE).min(session.absolute);
            session.access = (now + ACCESS).min(session.idle);
            session.version += 1;
            return Answer::Pair(session.generation);
        }
        if age == 1 && now <= session.rotated + GRACE {
            return Answer::Pair(session.generation);
        }
        self.end(number);
        Answer::Refused("REFRESH_TOKEN_REUSED")
    }
}
