//! Verifies passwords and judges new ones, behind the ports `CredentialVerifier` and `PasswordStrength`: [`Argon2id`] with
//! hashes of our own, [`Cognito`] with a user pool, [`Zxcvbn`] by estimating how easily a password is guessed.

mod argon2id;
mod cognito;
mod common_passwords;
mod strength;

pub use argon2id::Argon2id;
pub use cognito::Cognito;
pub use strength::Zxcvbn;
