//! How easily a new password is guessed, estimated by zxcvbn (Wheeler, USENIX Security 2016).

use crate::common_passwords::is_common;
use holdfast_sessions::account::PasswordStrength;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};
use zxcvbn::{Score, zxcvbn};

/// The estimator, and after it a list of the 3 000 most common passwords. zxcvbn knows 30 000 leaked passwords, and the words
/// and names of English. It finds rows of keys, sequences, repeats and dates, also with capitals and `p@ssw0rd` spellings.
///
/// Its cost is bounded: zxcvbn gets the first 100 characters of a password and at most 16 words of the account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zxcvbn;

/// A password is weak below this score: fewer than 10⁸ guesses. That is the boundary that zxcvbn itself gives feedback
/// below, "safely unguessable: moderate protection from offline slow-hash scenario".
const REQUIRED: Score = Score::Three;

/// How many characters of a password zxcvbn reads. More would cost more than linear time.
const MAX_CHARS: usize = 100;

/// How many words of an account are looked for in its password.
const MAX_WORDS: usize = 16;

/// Shorter words say nothing: most passwords have an `a` or a `de` in them.
const MIN_WORD: usize = 3;

/// The name of this service, which a guesser knows as well.
const SERVICE: &str = "holdfast";

impl PasswordStrength for Zxcvbn {
    fn weakness(&self, password: &str, context: &[&str]) -> Option<String> {
        let words = words(context);
        let seen = looked_at(password);
        let found = zxcvbn(seen, &words);
        if found.score() >= REQUIRED {
            let common = format!("{} {ADVICE}", reason(Warning::ThisIsACommonPassword));
            return is_common(password).then_some(common);
        }
        // Strong for anybody else: what is weak about it is whose it is.
        if zxcvbn(seen, &[]).score() >= REQUIRED {
            return Some("It contains your e-mail address or the name of this service. Leave them out.".to_owned());
        }
        Some(found.feedback().map_or_else(|| ADVICE.to_owned(), advice))
    }
}

fn looked_at(password: &str) -> &str {
    password.char_indices().nth(MAX_CHARS).map_or(password, |(end, _)| &password[..end])
}

/// What a guesser tries first: each text of the context, and the words in it. The last part of a domain is none.
fn words<'a>(context: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![SERVICE];
    for text in context {
        let without_suffix = text.rsplit_once('.').map_or(*text, |(rest, _)| rest);
        let parts = without_suffix.split(|c: char| !c.is_alphanumeric());
        let halves = text.split('@');
        for word in std::iter::once(*text).chain(halves).chain(parts) {
            let word = looked_at(word);
            if word.chars().count() >= MIN_WORD && !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words.truncate(MAX_WORDS);
    words
}

const ADVICE: &str = "Use a few uncommon words instead.";

/// The feedback of zxcvbn, in whole sentences.
fn advice(feedback: &Feedback) -> String {
    let mut sentences: Vec<&str> = feedback.warning().map(reason).into_iter().collect();
    sentences.extend(feedback.suggestions().iter().copied().filter_map(suggestion));
    if feedback.suggestions().is_empty() {
        sentences.push(ADVICE);
    }
    sentences.join(" ")
}

fn reason(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "It is a row of keys on a keyboard.",
        Warning::ShortKeyboardPatternsAreEasyToGuess => "It is a short pattern of keys on a keyboard.",
        Warning::RepeatsLikeAaaAreEasyToGuess => "It repeats a character.",
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => "It repeats a group of characters.",
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            "It is one of the most common passwords."
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => "It is similar to a common password.",
        Warning::SequencesLikeAbcAreEasyToGuess => "It is a sequence, such as abcd or 6543.",
        Warning::RecentYearsAreEasyToGuess => "It contains a recent year.",
        Warning::AWordByItselfIsEasyToGuess => "It is a single word.",
        Warning::DatesAreOftenEasyToGuess => "It contains a date.",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            "It contains a common name."
        }
    }
}

/// What to do instead. What a warning has said already is left out.
fn suggestion(suggestion: Suggestion) -> Option<&'static str> {
    match suggestion {
        Suggestion::UseAFewWordsAvoidCommonPhrases | Suggestion::AddAnotherWordOrTwo => {
            Some("Add one or two uncommon words.")
        }
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => None,
        Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => {
            Some("Symbols, digits and capital letters are not needed.")
        }
        Suggestion::CapitalizationDoesntHelpVeryMuch | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            Some("Capital letters hardly help.")
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => Some("Words that are written backwards hardly help."),
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => {
            Some("Replacing letters, such as a by @, hardly helps.")
        }
        Suggestion::AvoidRepeatedWordsAndCharacters | Suggestion::AvoidSequences | Suggestion::AvoidRecentYears => None,
        Suggestion::AvoidYearsThatAreAssociatedWithYou | Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => {
            Some("Avoid years and dates that others connect with you.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_sessions::account::accept_new_password;
    use proptest::prelude::*;

    const EMAIL: &str = "ada.lovelace@analytical.example";

    fn is_weak(password: &str) -> bool {
        accept_new_password("password", password, &[EMAIL], &Zxcvbn).is_err()
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for password in [
            "123456789012",
            "passwordpassword",
            "password1234",
            "Password1234!",
            "P@ssw0rd1234",
            "qwertyuiop12",
            "1q2w3e4r5t6y",
            "1qaz2wsx3edc",
            "aaaaaaaaaaaa",
            "abcdefghijkl",
            "abcabcabcabc",
            "iloveyou1234",
            "administrator",
            "drowssapdrowssap",
            "20202020202020",
            "holdfast1234",
            "HoldfastHoldfast",
            EMAIL,
            "ADA.LOVELACE@ANALYTICAL.EXAMPLE",
            "ada.lovelace1",
            "Ada.Lovelace!",
            "analytical12",
            "lovelaceada1",
            // Strong for zxcvbn, but common.
            "HakunaMatata",
            "stairwaytoheaven",
        ] {
            assert!(is_weak(password), "{password}");
        }
    }

    #[test]
    fn ordinary_passphrases_are_accepted_without_rules_of_composition() {
        for password in [
            "correct horse battery",
            "correct horse battery staple",
            "correct horse",
            "purple elephants dance",
            "Sup3r-Secret-Passw0rd",
            "a-long-password-1",
            "password-1-for-tests!",
            "not the password",
            "the old password",
            "pw-0123456789abcdef01234567",
            "kx9mq2vl7pzt",
            "3847562910384756",
            "пароль-длинный",
            "正确的马电池订书钉很好的",
        ] {
            let judged = accept_new_password("password", password, &[EMAIL], &Zxcvbn);
            assert!(judged.is_ok(), "{password}: {judged:?}");
        }
    }

    #[test]
    fn the_reason_is_told() {
        let says = |password: &str| accept_new_password("newPassword", password, &[EMAIL], &Zxcvbn).unwrap_err().detail;
        for (password, expected) in [
            ("123456789012", "It is a sequence, such as abcd or 6543. Add one or two uncommon words."),
            ("passwordpassword", "It repeats a group of characters. Add one or two uncommon words."),
            ("1q2w3e4r5t6y", "It is one of the most common passwords. Add one or two uncommon words."),
            ("hakunamatata", "It is one of the most common passwords. Use a few uncommon words instead."),
            ("qwertyuiop12", "It is similar to a common password. Add one or two uncommon words."),
            ("administrator", "It is a single word. Add one or two uncommon words."),
            (EMAIL, "It contains your e-mail address or the name of this service. Leave them out."),
        ] {
            assert_eq!(says(password), format!("`newPassword` is too easy to guess. {expected}"), "{password}");
        }
    }

    #[test]
    fn every_feedback_is_whole_sentences() {
        for password in ["123456789012", "aaaaaaaaaaaa", "Password1234!", "emankcinemankcin", "19991231", "qwerty", ""]
        {
            if let Some(why) = Zxcvbn.weakness(password, &[]) {
                assert!(why.ends_with('.') && !why.starts_with(' '), "{password}: {why}");
            }
        }
    }

    #[test]
    fn the_words_of_an_account_are_its_e_mail_and_what_that_is_made_of() {
        let expected = ["holdfast", EMAIL, "ada.lovelace", "analytical.example", "ada", "lovelace", "analytical"];
        assert_eq!(words(&[EMAIL]), expected);
        assert_eq!(words(&["a@b.example"]), ["holdfast", "a@b.example", "b.example"]);
        assert_eq!(words(&[]), ["holdfast"]);
    }

    /// The estimator's time grows faster than its input: what is bounded is the input.
    #[test]
    fn the_estimator_sees_a_bounded_part_of_what_it_is_given() {
        let long = "é".repeat(256);
        assert_eq!(looked_at(&long).chars().count(), MAX_CHARS);
        assert_eq!(looked_at("short"), "short");
        let many = (0..200).map(|n| format!("word{n}")).collect::<Vec<_>>().join(".");
        let words = words(&[&many, EMAIL]);
        assert_eq!(words.len(), MAX_WORDS);
        assert!(words.iter().all(|word| word.chars().count() <= MAX_CHARS));
        // The longest address is recognised by its beginning.
        let address = format!("kx9mq2vl7pzt.{}@example.com", "wq4z8n".repeat(30));
        assert!(Zxcvbn.weakness(&address, &[]).is_none());
        assert!(Zxcvbn.weakness(&address, &[&address]).is_some());
        // What follows cannot be seen, so it cannot make a password stronger.
        let weak = "ab".repeat(50);
        assert!(Zxcvbn.weakness(&format!("{weak}kx9mq2vl7pzt"), &[]).is_some());
    }

    proptest! {
        #[test]
        fn any_password_is_judged(password in "\\PC{0,40}", email in "\\PC{0,20}") {
            let _ = Zxcvbn.weakness(&password, &[&email]);
        }
    }
}
