//! E-mail addresses: bounded, and compared in one form.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::error::{Code, Failure};
use crate::secret::fingerprint;
use crate::text;

/// An address as its owner wrote it, and the form it is compared in.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    normal: String,
    /// The form of version 0.1.0, where it is another one.
    legacy: Option<String>,
}

impl Email {
    /// Accepts what could be an address: one `@` with something on both sides, only visible characters, at most 254 bytes
    /// (RFC 5321 §4.5.3.1.3). It does not find out whether mail arrives there.
    ///
    /// Two addresses are the same if their local parts and their domains are equal after NFKC and full Unicode case
    /// folding. IDNA (UTS 46) is also applied to the domains, so `bücher.example` is `xn--bcher-kva.example`. IDNA 2003
    /// and 2008 differ about four characters: ß, ς, and the two joiners. Domains fold them as local parts do:
    /// `straße.example` and `strasse.example` are one domain here, because capital letters do not tell them apart. Dots
    /// at the end of a domain do not count.
    ///
    /// # Errors
    /// `INVALID_REQUEST`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |why: &'static str| Err(Failure::new(Code::InvalidRequest, why));
        if text.len() > 254 {
            return refuse("`email` is longer than 254 bytes.");
        }
        text::check("email", text)?;
        if text.chars().any(char::is_whitespace) {
            return refuse("`email` has spaces. Remove them.");
        }
        let folded = text::fold(text);
        // Folding may unfold one character into many: the bound holds for the form that is compared, too.
        if folded.len() > MAX_FOLDED || folded.chars().any(char::is_whitespace) {
            return refuse("`email` is not an e-mail address.");
        }
        let normal = match folded.split_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.contains('@') => {
                domain_key(domain, written_domain(text).is_ascii()).map(|domain| format!("{local}@{domain}"))
            }
            _ => None,
        };
        let Some(normal) = normal else {
            return refuse("`email` is not an e-mail address.");
        };
        let legacy = Some(legacy_form(text)).filter(|legacy| *legacy != normal);
        Ok(Self { written: text.to_owned(), normal, legacy })
    }

    /// The address as its owner wrote it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// SHA-256 of the form it is compared in: the key under which it is unique.
    pub fn key(&self) -> [u8; 32] {
        key_of(&self.normal)
    }

    /// The key that version 0.1.0 computed for this text, if it is another one. An account of that version is found
    /// under it, so callers look it up *before* [`key`](Self::key). Otherwise another person could register a second
    /// spelling of the address, and its owner would reach that person's account. A new account needs both keys to be
    /// free.
    pub fn legacy_key(&self) -> Option<[u8; 32]> {
        self.legacy.as_deref().map(key_of)
    }
}

impl Email {
    /// The key that version 0.1.0 made of a text, also of one that is no address any more.
    pub fn legacy_key_of(text: &str) -> [u8; 32] {
        key_of(&legacy_form(text))
    }
}

/// The longest form that is compared, in bytes.
const MAX_FOLDED: usize = 1024;

/// The domain before folding: what follows the last character that folds to `@`.
fn written_domain(text: &str) -> &str {
    text.rsplit(['@', '\u{fe6b}', '\u{ff20}']).next().unwrap_or(text)
}

/// What a domain is compared by: its A-labels, in small letters.
fn domain_key(folded: &str, written_in_ascii: bool) -> Option<String> {
    // A domain that is written in ASCII may have any visible character of it (`a_b`, `[192.0.2.1]`). No other character
    // may turn into one that a host name cannot have, such as the slash in U+2105.
    let denied = if written_in_ascii { AsciiDenyList::EMPTY } else { AsciiDenyList::STD3 };
    let ascii = a_labels(folded, denied).or_else(|| written_in_ascii.then(|| folded.to_owned()))?;
    let name = ascii.trim_end_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

/// Folds the Unicode form of the A-labels, so that an encoded domain equals the same domain as text.
fn a_labels(domain: &str, denied: AsciiDenyList) -> Option<String> {
    let rules = Uts46::new();
    let (unicode, valid) = rules.to_unicode(domain.as_bytes(), denied, Hyphens::Allow);
    valid.ok()?;
    let folded = text::fold(&unicode);
    Some(rules.to_ascii(folded.as_bytes(), denied, Hyphens::Allow, DnsLength::Ignore).ok()?.into_owned())
}

/// The form that version 0.1.0 compared.
fn legacy_form(text: &str) -> String {
    text::nfc(&text::nfkc(text).chars().flat_map(char::to_lowercase).collect::<String>())
}

fn key_of(form: &str) -> [u8; 32] {
    fingerprint("holdfast/email/1", &[form.as_bytes()])
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
    use proptest::prelude::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap_or_else(|failure| panic!("{text:?}: {failure}"))
    }

    fn hex(key: [u8; 32]) -> String {
        key.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn every_spelling_of_an_address_is_one_account() {
        for spellings in [
            &["Ada@Example.com", "ada@example.COM", "ＡＤＡ@example.com", "ada＠example.com", "ada@example．com"][..],
            &["jos\u{e9}@example.com", "jose\u{301}@example.com", "JOS\u{c9}@EXAMPLE.COM"],
            &["κωστας@example.com", "ΚΩΣΤΑΣ@example.com", "Κωστασ@Example.com"],
            &["straße@example.com", "STRASSE@example.com", "STRA\u{1e9e}E@example.com", "strasse@example.com"],
            &["ﬁona@example.com", "fiona@example.com", "FIONA@example.com"],
            &["a@bücher.example", "A@BÜCHER.example", "a@xn--bcher-kva.example", "a@XN--BCHER-KVA.EXAMPLE"],
            &["a@straße.example", "a@xn--strae-oqa.example", "a@STRASSE.example", "a@strasse.example"],
            &["a@κωστας.example", "a@ΚΩΣΤΑΣ.example", "a@xn--mxarzcf2a.example"],
            &["a@例え.テスト", "a@例え。テスト", "a@xn--r8jz45g.xn--zckzah", "a@例え.テスト."],
            &["a@example.com", "a@example.com."],
        ] {
            for spelling in spellings {
                assert_eq!(email(spelling).normal, email(spellings[0]).normal, "{spelling:?}");
                assert_eq!(email(spelling).written(), *spelling);
            }
        }
    }

    #[test]
    fn other_addresses_are_other_accounts() {
        let different =
            ["ada@example.com", "ida@example.com", "\u{131}da@example.com", "ada@example.org", "a.da@example.com"];
        for (i, a) in different.iter().enumerate() {
            for b in &different[..i] {
                assert_ne!(email(a).key(), email(b).key(), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a b@c",
            "a@b\n",
            "a@b@c",
            "a@\u{0}b",
            "   ",
            "a＠b@c",
            "a@b＠c",
            "a@.",
            "a@..",
            "a@\u{3002}",
            "\u{fe0f}@b",
            "a@\u{fe0f}",
            "a\u{a8}b@c",
            "a\u{a0}@b",
            "a\u{202e}@b.example",
            "a\u{200d}b@c",
            "a\u{ad}@b",
            "a\u{378}@b",
            "a@exampl\u{2105}.com",
            "é@exampl\u{2105}.com",
            "a\u{fe6b}exampl\u{2105}.com",
            "a@ü/b",
            "a@xn--bcher-kva\u{378}.example",
            "a@\u{2028}b",
            long.as_str(),
        ] {
            let Err(failure) = Email::parse(text) else { panic!("{text:?} is an address") };
            assert_eq!(failure.code, Code::InvalidRequest, "{text:?}");
            assert!(failure.detail.contains("`email`"), "{failure}");
        }
    }

    /// One character of three bytes that folds to eighteen.
    const KILOMETRE: &str = "\u{3316}";

    #[test]
    fn an_address_is_bounded_as_written_and_as_compared() {
        for (longest, what) in [
            (format!("{}@b", "a".repeat(252)), "254 bytes as written"),
            (format!("{}{}@b", KILOMETRE.repeat(56), "a".repeat(14)), "1024 bytes as compared"),
        ] {
            assert!(Email::parse(&longest).is_ok(), "{what}");
            assert!(Email::parse(&format!("a{longest}")).is_err(), "one more than {what}");
        }
        let far_longer = format!("{}@b", KILOMETRE.repeat(80));
        assert!(Email::parse(&far_longer).is_err(), "1442 bytes as compared");
    }

    /// Literal values, computed by version 0.1.0.
    #[test]
    fn keys_of_ascii_addresses_are_those_of_0_1_0() {
        for (text, key) in [
            ("ada@example.com", "5ce1fa05140187cd71a02973dd34f5aeabe02fb8ae13373ce93ad302d50b0bf2"),
            ("Ada.Lovelace+tag@Example.COM", "9ae382617e6b7e6478fea268240f246891ddcd279c1a1d39d6f783ab56673ba0"),
            ("o'brien_1@mail.example.co.uk", "3bc5c14dd88c9891109b1144dc8cbe9c9da81a579abd41d4d5d6b418ff593bd2"),
            ("ADA@XN--BCHER-KVA.example", "3c9819307e3121f75c6f49711af42f34843336f33c2f55511c79f843fd9c0ebc"),
            ("a@b", "6c89e7a30111d8e7d7aedd74e8457e54263270871d50133e9aaac6c4a2e48f5c"),
            ("a@[192.0.2.1]", "c82739a2649c4d3b118da6efef3c0b2eb8f83a2c22e53bd1897e2c7a8c808d7a"),
            ("a@b_c..d", "612152454ebb53bc621e8fef7e8301d118677e9caf39d1140545b82cd6a14a03"),
            ("jos\u{e9}@example.com", "ed7cbc0a1b63f5160b8325a0cef5106858abc070324f53bc9a80c2a5c32329ce"),
        ] {
            assert_eq!(hex(email(text).key()), key, "{text}");
            assert_eq!(email(text).legacy_key(), None, "{text}");
        }
    }

    /// Literal values, computed by version 0.1.0.
    #[test]
    fn accounts_of_0_1_0_are_found_under_the_key_they_were_made_with() {
        let small = "e346155c2098e845900f9144a3726d7c1675ce32191f30ab46837ce7e1712c04";
        let capital = "75c9ae0e8d4c4f5013ba54d9fb97cc6bdb01d57132b025751c06905851908e63";
        assert_eq!(email("κωστας@example.com").legacy_key().map(hex).as_deref(), Some(small));
        // The capital spelling has had today's key all along.
        assert_eq!(email("ΚΩΣΤΑΣ@example.com").legacy_key(), None);
        assert_eq!(hex(email("ΚΩΣΤΑΣ@example.com").key()), capital);
        assert_eq!(hex(email("κωστας@example.com").key()), capital);
        for changed in ["straße@example.com", "a@bücher.example", "a@example.com.", "a@xn--strae-oqa.example"] {
            assert!(email(changed).legacy_key().is_some(), "{changed}");
        }
    }

    fn local() -> impl Strategy<Value = String> {
        let difficult = "aAzZ0.+ßẞſsSςσΣIiİ\u{307}\u{345}\u{301}ﬁǅǆŉΐᾳᾼＡａ㍿ᏀꭰÅΩ가\u{1100}\u{1161}éжЖ例";
        let one = prop_oneof![
            3 => proptest::sample::select(difficult.chars().collect::<Vec<_>>()),
            1 => any::<char>().prop_filter("dotless i has no small letter of its own", |c| *c != '\u{131}'),
        ];
        proptest::collection::vec(one, 1..10).prop_map(String::from_iter)
    }

    /// A domain of letters that can each begin a label.
    fn domain() -> impl Strategy<Value = String> {
        let one = "abzABZßẞſςσΣİǅΐᾳᾼＡÅΩéжЖ例가".chars().collect::<Vec<_>>();
        proptest::collection::vec(proptest::sample::select(one), 1..8).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(local in local(), domain in domain()) {
            if let Ok(parsed) = Email::parse(&format!("{local}@{domain}.example")) {
                prop_assert_eq!(&email(&parsed.normal).normal, &parsed.normal);
            }
        }

        #[test]
        fn no_case_or_composition_makes_another_account(local in local(), domain in domain()) {
            let text = format!("{local}@{domain}.example");
            if let Ok(parsed) = Email::parse(&text) {
                // Of the decomposed text, see the same property of `text::fold`.
                let nfd = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(&text).into_owned();
                for other in [nfd.to_uppercase(), nfd.to_lowercase(), text::nfc(&text), text::nfkc(&text), nfd] {
                    if let Ok(other) = Email::parse(&other) {
                        prop_assert_eq!(other.key(), parsed.key());
                    }
                }
            }
        }

        #[test]
        fn a_domain_and_its_a_labels_are_one(domain in "[a-zäöüßжя例ςσ]{1,12}") {
            let (ascii, unicode) = (idna::domain_to_ascii(&domain), format!("a@{domain}.example"));
            if let Ok(ascii) = ascii {
                prop_assert_eq!(email(&format!("a@{ascii}.example")).key(), email(&unicode).key());
            }
        }

        #[test]
        fn ascii_addresses_keep_their_keys(text in "[!-?A-~]{1,20}@[a-zA-Z0-9_-]{1,12}(\\.[a-zA-Z0-9-]{1,12}){0,3}") {
            // A-labels are the one kind of ASCII that means something else than itself.
            prop_assume!(!text.to_ascii_lowercase().contains("xn--"));
            let parsed = email(&text);
            prop_assert_eq!(&parsed.normal, &text.to_ascii_lowercase());
            prop_assert_eq!(parsed.legacy_key(), None);
        }

        #[test]
        fn any_text_is_judged(text in any::<String>()) {
            let _ = Email::parse(&text);
        }
    }

    #[test]
    fn the_key_of_0_1_0_is_made_of_any_text() {
        assert_eq!(Email::legacy_key_of("ADA@Example.com"), Email::parse("ada@example.com").unwrap().key());
        assert_ne!(Email::legacy_key_of("no address"), Email::legacy_key_of("another"));
    }

    #[test]
    fn a_debug_text_has_no_address() {
        assert_eq!(format!("{:?}", Email::parse("ada@example.com").unwrap()), "Email(…)");
    }
}
