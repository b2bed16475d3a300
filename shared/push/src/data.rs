//! The data that a publisher sends, as compact JSON text. It is never parsed into a tree and written again. That would
//! change the order of fields, and numbers that no float can hold.

use std::fmt;

/// Deeper nesting is refused: readers of JSON give up somewhere between 128 and 1 000 levels.
const MAX_DEPTH: usize = 100;

/// JSON text without insignificant white space, in which no character is escaped without need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data(String);

/// Why a JSON text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataError {
    /// The text holds half of a surrogate pair, which UTF-8 cannot encode.
    LoneSurrogate,
    /// The text is nested too deeply.
    TooDeep,
    /// The text is not JSON.
    Malformed,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataError::LoneSurrogate => f.write_str("holds half of a surrogate pair"),
            DataError::TooDeep => write!(f, "is nested deeper than {MAX_DEPTH} levels"),
            DataError::Malformed => f.write_str("is not JSON"),
        }
    }
}

impl Data {
    /// Compacts a text that a JSON parser has accepted.
    pub fn compact(json: &str) -> Result<Self, DataError> {
        let mut out = String::with_capacity(json.len());
        let mut rest = json.chars();
        let mut depth = 0_usize;
        while let Some(c) = rest.next() {
            match c {
                ' ' | '\t' | '\n' | '\r' => {}
                '"' => string(&mut rest, &mut out)?,
                '{' | '[' => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(DataError::TooDeep);
                    }
                    out.push(c);
                }
                '}' | ']' => {
                    depth = depth.saturating_sub(1);
                    out.push(c);
                }
                other => out.push(other),
            }
        }
        if out.is_empty() { Err(DataError::Malformed) } else { Ok(Self(out)) }
    }

    /// Data that is JSON `null`.
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// The JSON text of the data.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Copies one string after its opening quote, writing each character in its shortest form.
fn string(rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), DataError> {
    out.push('"');
    loop {
        match rest.next().ok_or(DataError::Malformed)? {
            '"' => {
                out.push('"');
                return Ok(());
            }
            '\\' => match rest.next().ok_or(DataError::Malformed)? {
                '/' => out.push('/'),
                'u' => escaped(unit(rest)?, rest, out)?,
                c @ ('"' | '\\' | 'b' | 'f' | 'n' | 'r' | 't') => {
                    out.push('\\');
                    out.push(c);
                }
                _ => return Err(DataError::Malformed),
            },
            c => out.push(c),
        }
    }
}

fn unit(rest: &mut std::str::Chars<'_>) -> Result<u32, DataError> {
    (0..4).try_fold(0, |value, _| {
        let digit = rest.next().and_then(|c| c.to_digit(16)).ok_or(DataError::Malformed)?;
        Ok(value * 16 + digit)
    })
}

fn escaped(first: u32, rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), DataError> {
    let code = match first {
        0xD800..=0xDBFF => {
            if (rest.next(), rest.next()) != (Some('\\'), Some('u')) {
                return Err(DataError::LoneSurrogate);
            }
            match unit(rest)? {
                second @ 0xDC00..=0xDFFF => 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                _ => return Err(DataError::LoneSurrogate),
            }
        }
        0xDC00..=0xDFFF => return Err(DataError::LoneSurrogate),
        other => other,
    };
    match char::from_u32(code).ok_or(DataError::LoneSurrogate)? {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        assert_eq!(Data::compact(json).unwrap().as_str(), expected, "{json}");
    }

    #[test]
    fn white_space_goes_and_everything_else_stays() {
        check(" { \"b\" : 1 ,\n\"a\":[ 1 , 2.50 ] } ", "{\"b\":1,\"a\":[1,2.50]}");
        check("\"a b\"", "\"a b\"");
        check("123456789012345678901234567890", "123456789012345678901234567890");
        check("null", "null");
    }

    #[test]
    fn characters_stand_for_themselves_where_they_can() {
        check(r#""\u00e9\/\ud83d\ude00""#, "\"é/😀\"");
        check(r#""\u0022\u005c\u000a\u0001""#, r#""\"\\\n\u0001""#);
        // The control characters end before the space.
        check(r#""\u0020\u001f\u0000""#, r#"" \u001f\u0000""#);
        check(r#""\u0008\u000c\u000d\u0009""#, r#""\b\f\r\t""#);
        check(r#""\" \\ }""#, r#""\" \\ }""#);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |json: &str| Data::compact(json).unwrap_err().to_string();
        assert_eq!(said(r#""\ud83d""#), "holds half of a surrogate pair");
        assert_eq!(said(&"[".repeat(101)), "is nested deeper than 100 levels");
        assert_eq!(said(""), "is not JSON");
        assert!(Data::compact(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        for bad in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\u0041""#, r#""\ud83dx""#] {
            assert!(Data::compact(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(Data::compact(&nested(100)).is_ok());
        assert_eq!(Data::compact(&nested(101)), Err(DataError::TooDeep));
    }
}
