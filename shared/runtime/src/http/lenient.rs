//! Reads some values of a JSON text in one pass, without a tree of all values. A value of an unexpected type counts as absent,
//! and never fails the whole. The other values are parsed and dropped, so that the same texts are JSON as for a tree.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// What a value is read as. Each kind of value that an implementation does not mention is its default.
pub(crate) trait Lenient<'de>: Default {
    fn string(_: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn number(_: Number) -> Self {
        Self::default()
    }

    fn boolean(_: bool) -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<As<Dropped>>()?.is_some() {}
        Ok(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<As<Dropped>, As<Dropped>>()?.is_some() {}
        Ok(Self::default())
    }
}

/// The next value of an object, which has to be asked for after its name.
pub(crate) fn next<'de, T: Lenient<'de>, A: MapAccess<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields.next_value::<As<T>>().map(|As(value)| value)
}

/// The next name of an object.
pub(crate) fn next_name<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(fields.next_key::<As<Text<'de>>>()?.map(|As(Text(name))| name.unwrap_or_default()))
}

/// Reads a text, which is an error only where it is not JSON.
pub(crate) fn read<'de, T: Lenient<'de>>(json: &'de str) -> Result<T, serde_json::Error> {
    serde_json::from_str::<As<T>>(json).map(|As(value)| value)
}

/// Makes a value of any kind a `T`.
struct As<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything(PhantomData))
    }
}

struct Anything<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Anything<T> {
    type Value = As<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<As<T>, E> {
        Ok(As(T::string(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<As<T>, E> {
        Ok(As(T::string(Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<As<T>, E> {
        Ok(As(T::boolean(flag)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<As<T>, E> {
        Ok(As(T::number(number.into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<As<T>, E> {
        Ok(As(T::number(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<As<T>, E> {
        Ok(As(Number::from_f64(number).map_or_else(T::default, T::number)))
    }

    fn visit_unit<E>(self) -> Result<As<T>, E> {
        Ok(As(T::default()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<As<T>, A::Error> {
        T::list(items).map(As)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<As<T>, A::Error> {
        T::object(fields).map(As)
    }
}

/// A value that is parsed and dropped.
#[derive(Default)]
pub(crate) struct Dropped;

impl Lenient<'_> for Dropped {}

/// A string, and no value of another type.
#[derive(Default)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

impl<'de> Lenient<'de> for Text<'de> {
    fn string(text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }
}

/// A string; numbers and booleans count as what they are written as.
#[derive(Default)]
struct Written<'a>(Option<Cow<'a, str>>);

impl<'de> Lenient<'de> for Written<'de> {
    fn string(text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }

    fn number(number: Number) -> Self {
        Self(Some(number.to_string().into()))
    }

    fn boolean(flag: bool) -> Self {
        Self(Some(if flag { "true" } else { "false" }.into()))
    }
}

/// `true`, also as a string.
#[derive(Default)]
pub(crate) struct Flag(pub(crate) bool);

impl Lenient<'_> for Flag {
    fn string(text: Cow<'_, str>) -> Self {
        Self(text == "true")
    }

    fn boolean(flag: bool) -> Self {
        Self(flag)
    }
}

/// The texts of a list.
#[derive(Default)]
pub(crate) struct Texts<'a>(pub(crate) Vec<Cow<'a, str>>);

impl<'de> Lenient<'de> for Texts<'de> {
    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut texts = Vec::new();
        while let Some(As(Written(item))) = items.next_element()? {
            texts.extend(item);
        }
        Ok(Self(texts))
    }
}

/// A text, or several: those of a list.
#[derive(Default)]
pub(crate) enum Values<'a> {
    #[default]
    None,
    One(Cow<'a, str>),
    Several(Vec<Cow<'a, str>>),
}

impl<'a> Values<'a> {
    /// Several values in one, joined by commas (RFC 9110 §5.3).
    pub(crate) fn joined(self) -> Option<Cow<'a, str>> {
        match self {
            Self::None => None,
            Self::One(text) => Some(text),
            Self::Several(texts) => Some(texts.join(", ").into()),
        }
    }
}

impl<'de> Lenient<'de> for Values<'de> {
    fn string(text: Cow<'de, str>) -> Self {
        Self::One(text)
    }

    fn number(number: Number) -> Self {
        Written::number(number).0.map_or(Self::None, Self::One)
    }

    fn boolean(flag: bool) -> Self {
        Written::boolean(flag).0.map_or(Self::None, Self::One)
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        Texts::list(items).map(|Texts(texts)| Self::Several(texts))
    }
}

/// The fields of an object by their names, each once and in the order of their names. Of a repeated field the last value counts.
#[derive(Default)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, Values<'a>)>);

impl<'a> Fields<'a> {
    /// Those with a text.
    pub(crate) fn texts(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().filter_map(|(name, value)| Some((name.into_owned(), value.joined()?.into_owned())))
    }
}

impl<'de> Lenient<'de> for Fields<'de> {
    fn object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut found: Vec<(Cow<'de, str>, Values<'de>)> = Vec::with_capacity(16);
        while let Some(name) = next_name(&mut fields)? {
            found.push((name, next(&mut fields)?));
        }
        // API Gateway writes them in this order already.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.dedup_by(|later, kept| {
            let repeated = later.0 == kept.0;
            if repeated {
                std::mem::swap(later, kept);
            }
            repeated
        });
        Ok(Self(found))
    }
}
