//! Identifiers: fixed-length random bytes in canonical base64url, so that no input can shape a key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A text that is not the canonical form of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a canonical identifier")
    }
}

impl std::error::Error for Malformed {}

/// Unpadded base64url; the decoder refuses every text that this would not produce.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes exactly `N` bytes from their one canonical text.
pub fn decode<const N: usize>(text: &str) -> Result<[u8; N], Malformed> {
    let mut out = [0; N];
    if text.len() != N.div_ceil(3) * 4 - (3 - N % 3) % 3 {
        return Err(Malformed);
    }
    match URL_SAFE_NO_PAD.decode_slice(text, &mut out) {
        Ok(n) if n == N => Ok(out),
        _ => Err(Malformed),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From 16 random bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // As `encode`, without a place of the heap: each request writes its user's id several times.
                let mut text = [0; 22];
                let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                decode(text).map(Self)
            }
        }
    };
}

id!(
    /// An account, given at registration.
    UserId
);
id!(
    /// A session's public name; it opens nothing.
    SessionId
);
id!(
    /// A sign-in in progress: the public name of its row, not its secret.
    LoginId
);
id!(
    /// A trusted device.
    DeviceId
);

/// The number of slot keys of a user. The configured limit does not change it.
pub const SLOT_KEYS: u8 = 10;

/// One of the `S#0` … `S#9` of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNo(u8);

impl SlotNo {
    /// `None` from 10 upwards.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SLOT_KEYS { Some(Self(number)) } else { None }
    }

    /// 0 to 9.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All ten, in order.
    pub fn all() -> impl Iterator<Item = SlotNo> {
        (0..SLOT_KEYS).map(SlotNo)
    }
}

impl fmt::Display for SlotNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_one_text_only() {
        let id = UserId::from_bytes([255; 16]);
        let text = id.to_string();
        assert_eq!(text.len(), 22);
        assert_eq!(text.parse(), Ok(id));
        // The last character carries four unused bits; any other value of them is another text for the same bytes.
        let mut other = text.clone();
        other.replace_range(21..22, "x");
        assert_eq!(other.parse::<UserId>(), Err(Malformed));
        assert_eq!(format!("{text}=").parse::<UserId>(), Err(Malformed));
        assert_eq!(text[..21].parse::<UserId>(), Err(Malformed));
    }

    #[test]
    fn lengths_are_exact() {
        for text in ["", "A", "AA", "AAA", "AAAA"] {
            assert_eq!(decode::<3>(text).is_ok(), text.len() == 4, "{text}");
            assert_eq!(decode::<2>(text).is_ok(), text.len() == 3, "{text}");
            assert_eq!(decode::<1>(text).is_ok(), text.len() == 2, "{text}");
        }
    }

    #[test]
    fn there_are_ten_slots() {
        assert_eq!(SlotNo::all().count(), 10);
        assert!(SlotNo::new(10).is_none());
    }

    proptest::proptest! {
        /// Keys consist of these texts, so none of them holds a character that has a meaning in a key.
        #[test]
        fn no_text_but_its_own_names_an_identifier(bytes in proptest::array::uniform16(0_u8..), other in ".{0,30}") {
            let id = UserId::from_bytes(bytes);
            let text = id.to_string();
            proptest::prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            proptest::prop_assert_eq!(text.parse::<UserId>(), Ok(id));
            if let Ok(named) = other.parse::<UserId>() {
                proptest::prop_assert_eq!(named.to_string(), other);
            }
            for meant in ["#", "{", "}", "\0", ":"] {
                proptest::prop_assert_eq!(format!("{meant}{}", &text[1..]).parse::<UserId>(), Err(Malformed));
            }
        }
    }

    #[test]
    fn a_malformed_text_is_told_to_be_one() {
        assert_eq!(Malformed.to_string(), "not a canonical identifier");
    }
}
