//! The promises of the session service to one user, in a simple form: no store, no cache, no tokens, no races.

const MAX_LIVE: usize = 5;
const ACCESS: i64 = 900;
const IDLE: i64 = 3_600;
const ABSOLUTE: i64 = 86_400;
const GRACE: i64 = 10;
const TOUCH: i64 = 300;
const RECENT: i64 = 900;
/// How long a device is trusted in these tests.
pub(crate) const TRUST: i64 = 400;

/// Which of a session's tokens is presented, counted back from the newest pair.
pub(crate) type Age = usize;

/// A request of a client. Sessions have numbers in the order in which they were created.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    SignIn,
    Validate {
        session: usize,
        age: Age,
    },
    Refresh {
        session: usize,
        age: Age,
    },
    End {
        by: usize,
        session: usize,
    },
    EndAll {
        by: usize,
        keep: bool,
    },
    Trust {
        by: usize,
        session: usize,
        trusted: bool,
        tag: Tag,
    },
    /// A sign-in that shows a device's token, counted back from the newest.
    SignInOn {
        device: usize,
        age: Age,
    },
    Devices {
        by: usize,
    },
    RemoveDevice {
        by: usize,
        device: usize,
    },
    RemoveAllDevices {
        by: usize,
    },
    Wait {
        seconds: i64,
    },
}

/// The value of `If-Match`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    None,
    Right,
    Wrong,
}

/// An answer, without anything random in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A new session; this is its number.
    Made(usize),
    /// A new session on a trusted device, and the generation of that device's token.
    MadeOn(usize, usize, usize),
    /// The token is accepted. The fields are the session, its version, and whether its device is trusted.
    In(usize, u64, bool),
    /// A new pair, with its generation.
    Pair(usize),
    /// The number of sessions that were ended.
    Ended(usize),
    /// An edit, with the version after it.
    Edited(u64, bool),
    /// The devices that are trusted, and the one of the caller.
    Listed(Vec<usize>, Option<usize>),
    /// The number of devices that are no longer trusted.
    Removed(usize),
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
    device: Option<usize>,
    generation: usize,
    rotated: i64,
    /// Expiry of the newest access token, and of the one before.
    access: i64,
    previous: i64,
}

#[derive(Clone, Debug)]
struct Device {
    removed: bool,
    until: i64,
    generation: usize,
    rotated: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: i64,
    sessions: Vec<Session>,
    devices: Vec<Device>,
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

    fn is_valid(&self, device: usize) -> bool {
        self.devices.get(device).is_some_and(|d| !d.removed && self.now < d.until)
    }

    fn valid_devices(&self) -> Vec<usize> {
        (0..self.devices.len()).filter(|device| self.is_valid(*device)).collect()
    }

    /// The device of a session, while its token works.
    fn device_of(&self, number: usize) -> Option<usize> {
        self.sessions[number].device.filter(|device| self.is_valid(*device))
    }

    /// The device goes, and no session says that it is there.
    fn remove(&mut self, device: usize) {
        self.devices[device].removed = true;
        for session in self.sessions.iter_mut().filter(|s| !s.ended && s.device == Some(device)) {
            session.device = None;
            session.version += 1;
        }
    }

    /// How many devices were ever trusted, and the generation of one's token.
    pub(crate) fn devices(&self) -> usize {
        self.devices.len()
    }

    pub(crate) fn device_generation(&self, device: usize) -> usize {
        self.devices[device].generation
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
            Command::SignIn => Answer::Made(self.sign_in(None)),
            Command::SignInOn { device, age } => self.sign_in_on(device, age),
            Command::Devices { by } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                Answer::Listed(self.valid_devices(), self.device_of(by))
            }
            Command::RemoveDevice { by, device } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                if !self.is_valid(device) {
                    return Answer::Refused("NOT_FOUND");
                }
                self.remove(device);
                Answer::Removed(1)
            }
            Command::RemoveAllDevices { by } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                let all = self.valid_devices();
                all.iter().for_each(|device| self.remove(*device));
                Answer::Removed(all.len())
            }
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
                // A logout keeps the trust of the device; ending another session does not.
                if let Some(device) = self.sessions[session].device.filter(|_| by != session) {
                    self.remove(device);
                }
                Answer::Ended(1)
            }
            Command::EndAll { by, keep } => {
                if !self.opens(by, 0) {
                    return Answer::Refused("UNAUTHENTICATED");
                }
                let over: Vec<_> = self.live().into_iter().filter(|number| !(keep && *number == by)).collect();
                let kept = self.device_of(by).filter(|_| keep);
                let unended: Vec<_> = (0..self.sessions.len()).filter(|n| !self.sessions[*n].ended).collect();
                for number in unended.into_iter().filter(|number| !(keep && *number == by)) {
                    self.end(number);
                }
                for device in (0..self.devices.len()).filter(|device| kept != Some(*device)) {
                    self.devices[device].removed = true;
                }
                // The session that is kept no longer speaks of a device that is gone.
                let own = &mut self.sessions[by];
                if keep && own.device.is_some() && own.device != kept {
                    own.device = None;
                    own.version += 1;
                }
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
                let own = by == session;
                let recent = self.now < self.sessions[by].created + RECENT;
                if own && trusted && !recent && self.device_of(session).is_none() {
                    return Answer::Refused("REAUTHENTICATION_REQUIRED");
                }
                let old = self.sessions[session].device;
                let becomes = own && trusted && recent;
                if becomes || !trusted {
                    self.sessions[session].device = None;
                    if let Some(old) = old {
                        self.remove(old);
                    }
                }
                if becomes {
                    let (until, rotated) = (self.now + TRUST, self.now);
                    self.devices.push(Device { removed: false, until, generation: 0, rotated });
                    self.sessions[session].device = Some(self.devices.len() - 1);
                }
                self.sessions[session].version += 1;
                Answer::Edited(self.sessions[session].version, self.device_of(session).is_some())
            }
        }
    }

    fn end(&mut self, number: usize) {
        self.sessions[number].ended = true;
        self.sessions[number].version += 1;
    }

    /// Time passes with every sign-in, so that no two were last used at the same moment.
    fn sign_in(&mut self, device: Option<usize>) -> usize {
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
            device,
            generation: 0,
            rotated: now,
            access: now + ACCESS,
            previous: now,
        });
        self.sessions.len() - 1
    }

    /// The token before the newest leads to the newest one within the grace.
    fn sign_in_on(&mut self, device: usize, age: Age) -> Answer {
        self.now += 1;
        let there = &self.devices[device];
        let works = self.is_valid(device) && (age == 0 || (age == 1 && self.now <= there.rotated + GRACE));
        self.now -= 1;
        let session = self.sign_in(Some(device).filter(|_| works));
        if !works {
            return Answer::Made(session);
        }
        if age == 0 {
            self.devices[device].generation += 1;
            self.devices[device].rotated = self.now;
        }
        Answer::MadeOn(session, device, self.devices[device].generation)
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
        let version = session.version;
        Answer::In(number, version, self.device_of(number).is_some())
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
