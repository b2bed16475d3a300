//! Items of the table `sessions` as domain records, and back. Also what reads the images of the table's stream.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_domain::account::{Account, Status};
use holdfast_domain::device::Device;
use holdfast_domain::event::{AccountImage, ChallengeImage, LoginImage};
use holdfast_domain::mfa::{Factor, Mfa, Seed};
use holdfast_domain::ports::{StoreError, TrustedDevice};
use holdfast_domain::session::{EndReason, Ended, Keys, RefreshKeys, Slot};
use holdfast_domain::signin::{Answered, Challenge, Login, LoginFailure, LoginState, Wishes};
use holdfast_domain::{SlotNo, TokenHash};

use super::keys::{self, Row, TTL};
use crate::attributes::{Item, Reader, at, b, n, s};

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

fn row_of(item: &Item) -> Result<Row, StoreError> {
    let reader = Reader::new(item);
    Ok(keys::row(reader.text(keys::PK)?, reader.text(keys::SK)?))
}

/// Reads a slot.
pub fn slot(item: &Item) -> Result<Slot, StoreError> {
    let Row::Slot(address) = row_of(item)? else { return Err(corrupt("a slot's key")) };
    let r = Reader::new(item);
    let hash = |name: &str| r.bytes_opt(name).map(|bytes| bytes.map(TokenHash::from_bytes));
    let keys = match hash("accessHash")? {
        None => None,
        Some(access) => Some(Keys {
            access,
            access_expires_at: r.time("accessExpiresAt")?,
            previous_access: match (hash("prevAccessHash")?, r.time_opt("prevAccessUntil")?) {
                (Some(hash), Some(until)) => Some((hash, until)),
                _ => None,
            },
            refresh: Some(RefreshKeys {
                generation: r.int("gen")?,
                family: TokenHash::from_bytes(r.bytes("familyHash")?),
                current: TokenHash::from_bytes(r.bytes("refreshHash")?),
                previous: hash("prevRefreshHash")?,
                seed: r.bytes("seed")?,
                rotated_at: r.time("rotatedAt")?,
            }),
        }),
    };
    let ended = match r.time_opt("endedAt")? {
        None => None,
        // A reason written by a newer version is still an end.
        Some(at) => {
            let reason = r.text_opt("endedReason")?.and_then(EndReason::parse).unwrap_or(EndReason::Revoked);
            Some(Ended { at, reason })
        }
    };
    Ok(Slot {
        at: address,
        sid: r.parse("sid")?,
        email: r.text("email")?.to_owned(),
        version: r.int("version")?,
        keys,
        created_at: r.time("createdAt")?,
        last_used_at: r.time("lastUsedAt")?,
        last_updated_at: r.time("lastUpdatedAt")?,
        idle_expires_at: r.time("idleExpiresAt")?,
        absolute_expires_at: r.time("absoluteExpiresAt")?,
        stay_signed_in: r.flag("staySignedIn")?,
        mfa_verified_at: r.time_opt("mfaVerifiedAt")?,
        device_id: r.parse_opt("deviceId")?,
        device: device(&r)?,
        trusted: r.flag("trusted")?,
        trusted_at: r.time_opt("trustedAt")?,
        op: r.text("op")?.to_owned(),
        ended,
    })
}

fn device(r: &Reader<'_>) -> Result<Device, StoreError> {
    let device = r.map_opt("device")?;
    let part = |name: &str| -> Result<String, StoreError> {
        device.map_or(Ok(None), |d| d.text_opt(name)).map(|text| text.unwrap_or("").to_owned())
    };
    Ok(Device { name: part("name")?, browser: part("browser")?, os: part("os")?, ip: part("ip")? })
}

/// Writes what a session says of its device.
pub(super) fn device_value(device: &Device) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("name".to_owned(), s(&device.name)),
        ("browser".to_owned(), s(&device.browser)),
        ("os".to_owned(), s(&device.os)),
        ("ip".to_owned(), s(&device.ip)),
    ]))
}

/// Writes a live slot.
pub(super) fn slot_item(slot: &Slot) -> Item {
    let (pk, sk) = keys::slot(slot.at);
    let mut item = Item::from([
        (keys::PK.to_owned(), s(pk)),
        (keys::SK.to_owned(), s(sk)),
        ("sid".to_owned(), s(slot.sid.to_string())),
        ("userId".to_owned(), s(slot.at.user.to_string())),
        ("email".to_owned(), s(&slot.email)),
        ("version".to_owned(), n(slot.version)),
        ("createdAt".to_owned(), at(slot.created_at)),
        ("lastUsedAt".to_owned(), at(slot.last_used_at)),
        ("lastUpdatedAt".to_owned(), at(slot.last_updated_at)),
        ("idleExpiresAt".to_owned(), at(slot.idle_expires_at)),
        ("absoluteExpiresAt".to_owned(), at(slot.absolute_expires_at)),
        ("staySignedIn".to_owned(), AttributeValue::Bool(slot.stay_signed_in)),
        ("trusted".to_owned(), AttributeValue::Bool(slot.trusted)),
        ("device".to_owned(), device_value(&slot.device)),
        ("op".to_owned(), s(&slot.op)),
        (TTL.to_owned(), n(keys::ttl(slot.absolute_expires_at))),
    ]);
    let mut put = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    put("mfaVerifiedAt", slot.mfa_verified_at.map(at));
    put("deviceId", slot.device_id.map(|id| s(id.to_string())));
    put("trustedAt", slot.trusted_at.map(at));
    if let Some(keys) = &slot.keys {
        put("accessHash", Some(b(keys.access.as_bytes())));
        put("accessExpiresAt", Some(at(keys.access_expires_at)));
        put("prevAccessHash", keys.previous_access.map(|(hash, _)| b(hash.as_bytes())));
        put("prevAccessUntil", keys.previous_access.map(|(_, until)| at(until)));
    }
    if let Some(keys) = slot.keys.as_ref().and_then(|keys| keys.refresh.as_ref()) {
        put("gen", Some(n(keys.generation)));
        put("familyHash", Some(b(keys.family.as_bytes())));
        put("refreshHash", Some(b(keys.current.as_bytes())));
        put("prevRefreshHash", keys.previous.map(|hash| b(hash.as_bytes())));
        put("seed", Some(b(&keys.seed)));
        put("rotatedAt", Some(at(keys.rotated_at)));
    }
    item
}

/// Reads an account.
pub(super) fn account(item: &Item) -> Result<Account, StoreError> {
    let r = Reader::new(item);
    let status = match r.text("status")? {
        "ACTIVE" => Status::Active,
        // Whatever else it says, it does not say that this account may be used.
        _ => Status::Disabled,
    };
    Ok(Account {
        user: r.parse("userId")?,
        email: r.text("email")?.to_owned(),
        password: r.text("password")?.to_owned(),
        auth_epoch: r.int("authEpoch")?,
        status,
        version: r.int("version")?,
        mfa: Mfa {
            pending: r.bytes_opt("mfaPending")?.map(Seed::from_bytes),
            enabled: match r.bytes_opt("mfaSecret")? {
                None => None,
                Some(seed) => Some(Factor {
                    seed: Seed::from_bytes(seed),
                    last_step: r.int_opt("lastStep")?,
                    recovery: r.hashes("recovery")?.into_iter().map(TokenHash::from_bytes).collect(),
                }),
            },
        },
    })
}

/// Reads what an event needs of an account row.
pub fn account_event(item: &Item) -> Result<AccountImage, StoreError> {
    let Row::Account(user) = row_of(item)? else { return Err(corrupt("an account's key")) };
    let r = Reader::new(item);
    let created = r.time("createdAt")?;
    Ok(AccountImage {
        user,
        password_changed_at: r.time_opt("passwordChangedAt")?,
        mfa_enabled_at: r.time_opt("mfaEnabledAt")?,
        at: r.time_opt("lastUpdatedAt")?.unwrap_or(created),
    })
}

/// Reads a trusted device's record.
pub(super) fn trusted_device(item: &Item) -> Result<TrustedDevice, StoreError> {
    let r = Reader::new(item);
    Ok(TrustedDevice {
        secret: TokenHash::from_bytes(r.bytes("secretHash")?),
        auth_epoch: r.int("authEpoch")?,
        created_at: r.time("createdAt")?,
        expires_at: r.time("expiresAt")?,
    })
}

/// Reads a sign-in's child row.
pub(super) fn challenge(item: &Item) -> Result<Challenge, StoreError> {
    let Row::Challenge(login) = row_of(item)? else { return Err(corrupt("a challenge's key")) };
    let r = Reader::new(item);
    Ok(Challenge {
        login,
        user: r.parse("userId")?,
        secret: TokenHash::from_bytes(r.bytes("secretHash")?),
        expires_at: r.time("expiresAt")?,
        wishes: Wishes { stay_signed_in: r.flag("staySignedIn")?, device: device(&r)? },
    })
}

/// Reads what an event needs of a child row.
pub fn challenge_event(item: &Item) -> Result<ChallengeImage, StoreError> {
    let Row::Challenge(id) = row_of(item)? else { return Err(corrupt("a challenge's key")) };
    let r = Reader::new(item);
    Ok(ChallengeImage { id, user: r.parse("userId")?, wrong: r.hashes("wrong")?.len(), at: r.time("at")? })
}

/// The stored text of a status.
pub(super) const fn status_text(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE",
        Status::Disabled => "DISABLED",
    }
}

/// Reads a sign-in's parent row.
pub(super) fn login(item: &Item) -> Result<Login, StoreError> {
    let Row::Login(id) = row_of(item)? else { return Err(corrupt("a sign-in's key")) };
    let r = Reader::new(item);
    let session = match (r.int_opt::<u8>("slot")?.and_then(SlotNo::new), r.parse_opt("sid")?) {
        (Some(slot), Some(sid)) => Some((slot, sid)),
        _ => None,
    };
    Ok(Login {
        id,
        state: login_state(&r)?,
        user: r.parse_opt("userId")?,
        auth_epoch: r.int("authEpoch")?,
        started_at: r.time("startedAt")?,
        expires_at: r.time("expiresAt")?,
        session,
        answered: match (r.bytes_opt("mfaHash")?, r.bytes_opt("answerHash")?) {
            (Some(secret), Some(attempt)) => {
                Some(Answered { secret: TokenHash::from_bytes(secret), attempt: TokenHash::from_bytes(attempt) })
            }
            _ => None,
        },
        cookies: r.flag("cookies")?,
    })
}

fn login_state(r: &Reader<'_>) -> Result<LoginState, StoreError> {
    LoginState::parse(r.text("state")?).ok_or_else(|| corrupt("a sign-in's state"))
}

/// Reads what an event needs of a sign-in row.
pub fn login_event(item: &Item) -> Result<LoginImage, StoreError> {
    let Row::Login(id) = row_of(item)? else { return Err(corrupt("a sign-in's key")) };
    let r = Reader::new(item);
    let known = LoginFailure::ALL.map(LoginFailure::text);
    Ok(LoginImage {
        id,
        user: r.parse_opt("userId")?,
        state: login_state(&r)?,
        reason: r.text_opt("reason")?.and_then(|text| known.into_iter().find(|k| *k == text)),
        at: r.time("at")?,
        with_mfa: r.flag("mfa")?,
        session: r.parse_opt("sid")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_domain::signin::{Draw, Wishes, new_session};
    use holdfast_domain::token::Address;
    use holdfast_domain::{Millis, Secret, SessionId, UserId, policy::Policy};

    fn sample() -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(4).unwrap() };
        let draw = Draw { sid: SessionId::from_bytes([2; 16]), origin: Secret::new([3; 32]), seed: [4; 32] };
        let wishes = Wishes { stay_signed_in: true, device: Device::seen(Some("laptop"), "curl/8", "192.0.2.1") };
        new_session(at, "a@b", &draw, &wishes, &Policy::default(), Millis::new(1_000), "op1".into()).0
    }

    #[test]
    fn a_slot_reads_back_as_it_was_written() {
        let mut full = sample();
        full.trusted = true;
        full.trusted_at = Some(Millis::new(7));
        full.mfa_verified_at = Some(Millis::new(8));
        let keys = full.keys.as_mut().unwrap();
        keys.previous_access = Some((TokenHash::from_bytes([9; 32]), Millis::new(9)));
        keys.refresh.as_mut().unwrap().previous = Some(TokenHash::from_bytes([10; 32]));
        for written in [sample(), full] {
            assert_eq!(slot(&slot_item(&written)), Ok(written));
        }
    }

    #[test]
    fn nothing_stored_of_a_slot_is_a_token() {
        let item = slot_item(&sample());
        let text = format!("{item:?}");
        assert!(!text.contains("hf1."));
    }

    #[test]
    fn the_ttl_is_whole_seconds_and_later_than_the_expiry() {
        let item = slot_item(&sample());
        let ttl: i64 = item[TTL].as_n().unwrap().parse().unwrap();
        assert!(ttl * 1000 > sample().absolute_expires_at.get());
        assert!(ttl < 10_000_000_000, "seconds, not milliseconds");
    }

    #[test]
    fn a_record_that_is_not_ours_is_corrupt_and_never_missing() {
        let mut item = slot_item(&sample());
        item.insert("accessHash".into(), b(&[1; 31]));
        assert!(matches!(slot(&item), Err(StoreError::Corrupt(_))));
        let mut item = slot_item(&sample());
        item.remove("idleExpiresAt");
        assert!(matches!(slot(&item), Err(StoreError::Corrupt(_))));
    }

    /// Bytes of an item as DynamoDB counts them (Developer Guide, "Item sizes and formats"): names and values; a number
    /// takes at most one byte for two digits and two more, a map three and one for each entry.
    fn size(item: &Item) -> usize {
        fn value(stored: &AttributeValue) -> usize {
            match stored {
                AttributeValue::S(text) => text.len(),
                AttributeValue::N(digits) => digits.len().div_ceil(2) + 2,
                AttributeValue::B(bytes) => bytes.as_ref().len(),
                AttributeValue::Bool(_) => 1,
                AttributeValue::Bs(set) => set.iter().map(|bytes| bytes.as_ref().len()).sum(),
                AttributeValue::M(map) => 3 + map.iter().map(|(k, v)| 1 + k.len() + value(v)).sum::<usize>(),
                other => panic!("nothing of ours: {other:?}"),
            }
        }
        item.iter().map(|(name, v)| name.len() + value(v)).sum()
    }

    /// The largest slot there can be.
    fn largest(number: u8, email: usize, text: usize) -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(number).unwrap() };
        let long = "x".repeat(text);
        let now = Millis::new(1_999_999_999_999);
        let mut slot = Slot { at, email: "e".repeat(email), version: u64::MAX, op: "o".repeat(16), ..sample() };
        slot.device = Device { name: long.clone(), browser: long.clone(), os: long, ip: "2001:db8::".repeat(4) };
        (slot.device_id, slot.trusted_at, slot.mfa_verified_at) =
            (Some(holdfast_domain::DeviceId::from_bytes([9; 16])), Some(now), Some(now));
        let keys = slot.keys.as_mut().unwrap();
        keys.previous_access = Some((TokenHash::from_bytes([9; 32]), now));
        let refresh = keys.refresh.as_mut().unwrap();
        refresh.previous = Some(TokenHash::from_bytes([9; 32]));
        refresh.generation = u64::MAX;
        slot
    }

    /// The largest account: a recovery code for each of ten, an argon2id hash.
    fn largest_account(email: usize) -> Item {
        let (pk, sk) = keys::account(UserId::from_bytes([1; 16]));
        let long = Millis::new(1_999_999_999_999);
        Item::from([
            (keys::PK.to_owned(), s(pk)),
            (keys::SK.to_owned(), s(sk)),
            ("userId".to_owned(), s("u".repeat(22))),
            ("email".to_owned(), s("e".repeat(email))),
            ("password".to_owned(), s("p".repeat(100))),
            ("authEpoch".to_owned(), n(u64::MAX)),
            ("status".to_owned(), s("DISABLED")),
            ("version".to_owned(), n(u64::MAX)),
            ("createdAt".to_owned(), at(long)),
            ("lastUpdatedAt".to_owned(), at(long)),
            ("passwordChangedAt".to_owned(), at(long)),
            ("mfaEnabledAt".to_owned(), at(long)),
            ("mfaSecret".to_owned(), b(&[1; 20])),
            ("mfaPending".to_owned(), b(&[1; 20])),
            ("lastStep".to_owned(), n(u64::MAX)),
            ("recovery".to_owned(), crate::attributes::bs([[1_u8; 32]; 10].iter())),
            ("op".to_owned(), s("o".repeat(16))),
        ])
    }

    /// Units of a strongly consistent Query: 4 KiB each, of all items together.
    fn read_units(slots: u8, email: usize, text: usize) -> usize {
        let slots: usize = (0..slots).map(|number| size(&slot_item(&largest(number, email, text)))).sum();
        (slots + size(&largest_account(email))).div_ceil(4096)
    }

    #[test]
    fn account_and_slots_are_read_for_two_units_at_five_sessions_and_three_at_ten() {
        assert_eq!(read_units(5, 254, 64), 2, "the longest e-mail and the longest names there are");
        assert_eq!(read_units(10, 64, 64), 3, "an e-mail of 64 bytes");
    }
}
