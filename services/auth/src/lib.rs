//! The functions that sign users in: accounts, passwords, second factors and tokens.
//!
//! Each module holds the handler of one function and the dependencies of that handler. `src/bin/auth-<route>.rs` is its
//! `main`. `docs/changing.md` lists the changes for a new function.

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
