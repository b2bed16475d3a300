//! Accounts.

use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::mfa::Mfa;
use crate::secret::fingerprint;

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// May sign in.
    Active,
    /// May not; every session was ended when it became so.
    Disabled,
    /// Is being deleted: its records go one after another, this one last.
    Deleted,
}

/// The `META` item of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub user: UserId,
    /// As registered, for display.
    pub email: String,
    /// PHC string (argon2id).
    pub password: String,
    /// Moves with every event that must invalidate what was begun before it.
    pub auth_epoch: u64,
    /// Whether it may be used.
    pub status: Status,
    /// Counts edits.
    pub version: u64,
    /// The second factor.
    pub mfa: Mfa,
    /// What an identity provider calls this user, where one vouches for them.
    pub identity: Option<Identity>,
}

/// What an identity provider calls somebody. It belongs to one account for ever, and is compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub provider: String,
    /// The provider's own name for the person, which it never gives to anybody else.
    pub subject: String,
}

impl Identity {
    /// SHA-256 of both: the key under which an identity is unique.
    pub fn key(&self) -> [u8; 32] {
        fingerprint("holdfast/identity/1", &[self.provider.as_bytes(), self.subject.as_bytes()])
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({}, epoch {}, {:?})", self.user, self.auth_epoch, self.status)
    }
}

/// Bounds on a password, in characters (contract §2): NIST SP 800-63B-4 asks for at least 8 and to accept 64.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 12..=256;

/// Refuses a new password outside its bounds.
pub fn check_new_password(field: &str, password: &str) -> Result<(), Failure> {
    if PASSWORD_CHARS.contains(&password.chars().count()) {
        Ok(())
    } else {
        Err(Failure::new(Code::InvalidRequest, format!("`{field}` must have 12 to 256 characters.")))
    }
}

/// The longest password that is looked at, in bytes: 256 characters of at most four.
const MAX_PASSWORD_BYTES: usize = 1024;

/// Refuses what cannot be anybody's password, before any work is spent on it.
pub fn check_password(field: &str, password: &str) -> Result<(), Failure> {
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Err(Failure::new(Code::InvalidRequest, format!("`{field}` must have 1 to 256 characters.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_counted_in_characters() {
        assert!(check_new_password("password", &"x".repeat(11)).is_err());
        assert!(check_new_password("password", &"é".repeat(12)).is_ok());
        assert!(check_new_password("password", &"é".repeat(256)).is_ok());
        assert!(check_new_password("password", &"x".repeat(257)).is_err());
    }
}
