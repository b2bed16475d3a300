//! The functions that sign users in: accounts, passwords, second factors and tokens.
//!
//! Each module is one function: its handler and the dependencies of that. `src/bin/auth-<route>.rs` is its `main`.

pub mod login;
pub mod logout;
pub mod mfa_activate;
pub mod mfa_disable;
pub mod mfa_enroll;
pub mod mfa_recovery_codes;
pub mod mfa_verify;
pub mod password;
pub mod reauthenticate;
pub mod refresh;
pub mod register;
#[cfg(test)]
mod tests;
