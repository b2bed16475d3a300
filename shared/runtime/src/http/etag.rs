//! `If-Match` (RFC 9110 §13.1.1): a list of entity tags, compared strongly, or `*`.

use holdfast_sessions::{Code, Failure};

/// The versions that a condition names. Nothing means `*`: any version. Tags that no version has are left out: they
/// match nothing.
pub(super) fn versions(header: &str) -> Result<Option<Vec<u64>>, Failure> {
    let header = trim(header);
    if header == "*" {
        return Ok(None);
    }
    let mut versions = Vec::new();
    let mut rest = header;
    loop {
        // RFC 9110 §5.6.1: empty elements of a list are ignored.
        while let Some(after) = rest.strip_prefix(',') {
            rest = trim(after);
        }
        if rest.is_empty() {
            return Ok(Some(versions));
        }
        let (weak, tag) = rest.strip_prefix("W/").map_or((false, rest), |tag| (true, tag));
        let Some((opaque, after)) = tag.strip_prefix('"').and_then(|tag| tag.split_once('"')) else {
            return Err(malformed());
        };
        if !opaque.chars().all(is_tag_character) {
            return Err(malformed());
        }
        // RFC 9110 §8.8.3.2: a weak tag never matches in the strong comparison.
        if let (false, Some(version)) = (weak, version(opaque)) {
            versions.push(version);
        }
        rest = trim(after);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(malformed());
        }
    }
}

/// The version whose tag is exactly this text: `+7` and `07` parse as numbers, but are not what version 7 is tagged with.
fn version(opaque: &str) -> Option<u64> {
    opaque.parse().ok().filter(|version: &u64| version.to_string() == opaque)
}

/// RFC 9110 §8.8.3: `etagc = %x21 / %x23-7E / obs-text`.
fn is_tag_character(c: char) -> bool {
    matches!(c, '!' | '#'..='~') || u32::from(c) >= 0x80
}

/// Optional white space of a header is spaces and tabs, and no other of Unicode's.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn malformed() -> Failure {
    Failure::new(
        Code::InvalidRequest,
        "`If-Match` must be `*` or a list of entity tags in double quotes, as `ETag` has them.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_can_match_are_named() {
        for (header, expected) in [
            ("*", None),
            (" \t* ", None),
            (r#""7""#, Some(vec![7])),
            (r#""7", "0""#, Some(vec![7, 0])),
            ("\"1\",\"2\" ,\t\"3\"", Some(vec![1, 2, 3])),
            (r#", "7",,"#, Some(vec![7])),
            ("", Some(vec![])),
            (r#"W/"7""#, Some(vec![])),
            (r#"W/"6", "7""#, Some(vec![7])),
            (r#""a,b", "7""#, Some(vec![7])),
            (r#""7,8""#, Some(vec![])),
            (r#""+7""#, Some(vec![])),
            (r#""07""#, Some(vec![])),
            (r#""-7""#, Some(vec![])),
            (r#""7.0""#, Some(vec![])),
            (r#""""#, Some(vec![])),
            (r#""*""#, Some(vec![])),
            (r#""é""#, Some(vec![])),
            (r#""18446744073709551616""#, Some(vec![])),
        ] {
            assert_eq!(versions(header), Ok(expected), "{header}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_malformed() {
        for header in [
            "7",
            r#""7"#,
            r#"7""#,
            r#""7" "8""#,
            r#""7"x"#,
            r#""7", *"#,
            r#"*, "7""#,
            "**",
            r#"w/"7""#,
            r#"W/ "7""#,
            "W/7",
            "W/",
            r#""7 8""#,
            "\"7\u{1}\"",
            "\"7\u{7f}\"",
            "\u{a0}\"7\"",
            "'7'",
            r#""7"; "8""#,
        ] {
            assert_eq!(versions(header).map_err(|failure| failure.code), Err(Code::InvalidRequest), "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in r#"([W/"*, 0-9a+]{0,30})|\PC{0,30}"#) {
            let _ = versions(&header);
        }
    }
}
