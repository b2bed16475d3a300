//! Implements the ports `CredentialVerifier` and `PasswordStrength`. [`Argon2id`] verifies passwords with hashes of our own,
//! [`Cognito`] with a user pool. [`Zxcvbn`] estimates how easily a new password is guessed.

mod argon2id;
mod cognito;
mod common_passwords;
mod strength;

pub use argon2id::Argon2id;
pub use cognito::Cognito;
pub use strength::Zxcvbn;
