//! The record of a device that its user trusts.

use crate::ids::SessionId;
use crate::secret::TokenHash;
use crate::time::Millis;

/// A trusted device's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedDevice {
    /// Hash of its current secret.
    pub secret: TokenHash,
    /// The secret before, which still works for the grace after `rotated_at`.
    pub previous: Option<TokenHash>,
    /// The seed that leads from the previous secret to the current one.
    pub seed: Option<[u8; 32]>,
    /// When the secret last rotated.
    pub rotated_at: Millis,
    /// The account's epoch when the record was made. Under any other epoch the record is invalid.
    pub auth_epoch: u64,
    /// The name its user knows it by.
    pub name: String,
    /// The session that made it trusted.
    pub session: Option<SessionId>,
    /// Network of the client that made it trusted, for the event.
    pub network: Option<String>,
    /// When it became trusted.
    pub created_at: Millis,
    /// When its token was last used to sign in, or when it was made.
    pub last_used_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// Random id of the request that wrote last.
    pub op: String,
}

impl TrustedDevice {
    /// Whether its token works: neither expired nor made under another epoch.
    pub fn is_valid(&self, auth_epoch: u64, now: Millis) -> bool {
        self.auth_epoch == auth_epoch && now < self.expires_at
    }
}
