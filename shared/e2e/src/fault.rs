use std::fmt;

/// What was expected and what came instead, in one line.
pub struct Fault(String);

impl Fault {
    /// A fault in the caller's own words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `place: expected …, came …`.
    pub fn mismatch(place: impl fmt::Display, expected: impl fmt::Display, came: impl fmt::Display) -> Self {
        Self(format!("{place}: expected {expected}, came {came}"))
    }

    /// Ok if `holds`, else the mismatch.
    pub fn unless(
        holds: bool,
        place: impl fmt::Display,
        expected: impl fmt::Display,
        came: impl fmt::Display,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::mismatch(place, expected, came)) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the same line as `Display`, so that a test that unwraps a fault prints readable text.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
