//! Test data. Everything is random, so that tests and runs never meet, in any order and number.

/// A user who can sign in.
#[derive(Clone, Debug)]
pub struct Person {
    /// E-mail address; unique to this person.
    pub email: String,
    /// Password; unique too, so that its text can be searched for.
    pub password: String,
}

impl Person {
    /// A new one, not registered yet.
    pub fn random() -> Self {
        Self { email: format!("e2e-{}@holdfast.test", random_text()), password: format!("pw-{}", random_text()) }
    }
}

/// 24 random hexadecimal digits.
pub fn random_text() -> String {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
