//! JSON as a string of other JSON, as API Gateway takes the body of an answer.
//!
//! Written as JSON first and then as a string, a session takes twice the instructions: a quarter of its characters are
//! quotes, and each of them is looked for and escaped again.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, Formatter};
use serde_json::value::RawValue;

/// The string, with its quotes.
#[derive(Clone, Debug)]
pub(super) struct Quoted(String);

impl Quoted {
    /// A value, written as JSON.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        // A session fits in, so its text does not grow step by step.
        let mut text = Vec::with_capacity(1_024);
        text.push(b'"');
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, InString))?;
        text.push(b'"');
        String::from_utf8(text).map(Self).map_err(serde::ser::Error::custom)
    }

    /// Any text.
    pub(super) fn text(text: &str) -> Self {
        Self(as_string(text))
    }

    /// The text that the string stands for.
    #[cfg(test)]
    pub(super) fn read(&self) -> String {
        serde_json::from_str(&self.0).unwrap()
    }
}

impl Serialize for Quoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

fn as_string(text: &str) -> String {
    // The writer of a text does not fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// Writes JSON as it stands in a string: quotes and backslashes are escaped once more.
struct InString;

impl Formatter for InString {
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(br#"\""#)
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(br#"\""#)
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let escaped: &[u8] = match escape {
            CharEscape::Quote => br#"\\\""#,
            CharEscape::ReverseSolidus => br"\\\\",
            CharEscape::Solidus => br"\\/",
            CharEscape::Backspace => br"\\b",
            CharEscape::FormFeed => br"\\f",
            CharEscape::LineFeed => br"\\n",
            CharEscape::CarriageReturn => br"\\r",
            CharEscape::Tab => br"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, r"\\u{byte:04x}"),
        };
        writer.write_all(escaped)
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let string = as_string(fragment);
        writer.write_all(&string.as_bytes()[1..string.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[derive(Serialize)]
    struct Body {
        value: Value,
        raw: Box<RawValue>,
        key: std::collections::BTreeMap<String, f64>,
    }

    fn is_as_two_writers_write_it(body: &impl Serialize) {
        let quoted = Quoted::json(body).unwrap();
        let text = serde_json::to_string(body).unwrap();
        assert_eq!(quoted.read(), text);
        assert_eq!(serde_json::to_string(&quoted).unwrap(), serde_json::to_string(&text).unwrap());
        assert_eq!(serde_json::to_string(&Quoted::text(&text)).unwrap(), serde_json::to_string(&text).unwrap());
        assert_eq!(serde_json::to_value(&quoted).unwrap(), json!(text));
    }

    #[test]
    fn every_character_is_written_as_by_two_writers() {
        for character in (0..=0x2_ffff).filter_map(char::from_u32) {
            let quoted = Quoted::json(&character).unwrap();
            assert_eq!(quoted.0, as_string(&as_string(&character.to_string())), "{character:?}");
        }
        is_as_two_writers_write_it(
            &json!({"a": [1, -2.5, true, null, "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{7f}é😀"], "\"": {}, "b": []}),
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,20}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[\\x00-\\x7fé]{0,6}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_written_as_by_two_writers(value in any_json(), raw in any_json(), number in any::<f64>()) {
            let pretty = serde_json::to_string_pretty(&raw).unwrap();
            let key = [("\"k\\".to_owned(), number)].into();
            is_as_two_writers_write_it(&Body { value, raw: RawValue::from_string(pretty).unwrap(), key });
        }
    }
}
