//! Text that people write: which characters it may have, and the forms in which it is compared.
//!
//! All tables come from one library and so from one version of Unicode: which characters exist, how they decompose and
//! how they fold never disagree.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, HangulSyllableType};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::error::{Code, Failure};

/// Refuses text that cannot be shown to people safely. It refuses control characters, line separators and format
/// characters (category Cf, which includes the bidirectional controls). It also refuses characters that this version of
/// Unicode does not define (Cn), and text without a visible character. Private-use characters and variation selectors
/// pass, because device names have them.
///
/// # Errors
/// `INVALID_REQUEST`, whose detail names `field`, the first such character and what to do.
pub fn check(field: &str, text: &str) -> Result<(), Failure> {
    for c in text.chars() {
        let what = match category(c) {
            GeneralCategory::Control => "a control character",
            GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => "a line separator",
            GeneralCategory::Format => "an invisible format character",
            GeneralCategory::Unassigned => "a character that Unicode does not define",
            _ => continue,
        };
        return Err(refuse(field, what, c));
    }
    if text.chars().all(is_blank) {
        return Err(Failure::new(Code::InvalidRequest, format!("`{field}` must have at least one visible character.")));
    }
    Ok(())
}

/// Refuses what [`check`] refuses and what the FreeformClass of RFC 8264 §4.3 leaves out besides. These are private-use
/// characters, characters that are ignored when text is shown, and conjoining Hangul letters that form no syllable. The
/// rules about neighbours (CONTEXTO) do not apply: they keep identifiers from looking alike, and a password is never
/// shown.
pub(crate) fn check_freeform(field: &str, text: &str) -> Result<(), Failure> {
    check(field, text)?;
    for c in text.chars() {
        let what = if category(c) == GeneralCategory::PrivateUse {
            "a private-use character"
        } else if is_ignorable(c) {
            "an invisible character"
        } else if is_conjoining_letter(c) {
            "an incomplete Hangul syllable"
        } else {
            continue;
        };
        return Err(refuse(field, what, c));
    }
    Ok(())
}

/// The form in which two texts are compared that differ in case, composition, width or invisible characters:
/// NFKC_Casefold (Unicode 3.13, definition D146), repeated until it changes nothing.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = fold_once(text);
    loop {
        let again = fold_once(&folded);
        if again == folded {
            return folded;
        }
        folded = again;
    }
}

fn fold_once(text: &str) -> String {
    let (nfd, nfkd) = (DecomposingNormalizerBorrowed::new_nfd(), DecomposingNormalizerBorrowed::new_nfkd());
    let case = CaseMapper::new();
    let canonical = case.fold_string(&nfd.normalize(text)).into_owned();
    let compatible = case.fold_string(&nfkd.normalize(&canonical)).into_owned();
    let visible: String = compatible.chars().filter(|c| !is_ignorable(*c)).collect();
    nfkc(&visible)
}

/// Normalization form KC.
pub(crate) fn nfkc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned()
}

/// Normalization form C.
pub(crate) fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

/// Whether `c` is a space (category Zs).
pub(crate) fn is_space(c: char) -> bool {
    category(c) == GeneralCategory::SpaceSeparator
}

/// At most `bytes` of `text`, cut where a character ends together with the marks on it.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let whole = text.floor_char_boundary(bytes);
    let mut end = whole;
    while text[end..].chars().next().is_some_and(joins_the_one_before) {
        match text[..end].char_indices().next_back() {
            Some((start, _)) if start > 0 => end = start,
            // One character with more marks than fit: some of them are shown.
            _ => return &text[..whole],
        }
    }
    &text[..end]
}

fn joins_the_one_before(c: char) -> bool {
    let is_skin_tone = ('\u{1f3fb}'..='\u{1f3ff}').contains(&c);
    is_skin_tone
        || matches!(
            category(c),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
        )
}

fn refuse(field: &str, what: &str, c: char) -> Failure {
    Failure::new(Code::InvalidRequest, format!("`{field}` has {what} (U+{:04X}). Remove it.", u32::from(c)))
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Spaces, what is ignored when text is shown, and the empty braille cell.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_ignorable(c) || c == '\u{2800}'
}

/// The OldHangulJamo of RFC 8264 §9.9, once what can be composed is composed.
fn is_conjoining_letter(c: char) -> bool {
    matches!(
        CodePointMapData::<HangulSyllableType>::new().get(c),
        HangulSyllableType::LeadingJamo | HangulSyllableType::VowelJamo | HangulSyllableType::TrailingJamo
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn says(text: &str) -> String {
        check("deviceName", text).map_or_else(|failure| failure.detail.into_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn what_is_not_safe_to_show_is_refused_by_name() {
        for (text, expected) in [
            ("Ada's laptop", "ok"),
            ("Компьютер Ады", "ok"),
            ("\u{2764}\u{fe0f} phone", "ok"),
            ("Ada's \u{f8ff}", "ok"),
            ("a\u{a0}b", "ok"),
            ("a\nb", "`deviceName` has a control character (U+000A). Remove it."),
            ("a\u{0}", "`deviceName` has a control character (U+0000). Remove it."),
            ("a\u{7f}", "`deviceName` has a control character (U+007F). Remove it."),
            ("a\u{85}", "`deviceName` has a control character (U+0085). Remove it."),
            ("a\u{202e}b", "`deviceName` has an invisible format character (U+202E). Remove it."),
            ("a\u{2066}b", "`deviceName` has an invisible format character (U+2066). Remove it."),
            ("\u{feff}a", "`deviceName` has an invisible format character (U+FEFF). Remove it."),
            ("a\u{ad}b", "`deviceName` has an invisible format character (U+00AD). Remove it."),
            ("a\u{200b}b", "`deviceName` has an invisible format character (U+200B). Remove it."),
            ("a\u{e0041}", "`deviceName` has an invisible format character (U+E0041). Remove it."),
            ("a\u{378}", "`deviceName` has a character that Unicode does not define (U+0378). Remove it."),
            ("a\u{ffff}", "`deviceName` has a character that Unicode does not define (U+FFFF). Remove it."),
            ("a\u{2028}b", "`deviceName` has a line separator (U+2028). Remove it."),
            ("a\u{2029}b", "`deviceName` has a line separator (U+2029). Remove it."),
            ("", "`deviceName` must have at least one visible character."),
            ("   ", "`deviceName` must have at least one visible character."),
            ("\u{3000}\u{a0}", "`deviceName` must have at least one visible character."),
            ("\u{3164}", "`deviceName` must have at least one visible character."),
            ("\u{2800}", "`deviceName` must have at least one visible character."),
        ] {
            assert_eq!(says(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_control_format_and_undefined_character_is_refused_wherever_it_stands() {
        for c in '\0'..=char::MAX {
            let refused = matches!(
                category(c),
                GeneralCategory::Control
                    | GeneralCategory::Format
                    | GeneralCategory::Unassigned
                    | GeneralCategory::LineSeparator
                    | GeneralCategory::ParagraphSeparator
            );
            for text in [format!("{c}a"), format!("a{c}a"), format!("a{c}")] {
                assert_eq!(check("field", &text).is_err(), refused, "U+{:04X}", u32::from(c));
            }
            // What the standard library calls a control character is one here, too.
            assert!(refused || !c.is_control());
        }
    }

    #[test]
    fn folding_is_blind_to_case_composition_and_width() {
        for (a, b) in [
            ("κωστας", "ΚΩΣΤΑΣ"),
            ("straße", "STRASSE"),
            ("straße", "STRA\u{1e9e}E"),
            ("ﬁnance", "FINANCE"),
            ("ａｄａ", "Ada"),
            ("jos\u{e9}", "JOSE\u{301}"),
            ("\u{149}ame", "\u{2bc}Name"),
            ("\u{130}", "i\u{307}"),
            ("\u{13a0}", "\u{ab70}"),
            ("\u{1c5}", "dž"),
            ("\u{212b}", "å"),
            ("\u{3b9}\u{308}\u{301}", "\u{390}"),
            ("a\u{fe0f}b", "ab"),
            ("\u{337f}", "株式会社"),
        ] {
            assert_eq!(fold(a), fold(b), "{a:?} {b:?}");
        }
        // Turkish has four letters where English has two: they stay four.
        assert_ne!(fold("\u{131}"), fold("i"));
    }

    /// The one character that Unicode upper-cases to a letter which it does not fold with.
    const DOTLESS_I: char = '\u{131}';

    #[test]
    fn every_character_folds_like_its_other_cases_and_stays_folded() {
        for c in ('\0'..=char::MAX).filter(|c| category(*c) != GeneralCategory::Unassigned) {
            let folded = fold(&c.to_string());
            assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
            let case = CaseMapper::new();
            let title = case.simple_titlecase(c).to_string();
            let (upper, lower) = (c.to_uppercase().to_string(), c.to_lowercase().to_string());
            for other in [title, upper, lower] {
                assert!(c == DOTLESS_I || fold(&other) == folded, "U+{:04X} and {other:?}", u32::from(c));
            }
        }
    }

    /// Letters of every script, marks, symbols, and often those that case and composition are difficult for.
    fn text() -> impl Strategy<Value = String> {
        let difficult = "ßẞſsSςσΣıIiİ\u{307}\u{345}\u{301}\u{308}ﬁﬀﬃǅǆŉΐᾳᾼＡａ①㍿ᏀꭰÅåΩω가\u{1100}\u{1161}\u{e9}e";
        let one = prop_oneof![
            3 => proptest::sample::select(difficult.chars().collect::<Vec<_>>()),
            1 => any::<char>(),
        ];
        proptest::collection::vec(one, 0..12).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in text()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn forms_and_cases_of_one_text_fold_alike(text in text()) {
            prop_assume!(!text.contains(DOTLESS_I));
            let folded = fold(&text);
            let nfd = DecomposingNormalizerBorrowed::new_nfd().normalize(&text).into_owned();
            let nfkd = DecomposingNormalizerBorrowed::new_nfkd().normalize(&text).into_owned();
            // Of the decomposed text: the capital of U+0345 is a letter, to which marks that follow it would move.
            let (upper, lower) = (nfd.to_uppercase(), nfd.to_lowercase());
            for other in [nfc(&text), nfkc(&text), nfd, nfkd, upper, lower] {
                prop_assert_eq!(fold(&other), folded.as_str(), "{:?} {:?}", &text, &other);
            }
        }

        #[test]
        fn a_cut_is_the_longest_beginning_that_separates_nothing(text in text(), bytes in 0_usize..32) {
            let cut = cut(&text, bytes);
            prop_assert!(text.starts_with(cut) && cut.len() <= bytes);
            prop_assert!(text.len() > bytes || cut == text.as_str());
        }
    }

    #[test]
    fn a_cut_keeps_marks_with_their_letter() {
        assert_eq!(cut("abcde\u{301}f", 6), "abcd");
        assert_eq!(cut("abcde\u{301}f", 7), "abcde\u{301}");
        assert_eq!(cut("abc\u{2764}\u{fe0f}", 6), "abc");
        assert_eq!(cut("e\u{301}\u{301}\u{301}", 4), "e\u{301}");
        assert_eq!(cut("ab\u{1f44b}\u{1f3fd}", 8), "ab");
    }
}
