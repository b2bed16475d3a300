//! E-mail addresses: bounded, and compared in one form.

use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Code, Failure};
use crate::secret::fingerprint;

/// An address as its owner wrote it, and the form it is compared in.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    normal: String,
}

impl Email {
    /// Accepts what could be an address: one `@` with something on both sides, no spaces or control characters, at most
    /// 254 bytes (RFC 5321 §4.5.3.1.3). Whether mail arrives there is not for this place to find out.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |why: &'static str| Err(Failure::new(Code::InvalidRequest, why));
        if text.len() > 254 {
            return refuse("`email` is longer than 254 bytes.");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("`email` has spaces or control characters.");
        }
        match text.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {}
            _ => return refuse("`email` is not an e-mail address."),
        }
        let normal: String = text.nfkc().flat_map(char::to_lowercase).nfc().collect();
        // Normalisation may unfold one character into many: the bound holds for the form that is compared, too.
        if normal.len() > 1024 || normal.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("`email` is not an e-mail address.");
        }
        Ok(Self { written: text.to_owned(), normal })
    }

    /// As its owner wrote it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// SHA-256 of the normalised form: the key under which it is unique.
    pub fn key(&self) -> [u8; 32] {
        fingerprint("holdfast/email/1", &[self.normal.as_bytes()])
    }
}

/// Addresses are personal data: a debug print does not show them.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_do_not_make_another_account() {
        let key = |text: &str| Email::parse(text).unwrap().key();
        assert_eq!(key("Ada@Example.com"), key("ada@example.COM"));
        assert_eq!(key("jos\u{e9}@example.com"), key("jose\u{301}@example.com"));
        assert_ne!(key("ada@example.com"), key("ida@example.com"));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in ["", "@", "a@", "@b", "a", "a b@c", "a@b\n", "a@b@c", "a@\u{0}b", long.as_str()] {
            assert_eq!(Email::parse(text).unwrap_err().code, Code::InvalidRequest, "{text:?}");
        }
    }
}
