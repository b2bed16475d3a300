//! Signs users in with OpenID Connect (authorization code and PKCE) and makes their Holdfast session.
//!
//! [`App`] serves the two routes. `provider` talks to the OpenID provider, `secret` reads the client secret, `cookie` keeps the
//! secrets of a sign-in in the user's browser, and `settings` is the configuration.
#![forbid(unsafe_code)]

mod app;
mod cookie;
mod http;
mod provider;
mod refusal;
mod secret;
mod settings;
mod web;

#[cfg(test)]
mod tests;

pub use app::App;
pub use http::{Answer, Event};
pub use refusal::Refusal;
pub use settings::Settings;
