//! Secrets that never print, and the hashes that stand for them at rest.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` secret bytes: no `Display`, a `Debug` without content, wiped when dropped.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes, for encoding into a token and for derivation only.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// HMAC-SHA-256 under this secret over `label ‖ context`: how one secret yields another without being found from it.
    pub fn derive(&self, label: Label, context: &[u8]) -> Secret<32> {
        Secret(keyed(&self.0, label, context))
    }

    /// What is stored instead of the secret.
    pub fn hash(&self, domain: Domain) -> TokenHash {
        TokenHash::of(domain, &self.0)
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The kind of secret that a hash belongs to. A secret of one kind can never be presented as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The domain of access tokens.
    Access,
    /// Refresh token, whole.
    Refresh,
    /// The fixed part of a refresh token.
    Family,
    /// The secret of an MFA session.
    Mfa,
    /// The domain of WebSocket tickets.
    Ticket,
    /// The domain of device tokens.
    Device,
    /// The domain of recovery codes.
    Recovery,
}

impl Domain {
    const fn tag(self) -> &'static [u8] {
        match self {
            Domain::Access => b"holdfast/access/1\0",
            Domain::Refresh => b"holdfast/refresh/1\0",
            Domain::Family => b"holdfast/family/1\0",
            Domain::Mfa => b"holdfast/mfa/1\0",
            Domain::Ticket => b"holdfast/ticket/1\0",
            Domain::Device => b"holdfast/device/1\0",
            Domain::Recovery => b"holdfast/recovery/1\0",
        }
    }
}

/// What a derived secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The rotating part of the next refresh token, from the presented one.
    NextRefresh,
    /// The access token that belongs to a refresh token.
    AccessOfRefresh,
    /// The fixed part of the first refresh token, from the sign-in's secret and seed.
    FirstFamily,
    /// The rotating part of the first refresh token, from the sign-in's secret and seed.
    FirstRefresh,
    /// The public name of the session a sign-in makes, from its secret and seed.
    SessionName,
    /// The next secret of a trusted device, from the presented one and a stored seed.
    NextDevice,
    /// The name of the device a sign-in makes trusted, from its secret and seed.
    DeviceName,
    /// That device's secret, from the sign-in's secret and seed.
    DeviceSecret,
    /// What stands for an answer that was tried, under the secret of the sign-in.
    Attempt,
}

impl Label {
    const fn tag(self) -> &'static [u8] {
        match self {
            Label::NextRefresh => b"holdfast/next-refresh/1\0",
            Label::AccessOfRefresh => b"holdfast/access-of-refresh/1\0",
            Label::FirstFamily => b"holdfast/first-family/1\0",
            Label::FirstRefresh => b"holdfast/first-refresh/1\0",
            Label::SessionName => b"holdfast/session-name/1\0",
            Label::NextDevice => b"holdfast/next-device/1\0",
            Label::DeviceName => b"holdfast/device-name/1\0",
            Label::DeviceSecret => b"holdfast/device-secret/1\0",
            Label::Attempt => b"holdfast/attempt/1\0",
        }
    }
}

fn keyed(key: &[u8], label: Label, context: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length; the error is unreachable, and an all-zero result would still verify against nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(label.tag());
    mac.update(context);
    mac.finalize().into_bytes().into()
}

/// SHA-256 of a secret under its [`Domain`]. Equality takes the same time wherever the first difference is.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a secret of any length.
    pub fn of(domain: Domain, secret: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(domain.tag());
        hasher.update(secret);
        Self(hasher.finalize().into())
    }

    /// A hash read back from a store.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// SHA-256 of anything that becomes part of a key (an e-mail, a scope, an idempotency key).
pub fn fingerprint(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(purpose.as_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_hashes_differently_in_every_domain() {
        use Domain::{Access, Device, Family, Mfa, Recovery, Refresh, Ticket};
        let domains = [Access, Refresh, Family, Mfa, Ticket, Device, Recovery];
        let secret = Secret::new([7; 32]);
        for (i, a) in domains.iter().enumerate() {
            for (j, b) in domains.iter().enumerate() {
                assert_eq!(secret.hash(*a) == secret.hash(*b), i == j);
            }
        }
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        assert_eq!(format!("{:?}", Secret::new(*b"topsecret")), "Secret(…)");
        assert_eq!(format!("{:?}", TokenHash::of(Domain::Access, b"x")), "TokenHash(…)");
    }

    #[test]
    fn fingerprints_do_not_run_together() {
        assert_ne!(fingerprint("p", &[b"ab", b"c"]), fingerprint("p", &[b"a", b"bc"]));
    }
}
