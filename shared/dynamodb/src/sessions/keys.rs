//! The key schema of the table `sessions`, all of it. Every part of a key is fixed text, a slot digit, or base64url of
//! random or hashed bytes: nothing a user types can reach one.

use holdfast_sessions::token::Address;
use holdfast_sessions::{DeviceId, LoginId, Millis, SlotNo, UserId, ids};

/// Partition key attribute.
pub const PK: &str = "PK";
/// Sort key attribute.
pub const SK: &str = "SK";
/// TTL attribute: Number, whole seconds, later than the logical expiry.
pub const TTL: &str = "ttl";
/// Sort key of the account. Slots sort after it, devices before.
pub const META: &str = "META";
/// How the sort keys of a user's trusted devices begin.
pub const DEVICES: &str = "D#";
/// Sort key of a sign-in's parent row.
pub const LOGIN: &str = "LOGIN";

/// Sort key of a sign-in's child row.
pub const MFA: &str = "MFA";

/// `E#<sha256(normalised e-mail)>`: who has it.
pub fn email(key: &[u8; 32]) -> (String, String) {
    (format!("E#{}", ids::encode(key)), "EMAIL".to_owned())
}

/// `I#<sha256(provider, subject)>`: who has this identity.
pub fn identity(key: &[u8; 32]) -> (String, String) {
    (format!("I#{}", ids::encode(key)), "IDENTITY".to_owned())
}

/// `U#<userId>`: everything of a user.
pub fn user(user: UserId) -> String {
    format!("U#{user}")
}

/// The key of an account.
pub fn account(id: UserId) -> (String, String) {
    (user(id), META.to_owned())
}

/// The key of one slot.
pub fn slot(at: Address) -> (String, String) {
    (user(at.user), format!("S#{}", at.slot))
}

/// A trusted device.
pub fn device(id: UserId, device: DeviceId) -> (String, String) {
    (user(id), format!("{DEVICES}{device}"))
}

/// The parent row of a sign-in.
pub fn login(id: LoginId) -> (String, String) {
    (format!("L#{id}"), LOGIN.to_owned())
}

/// The child row of a sign-in.
pub fn challenge(id: LoginId) -> (String, String) {
    (format!("L#{id}"), MFA.to_owned())
}

/// An attempt counter.
pub fn attempts(scope: &[u8; 32]) -> (String, String) {
    (format!("A#{}", ids::encode(scope)), "ATTEMPTS".to_owned())
}

/// A key under which nothing is ever stored.
pub fn nobody() -> (String, String) {
    ("NOBODY".to_owned(), "NOBODY".to_owned())
}

/// What a key names, for the reader of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The row of a slot.
    Slot(Address),
    /// The row of a sign-in.
    Login(LoginId),
    /// The child of one.
    Challenge(LoginId),
    /// The row of an account.
    Account(UserId),
    /// A trusted device.
    Device(UserId, DeviceId),
    /// Any other row.
    Other,
}

/// Reads a key back.
pub fn row(pk: &str, sk: &str) -> Row {
    if let Some(user) = pk.strip_prefix("U#").and_then(|id| id.parse().ok()) {
        if sk == META {
            return Row::Account(user);
        }
        if let Some(device) = sk.strip_prefix(DEVICES) {
            return device.parse().map_or(Row::Other, |device| Row::Device(user, device));
        }
        let slot = sk.strip_prefix("S#").and_then(|n| n.parse().ok()).and_then(SlotNo::new);
        return slot.map_or(Row::Other, |slot| Row::Slot(Address { user, slot }));
    }
    match (pk.strip_prefix("L#").and_then(|id| id.parse().ok()), sk) {
        (Some(id), LOGIN) => Row::Login(id),
        (Some(id), MFA) => Row::Challenge(id),
        _ => Row::Other,
    }
}

/// The TTL of a row that expires at `expiry`. It adds a day, so that a row that has just expired can still be read.
pub fn ttl(expiry: Millis) -> i64 {
    expiry.plus_seconds(holdfast_sessions::policy::TTL_GRACE_SECONDS).seconds_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_sort_before_the_account_and_slots_after_it() {
        let user = UserId::from_bytes([1; 16]);
        let (_, device) = device(user, DeviceId::from_bytes([255; 16]));
        let (_, slot) = slot(Address { user, slot: SlotNo::new(0).unwrap() });
        assert!(device.as_str() < META && META < slot.as_str());
    }

    /// Every key has one length that no input changes. DynamoDB takes 2 048 bytes of a partition key and 1 024 of a
    /// sort key.
    #[test]
    fn keys_have_a_fixed_length() {
        for byte in [0, 255] {
            let at = Address { user: UserId::from_bytes([byte; 16]), slot: SlotNo::new(9).unwrap() };
            let id = LoginId::from_bytes([byte; 16]);
            let device_id = DeviceId::from_bytes([byte; 16]);
            let lengths = [
                email(&[byte; 32]),
                identity(&[byte; 32]),
                attempts(&[byte; 32]),
                account(at.user),
                slot(at),
                device(at.user, device_id),
                login(id),
                challenge(id),
                nobody(),
            ]
            .map(|(pk, sk)| (pk.len(), sk.len()));
            let expected = [(45, 5), (45, 8), (45, 8), (24, 4), (24, 3), (24, 24), (24, 5), (24, 3), (6, 6)];
            assert_eq!(lengths, expected);
        }
    }

    #[test]
    fn keys_read_back() {
        let at = Address { user: UserId::from_bytes([7; 16]), slot: SlotNo::new(9).unwrap() };
        let (pk, sk) = slot(at);
        assert_eq!(row(&pk, &sk), Row::Slot(at));
        let id = LoginId::from_bytes([8; 16]);
        let (pk, sk) = login(id);
        assert_eq!(row(&pk, &sk), Row::Login(id));
        let (pk, sk) = challenge(id);
        assert_eq!(row(&pk, &sk), Row::Challenge(id));
        let id = DeviceId::from_bytes([6; 16]);
        let (pk, sk) = device(at.user, id);
        assert_eq!(row(&pk, &sk), Row::Device(at.user, id));
        assert_eq!(row(&pk, "D#x"), Row::Other);
        assert_eq!(row(&user(at.user), META), Row::Account(at.user));
        assert_eq!(row(&user(at.user), "S#10"), Row::Other);
    }
}
