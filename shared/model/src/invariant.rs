//! What must hold, by the names the design gives it.

use std::fmt;

/// An invariant of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// No request is authenticated by a session whose revocation was answered `immediate`, nor later than the bound
    /// otherwise.
    Auth,
    /// Live sessions never exceed the limit.
    Cap,
    /// A sign-in yields at most one session; a refresh token has at most one successor.
    One,
    /// An acknowledged session is readable until it is ended or expires.
    Dur,
    /// No user receives another's data.
    Iso,
    /// An alarm of theft is about a session that lives: rule 0 of refresh comes before rule 3. The design states it as the
    /// order of the rules and gives it no name.
    Alarm,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 6] =
        [Invariant::Auth, Invariant::Cap, Invariant::One, Invariant::Dur, Invariant::Iso, Invariant::Alarm];

    /// Its short name.
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::Auth => "AUTH",
            Invariant::Cap => "CAP",
            Invariant::One => "ONE",
            Invariant::Dur => "DUR",
            Invariant::Iso => "ISO",
            Invariant::Alarm => "ALARM",
        }
    }

    /// What it says, in one line.
    pub const fn says(self) -> &'static str {
        match self {
            Invariant::Auth => "no request is let in by a session after its revocation took effect as answered",
            Invariant::Cap => "live sessions never exceed the limit",
            Invariant::One => "a sign-in yields at most one session, a refresh token at most one successor",
            Invariant::Dur => "an acknowledged session is readable until it is ended or expires",
            Invariant::Iso => "nobody receives another's data",
            Invariant::Alarm => "an alarm of theft is about a session that lives",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
