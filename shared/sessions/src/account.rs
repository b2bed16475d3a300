//! The account of a user.

use crate::claims::Claims;
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::mfa::Mfa;
use crate::secret::fingerprint;
use crate::text;
use zeroize::Zeroizing;

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The user may sign in.
    Active,
    /// The user may not sign in. Every session ended when the account was disabled.
    Disabled,
    /// The account is being deleted: its records are deleted one after another, and this one last.
    Deleted,
}

/// The `META` item of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user of the account.
    pub user: UserId,
    /// The e-mail address as registered, for display.
    pub email: String,
    /// PHC string (argon2id).
    pub password: String,
    /// Moves with every event that must invalidate what was begun before it.
    pub auth_epoch: u64,
    /// When the epoch last moved.
    pub epoch_moved_at: Option<crate::time::Millis>,
    /// Whether it may be used.
    pub status: Status,
    /// The number of changes of the account.
    pub version: u64,
    /// The second factor.
    pub mfa: Mfa,
    /// What an identity provider calls this user, where one vouches for them.
    pub identity: Option<Identity>,
    /// What services state about this user. Each slot has a copy.
    pub claims: Claims,
}

/// The identity of a user at an identity provider. It belongs to one account permanently, and it is compared byte for
/// byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider of the identity.
    pub provider: String,
    /// The provider's own name for the user. The provider never gives it to another user.
    pub subject: String,
}

/// The longest name of a provider, and of a user at a provider, in bytes. An entity identifier is a URI of at most 1 024
/// characters (SAML 2.0 Core, section 8.3.6). A persistent identifier has at most 256 characters, or 1 024 bytes (SAML 2.0 Core,
/// section 8.3.7). A subject of OpenID Connect has at most 255 (OpenID Connect Core 1.0, section 2).
pub const MAX_IDENTITY_BYTES: usize = 1_024;

impl Identity {
    /// Accepts the names that a caller gives. They are compared byte for byte, so nothing of them is changed.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, whose detail names the field.
    pub fn accept(provider: &str, subject: &str) -> Result<Self, Failure> {
        for (field, text) in [("identity.provider", provider), ("identity.subject", subject)] {
            if text.is_empty() || text.len() > MAX_IDENTITY_BYTES {
                let detail = format!("`{field}` must have 1 to {MAX_IDENTITY_BYTES} bytes.");
                return Err(Failure::new(Code::InvalidRequest, detail));
            }
            if text.chars().any(char::is_control) {
                return Err(Failure::new(Code::InvalidRequest, format!("`{field}` has a control character.")));
            }
        }
        Ok(Self { provider: provider.to_owned(), subject: subject.to_owned() })
    }

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

/// What an account keeps instead of a password if a service authenticates its user. It is no hash, so no password is right.
pub const NO_PASSWORD: &str = "identity";

/// Bounds on a new password, in characters: NIST SP 800-63B-4 §3.1.1.2 asks for at least 8 and to accept 64.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 12..=256;

/// The longest typed password that is accepted, in bytes. A client may type one of the 256 characters as several code
/// points.
const MAX_PASSWORD_BYTES: usize = 4096;

/// A password in the form in which it is hashed and compared: that of the OpaqueString profile (RFC 8265 §4.2). Every
/// space is an ASCII space, and the text is in normalization form C, so that two keyboards that compose an accented
/// letter differently type the same password.
///
/// Version 0.1.0 hashed passwords as typed. [`candidates`](Self::candidates) therefore has a second entry when the
/// typed text is another one. A verifier hashes every candidate, whether or not an earlier one matched and whether or
/// not the account exists. The work then depends only on the typed text, and its duration does not show whether an
/// account exists.
#[derive(Clone)]
pub struct PreparedPassword {
    prepared: Zeroizing<String>,
    raw: Option<Zeroizing<String>>,
}

impl PreparedPassword {
    /// Prepares any text, and refuses none: a password of version 0.1.0 may have characters that a new one may not have.
    pub fn new(typed: &str) -> Self {
        let spaced: Zeroizing<String> =
            Zeroizing::new(typed.chars().map(|c| if text::is_space(c) { ' ' } else { c }).collect());
        let prepared = Zeroizing::new(text::nfc(&spaced));
        let raw = (*prepared != typed).then(|| Zeroizing::new(typed.to_owned()));
        Self { prepared, raw }
    }

    /// The form that is hashed for a new password.
    pub fn as_str(&self) -> &str {
        &self.prepared
    }

    /// The texts that a stored hash may be of: the prepared form, and the typed text if it is another one.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.as_str()).chain(self.raw.as_ref().map(|raw| raw.as_str()))
    }
}

/// Passwords are secret: a debug print does not show them.
impl std::fmt::Debug for PreparedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreparedPassword(…)")
    }
}

/// Estimates how easily a password is guessed. A port, so that only the functions that set passwords carry the
/// estimator and its word lists.
pub trait PasswordStrength {
    /// Why this password is too easy to guess, and how to choose a better one, in whole sentences; `None` if it is not.
    /// `context` is what a guesser knows of this account, such as its e-mail address.
    fn weakness(&self, password: &str, context: &[&str]) -> Option<String>;
}

/// Accepts a new password: 12 to 256 characters after preparation, all of them visible, and not easy to guess. There are
/// no rules about kinds of characters (NIST SP 800-63B-4 §3.1.1.2, ASVS 6.2.5). `field` is its name in the request.
///
/// # Errors
/// `INVALID_REQUEST`, whose detail names `field` and says what to change.
pub fn accept_new_password(
    field: &str,
    typed: &str,
    context: &[&str],
    strength: &impl PasswordStrength,
) -> Result<PreparedPassword, Failure> {
    let password = PreparedPassword::new(bounded(field, typed)?);
    check_length(field, password.as_str())?;
    text::check_freeform(field, password.as_str())?;
    match strength.weakness(password.as_str(), context) {
        None => Ok(password),
        Some(why) => Err(Failure::new(Code::InvalidRequest, format!("`{field}` is too easy to guess. {why}"))),
    }
}

/// Refuses a text that cannot be the password of any account, before any work is spent on it. Characters that a new
/// password may not have are accepted, because a password of version 0.1.0 may have them.
pub fn check_password(field: &str, password: &str) -> Result<(), Failure> {
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Err(Failure::new(Code::InvalidRequest, format!("`{field}` must have 1 to 256 characters.")));
    }
    Ok(())
}

fn bounded<'a>(field: &str, typed: &'a str) -> Result<&'a str, Failure> {
    if typed.len() <= MAX_PASSWORD_BYTES { Ok(typed) } else { Err(wrong_length(field)) }
}

fn check_length(field: &str, prepared: &str) -> Result<(), Failure> {
    if PASSWORD_CHARS.contains(&prepared.chars().count()) { Ok(()) } else { Err(wrong_length(field)) }
}

fn wrong_length(field: &str) -> Failure {
    Failure::new(Code::InvalidRequest, format!("`{field}` must have 12 to 256 characters."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_password_is_checked_that_is_empty_or_longer_than_any_may_be() {
        for (length, accepted) in [
            (0, false),
            (1, true),
            (MAX_PASSWORD_BYTES, true),
            (MAX_PASSWORD_BYTES + 1, false),
            (4 * MAX_PASSWORD_BYTES, false),
        ] {
            let checked = check_password("password", &"x".repeat(length));
            assert_eq!(checked.is_ok(), accepted, "{length} bytes");
            if let Err(failure) = checked {
                assert_eq!(failure.code, Code::InvalidRequest, "{length} bytes");
            }
        }
    }

    #[test]
    fn the_names_of_an_identity_are_bounded_and_never_changed() {
        let long = "s".repeat(1_024);
        // The longest persistent identifier of SAML: 256 characters of four bytes.
        let persistent = "😀".repeat(256);
        for (provider, subject) in [
            ("p", long.as_str()),
            (long.as_str(), "s"),
            (long.as_str(), persistent.as_str()),
            (" P ", "ﬀ\u{301}"),
            ("urn:example:id", "a|b"),
        ] {
            let identity = Identity::accept(provider, subject).unwrap();
            assert_eq!((identity.provider.as_str(), identity.subject.as_str()), (provider, subject));
        }
        let longer = "s".repeat(1_025);
        for (provider, subject, field) in [
            ("", "s", "provider"),
            ("p", "", "subject"),
            ("p", longer.as_str(), "subject"),
            (longer.as_str(), "s", "provider"),
            ("a\nb", "s", "provider"),
        ] {
            let failure = Identity::accept(provider, subject).unwrap_err();
            assert!(failure.code == Code::InvalidRequest && failure.detail.contains(field), "{failure}");
        }
        let key = |provider: &str, subject: &str| Identity::accept(provider, subject).unwrap().key();
        let keys = [
            key("p", "s"),
            key("P", "s"),
            key("p", "S"),
            key("ps", "s"),
            key("p", "ss"),
            key("p", "é"),
            key("p", "e\u{301}"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    /// Finds one word weak, and nothing else.
    struct OneWord;

    impl PasswordStrength for OneWord {
        fn weakness(&self, password: &str, context: &[&str]) -> Option<String> {
            context.contains(&password).then(|| "It is known.".to_owned())
        }
    }

    fn says(typed: &str) -> String {
        match accept_new_password("newPassword", typed, &["easily guessed"], &OneWord) {
            Ok(password) => format!("ok {}", password.as_str()),
            Err(failure) => failure.detail.into_owned(),
        }
    }

    #[test]
    fn passwords_are_counted_in_characters_after_preparation() {
        let length = "`newPassword` must have 12 to 256 characters.";
        assert_eq!(says(&"x".repeat(11)), length);
        assert_eq!(says(&"é".repeat(12)), format!("ok {}", "é".repeat(12)));
        assert_eq!(says(&"e\u{301}".repeat(11)), length);
        assert_eq!(says(&"e\u{301}".repeat(256)), format!("ok {}", "é".repeat(256)));
        assert_eq!(says(&"x".repeat(257)), length);
        assert_eq!(says(&"x".repeat(5000)), length);
        // The longest way to write 256 characters signs in, too.
        let hangul = "\u{1112}\u{1161}\u{11ab}".repeat(256);
        assert_eq!(says(&hangul), format!("ok {}", "한".repeat(256)));
        assert!(check_password("password", &hangul).is_ok());
    }

    #[test]
    fn what_opaque_string_leaves_out_is_refused_by_name() {
        for (typed, expected) in [
            ("twelve chars\n", "`newPassword` has a control character (U+000A). Remove it."),
            ("twelve chars\u{200d}", "`newPassword` has an invisible format character (U+200D). Remove it."),
            ("twelve chars\u{2028}", "`newPassword` has a line separator (U+2028). Remove it."),
            ("twelve chars\u{378}", "`newPassword` has a character that Unicode does not define (U+0378). Remove it."),
            ("twelve chars\u{fe0f}", "`newPassword` has an invisible character (U+FE0F). Remove it."),
            ("twelve chars\u{e000}", "`newPassword` has a private-use character (U+E000). Remove it."),
            ("twelve chars\u{1100}", "`newPassword` has an incomplete Hangul syllable (U+1100). Remove it."),
            ("            ", "`newPassword` must have at least one visible character."),
            ("easily guessed", "`newPassword` is too easy to guess. It is known."),
            ("easily\u{a0}guessed", "`newPassword` is too easy to guess. It is known."),
            (" spaces around ", "ok  spaces around "),
            ("смешанный ☠ 🤔 пароль", "ok смешанный ☠ 🤔 пароль"),
            ("one\u{2003}two\u{3000}three", "ok one two three"),
            ("Ǆ and ǆ differ", "ok Ǆ and ǆ differ"),
            ("ＦＵＬＬ － ＷＩＤＴＨ", "ok ＦＵＬＬ － ＷＩＤＴＨ"),
        ] {
            assert_eq!(says(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_password_of_0_1_0_is_tried_as_typed() {
        let candidates = |typed: &str| PreparedPassword::new(typed).candidates().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(candidates("correct horse battery"), ["correct horse battery"]);
        assert_eq!(candidates("e\u{301}te\u{301}"), ["été", "e\u{301}te\u{301}"]);
        assert_eq!(candidates("a\u{a0}b"), ["a b", "a\u{a0}b"]);
        assert_eq!(candidates("a\u{200d}b\u{0}"), ["a\u{200d}b\u{0}"]);
    }

    proptest! {
        #[test]
        fn preparing_twice_is_preparing_once(typed in any::<String>()) {
            let once = PreparedPassword::new(&typed);
            let twice = PreparedPassword::new(once.as_str());
            prop_assert_eq!(once.as_str(), twice.as_str());
            prop_assert_eq!(twice.candidates().count(), 1);
        }

        #[test]
        fn forms_of_one_password_are_the_same_password(typed in "[aeéüñ ж가한\u{a0}\u{3000}\u{301}\u{308}]{1,20}") {
            let nfd = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(&typed).into_owned();
            let expected = PreparedPassword::new(&typed);
            for form in [text::nfc(&typed), nfd] {
                let form = PreparedPassword::new(&form);
                prop_assert_eq!(form.as_str(), expected.as_str());
            }
        }
    }

    #[test]
    fn debug_texts_hide_what_is_personal_or_secret() {
        let account = Account {
            user: UserId::from_bytes([1; 16]),
            email: "ada@example.com".into(),
            password: "a hash".into(),
            auth_epoch: 1,
            epoch_moved_at: None,
            status: Status::Active,
            version: 1,
            mfa: crate::mfa::Mfa::default(),
            identity: None,
            claims: crate::claims::Claims::default(),
        };
        let text = format!("{account:?}");
        assert!(text.starts_with("Account") && !text.contains("ada@example.com") && !text.contains("a hash"), "{text}");
        let text = format!("{:?}", PreparedPassword::new("hunter22"));
        assert!(!text.is_empty() && !text.contains("hunter22"), "{text}");
    }
}
