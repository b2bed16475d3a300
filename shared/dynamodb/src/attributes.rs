//! Items as attribute maps, written and read by hand. Five kinds of rows need no framework. A reader that names the
//! attribute that is wrong is worth more than a short one.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_sessions::Millis;
use holdfast_sessions::ports::StoreError;

/// An item, as a map from attribute names to values.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An item, or its key alone.
pub(crate) fn item<'a>(
    (pk, sk): (String, impl Into<String>),
    attributes: impl IntoIterator<Item = (&'a str, AttributeValue)>,
) -> Item {
    let key = [("PK", string(pk)), ("SK", string(sk))];
    key.into_iter().chain(attributes).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A string attribute.
pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
pub(crate) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A time attribute, in milliseconds.
pub(crate) fn timestamp(time: Millis) -> AttributeValue {
    number(time.get())
}

/// A binary attribute.
pub(crate) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes.to_vec()))
}

/// A set of byte strings; DynamoDB has no empty ones.
pub(crate) fn binary_set<'a>(all: impl IntoIterator<Item = &'a [u8; 32]>) -> AttributeValue {
    AttributeValue::Bs(all.into_iter().map(|bytes| Blob::new(bytes.to_vec())).collect())
}

/// Reads an item, naming the attribute that is missing or of the wrong type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a Item);

impl<'a> Reader<'a> {
    /// Of this item.
    pub(crate) fn new(item: &'a Item) -> Self {
        Self(item)
    }

    fn corrupt(&self, name: &str) -> StoreError {
        let key =
            |k: &str| self.0.get(k).and_then(|v| v.as_s().ok()).map_or("?", |v| v.split('#').next().unwrap_or("?"));
        StoreError::Corrupt(format!("attribute {name} of {}/{}", key("PK"), key("SK")))
    }

    /// A string, if present.
    pub(crate) fn text_opt(&self, name: &str) -> Result<Option<&'a str>, StoreError> {
        self.0.get(name).map(|v| v.as_s().map(String::as_str).map_err(|_| self.corrupt(name))).transpose()
    }

    /// A string that must be present.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, StoreError> {
        self.text_opt(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A string that parses.
    pub(crate) fn parse<T: std::str::FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.text(name)?.parse().map_err(|_| self.corrupt(name))
    }

    /// A string that parses, if present.
    pub(crate) fn parse_opt<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.text_opt(name)?.map(|text| text.parse().map_err(|_| self.corrupt(name))).transpose()
    }

    /// A whole number, if present.
    pub(crate) fn int_opt<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.0
            .get(name)
            .map(|v| v.as_n().ok().and_then(|text| text.parse().ok()).ok_or_else(|| self.corrupt(name)))
            .transpose()
    }

    /// A whole number.
    pub(crate) fn int<T: std::str::FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.int_opt(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A time that must be present.
    pub(crate) fn time(&self, name: &str) -> Result<Millis, StoreError> {
        self.int(name).map(Millis::new)
    }

    /// A time, if present.
    pub(crate) fn time_opt(&self, name: &str) -> Result<Option<Millis>, StoreError> {
        Ok(self.int_opt(name)?.map(Millis::new))
    }

    /// `true` only if present and true.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        self.0.get(name).map_or(Ok(false), |v| v.as_bool().copied().map_err(|_| self.corrupt(name)))
    }

    /// Bytes, if present.
    pub(crate) fn blob_opt(&self, name: &str) -> Result<Option<&'a [u8]>, StoreError> {
        self.0.get(name).map(|v| v.as_b().map(|blob| blob.as_ref()).map_err(|_| self.corrupt(name))).transpose()
    }

    /// Exactly `N` bytes, if present.
    pub(crate) fn bytes_opt<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, StoreError> {
        self.0
            .get(name)
            .map(|v| {
                v.as_b().ok().and_then(|blob| <[u8; N]>::try_from(blob.as_ref()).ok()).ok_or_else(|| self.corrupt(name))
            })
            .transpose()
    }

    /// Exactly `N` bytes.
    pub(crate) fn bytes<const N: usize>(&self, name: &str) -> Result<[u8; N], StoreError> {
        self.bytes_opt(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A set of byte strings of 32 bytes; an absent one is empty.
    pub(crate) fn hashes(&self, name: &str) -> Result<Vec<[u8; 32]>, StoreError> {
        let Some(value) = self.0.get(name) else { return Ok(vec![]) };
        let all = value.as_bs().map_err(|_| self.corrupt(name))?;
        all.iter().map(|blob| blob.as_ref().try_into().map_err(|_| self.corrupt(name))).collect()
    }

    /// A map attribute, if present.
    pub(crate) fn map_opt(&self, name: &str) -> Result<Option<Reader<'a>>, StoreError> {
        self.0.get(name).map(|v| v.as_m().map(Reader).map_err(|_| self.corrupt(name))).transpose()
    }
}
