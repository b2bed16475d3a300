//! argon2id behind the [`CredentialVerifier`] port: the sessions table keeps the hashes.
//!
//! Parameters: m = 19 456 KiB, t = 2, p = 1, the first choice of the OWASP Password Storage Cheat Sheet. The hash string
//! says which parameters made it, so raising them later leaves old hashes verifiable.
//!
//! Passwords are hashed in their prepared form ([`PreparedPassword`]). Version 0.1.0 hashed them as typed: such a hash is
//! still verified, and replaced when its password is next shown.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Zxcvbn;
use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use holdfast_sessions::account::{PasswordStrength, PreparedPassword};
use holdfast_sessions::email::Email;
use holdfast_sessions::ports::{CredentialVerifier, NewPasswords, PasswordVerdict, StoreError, StoreResult};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most memory a stored hash may ask for: one that asks for more is not ours.
const MAX_MEMORY_KIB: u32 = 65_536;

/// What an unknown account is checked against, so that it costs exactly what a known one costs. Its 32 bytes are the digits of
/// e after the point, and no password is known whose hash they are. Nothing has to be computed at start.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$NzE4MjgxODI4NDU5MDQ1MjM1MzYwMjg3NDcxMzUyNjY";

/// Verifies and hashes passwords. Clones share the memory that a hash needs.
#[derive(Clone, Default)]
pub struct Argon2id {
    arena: Arena,
}

/// The 19 MiB that argon2id works in, taken once. Taken and given back for every hash, they left holes in the heap that
/// the next hash did not fit into: after a thousand sign-ins a function held 340 MB.
#[derive(Clone, Default)]
struct Arena {
    blocks: Arc<Mutex<Vec<Block>>>,
    #[cfg(test)]
    hashes: Arc<std::sync::atomic::AtomicUsize>,
}

impl fmt::Debug for Argon2id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Argon2id")
    }
}

impl Arena {
    fn hash(&self, password: &str, salt: &[u8], params: &Params) -> Result<Output, StoreError> {
        let trouble = |e: argon2::Error| StoreError::Corrupt(format!("argon2id: {e}"));
        #[cfg(test)]
        self.hashes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = params.block_count();
        if blocks.len() < needed {
            blocks.resize(needed, Block::default());
        }
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut out, &mut blocks[..needed])
            .map_err(trouble)?;
        Output::new(&out).map_err(|e| StoreError::Corrupt(format!("argon2id: {e}")))
    }
}

fn phc(arena: &Arena, password: &str, salt: &[u8; 16]) -> Result<String, StoreError> {
    let trouble = |e: &dyn fmt::Display| StoreError::Corrupt(format!("argon2id: {e}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| trouble(&e))?;
    let hash = PasswordHash {
        algorithm: Ident::new(Algorithm::Argon2id.as_str()).map_err(|e| trouble(&e))?,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|e| trouble(&e))?,
        salt: Some(Salt::new(salt).map_err(|e| trouble(&e))?),
        hash: Some(arena.hash(password, salt, &params)?),
    };
    Ok(hash.to_string())
}

impl Argon2id {
    fn matches(&self, password: &str, stored: &str) -> Option<bool> {
        let hash = PasswordHash::new(stored).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let ours = hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && hash.version == Some(Version::V0x13.into())
            && params.m_cost() <= MAX_MEMORY_KIB;
        let (salt, expected) = (hash.salt.filter(|_| ours)?, hash.hash?);
        // `Output` compares in constant time.
        Some(self.arena.hash(password, &salt, &params).ok()? == expected)
    }
}

/// Whether a hash was made with less than what is asked for now.
fn is_outdated(stored: &str) -> bool {
    let params = PasswordHash::new(stored).ok().and_then(|hash| Params::try_from(&hash).ok());
    params.is_none_or(|p| (p.m_cost(), p.t_cost(), p.p_cost()) != (MEMORY_KIB, PASSES, LANES))
}

impl NewPasswords for Argon2id {
    fn keep(&self, password: &str, salt: &[u8; 16]) -> StoreResult<String> {
        phc(&self.arena, PreparedPassword::new(password).as_str(), salt)
    }
}

impl PasswordStrength for Argon2id {
    fn weakness(&self, password: &str, context: &[&str]) -> Option<String> {
        Zxcvbn.weakness(password, context)
    }
}

impl CredentialVerifier for Argon2id {
    /// One hash for each candidate of `password`, whether there is an account or not and whichever of them is right. One
    /// more is made only when a right password is kept in an older form.
    async fn verify(
        &self,
        _email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        let password = PreparedPassword::new(password);
        let kept = stored.unwrap_or(NOBODY);
        // Not `any`, which would stop at the first: the work must not say which candidate was right.
        let right: Vec<bool> = password.candidates().map(|text| self.matches(text, kept).unwrap_or(false)).collect();
        match stored.filter(|_| right.contains(&true)) {
            None => Ok(PasswordVerdict::Wrong),
            Some(stored) if is_outdated(stored) || !right[0] => {
                Ok(PasswordVerdict::Outdated(self.keep(password.as_str(), salt)?))
            }
            Some(_) => Ok(PasswordVerdict::Right),
        }
    }

    async fn change(&self, _email: &Email, _current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        self.keep(new, salt)
    }

    /// Never asked for: an unknown e-mail has no password here. What is kept then opens nothing.
    fn adopted(&self) -> String {
        NOBODY.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing here ever waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    fn verdict(hasher: &Argon2id, password: &str, stored: Option<&str>) -> PasswordVerdict {
        let email = Email::parse("ada@example.com").unwrap();
        now(hasher.verify(&email, password, stored, &[3; 16])).unwrap()
    }

    #[test]
    fn a_password_kept_in_an_older_form_is_kept_anew() {
        let hasher = Argon2id::default();
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let old = PasswordHash {
            algorithm: Ident::new("argon2id").unwrap(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).unwrap(),
            salt: Some(Salt::new(&[2; 16]).unwrap()),
            hash: Some(hasher.arena.hash("correct horse battery", &[2; 16], &params).unwrap()),
        };
        let old = old.to_string();
        let PasswordVerdict::Outdated(new) = verdict(&hasher, "correct horse battery", Some(&old)) else {
            panic!("not outdated")
        };
        assert_eq!(verdict(&hasher, "correct horse battery", Some(&new)), PasswordVerdict::Right);
        assert_eq!(verdict(&hasher, "something else", Some(&old)), PasswordVerdict::Wrong);
    }

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let hasher = Argon2id::default();
        let stored = hasher.keep("correct horse battery", &[2; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verdict(&hasher, "correct horse battery", Some(&stored)), PasswordVerdict::Right);
        assert_eq!(verdict(&hasher, "correct horse batterz", Some(&stored)), PasswordVerdict::Wrong);
    }

    #[test]
    fn every_way_to_type_a_password_opens_its_hash() {
        let hasher = Argon2id::default();
        let stored = hasher.keep("cafe\u{301} crème brûlée", &[2; 16]).unwrap();
        for typed in
            ["caf\u{e9} crème brûlée", "cafe\u{301} cr\u{e8}me br\u{fb}l\u{e9}e", "café\u{a0}crème\u{2003}brûlée"]
        {
            assert_eq!(verdict(&hasher, typed, Some(&stored)), PasswordVerdict::Right, "{typed:?}");
        }
        assert_eq!(verdict(&hasher, "cafe crème brûlée", Some(&stored)), PasswordVerdict::Wrong);
    }

    /// Version 0.1.0 hashed what was typed.
    #[test]
    fn a_hash_of_0_1_0_is_opened_by_what_was_typed_and_replaced() {
        let hasher = Argon2id::default();
        for typed in ["cafe\u{301} creme brulee", "one\u{a0}two\u{a0}three", "joined\u{200d}\u{a0}\u{e000}words"] {
            let old = phc(&hasher.arena, typed, &[2; 16]).unwrap();
            let PasswordVerdict::Outdated(new) = verdict(&hasher, typed, Some(&old)) else {
                panic!("{typed:?}: not outdated")
            };
            assert_eq!(verdict(&hasher, typed, Some(&new)), PasswordVerdict::Right);
            let prepared = PreparedPassword::new(typed);
            assert_eq!(verdict(&hasher, prepared.as_str(), Some(&new)), PasswordVerdict::Right);
        }
    }

    #[test]
    fn the_work_depends_on_the_typed_text_alone() {
        let hasher = Argon2id::default();
        let (plain, composed) = ("correct horse battery", "cafe\u{301} creme brulee");
        let kept = hasher.keep(composed, &[2; 16]).unwrap();
        let other = hasher.keep(plain, &[2; 16]).unwrap();
        for (typed, work) in [(plain, 1), (composed, 2)] {
            for stored in [None, Some(kept.as_str()), Some(other.as_str())] {
                let before = hasher.arena.hashes.load(std::sync::atomic::Ordering::Relaxed);
                let _ = verdict(&hasher, typed, stored);
                let after = hasher.arena.hashes.load(std::sync::atomic::Ordering::Relaxed);
                assert_eq!(after - before, work, "{typed:?} {stored:?}");
            }
        }
    }

    #[test]
    fn nobody_has_no_password_not_even_the_empty_one() {
        assert_eq!(verdict(&Argon2id::default(), "", None), PasswordVerdict::Wrong);
    }

    /// The tests of work above compare with this hash, so it has to cost what is asked for now.
    #[test]
    fn nobody_costs_what_everybody_costs() {
        let everybody = Argon2id::default().keep("correct horse battery", &[2; 16]).unwrap();
        let parameters = |hash: &str| Params::try_from(&PasswordHash::new(hash).unwrap()).unwrap();
        assert_eq!(parameters(NOBODY), parameters(&everybody));
        assert!(!is_outdated(NOBODY));
        assert_eq!(NOBODY.len(), everybody.len());
    }

    #[test]
    fn the_arena_changes_nothing_about_the_hash() {
        let known = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap());
        let mut expected = [0; 32];
        known.hash_password_into(b"password", &[7; 16], &mut expected).unwrap();
        let ours = Arena::default().hash("password", &[7; 16], &Params::new(19_456, 2, 1, None).unwrap()).unwrap();
        assert_eq!(ours.as_bytes(), expected);
    }

    #[test]
    fn what_is_no_hash_of_ours_opens_nothing() {
        let hasher = Argon2id::default();
        let stored = hasher.keep("correct horse battery", &[2; 16]).unwrap();
        for other in [
            String::new(),
            "plain".into(),
            stored.replace("argon2id", "argon2i"),
            stored.replace("m=19456", "m=4000000"),
            stored.replace("v=19", "v=16"),
        ] {
            assert_eq!(verdict(&hasher, "correct horse battery", Some(&other)), PasswordVerdict::Wrong, "{other}");
        }
    }

    #[test]
    fn a_password_is_as_weak_as_its_estimator_says() {
        let hasher = Argon2id::default();
        for (password, weak) in [("password", true), ("ada.lovelace.1815", true), ("quartz umbrella 9 tundra", false)] {
            let found = hasher.weakness(password, &["ada.lovelace@example.com"]);
            assert_eq!(found, Zxcvbn.weakness(password, &["ada.lovelace@example.com"]));
            assert_eq!(found.is_some(), weak, "{password}: {found:?}");
        }
    }

    #[test]
    fn what_an_adopted_account_keeps_is_a_hash_that_opens_nothing() {
        let hasher = Argon2id::default();
        let kept = hasher.adopted();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "checking it costs what every check costs: {kept}"
        );
        assert_eq!(verdict(&hasher, "correct horse battery", Some(&kept)), PasswordVerdict::Wrong);
    }

    #[test]
    fn a_debug_print_shows_no_hash() {
        assert_eq!(format!("{:?}", Argon2id::default()), "Argon2id");
    }

    #[test]
    fn the_memory_is_taken_once() {
        let hasher = Argon2id::default();
        let stored = hasher.keep("correct horse battery", &[2; 16]).unwrap();
        let before = hasher.arena.blocks.lock().unwrap().as_ptr();
        assert_eq!(verdict(&hasher, "correct horse battery", Some(&stored)), PasswordVerdict::Right);
        assert_eq!(hasher.arena.blocks.lock().unwrap().as_ptr(), before);
    }
}
