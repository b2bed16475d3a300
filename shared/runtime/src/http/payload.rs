//! Reads the events of a WebSocket API. A field of an unexpected type counts as absent, and a header may hold any
//! character. So one odd byte in a header that no handler needs does not fail the whole invocation.

use serde_json::Value;

/// Parses an event. Returns nothing when it is not JSON at all.
pub(crate) fn parse(text: &str) -> Option<Value> {
    // A lone surrogate is valid in JSON text but not in UTF-8. Bytes that a gateway could not decode may arrive as one.
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_lone_surrogates(text))).ok()
}

/// Replaces `\uD800` … `\uDFFF` by `\uFFFD` where no surrogate pair is formed.
pub(super) fn without_lone_surrogates(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (kept, length) = match code_unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(code_unit(&escape[6..]), Some(0xDC00..=0xDFFF)) => (true, 12),
            Some(0xD800..=0xDFFF) => (false, 6),
            Some(_) => (true, 6),
            None => (true, 1 + escape[1..].chars().next().map_or(0, char::len_utf8)),
        };
        out.push_str(if kept { &escape[..length] } else { "\\ufffd" });
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The UTF-16 code unit of a `\uXXXX` at the start of a text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// A text; numbers and booleans count as what they are written as.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The entries of an object whose values are texts. Several values of one name are joined by commas (RFC 9110 §5.3).
pub(crate) fn pairs(value: &Value) -> Vec<(String, String)> {
    let one = |value: &Value| match value {
        Value::Array(values) => Some(values.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        other => text(other),
    };
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), one(value)?))).collect()
}

/// The same with lower-case names, as headers are looked up.
pub(crate) fn headers(value: &Value) -> Vec<(String, String)> {
    pairs(value).into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn half_a_character_is_replaced_and_everything_else_is_kept() {
        for (sent, read) in [
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""\udc80""#, "\u{fffd}"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\\ud800\ud800""#, "\\ud800\u{fffd}"),
            (r#""\ud83d\ude00é\n""#, "😀é\n"),
        ] {
            assert_eq!(parse(sent), Some(json!(read)), "{sent}");
        }
        for text in ["", "{", r#""\ud800"#, r#""\ud80""#, r#""\u+123""#, "\"\\", "\"\\é\"", "\u{feff}{}"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_text_counts_as_absent() {
        let headers = headers(&json!({"A": "1", "B": 2, "C": null, "D": {"x": 1}, "E": ["a", "b"], "F": "\u{1}é"}));
        let expected = [("a", "1"), ("b", "2"), ("e", "a, b"), ("f", "\u{1}é")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(pairs(&json!("text")).is_empty() && pairs(&Value::Null).is_empty());
    }
}
