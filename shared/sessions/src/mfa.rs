//! The second factor: time-based codes (RFC 6238 over RFC 4226), recovery codes, and what an account keeps of them.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::error::{Code, Failure};
use crate::secret::{Domain, Label, Secret, TokenHash};
use crate::time::Millis;

/// A step of the clock (RFC 6238, X).
pub const STEP_SECONDS: i64 = 30;
/// Codes have this many digits.
pub const DIGITS: usize = 6;
/// Number of recovery codes that activation creates (docs/api.md).
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 120 bits, more than the 112 from which ASVS 5.0 6.5.2 accepts a plain hash.
const RECOVERY_BYTES: usize = 15;
/// The longest text that is read as a code: six digits with separators of up to three bytes around each.
const MAX_CODE_TEXT: usize = 32;
/// The longest recovery code that is read: 24 characters with a separator after each.
const MAX_RECOVERY_TEXT: usize = 64;

/// How long a new seed may wait for its first code, in seconds.
pub const PENDING_SECONDS: i64 = 900;

/// A seed as the account keeps it.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptSeed {
    /// Encrypted by a [`SecretBox`](crate::ports::SecretBox): only functions that may use its key can read it.
    Sealed(Vec<u8>),
    /// In plain text, as version 0.1.0 kept it. It is sealed at its next use.
    Plain(Seed),
}

impl std::fmt::Debug for KeptSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeptSeed::Sealed(_) => "Sealed(…)",
            KeptSeed::Plain(_) => "Plain(…)",
        })
    }
}

/// What authenticators share with us. It cannot be hashed, so it is encrypted before it is stored.
#[derive(Clone, Debug)]
pub struct Seed(Secret<20>);

impl PartialEq for Seed {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose().ct_eq(other.0.expose()).into()
    }
}

impl Eq for Seed {}

impl Seed {
    /// From 20 random bytes: as long as SHA-1's output, which RFC 4226 §4 recommends.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The bytes, to store.
    pub const fn expose(&self) -> &[u8; 20] {
        self.0.expose()
    }

    /// The text people type into an authenticator.
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(self.0.expose())
    }

    /// The address behind the QR code (the Key Uri Format that authenticators agree on).
    pub fn uri(&self, issuer: &str, email: &str) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let issuer = escaped(issuer);
        format!(
            "otpauth://totp/{issuer}:{}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            escaped(email),
            self.text()
        )
    }

    /// The code of a step (RFC 4226 §5.3: dynamic truncation).
    pub fn code(&self, step: u64) -> [u8; DIGITS] {
        // HMAC takes a key of any length; the error is unreachable.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(self.0.expose()) else { return [0; DIGITS] };
        mac.update(&step.to_be_bytes());
        let hash: [u8; 20] = mac.finalize().into_bytes().into();
        let at = usize::from(hash[19] & 0x0f);
        let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
        let mut digits = [b'0'; DIGITS];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            // A decimal digit fits.
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }

    /// Returns the step that `code` belongs to, if it is the current one or a neighbour and later than `last`. The
    /// neighbours allow for delay and clock drift (RFC 6238 §5.2). No step is accepted twice.
    pub fn accept(&self, code: &[u8; DIGITS], last: Option<u64>, now: Millis) -> Option<u64> {
        let current = step_at(now);
        let mut found = 0;
        for step in [current.saturating_sub(1), current, current + 1] {
            let good =
                self.code(step).ct_eq(code) & subtle::Choice::from(u8::from(last.is_none_or(|last| step > last)));
            found = u64::conditional_select(&found, &step, good);
        }
        (found != 0).then_some(found)
    }
}

/// The step of a moment.
pub fn step_at(now: Millis) -> u64 {
    u64::try_from(now.get() / 1000 / STEP_SECONDS).unwrap_or_default()
}

/// What an account keeps once the second factor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Shared with the authenticator.
    pub seed: KeptSeed,
    /// The last step that was accepted.
    pub last_step: Option<u64>,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<TokenHash>,
}

/// A seed that a session received and whose first code is still missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The seed of the factor.
    pub seed: KeptSeed,
    /// When the session received it. Rows of version 0.1.0 do not store this time, and for them it is the Unix epoch.
    pub made_at: Millis,
    /// The session that received it. Only this session can read the seed again, and only it can activate the seed.
    pub session: Option<crate::ids::SessionId>,
}

impl Pending {
    /// Whether this session can still activate it.
    pub fn is_open_to(&self, session: crate::ids::SessionId, now: Millis) -> bool {
        self.session == Some(session) && now < self.made_at.plus_seconds(PENDING_SECONDS)
    }
}

/// An account's second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mfa {
    /// The seed that waits for its first code.
    pub pending: Option<Pending>,
    /// The factor, if it is on.
    pub enabled: Option<Factor>,
}

/// A user's answer to the second factor.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an authenticator.
    Totp([u8; DIGITS]),
    /// One of the ten.
    Recovery(RecoveryCode),
}

/// A recovery code as typed: case, spaces and hyphens do not matter.
#[derive(Clone, Debug)]
pub struct RecoveryCode(Secret<32>);

impl RecoveryCode {
    /// Writes a new code in groups of four characters.
    pub fn generate(random: [u8; RECOVERY_BYTES]) -> String {
        let text = BASE32_NOPAD.encode(&random);
        text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
    }

    /// Reads any text as a recovery code. Only the hash shows whether it is one of the account's codes.
    pub fn typed(text: &str) -> Self {
        let canonical: String =
            text.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
        Self(Secret::new(*TokenHash::of(Domain::Recovery, canonical.as_bytes()).as_bytes()))
    }

    /// What the account keeps.
    pub fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(*self.0.expose())
    }
}

/// How an answer was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the code of this step; later steps only from now on.
    Step(u64),
    /// By this recovery code, which is spent.
    Recovery(TokenHash),
}

impl Answer {
    /// Reads `code` or `recoveryCode`: exactly one of the two.
    pub fn read(code: Option<&str>, recovery: Option<&str>) -> Result<Self, Failure> {
        match (code, recovery) {
            (Some(code), None) => match ungrouped(code) {
                Some(digits) => Ok(Answer::Totp(digits)),
                None => Err(Failure::new(Code::InvalidRequest, "`code` must have 6 digits.")),
            },
            (None, Some(text)) if !text.is_empty() && text.len() <= MAX_RECOVERY_TEXT => {
                Ok(Answer::Recovery(RecoveryCode::typed(text)))
            }
            (None, Some(_)) => Err(Failure::new(Code::InvalidRequest, "`recoveryCode` must have 1 to 64 characters.")),
            _ => Err(Failure::new(Code::InvalidRequest, "Send `code` or `recoveryCode`, and not both.")),
        }
    }

    /// What counts as one attempt: the answer under a secret of its own, so that a stored one can be matched but not
    /// found by trying a million codes.
    pub fn attempt(&self, secret: &Secret<32>) -> TokenHash {
        let (kind, bytes): (u8, &[u8]) = match self {
            Answer::Totp(digits) => (b't', digits),
            Answer::Recovery(code) => (b'r', code.0.expose()),
        };
        let mut context = vec![kind];
        context.extend_from_slice(bytes);
        TokenHash::from_bytes(*secret.derive(Label::Attempt, &context).expose())
    }

    /// Whether it is right now, and why. `seed` is the factor's own, opened.
    pub fn judge(&self, seed: &Seed, factor: &Factor, now: Millis) -> Option<Proof> {
        match self {
            Answer::Totp(digits) => seed.accept(digits, factor.last_step, now).map(Proof::Step),
            Answer::Recovery(code) => {
                let hash = code.hash();
                factor.recovery.contains(&hash).then_some(Proof::Recovery(hash))
            }
        }
    }
}

/// The digits of a code as authenticators show it: spaces and hyphens between them mean nothing.
fn ungrouped(code: &str) -> Option<[u8; DIGITS]> {
    let mut digits = [0; DIGITS];
    let mut count = 0;
    for c in code.chars() {
        match c {
            '0'..='9' if count < DIGITS => {
                // An ASCII digit is one byte.
                digits[count] = c as u8;
                count += 1;
            }
            ' ' | '\u{a0}' | '\u{202f}' | '-' if code.len() <= MAX_CODE_TEXT => {}
            _ => return None,
        }
    }
    (count == DIGITS).then_some(digits)
}

/// The name that stands above the e-mail in an authenticator.
pub fn check_issuer(issuer: &str) -> bool {
    (1..=64).contains(&issuer.len()) && !issuer.contains(':') && !issuer.chars().any(char::is_control)
}

/// What is shown when a factor is switched on: the only time its codes are readable.
#[derive(Clone)]
pub struct RecoveryCodes(Vec<String>);

impl RecoveryCodes {
    /// Ten, from a source of random bytes.
    pub fn generate(mut random: impl FnMut() -> [u8; RECOVERY_BYTES]) -> Self {
        Self((0..RECOVERY_CODES).map(|_| RecoveryCode::generate(random())).collect())
    }

    /// For the one response that shows them.
    pub fn expose(&self) -> &[String] {
        &self.0
    }

    /// What the account keeps.
    pub fn hashes(&self) -> Vec<TokenHash> {
        self.0.iter().map(|text| RecoveryCode::typed(text).hash()).collect()
    }
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodes(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rfc() -> Seed {
        Seed::from_bytes(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> Millis {
        Millis::new(seconds * 1000)
    }

    /// RFC 6238, appendix B (SHA-1), the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in vectors {
            assert_eq!(rfc().code(step_at(at(seconds))), code.as_bytes(), "{seconds}");
        }
    }

    #[test]
    fn one_step_each_way_and_no_more() {
        let (seed, step) = (rfc(), 1_000_000);
        let code = seed.code(step);
        for (now, good) in [(step - 2, false), (step - 1, true), (step, true), (step + 1, true), (step + 2, false)] {
            let found = seed.accept(&code, None, at(i64::try_from(now).unwrap() * STEP_SECONDS));
            assert_eq!(found.is_some(), good, "{now}");
        }
    }

    #[test]
    fn a_used_step_and_every_one_before_it_is_never_accepted_again() {
        let (seed, now) = (rfc(), at(30_000_000));
        let step = step_at(now);
        let code = seed.code(step);
        assert_eq!(seed.accept(&code, Some(step - 1), now), Some(step));
        assert_eq!(seed.accept(&code, Some(step), now), None);
        assert_eq!(seed.accept(&seed.code(step - 1), Some(step), now), None);
        assert_eq!(seed.accept(&seed.code(step + 1), Some(step), now), Some(step + 1));
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let codes = RecoveryCodes::generate(|| [7; 15]);
        let text = &codes.expose()[0];
        assert_eq!((codes.expose().len(), text.len()), (10, 29));
        let hash = codes.hashes()[0];
        for typed in [text.to_lowercase(), text.replace('-', ""), format!(" {} ", text.replace('-', " "))] {
            assert_eq!(RecoveryCode::typed(&typed).hash(), hash);
        }
        assert_ne!(RecoveryCode::typed("AAAA").hash(), hash);
    }

    #[test]
    fn exactly_one_answer_is_read() {
        assert!(matches!(Answer::read(Some("123456"), None), Ok(Answer::Totp(_))));
        assert!(matches!(Answer::read(None, Some("abcd")), Ok(Answer::Recovery(_))));
        for (code, recovery) in [
            (None, None),
            (Some("123456"), Some("abcd")),
            (Some("12345"), None),
            (Some("1234567"), None),
            (Some("12345a"), None),
            (Some("١٢٣٤٥٦"), None),
            (None, Some("")),
        ] {
            assert_eq!(Answer::read(code, recovery).unwrap_err().code, Code::InvalidRequest, "{code:?} {recovery:?}");
        }
    }

    #[test]
    fn an_attempt_is_told_apart_by_code_kind_and_secret() {
        let secret = |byte| Secret::new([byte; 32]);
        let answer = |text: &str| Answer::read(Some(text), None).unwrap();
        let first = answer("000000").attempt(&secret(1));
        assert_eq!(first, answer("000000").attempt(&secret(1)));
        assert_ne!(first, answer("000001").attempt(&secret(1)));
        assert_ne!(first, answer("000000").attempt(&secret(2)));
        assert_ne!(first, Answer::read(None, Some("000000")).unwrap().attempt(&secret(1)));
    }

    #[test]
    fn the_address_is_what_authenticators_read() {
        assert_eq!(
            rfc().uri("Holdfast", "ada+1@example.com"),
            "otpauth://totp/Holdfast:ada%2B1%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Holdfast&algorithm=SHA1&digits=6&period=30"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_seed_a_code_is_accepted_once(bytes in any::<[u8; 20]>(), seconds in 60i64..4_000_000_000, skew in -1i64..=1) {
            let (seed, now) = (Seed::from_bytes(bytes), at(seconds));
            let step = step_at(now).saturating_add_signed(skew);
            let code = seed.code(step);
            let found = seed.accept(&code, None, now);
            // Neighbours may share a code; the latest step it stands for is the one that is spent.
            prop_assert!(found.is_some_and(|found| found >= step && seed.code(found) == code));
            prop_assert_eq!(seed.accept(&code, found, now), None);
        }
    }

    #[test]
    fn a_pending_seed_waits_a_quarter_of_an_hour_for_its_own_session() {
        let session = crate::ids::SessionId::from_bytes([1; 16]);
        let pending = Pending { seed: KeptSeed::Plain(rfc()), made_at: at(0), session: Some(session) };
        assert!(pending.is_open_to(session, Millis::new(PENDING_SECONDS * 1000 - 1)));
        assert!(!pending.is_open_to(session, at(PENDING_SECONDS)));
        assert!(!pending.is_open_to(crate::ids::SessionId::from_bytes([2; 16]), at(0)));
    }

    #[test]
    fn digits_may_be_grouped_in_a_code_of_at_most_32_bytes() {
        for code in [
            "123 456",
            "123-456",
            "1 2 3 4 5 6",
            "123\u{a0}456",
            "123\u{202f}456",
            &format!("123456{}", " ".repeat(26)),
        ] {
            assert!(Answer::read(Some(code), None).is_ok(), "{code:?}");
        }
        for code in ["12345", "1234567", "12345a", "123_456", "", &format!("123456{}", " ".repeat(27))] {
            let detail = Answer::read(Some(code), None).unwrap_err().detail;
            assert_eq!(detail, "`code` must have 6 digits.", "{code:?}");
        }
        for recovery in ["", &"a".repeat(65)] {
            let detail = Answer::read(None, Some(recovery)).unwrap_err().detail;
            assert_eq!(detail, "`recoveryCode` must have 1 to 64 characters.");
        }
    }

    #[test]
    fn debug_texts_hide_seeds_and_recovery_codes() {
        let kept = format!("{:?} {:?}", KeptSeed::Plain(rfc()), KeptSeed::Sealed(b"12345".to_vec()));
        assert_eq!(kept, "Plain(…) Sealed(…)");
        assert_eq!(format!("{:?}", RecoveryCodes(vec!["secret".into()])), "RecoveryCodes(…)");
    }
}
