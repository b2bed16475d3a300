//! JSON bodies, read strictly and explained by field.
//!
//! Holdfast refuses unknown fields, repeated fields (at any depth) and values of a wrong type, and names the field. An
//! optional field that is `null` is as if left out. Errors never repeat a value: it may be a password.

use std::collections::HashSet;
use std::fmt::{self, Display};

use holdfast_sessions::{Code, Failure};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde_json::value::RawValue;

/// Deeper bodies are refused. No route has more than a few levels of its own; claims and `data` are free.
const MAX_DEPTH: usize = 100;

/// Reads a body as `T`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let invalid = |detail: String| Failure::new(Code::InvalidRequest, detail);
    let text = std::str::from_utf8(body).map_err(|_| invalid("The body is not UTF-8.".to_owned()))?;
    if text.starts_with('\u{feff}') {
        return Err(invalid("The body starts with a byte order mark; send it without one.".to_owned()));
    }
    let root: &RawValue = serde_json::from_str(text).map_err(|error| {
        invalid(format!("The body is not JSON (line {}, column {}).", error.line(), error.column()))
    })?;
    check(root.get()).map_err(|fault| invalid(fault.to_string()))?;
    if !root.get().starts_with('{') {
        return Err(invalid("The body must be a JSON object.".to_owned()));
    }
    let mut keep = HashSet::new();
    loop {
        let fault = match T::deserialize(Node { raw: root, path: String::new(), keep: &keep }) {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        // A field that takes any JSON (`data` of a message) may be `null`. That it takes `null` shows only when the
        // field is given: so a field that is missing is tried once more with its `null`.
        if matches!(fault.problem, Problem::Missing) && keep.insert(fault.path.clone()) {
            continue;
        }
        let missing = keep.contains(&fault.path);
        let fault = if missing { Fault { problem: Problem::Missing, ..fault } } else { fault };
        return Err(invalid(fault.to_string()));
    }
}

/// What is wrong with a body, and where.
#[derive(Debug)]
struct Fault {
    /// `to.userIds[3]`; empty is the whole body.
    path: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unknown,
    Repeated,
    Missing,
    /// What was expected.
    Type(String),
    /// As the visitor says it; no value of the body is in it.
    Value(String),
    TooDeep,
    LoneSurrogate,
    TooLargeNumber,
}

impl Fault {
    fn new(path: impl Into<String>, problem: Problem) -> Self {
        Self { path: path.into(), problem }
    }

    fn inside(self, name: &str) -> Self {
        Self { path: join(name, &self.path), ..self }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match shown(&self.path) {
            Some("") => "The body".to_owned(),
            Some(path) => format!("`{path}`"),
            None => "A field with an unusual name".to_owned(),
        };
        match &self.problem {
            Problem::Unknown if field.starts_with('`') => write!(f, "Unknown field {field}."),
            Problem::Unknown => f.write_str("Unknown field with an unusual name."),
            Problem::Repeated if field.starts_with('`') => write!(f, "Field {field} is repeated."),
            Problem::Repeated => write!(f, "{field} is repeated."),
            Problem::Missing => write!(f, "Field {field} is missing."),
            Problem::Type(expected) => write!(f, "{field} must be {expected}."),
            Problem::Value(text) => write!(f, "{field} is not valid: {text}."),
            Problem::TooDeep => write!(f, "The body is nested more than {MAX_DEPTH} levels deep."),
            Problem::LoneSurrogate => write!(f, "{field} holds a `\\u` escape that is half of a surrogate pair."),
            Problem::TooLargeNumber => write!(f, "{field} is a number that is too large."),
        }
    }
}

/// A path as it may be repeated to the caller: names of fields are, other texts may be anything.
fn shown(path: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    (path.len() <= 64 && path.chars().all(plain)).then_some(path)
}

impl std::error::Error for Fault {}

/// Serde's words for a type, in those of JSON.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "unit" => "null".to_owned(),
        text if text.starts_with("struct ") => "an object".to_owned(),
        text => text.to_owned(),
    }
}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new("", Problem::Value(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new("", Problem::Type(in_words(&expected.to_string())))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        let words = in_words(&expected.to_string());
        let number = matches!(found, Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_));
        Self::new("", if number { Problem::Type(format!("{words} in range")) } else { Problem::Type(words) })
    }

    fn invalid_length(_: usize, expected: &dyn serde::de::Expected) -> Self {
        Self::new("", Problem::Type(in_words(&expected.to_string())))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new("", Problem::Type(one_of(expected)))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new(field, Problem::Unknown)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(field, Problem::Missing)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(field, Problem::Repeated)
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}`"),
        [first, last] => format!("`{first}` or `{last}`"),
        _ => format!("one of `{}`", names.join("`, `")),
    }
}

/// One value of a body that [`check`] has accepted. Its faults name a place inside of it; each level up adds its own.
struct Node<'de, 'k> {
    raw: &'de RawValue,
    path: String,
    /// Paths of the fields whose `null` is a value.
    keep: &'k HashSet<String>,
}

impl<'de, 'k> Node<'de, 'k> {
    fn child(&self, raw: &'de RawValue, name: &str) -> Node<'de, 'k> {
        Node { raw, path: join(&self.path, name), keep: self.keep }
    }

    fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    fn entries(&self) -> Result<Vec<(String, &'de RawValue)>, Fault> {
        let Entries(entries) = parse(self.raw)?;
        Ok(entries)
    }
}

/// Parses a value that is known to be JSON of this kind.
fn parse<'de, T: serde::Deserialize<'de>>(raw: &'de RawValue) -> Result<T, Fault> {
    serde_json::from_str(raw.get()).map_err(|_| Fault::custom("it cannot be read"))
}

fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) if name.starts_with('[') => format!("{path}{name}"),
        (path, name) => format!("{path}.{name}"),
    }
}

/// The fields of an object in their order.
struct Entries<'de>(Vec<(String, &'de RawValue)>);

impl<'de> serde::Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.raw.get();
        match text.as_bytes().first() {
            Some(b'n') => visitor.visit_unit(),
            Some(b't') => visitor.visit_bool(true),
            Some(b'f') => visitor.visit_bool(false),
            Some(b'"') if text.contains('\\') => visitor.visit_string(parse(self.raw)?),
            Some(b'"') => visitor.visit_borrowed_str(text.trim_matches('"')),
            Some(b'[') => {
                let items: Vec<&'de RawValue> = parse(self.raw)?;
                visitor.visit_seq(Items { items: items.into_iter().enumerate(), list: self })
            }
            Some(b'{') => {
                let entries = self.entries()?;
                visitor.visit_map(Fields { entries: entries.into_iter(), value: None, object: self })
            }
            _ => {
                let number: Result<serde_json::Number, _> = serde_json::from_str(text);
                let number = number.map_err(|_| Fault::new("", Problem::TooLargeNumber))?;
                let is_whole = !text.contains(['.', 'e', 'E']);
                match (number.as_u64(), number.as_i64(), number.as_f64()) {
                    // As a fraction it would lose digits, and two numbers would become one.
                    (None, None, Some(_)) if is_whole => Err(Fault::new("", Problem::TooLargeNumber)),
                    (Some(whole), _, _) => visitor.visit_u64(whole),
                    (None, Some(whole), _) => visitor.visit_i64(whole),
                    (None, None, Some(number)) => visitor.visit_f64(number),
                    (None, None, None) => Err(Fault::new("", Problem::TooLargeNumber)),
                }
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // Serde also reads a struct from a list of its values; the API does not.
        if !self.raw.get().starts_with('{') {
            return Err(Fault::new("", Problem::Type("an object".to_owned())));
        }
        let mut entries = self.entries()?;
        entries.retain(|(name, raw)| {
            let null = raw.get() == "null" && fields.contains(&name.as_str());
            !null || self.keep.contains(&join(&self.path, name))
        });
        visitor.visit_map(Fields { entries: entries.into_iter(), value: None, object: self })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        // A `RawValue` keeps the text of its value; serde_json knows it by this name.
        if name.starts_with("$serde_json::private") {
            let mut text = serde_json::Deserializer::from_str(self.raw.get());
            return text.deserialize_newtype_struct(name, visitor).map_err(|_| Fault::custom("it cannot be read"));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !self.raw.get().starts_with('"') {
            return Err(Fault::new("", Problem::Type(one_of(variants))));
        }
        let name: String = parse(self.raw)?;
        visitor.visit_enum(name.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// The entries of an object, one by one.
struct Fields<'de, 'k> {
    entries: std::vec::IntoIter<(String, &'de RawValue)>,
    value: Option<(String, &'de RawValue)>,
    object: Node<'de, 'k>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, raw)) = self.entries.next() else { return Ok(None) };
        self.value = Some((name.clone(), raw));
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((name, raw)) = self.value.take() else { return Err(Fault::custom("it cannot be read")) };
        seed.deserialize(self.object.child(raw, &name)).map_err(|fault| fault.inside(&name))
    }
}

/// The items of a list, one by one.
struct Items<'de, 'k> {
    items: std::iter::Enumerate<std::vec::IntoIter<&'de RawValue>>,
    list: Node<'de, 'k>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, raw)) = self.items.next() else { return Ok(None) };
        let name = format!("[{index}]");
        seed.deserialize(self.list.child(raw, &name)).map(Some).map_err(|fault| fault.inside(&name))
    }
}

/// An open object or list.
struct Level {
    /// The names seen so far; only objects have them.
    names: Option<HashSet<String>>,
    /// Whether the next string is a name.
    name_follows: bool,
    /// The current name.
    name: String,
    /// The current place in a list.
    index: usize,
}

/// Finds in a text that is JSON what a parser would pass over: names that are repeated, too much depth, and strings that
/// no text can hold. Does not call itself: the depth of a body is the client's choice.
fn check(json: &str) -> Result<(), Fault> {
    let bytes = json.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(bytes, at);
                let text = serde_json::from_str::<String>(json.get(at..end).unwrap_or_default());
                let mut repeated = false;
                if let Some(level) = levels.last_mut().filter(|level| level.name_follows) {
                    level.name_follows = false;
                    level.name = text.as_deref().unwrap_or_default().to_owned();
                    repeated = !level.names.get_or_insert_default().insert(level.name.clone());
                }
                if text.is_err() {
                    return Err(Fault::new(path(&levels), Problem::LoneSurrogate));
                }
                if repeated {
                    return Err(Fault::new(path(&levels), Problem::Repeated));
                }
                at = end;
                continue;
            }
            b'{' | b'[' if levels.len() == MAX_DEPTH => return Err(Fault::new("", Problem::TooDeep)),
            b'{' | b'[' => {
                let object = *byte == b'{';
                let names = object.then(HashSet::new);
                levels.push(Level { names, name_follows: object, name: String::new(), index: 0 });
            }
            b'}' | b']' => {
                levels.pop();
            }
            b',' => {
                if let Some(level) = levels.last_mut() {
                    level.name_follows = level.names.is_some();
                    level.index += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The place behind the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

fn path(levels: &[Level]) -> String {
    levels.iter().fold(String::new(), |path, level| match &level.names {
        Some(_) => join(&path, &level.name),
        None => join(&path, &format!("[{}]", level.index)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Map, Value};

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Transport {
        Body,
        Cookie,
    }

    #[derive(Deserialize, Debug, Default, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct To {
        #[serde(default)]
        user_ids: Option<Vec<String>>,
        #[serde(default)]
        broadcast: Option<bool>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Login {
        password: String,
        #[serde(default)]
        stay_signed_in: bool,
        #[serde(default)]
        device_name: Option<String>,
        #[serde(default)]
        transport: Option<Transport>,
        #[serde(default)]
        to: To,
        #[serde(default)]
        ttl: Option<u8>,
        #[serde(default)]
        claims: Map<String, Value>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Message {
        data: Box<RawValue>,
        #[serde(default)]
        kind: Option<String>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn refused(body: &str) -> String {
        let failure = read::<Login>(body.as_bytes()).unwrap_err();
        assert_eq!(failure.code, Code::InvalidRequest);
        failure.detail.into_owned()
    }

    /// A good body with one field more.
    fn with(field: &str) -> String {
        format!(r#"{{"password":"hunter2",{field}}}"#)
    }

    #[test]
    fn a_null_is_as_if_left_out() {
        let nulls =
            r#""staySignedIn":null,"deviceName":null,"transport":null,"to":{"userIds":null},"ttl":null,"claims":null"#;
        let login: Login = read(with(nulls).as_bytes()).unwrap();
        assert_eq!((login.stay_signed_in, login.device_name, login.ttl), (false, None, None));
        assert_eq!((login.transport, login.to, login.claims.len()), (None, To::default(), 0));
        let login: Login = read(with(r#""to": null"#).as_bytes()).unwrap();
        assert_eq!((login.password.as_str(), login.to), ("hunter2", To::default()));
        assert_eq!(refused(r#"{"password":null}"#), "Field `password` is missing.");
        assert_eq!(refused("{}"), "Field `password` is missing.");
        assert_eq!(
            refused(&with(r#""admin":null"#)),
            "Unknown field `admin`.",
            "a field that does not exist stays unknown"
        );
        assert!(read::<Nothing>(br#"{"x":null}"#).is_err());
        assert_eq!(refused(&with(r#""to":{"userIds":[null]}"#)), "`to.userIds[0]` must be a string.");
    }

    #[test]
    fn a_value_of_a_wrong_type_names_its_field() {
        for (field, expected) in [
            (r#""transport":5"#, "`transport` must be `body` or `cookie`."),
            (r#""transport":"hunter3""#, "`transport` must be `body` or `cookie`."),
            (r#""transport":{"body":{}}"#, "`transport` must be `body` or `cookie`."),
            (r#""staySignedIn":"hunter3""#, "`staySignedIn` must be a boolean."),
            (r#""staySignedIn":0"#, "`staySignedIn` must be a boolean."),
            (r#""deviceName":["hunter3"]"#, "`deviceName` must be a string."),
            (r#""to":"hunter3""#, "`to` must be an object."),
            (r#""to":[["hunter3"]]"#, "`to` must be an object."),
            (r#""to":{"userIds":"hunter3"}"#, "`to.userIds` must be a list."),
            (r#""to":{"userIds":["a",{"b":"hunter3"}]}"#, "`to.userIds[1]` must be a string."),
            (r#""to":{"userId":["hunter3"]}"#, "Unknown field `to.userId`."),
            (r#""ttl":300"#, "`ttl` must be a whole number in range."),
            (r#""ttl":-1"#, "`ttl` must be a whole number in range."),
            (r#""ttl":20.0"#, "`ttl` must be a whole number."),
            (r#""ttl":1e999"#, "`ttl` is a number that is too large."),
            (r#""claims":{"a":[1e999]}"#, "`claims.a[0]` is a number that is too large."),
            (r#""claims":{"a":18446744073709551616}"#, "`claims.a` is a number that is too large."),
            (r#""claims":{"a":-9223372036854775809}"#, "`claims.a` is a number that is too large."),
            (r#""claims":[]"#, "`claims` must be an object."),
            (r#""hunter 3":1"#, "Unknown field with an unusual name."),
        ] {
            assert_eq!(refused(&with(field)), expected, "{field}");
        }
        assert_eq!(refused(r#"{"password":["hunter2"]}"#), "`password` must be a string.");
    }

    #[test]
    fn what_is_expected_is_said_in_the_words_of_json() {
        for (type_name, words) in [
            ("u8", "a whole number"),
            ("isize", "a whole number"),
            ("f64", "a number"),
            ("a sequence", "a list"),
            ("a map", "an object"),
            ("unit", "null"),
            ("struct Login", "an object"),
            ("a string", "a string"),
        ] {
            assert_eq!(in_words(type_name), words);
        }
        assert_eq!(one_of(&["a"]), "`a`");
        assert_eq!(one_of(&["a", "b"]), "`a` or `b`");
        assert_eq!(one_of(&["a", "b", "c"]), "one of `a`, `b`, `c`");
    }

    #[test]
    fn every_kind_of_value_is_read() {
        #[derive(Deserialize, Debug, PartialEq)]
        struct Kinds {
            yes: bool,
            no: bool,
            list: Vec<Option<u8>>,
            plain: String,
            escaped: String,
            negative: i8,
            fraction: f64,
        }
        let body = br#"{"yes":true,"no":false,"list":[1,null],"plain":"a/b","escaped":"a\u0062\"","negative":-3,"fraction":1.5}"#;
        let expected = Kinds {
            yes: true,
            no: false,
            list: vec![Some(1), None],
            plain: "a/b".into(),
            escaped: "ab\"".into(),
            negative: -3,
            fraction: 1.5,
        };
        assert_eq!(read::<Kinds>(body).unwrap(), expected);
    }

    #[test]
    fn repeated_fields_are_refused_by_name_at_any_depth() {
        for (field, expected) in [
            (r#""password":"hunter2""#, "Field `password` is repeated."),
            (r#""p\u0061ssword":null"#, "Field `password` is repeated."),
            (r#""to":{"userIds":[],"userIds":[]}"#, "Field `to.userIds` is repeated."),
            (r#""claims":{"a":[{"b":1},{"b":1,"b":2}]}"#, "Field `claims.a[1].b` is repeated."),
            (r#""claims":{"a b":1,"a b":2}"#, "A field with an unusual name is repeated."),
        ] {
            assert_eq!(refused(&with(field)), expected, "{field}");
        }
        assert!(read::<Login>(with(r#""claims":{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).as_bytes()).is_ok());
        let twice = read::<Message>(br#"{"data":{"x":{"y":1,"y":2}}}"#).unwrap_err();
        assert_eq!(twice.detail, "Field `data.x.y` is repeated.");
    }

    #[test]
    fn what_is_no_json_object_says_why() {
        for (body, expected) in [
            (r#"{"password":"#, "The body is not JSON (line 1, column 12)."),
            (r#"{"password":"hunter2"} x"#, "The body is not JSON (line 1, column 24)."),
            (r#"{"password":"hunter2"}{}"#, "The body is not JSON (line 1, column 23)."),
            (r#"{"password":"hunter2",}"#, "The body is not JSON (line 1, column 23)."),
            ("{'password':1}", "The body is not JSON (line 1, column 2)."),
            ("{\"password\":\"a\u{1}\"}", "The body is not JSON (line 1, column 14)."),
            ("\u{feff}{}", "The body starts with a byte order mark; send it without one."),
            ("[]", "The body must be a JSON object."),
            (r#"["hunter2"]"#, "The body must be a JSON object."),
            ("null", "The body must be a JSON object."),
            ("5", "The body must be a JSON object."),
            (r#"{"password":"\ud800"}"#, "`password` holds a `\\u` escape that is half of a surrogate pair."),
            (r#"{"\udc00":1}"#, "The body holds a `\\u` escape that is half of a surrogate pair."),
        ] {
            assert_eq!(refused(body), expected, "{body}");
        }
        for bytes in [&b"{\"password\":\"\xff\"}"[..], b"\xff\xfe{\0}\0", b"\xed\xa0\x80"] {
            assert_eq!(read::<Login>(bytes).unwrap_err().detail, "The body is not UTF-8.");
        }
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep =
                |levels: usize| with(&format!(r#""claims":{{"a":{}1{}}}"#, open.repeat(levels), close.repeat(levels)));
            assert!(read::<Login>(deep(98).as_bytes()).is_ok());
            for levels in [99, 2_000, 100_000] {
                assert_eq!(refused(&deep(levels)), "The body is nested more than 100 levels deep.");
            }
        }
    }

    #[test]
    fn texts_are_read_as_they_are() {
        let login: Login = read(r#" { "password" : "\"a\\" } "#.as_bytes()).unwrap();
        assert_eq!(login.password, "\"a\\");
        for (json, expected) in
            [(r#""""#, ""), (r#""é\ud83d\ude00""#, "é😀"), (r#""\u0000""#, "\0"), ("\"a,{[\"", "a,{[")]
        {
            let login: Login = read(format!(r#"{{"password":{json}}}"#).as_bytes()).unwrap();
            assert_eq!(login.password, expected);
        }
    }

    #[test]
    fn what_is_kept_as_text_keeps_its_numbers_and_its_null() {
        for data in ["null", "12345678901234567890123", "1e999", r#"{"b":null,"a":1.0}"#, r#""x""#] {
            let message: Message = read(format!(r#"{{"data":{data},"kind":null}}"#).as_bytes()).unwrap();
            assert_eq!((message.data.get(), message.kind), (data, None));
        }
        assert_eq!(read::<Message>(b"{}").unwrap_err().detail, "Field `data` is missing.");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = read::<Login>(&bytes);
        }

        #[test]
        fn any_json_like_text_is_read_or_refused(text in r#"([{}\[\],:"\\u0-9a-d \ne.+-]|"password"|"claims"|null|\\ud8){0,60}"#) {
            let _ = read::<Login>(text.as_bytes());
            let _ = read::<Message>(format!(r#"{{"data":{text}}}"#).as_bytes());
        }
    }
}
