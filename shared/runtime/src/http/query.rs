//! The query string: every parameter once, with one plain value, and only those that the route takes.
//!
//! API Gateway joins the values of a repeated parameter by commas, so this reads the raw query string instead.

use holdfast_sessions::{Code, Failure};

/// The names and values of a query.
pub(super) type Parameters = Vec<(String, String)>;

/// Reads a raw query string. `allowed` names the parameters that the route takes.
pub(super) fn parse(raw: &str, allowed: &[&str]) -> Result<Parameters, Failure> {
    let mut found = Parameters::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        let Some(name) = decode(name) else {
            return Err(invalid("The name of a query parameter is not percent-encoded UTF-8.".to_owned()));
        };
        add(&mut found, name, value.map(decode), allowed)?;
    }
    Ok(found)
}

/// Reads parameters that are decoded already, where an event has no raw query string.
pub(super) fn check(decoded: Parameters, allowed: &[&str]) -> Result<Parameters, Failure> {
    let mut found = Parameters::new();
    for (name, value) in decoded {
        add(&mut found, name, Some(Some(value)), allowed)?;
    }
    Ok(found)
}

/// `value` is absent where the parameter has no `=`, and holds nothing where it cannot be decoded.
fn add(found: &mut Parameters, name: String, value: Option<Option<String>>, allowed: &[&str]) -> Result<(), Failure> {
    if !allowed.contains(&name.as_str()) {
        let shown = shown(&name);
        return Err(invalid(match allowed {
            [] => format!("Unknown query parameter {shown}; this route takes none."),
            _ => format!("Unknown query parameter {shown}; this route takes `{}`.", allowed.join("`, `")),
        }));
    }
    if found.iter().any(|(other, _)| *other == name) {
        return Err(invalid(format!("Query parameter `{name}` is repeated; send it once.")));
    }
    match value {
        None => Err(invalid(format!("Query parameter `{name}` has no value."))),
        Some(Some(value)) if value.is_empty() => Err(invalid(format!("Query parameter `{name}` has no value."))),
        Some(Some(value)) if !value.contains([',', '\u{fffd}']) && !value.contains(char::is_control) => {
            found.push((name, value));
            Ok(())
        }
        Some(_) => Err(invalid(format!("Query parameter `{name}` must have one plain value."))),
    }
}

fn invalid(detail: String) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// A name as the client sent it, unless it is long or holds characters that no parameter has.
fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '[' | ']');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        format!("`{name}`")
    } else {
        "with an unusual name".to_owned()
    }
}

/// Decodes `%XX` and `+` (WHATWG URL, application/x-www-form-urlencoded). Returns nothing for a broken escape or for
/// bytes that are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &[&str] = &["keepCurrent"];

    fn refused(raw: &str) -> String {
        let failure = parse(raw, FLAG).unwrap_err();
        assert_eq!(failure.code, Code::InvalidRequest);
        failure.detail.into_owned()
    }

    #[test]
    fn a_name_is_repeated_to_the_caller_only_where_it_is_harmless() {
        let (longest, longer) = ("a".repeat(64), "a".repeat(65));
        for (name, said) in [
            ("limit", "`limit`"),
            ("a_B-9[]", "`a_B-9[]`"),
            (longest.as_str(), format!("`{longest}`").as_str()),
            (longer.as_str(), "with an unusual name"),
            ("", "with an unusual name"),
            ("a b", "with an unusual name"),
            ("a\nb", "with an unusual name"),
            ("<script>", "with an unusual name"),
            ("é", "with an unusual name"),
        ] {
            assert_eq!(shown(name), said, "{name:?}");
        }
    }

    #[test]
    fn one_plain_value_is_read() {
        for raw in ["keepCurrent=true", "&keepCurrent=true&", "keep%43urrent=tr%75e"] {
            assert_eq!(parse(raw, FLAG), Ok(vec![("keepCurrent".to_owned(), "true".to_owned())]), "{raw}");
        }
        assert_eq!(parse("", FLAG), Ok(vec![]));
        assert_eq!(parse("a=x+y%20z", &["a"]), Ok(vec![("a".to_owned(), "x y z".to_owned())]));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for raw in [
            "keepCurrent=false&keepCurrent=true",
            "keepCurrent=true&keepCurrent=true",
            "keepCurrent=true&keep%43urrent=false",
        ] {
            assert_eq!(refused(raw), "Query parameter `keepCurrent` is repeated; send it once.");
        }
        for raw in ["keepCurrent", "keepCurrent="] {
            assert_eq!(refused(raw), "Query parameter `keepCurrent` has no value.");
        }
        for raw in ["keepCurrent=false,true", "keepCurrent=false%2Ctrue", "keepCurrent=%00", "keepCurrent=%zz"] {
            assert_eq!(refused(raw), "Query parameter `keepCurrent` must have one plain value.", "{raw}");
        }
        for raw in ["keepCurrent=%f", "keepCurrent=%", "keepCurrent=%ff", "keepCurrent=%ed%a0%80"] {
            assert_eq!(refused(raw), "Query parameter `keepCurrent` must have one plain value.", "{raw}");
        }
        for raw in ["KEEPCURRENT=true", "keepCurrent[]=true", "keep-current=true", "x=1", "=true", "%ff=1", "a%3Cb=1"] {
            assert!(parse(raw, FLAG).is_err(), "{raw}");
            assert!(parse(&format!("keepCurrent=true&{raw}"), FLAG).is_err(), "{raw}");
        }
        assert_eq!(
            refused("KEEPCURRENT=true"),
            "Unknown query parameter `KEEPCURRENT`; this route takes `keepCurrent`."
        );
        assert_eq!(
            refused("hf1.secret=1"),
            "Unknown query parameter with an unusual name; this route takes `keepCurrent`."
        );
        let none = parse("x=1", &[]).unwrap_err();
        assert_eq!(none.detail, "Unknown query parameter `x`; this route takes none.");
    }

    #[test]
    fn joined_values_of_an_event_without_a_raw_query_are_refused() {
        let joined = vec![("keepCurrent".to_owned(), "false,true".to_owned())];
        assert!(check(joined, FLAG).is_err());
        assert!(check(vec![("keepCurrent".to_owned(), String::new())], FLAG).is_err());
        assert!(check(vec![("keepCurrent".to_owned(), "true".to_owned())], FLAG).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_read_or_refused(raw in "\\PC{0,80}|([a&=%+,\\[\\]0-9-]{0,40})") {
            if let Ok(found) = parse(&raw, &["a", "0"]) {
                proptest::prop_assert!(found.len() <= 2);
                proptest::prop_assert!(found.iter().all(|(_, value)| !value.is_empty() && !value.contains(',')));
            }
        }
    }
}
