//! What the services of a platform state about a user: one small JSON object, which every session of the user carries.
//!
//! The account holds the claims, and each slot holds a copy of them. So a validation reads them with the one item that it
//! reads anyway. One transaction changes the account and every slot, and a sign-in commits only with the claims that the
//! account has at that moment.

use std::fmt;

/// The longest claims, in bytes of compact JSON. A slot with the longest claims stays below 4 KiB, so a validation still
/// costs one read unit.
pub const MAX_CLAIMS_BYTES: usize = 2 * 1024;

/// Deeper nesting is refused, as in the body of a request.
const MAX_DEPTH: usize = 100;

/// The text of one JSON object, of at most [`MAX_CLAIMS_BYTES`]. The default is the empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Option<Box<str>>);

/// Why a text cannot be the claims of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsError {
    /// The text has more than [`MAX_CLAIMS_BYTES`].
    TooLarge {
        /// The number of bytes that it has.
        bytes: usize,
    },
    /// The text is JSON, and no object.
    NotAnObject,
    /// The text is nested too deeply.
    TooDeep,
    /// The text is not JSON (RFC 8259), or it has white space between its tokens.
    Malformed,
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClaimsError::TooLarge { bytes } => {
                write!(f, "has {bytes} bytes as compact JSON; {MAX_CLAIMS_BYTES} are accepted")
            }
            ClaimsError::NotAnObject => f.write_str("must be a JSON object"),
            ClaimsError::TooDeep => write!(f, "is nested deeper than {MAX_DEPTH} levels"),
            ClaimsError::Malformed => f.write_str("is not compact JSON"),
        }
    }
}

impl std::error::Error for ClaimsError {}

impl Claims {
    /// Accepts the compact text of a JSON object.
    ///
    /// # Errors
    /// Says what is wrong with any other text.
    pub fn parse(text: &str) -> Result<Self, ClaimsError> {
        if text.len() > MAX_CLAIMS_BYTES {
            return Err(ClaimsError::TooLarge { bytes: text.len() });
        }
        let rest = value(text.as_bytes(), 0)?;
        if !rest.is_empty() {
            return Err(ClaimsError::Malformed);
        }
        match text {
            "{}" => Ok(Self::default()),
            object if object.starts_with('{') => Ok(Self(Some(object.into()))),
            _ => Err(ClaimsError::NotAnObject),
        }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// Whether nothing is claimed.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// What a text continues with after one of its parts.
type Rest<'a> = Result<&'a [u8], ClaimsError>;

fn expect(text: &[u8], byte: u8) -> Rest<'_> {
    text.split_first().filter(|(first, _)| **first == byte).map(|(_, rest)| rest).ok_or(ClaimsError::Malformed)
}

/// One value of the grammar of RFC 8259, without white space.
fn value(text: &[u8], depth: usize) -> Rest<'_> {
    if depth > MAX_DEPTH {
        return Err(ClaimsError::TooDeep);
    }
    match text.first() {
        Some(b'{') => list(&text[1..], b'}', |member| value(expect(string(member)?, b':')?, depth + 1)),
        Some(b'[') => list(&text[1..], b']', |item| value(item, depth + 1)),
        Some(b'"') => string(text),
        Some(b'-' | b'0'..=b'9') => number(text),
        _ => ["true", "false", "null"]
            .iter()
            .find_map(|word| text.strip_prefix(word.as_bytes()))
            .ok_or(ClaimsError::Malformed),
    }
}

/// The parts of an object or a list, after its opening bracket.
fn list(text: &[u8], close: u8, part: impl Fn(&[u8]) -> Rest<'_>) -> Rest<'_> {
    if text.first() == Some(&close) {
        return Ok(&text[1..]);
    }
    let mut rest = part(text)?;
    while rest.first() == Some(&b',') {
        rest = part(&rest[1..])?;
    }
    expect(rest, close)
}

fn string(text: &[u8]) -> Rest<'_> {
    let mut rest = expect(text, b'"')?;
    loop {
        let (first, after) = rest.split_first().ok_or(ClaimsError::Malformed)?;
        rest = match first {
            b'"' => return Ok(after),
            b'\\' => match after.split_first() {
                Some((b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after)) => after,
                Some((b'u', after)) if after.len() >= 4 && after[..4].iter().all(u8::is_ascii_hexdigit) => &after[4..],
                _ => return Err(ClaimsError::Malformed),
            },
            0..=0x1f => return Err(ClaimsError::Malformed),
            _ => after,
        };
    }
}

fn number(text: &[u8]) -> Rest<'_> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let some_digits = |text| -> Rest<'_> {
        match digits(text) {
            0 => Err(ClaimsError::Malformed),
            count => Ok(&text[count..]),
        }
    };
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = match text.strip_prefix(b"0") {
        Some(rest) => rest,
        None => some_digits(text)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = some_digits(fraction)?;
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        rest = some_digits(exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent))?;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn claims_are_one_object() {
        for text in [
            r#"{"role":"admin"}"#,
            r#"{"a":[1,-0.5e+3,true,false,null,"é\n\u00e9"],"b":{"c":{}}}"#,
            r#"{"":[],"0":0,"big":123456789012345678901234567890}"#,
        ] {
            assert_eq!(Claims::parse(text).as_ref().map(Claims::as_str), Ok(text));
        }
        for text in ["[]", "\"x\"", "1", "-2.5", "null", "true"] {
            assert_eq!(Claims::parse(text), Err(ClaimsError::NotAnObject), "{text}");
        }
        assert_eq!((Claims::parse("{}"), Claims::default().as_str()), (Ok(Claims::default()), "{}"));
        assert!(Claims::default().is_empty());
    }

    #[test]
    fn what_is_not_compact_json_is_refused() {
        for text in [
            r#"{"a":"\u00e"}"#,
            r#"{"a":"\u00e"#,
            r#"{"a":"\u00eg"}"#,
            "",
            " {}",
            "{} ",
            "{ }",
            "{\"a\": 1}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1}{",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":+1}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":tru}",
            "{\"a\":NaN}",
            "{\"a\":[1 2]}",
            "{\"a\":[}",
            "{\"a\":\"b",
            "{\"a\":'b'}",
            "\u{feff}{}",
        ] {
            assert_eq!(Claims::parse(text), Err(ClaimsError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn claims_are_bounded_in_bytes_and_in_depth() {
        let of = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        assert!(Claims::parse(&of(MAX_CLAIMS_BYTES)).is_ok());
        let over = MAX_CLAIMS_BYTES + 1;
        assert_eq!(Claims::parse(&of(over)), Err(ClaimsError::TooLarge { bytes: over }));
        let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(Claims::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Claims::parse(&nested(MAX_DEPTH + 1)), Err(ClaimsError::TooDeep));
        for (error, says) in [
            (ClaimsError::TooLarge { bytes: over }, "2049 bytes"),
            (ClaimsError::NotAnObject, "object"),
            (ClaimsError::TooDeep, "100 levels"),
            (ClaimsError::Malformed, "not compact JSON"),
        ] {
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\PC{}\\[\\],:\"\\\\0-9a-fu.eE+-]{0,60}") {
            let _ = Claims::parse(&text);
        }
    }
}
