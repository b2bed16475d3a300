//! What every cache must do: the server under the protocol ([`server`]), and the protocol as the session service sees it,
//! whichever provider is configured ([`provider`]).

pub mod provider;
pub mod server;
