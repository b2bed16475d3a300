//! Tokens that carry their address: `hf1.<owner>.<slot>.<secret>.<crc32>`.
//!
//! The owner and slot say where the record is, so a token is looked up with one strongly consistent read and no index.
//! The checksum throws garbage away before any I/O; it authenticates nothing, the secret's hash does.

use crate::ids::{self, DeviceId, LoginId, Malformed, SlotNo, UserId};
use crate::secret::{Domain, Label, Secret, TokenHash};

const PREFIX: &str = "hf1";

/// Where a user's session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The user of the session.
    pub user: UserId,
    /// The slot of the session.
    pub slot: SlotNo,
}

fn write(owner: &[u8; 16], place: u8, secret: &[u8]) -> String {
    let mut text = format!("{PREFIX}.{}.{place}.{}", ids::encode(owner), ids::encode(secret));
    let sum = crc32fast::hash(text.as_bytes()).to_be_bytes();
    text.push('.');
    text.push_str(&ids::encode(&sum));
    text
}

fn read<const N: usize>(text: &str) -> Result<([u8; 16], u8, Secret<N>), Malformed> {
    let (body, sum) = text.rsplit_once('.').ok_or(Malformed)?;
    if ids::decode::<4>(sum)? != crc32fast::hash(body.as_bytes()).to_be_bytes() {
        return Err(Malformed);
    }
    let mut parts = body.split('.');
    let (Some(PREFIX), Some(owner), Some(place), Some(secret), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed);
    };
    let place = match place.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        _ => return Err(Malformed),
    };
    Ok((ids::decode(owner)?, place, Secret::new(ids::decode(secret)?)))
}

fn address(owner: [u8; 16], place: u8) -> Result<Address, Malformed> {
    Ok(Address { user: UserId::from_bytes(owner), slot: SlotNo::new(place).ok_or(Malformed)? })
}

/// The token that authenticates a request.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// Where its session is.
    pub at: Address,
    secret: Secret<32>,
}

impl AccessToken {
    /// The access token that belongs to a refresh token.
    pub fn of(refresh: &RefreshToken) -> Self {
        Self { at: refresh.at, secret: refresh.secret.derive(Label::AccessOfRefresh, b"") }
    }

    /// Reads a presented token.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (owner, place, secret) = read(text)?;
        Ok(Self { at: address(owner, place)?, secret })
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        write(self.at.user.as_bytes(), self.at.slot.get(), self.secret.expose())
    }

    /// What the slot stores.
    pub fn hash(&self) -> TokenHash {
        self.secret.hash(Domain::Access)
    }
}

/// `family 16 B (fixed for the session) ‖ rotating 32 B`.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// Where its session is.
    pub at: Address,
    secret: Secret<48>,
}

impl RefreshToken {
    /// The first refresh token of a session, derived from the sign-in's secret and the slot's seed. So a repeated
    /// submit of the same sign-in can answer with the same tokens, although no table stores them.
    pub fn first(at: Address, origin: &Secret<32>, seed: &[u8; 32]) -> Self {
        let family = origin.derive(Label::FirstFamily, seed);
        let rotating = origin.derive(Label::FirstRefresh, seed);
        let mut secret = [0; 48];
        secret[..16].copy_from_slice(&family.expose()[..16]);
        secret[16..].copy_from_slice(rotating.expose());
        Self { at, secret: Secret::new(secret) }
    }

    /// The one that follows this one under `seed`: `family ‖ HMAC(this, seed)`.
    #[must_use]
    pub fn next(&self, seed: &[u8; 32]) -> Self {
        let rotating = self.secret.derive(Label::NextRefresh, seed);
        let mut secret = *self.secret.expose();
        secret[16..].copy_from_slice(rotating.expose());
        Self { at: self.at, secret: Secret::new(secret) }
    }

    /// Reads a presented token.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (owner, place, secret) = read(text)?;
        Ok(Self { at: address(owner, place)?, secret })
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        write(self.at.user.as_bytes(), self.at.slot.get(), self.secret.expose())
    }

    /// What the slot stores of the whole token.
    pub fn hash(&self) -> TokenHash {
        self.secret.hash(Domain::Refresh)
    }

    /// What the slot stores of the fixed part.
    pub fn family_hash(&self) -> TokenHash {
        TokenHash::of(Domain::Family, &self.secret.expose()[..16])
    }
}

/// Opens the second step of one sign-in.
#[derive(Clone, Debug)]
pub struct MfaToken {
    /// The sign-in whose row it opens.
    pub login: LoginId,
    /// The secret, from which the session's first tokens are derived.
    pub secret: Secret<32>,
}

impl MfaToken {
    /// Reads a presented token.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match read(text)? {
            (owner, 0, secret) => Ok(Self { login: LoginId::from_bytes(owner), secret }),
            _ => Err(Malformed),
        }
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        write(self.login.as_bytes(), 0, self.secret.expose())
    }
}

/// What a trusted device shows instead of the second factor: `hf1.<userId>.0.<deviceId ‖ secret>.<crc32>`.
#[derive(Clone, Debug)]
pub struct DeviceToken {
    /// The user of the device.
    pub user: UserId,
    /// The id of the device.
    pub device: DeviceId,
    /// The secret of the token.
    pub secret: Secret<32>,
}

impl DeviceToken {
    /// The token that follows this one under `seed`. It is the same for every client that presents this one.
    #[must_use]
    pub fn next(&self, seed: &[u8; 32]) -> Self {
        Self { user: self.user, device: self.device, secret: self.secret.derive(Label::NextDevice, seed) }
    }

    /// What the device's record stores.
    pub fn hash(&self) -> TokenHash {
        self.secret.hash(Domain::Device)
    }

    /// Reads a presented token.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (owner, 0, bytes) = read::<48>(text)? else { return Err(Malformed) };
        let (mut device, mut secret) = ([0; 16], [0; 32]);
        device.copy_from_slice(&bytes.expose()[..16]);
        secret.copy_from_slice(&bytes.expose()[16..]);
        let (user, device) = (UserId::from_bytes(owner), DeviceId::from_bytes(device));
        Ok(Self { user, device, secret: Secret::new(secret) })
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(self.device.as_bytes());
        bytes[16..].copy_from_slice(self.secret.expose());
        write(self.user.as_bytes(), 0, Secret::new(bytes).expose())
    }
}

/// A credential that opens one WebSocket, once, within 30 s. It is the only secret that a URL may hold, because it can
/// be used only once.
#[derive(Clone, Debug)]
pub struct Ticket(Secret<32>);

impl Ticket {
    /// From 32 random bytes.
    pub const fn new(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// Reads a presented ticket.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        ids::decode(text).map(|bytes| Self(Secret::new(bytes)))
    }

    /// The text for the client.
    pub fn text(&self) -> String {
        ids::encode(self.0.expose())
    }

    /// What the table stores.
    pub fn hash(&self) -> TokenHash {
        self.0.hash(Domain::Ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refresh() -> RefreshToken {
        let at = Address { user: UserId::from_bytes([9; 16]), slot: SlotNo::new(3).unwrap() };
        RefreshToken::first(at, &Secret::new([1; 32]), &[2; 32])
    }

    #[test]
    fn a_token_reads_back_as_itself() {
        let token = refresh();
        let read = RefreshToken::parse(&token.text()).unwrap();
        assert_eq!((read.at, read.hash()), (token.at, token.hash()));
        let access = AccessToken::of(&token);
        let read = AccessToken::parse(&access.text()).unwrap();
        assert_eq!((read.at, read.hash()), (access.at, access.hash()));
    }

    #[test]
    fn what_opens_a_second_step_or_a_socket_reads_back_as_itself() {
        let token = MfaToken { login: LoginId::from_bytes([4; 16]), secret: Secret::new([5; 32]) };
        let read = MfaToken::parse(&token.text()).unwrap();
        assert_eq!((read.login, read.secret.hash(Domain::Mfa)), (token.login, token.secret.hash(Domain::Mfa)));
        let ticket = Ticket::new(Secret::new([6; 32]));
        assert_eq!(Ticket::parse(&ticket.text()).unwrap().hash(), ticket.hash());
    }

    #[test]
    fn a_device_token_reads_back_as_itself() {
        let (user, device) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let token = DeviceToken { user, device, secret: Secret::new([3; 32]) };
        let read = DeviceToken::parse(&token.text()).unwrap();
        assert_eq!(
            (read.user, read.device, read.secret.hash(Domain::Device)),
            (user, device, token.secret.hash(Domain::Device))
        );
        assert!(DeviceToken::parse(&refresh().text()).is_err(), "a refresh token of slot 3 is none");
    }

    #[test]
    fn a_refresh_token_is_not_an_access_token() {
        assert!(AccessToken::parse(&refresh().text()).is_err());
        assert!(RefreshToken::parse(&AccessToken::of(&refresh()).text()).is_err());
    }

    #[test]
    fn rotation_keeps_the_family_and_nothing_else() {
        let (first, seed) = (refresh(), [5; 32]);
        let next = first.next(&seed);
        assert_eq!(next.family_hash(), first.family_hash());
        assert_ne!(next.hash(), first.hash());
        assert_eq!(next.hash(), first.next(&seed).hash(), "the same seed gives the same successor");
        assert_ne!(next.hash(), first.next(&[6; 32]).hash());
        assert_ne!(AccessToken::of(&next).hash(), AccessToken::of(&first).hash());
    }

    #[test]
    fn every_single_character_change_is_refused_before_any_lookup() {
        let text = AccessToken::of(&refresh()).text();
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(AccessToken::parse(&changed).is_err(), "{i}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_parses_and_never_panics(text in ".{0,200}") {
            prop_assert!(AccessToken::parse(&text).is_err());
            prop_assert!(RefreshToken::parse(&text).is_err());
            prop_assert!(MfaToken::parse(&text).is_err());
        }
    }
}
