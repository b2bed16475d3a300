//! argon2id for the [`Passwords`] port.
//!
//! Parameters: m = 19 456 KiB, t = 2, p = 1, the first choice of the OWASP Password Storage Cheat Sheet. The hash string
//! says which parameters made it, so raising them later leaves old hashes verifiable.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use holdfast_domain::ports::{Passwords, StoreError};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hasher. Building it computes one hash, for those who have none: checking an unknown account then costs exactly
/// what checking a known one does.
#[derive(Clone)]
pub struct Argon2id {
    nobody: String,
}

fn params() -> Result<Params, StoreError> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| StoreError::Corrupt(format!("argon2id parameters: {e}")))
}

fn phc(password: &str, salt: &[u8; 16]) -> Result<String, StoreError> {
    Argon2::default()
        .hash_password_customized(
            password.as_bytes(),
            salt,
            Some(Algorithm::Argon2id.as_str()),
            Some(Version::V0x13.into()),
            params()?,
        )
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|e| StoreError::Corrupt(format!("argon2id: {e}")))
}

impl Argon2id {
    /// Draws nothing from the system: `salt` only has to differ from every stored one.
    pub fn new(salt: [u8; 16]) -> Result<Self, StoreError> {
        Ok(Self { nobody: phc("", &salt)? })
    }
}

impl Passwords for Argon2id {
    fn hash(&self, password: &str, salt: &[u8; 16]) -> Result<String, StoreError> {
        phc(password, salt)
    }

    fn verify(&self, password: &str, stored: Option<&str>) -> bool {
        let known = stored.is_some();
        let Ok(hash) = PasswordHash::new(stored.unwrap_or(&self.nobody)) else { return false };
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        right && known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let hasher = Argon2id::new([1; 16]).unwrap();
        let stored = hasher.hash("correct horse battery", &[2; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(hasher.verify("correct horse battery", Some(&stored)));
        assert!(!hasher.verify("correct horse batterz", Some(&stored)));
    }

    #[test]
    fn nobody_has_no_password_not_even_the_empty_one() {
        assert!(!Argon2id::new([1; 16]).unwrap().verify("", None));
    }
}
