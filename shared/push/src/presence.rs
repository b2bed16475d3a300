//! Who may see whether somebody is online.

use holdfast_sessions::UserId;

/// `PRESENCE_POLICY` where no function decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PresencePolicy {
    /// A user sees their own presence and nobody else's.
    #[default]
    Own,
    /// Every signed-in user sees everybody's.
    Everyone,
}

impl PresencePolicy {
    /// Whether `asker` may see the presence of `user`.
    pub fn shows(self, asker: UserId, user: UserId) -> bool {
        match self {
            PresencePolicy::Own => asker == user,
            PresencePolicy::Everyone => true,
        }
    }
}
