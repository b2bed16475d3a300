//! The policy that decides whose presence a user may see.

use holdfast_sessions::UserId;

/// `PRESENCE_POLICY`, where no function decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PresencePolicy {
    /// A user sees only their own presence.
    #[default]
    Own,
    /// Every signed-in user sees the presence of every user.
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
