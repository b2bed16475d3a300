//! The cookie that binds a sign-in to the browser that began it.
//!
//! It holds the nonce and the PKCE verifier, encrypted with a key that follows from `state`. `state` travels through the
//! provider and is not in the cookie. So neither the cookie alone nor the address alone opens it, every instance of the
//! function can, and there is no key to store or to rotate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, hkdf};
use serde::{Deserialize, Serialize};

/// A browser keeps this name from every other host, and from pages without TLS.
pub(crate) const NAME: &str = "__Host-own-identity";
/// A user must come back from the provider in this time.
pub(crate) const LIFE: Duration = Duration::from_secs(600);

/// What a sign-in must keep until the user comes back from the provider.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// The path of the page that the user comes to afterwards.
    pub(crate) return_to: Option<String>,
    /// In seconds since 1970.
    expires: u64,
}

impl Begun {
    pub(crate) fn new(nonce: String, verifier: String, return_to: Option<String>, now: SystemTime) -> Self {
        Self { nonce, verifier, return_to, expires: seconds(now + LIFE) }
    }

    /// The cookie. It is `Lax`, because the provider sends the user back from another site.
    pub(crate) fn set_cookie(&self, state: &str, issuer: &str) -> Option<String> {
        let mut sealed = serde_json::to_vec(self).ok()?;
        let (key, nonce) = key(state)?;
        key.seal_in_place_append_tag(nonce, aead::Aad::from(issuer.as_bytes()), &mut sealed).ok()?;
        Some(set_cookie(&URL_SAFE_NO_PAD.encode(sealed), LIFE))
    }

    /// Opens the value of a cookie. It is none if it was made for another `state` or another provider, or has expired.
    pub(crate) fn open(value: &str, state: &str, issuer: &str, now: SystemTime) -> Option<Self> {
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (key, nonce) = key(state)?;
        let opened = key.open_in_place(nonce, aead::Aad::from(issuer.as_bytes()), &mut sealed).ok()?;
        let begun: Self = serde_json::from_slice(opened).ok()?;
        (seconds(now) < begun.expires).then_some(begun)
    }
}

/// Removes the cookie: its `state` counts once.
pub(crate) fn remove() -> String {
    set_cookie("", Duration::ZERO)
}

fn set_cookie(value: &str, life: Duration) -> String {
    format!("{NAME}={value}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Lax", life.as_secs())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The key of a `state`. It seals one cookie, so a constant nonce is not repeated.
fn key(state: &str) -> Option<(aead::LessSafeKey, aead::Nonce)> {
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"own-identity").extract(state.as_bytes());
    let key = secret.expand(&[b"cookie"], &aead::AES_256_GCM).ok()?;
    Some((aead::LessSafeKey::new(key.into()), aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])))
}
