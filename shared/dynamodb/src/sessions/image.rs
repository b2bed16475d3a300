//! Items of the table `sessions` as domain records, and back. Also what reads the images of the table's stream.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_sessions::account::{Account, Identity, Status};
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::device::Device;
use holdfast_sessions::event::{AccountImage, ChallengeImage, DeviceImage, LoginImage, SlotImage, created_from};
use holdfast_sessions::mfa::{Factor, KeptSeed, Mfa, Pending, Seed};
use holdfast_sessions::policy::{SignInLimits, TOMBSTONE_SECONDS};
use holdfast_sessions::ports::StoreError;
use holdfast_sessions::session::{EndReason, Ended, Keys, RefreshKeys, Slot, Trust};
use holdfast_sessions::signin::{Answered, Login, LoginFailure, LoginState, MfaChallenge, SessionOptions};
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, Millis, SlotNo, TokenHash, UserId};

use super::keys::{self, Row, TTL};
use crate::attributes::{Item, Reader, binary, number, string, timestamp};
use crate::statement::Statement;

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

fn row_of(item: &Item) -> Result<Row, StoreError> {
    let reader = Reader::new(item);
    Ok(keys::row(reader.text(keys::PK)?, reader.text(keys::SK)?))
}

/// Reads a slot.
pub(super) fn slot(item: &Item) -> Result<Slot, StoreError> {
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
        identity: identity(&r)?,
        claims: claims(&r)?,
        version: r.int("version")?,
        keys,
        created_at: r.time("createdAt")?,
        // Slots of version 0.1.0 do not store this time, so the time of their sign-in is used.
        authenticated_at: match r.time_opt("authenticatedAt")? {
            Some(at) => at,
            None => r.time("createdAt")?,
        },
        last_used_at: r.time("lastUsedAt")?,
        last_updated_at: r.time("lastUpdatedAt")?,
        idle_expires_at: r.time("idleExpiresAt")?,
        absolute_expires_at: r.time("absoluteExpiresAt")?,
        stay_signed_in: r.flag("staySignedIn")?,
        mfa_verified_at: r.time_opt("mfaVerifiedAt")?,
        device: device(&r)?,
        trust: trust(&r)?,
        op: r.text("op")?.to_owned(),
        ended,
    })
}

fn identity(r: &Reader<'_>) -> Result<Option<Identity>, StoreError> {
    Ok(match (r.text_opt("identityProvider")?, r.text_opt("identitySubject")?) {
        (Some(provider), Some(subject)) => {
            Some(Identity { provider: provider.to_owned(), subject: subject.to_owned() })
        }
        _ => None,
    })
}

/// The attribute of an account's and a slot's claims: JSON text. Empty claims are not stored.
const CLAIMS: &str = "claims";

fn claims(r: &Reader<'_>) -> Result<Claims, StoreError> {
    let stored = r.text_opt(CLAIMS)?.map(Claims::parse).transpose();
    Ok(stored.map_err(|_| corrupt("claims"))?.unwrap_or_default())
}

fn claims_value(claims: &Claims) -> Option<AttributeValue> {
    (!claims.is_empty()).then(|| string(claims.as_str()))
}

/// Writes the claims of an account or a slot.
pub(super) fn set_claims(row: Statement, claims: &Claims) -> Statement {
    row.set_or_remove(CLAIMS, claims_value(claims))
}

/// Requires that an account has these claims.
pub(super) fn when_claims(account: Statement, claims: &Claims) -> Statement {
    match claims_value(claims) {
        Some(value) => account.when("claims = :claims").value(":claims", value),
        None => account.when("attribute_not_exists(claims)"),
    }
}

/// Whether a stored account has these claims.
pub(super) fn has_claims(account: &Item, claims: &Claims) -> bool {
    self::claims(&Reader::new(account)).is_ok_and(|stored| stored == *claims)
}

/// The trust of a slot's device. Slots of version 0.1.0 do not say until when; it was at most the default from then on.
fn trust(r: &Reader<'_>) -> Result<Option<Trust>, StoreError> {
    let (Some(device), Some(since), true) =
        (r.parse_opt::<DeviceId>("deviceId")?, r.time_opt("trustedAt")?, r.flag("trusted")?)
    else {
        return Ok(None);
    };
    let until = match r.time_opt("trustedUntil")? {
        Some(until) => until,
        None => since.plus_seconds(SignInLimits::default().device_trust_seconds),
    };
    Ok(Some(Trust { device, since, until }))
}

/// Writes the trust of a slot's device, or takes it away.
pub(super) fn set_trust(slot: Statement, trust: Option<&Trust>) -> Statement {
    match trust {
        Some(trust) => slot
            .set("trusted", AttributeValue::Bool(true))
            .set("trustedAt", timestamp(trust.since))
            .set("trustedUntil", timestamp(trust.until))
            .set("deviceId", string(trust.device.to_string())),
        None => slot.set("trusted", AttributeValue::Bool(false)).remove(&["trustedAt", "trustedUntil", "deviceId"]),
    }
}

/// Where the last change of a row came from.
fn origin(r: &Reader<'_>) -> Result<Origin, StoreError> {
    let text = |name: &str| r.text_opt(name).map(|text| text.map(str::to_owned));
    Ok(Origin { network: text("network")?, actor: text("actor")? })
}

/// Reads what an event needs of a slot.
pub(super) fn slot_event(item: &Item) -> Result<SlotImage, StoreError> {
    let slot = slot(item)?;
    let written = origin(&Reader::new(item))?;
    // A change without a recorded origin comes from where the session was created.
    let origin = if written == Origin::default() && slot.ended.is_none() { created_from(&slot) } else { written };
    Ok(SlotImage { slot, origin })
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
        ("name".to_owned(), string(&device.name)),
        ("browser".to_owned(), string(&device.browser)),
        ("os".to_owned(), string(&device.os)),
        ("ip".to_owned(), string(&device.ip)),
    ]))
}

/// Writes a live slot.
pub(super) fn slot_item(slot: &Slot) -> Item {
    let (pk, sk) = keys::slot(slot.at);
    let mut item = Item::from([
        (keys::PK.to_owned(), string(pk)),
        (keys::SK.to_owned(), string(sk)),
        ("sid".to_owned(), string(slot.sid.to_string())),
        ("userId".to_owned(), string(slot.at.user.to_string())),
        ("email".to_owned(), string(&slot.email)),
        ("version".to_owned(), number(slot.version)),
        ("createdAt".to_owned(), timestamp(slot.created_at)),
        ("authenticatedAt".to_owned(), timestamp(slot.authenticated_at)),
        ("lastUsedAt".to_owned(), timestamp(slot.last_used_at)),
        ("lastUpdatedAt".to_owned(), timestamp(slot.last_updated_at)),
        ("idleExpiresAt".to_owned(), timestamp(slot.idle_expires_at)),
        ("absoluteExpiresAt".to_owned(), timestamp(slot.absolute_expires_at)),
        ("staySignedIn".to_owned(), AttributeValue::Bool(slot.stay_signed_in)),
        ("trusted".to_owned(), AttributeValue::Bool(slot.trust.is_some())),
        ("device".to_owned(), device_value(&slot.device)),
        ("op".to_owned(), string(&slot.op)),
        (TTL.to_owned(), number(keys::ttl(slot.absolute_expires_at))),
    ]);
    let mut put = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    put(CLAIMS, claims_value(&slot.claims));
    put("mfaVerifiedAt", slot.mfa_verified_at.map(timestamp));
    put("deviceId", slot.trust.map(|trust| string(trust.device.to_string())));
    put("trustedAt", slot.trust.map(|trust| timestamp(trust.since)));
    put("trustedUntil", slot.trust.map(|trust| timestamp(trust.until)));
    put("identityProvider", slot.identity.as_ref().map(|identity| string(&identity.provider)));
    put("identitySubject", slot.identity.as_ref().map(|identity| string(&identity.subject)));
    if let Some(keys) = &slot.keys {
        put("accessHash", Some(binary(keys.access.as_bytes())));
        put("accessExpiresAt", Some(timestamp(keys.access_expires_at)));
        put("prevAccessHash", keys.previous_access.map(|(hash, _)| binary(hash.as_bytes())));
        put("prevAccessUntil", keys.previous_access.map(|(_, until)| timestamp(until)));
    }
    if let Some(keys) = slot.keys.as_ref().and_then(|keys| keys.refresh.as_ref()) {
        put("gen", Some(number(keys.generation)));
        put("familyHash", Some(binary(keys.family.as_bytes())));
        put("refreshHash", Some(binary(keys.current.as_bytes())));
        put("prevRefreshHash", keys.previous.map(|hash| binary(hash.as_bytes())));
        put("seed", Some(binary(&keys.seed)));
        put("rotatedAt", Some(timestamp(keys.rotated_at)));
    }
    item
}

/// The first byte of a sealed seed. A plain seed, as version 0.1.0 kept it, has 20 bytes and is recognized by its
/// length. Version 0.1.0 reads a sealed seed as a corrupt record, so it accepts no sign-in by mistake.
const SEALED: u8 = 1;

/// Writes a sealed seed.
pub(super) fn sealed_value(sealed: &[u8]) -> AttributeValue {
    binary(&[&[SEALED], sealed].concat())
}

/// Writes a seed as it is kept.
pub(super) fn seed_value(seed: &KeptSeed) -> AttributeValue {
    match seed {
        KeptSeed::Plain(seed) => binary(seed.expose()),
        KeptSeed::Sealed(sealed) => sealed_value(sealed),
    }
}

fn seed(r: &Reader<'_>, name: &str) -> Result<Option<KeptSeed>, StoreError> {
    let Some(bytes) = r.blob_opt(name)? else { return Ok(None) };
    if let Ok(plain) = <[u8; 20]>::try_from(bytes) {
        return Ok(Some(KeptSeed::Plain(Seed::from_bytes(plain))));
    }
    match bytes.split_first() {
        Some((&SEALED, sealed)) if !sealed.is_empty() => Ok(Some(KeptSeed::Sealed(sealed.to_vec()))),
        _ => Err(corrupt("a seed")),
    }
}

fn status(r: &Reader<'_>) -> Result<Status, StoreError> {
    Ok(match r.text("status")? {
        "ACTIVE" => Status::Active,
        "DELETED" => Status::Deleted,
        // No other value says that this account may be used.
        _ => Status::Disabled,
    })
}

/// Writes a new account.
pub(super) fn account_item(account: &Account, origin: &Origin, now: Millis) -> Item {
    let (pk, sk) = keys::account(account.user);
    let mut item = Item::from([
        (keys::PK.to_owned(), string(pk)),
        (keys::SK.to_owned(), string(sk)),
        ("userId".to_owned(), string(account.user.to_string())),
        ("email".to_owned(), string(&account.email)),
        ("password".to_owned(), string(&account.password)),
        ("authEpoch".to_owned(), number(account.auth_epoch)),
        ("status".to_owned(), string(status_text(account.status))),
        ("version".to_owned(), number(account.version)),
        ("createdAt".to_owned(), timestamp(now)),
        ("lastUpdatedAt".to_owned(), timestamp(now)),
    ]);
    let mut put = |name: &str, text: Option<&String>| {
        if let Some(text) = text {
            item.insert(name.to_owned(), string(text));
        }
    };
    put("network", origin.network.as_ref());
    put("actor", origin.actor.as_ref());
    put("identityProvider", account.identity.as_ref().map(|identity| &identity.provider));
    put("identitySubject", account.identity.as_ref().map(|identity| &identity.subject));
    if let Some(claims) = claims_value(&account.claims) {
        item.insert(CLAIMS.to_owned(), claims);
    }
    item
}

/// Reads an account.
pub(super) fn account(item: &Item) -> Result<Account, StoreError> {
    let r = Reader::new(item);
    let pending = match seed(&r, "mfaPending")? {
        None => None,
        Some(seed) => Some(Pending {
            seed,
            made_at: r.time_opt("mfaPendingAt")?.unwrap_or_default(),
            session: r.parse_opt("mfaPendingSid")?,
        }),
    };
    Ok(Account {
        user: r.parse("userId")?,
        email: r.text("email")?.to_owned(),
        password: r.text("password")?.to_owned(),
        auth_epoch: r.int("authEpoch")?,
        epoch_moved_at: r.time_opt("epochMovedAt")?,
        status: status(&r)?,
        version: r.int("version")?,
        mfa: Mfa {
            pending,
            enabled: match seed(&r, "mfaSecret")? {
                None => None,
                Some(seed) => Some(Factor {
                    seed,
                    last_step: r.int_opt("lastStep")?,
                    recovery: r.hashes("recovery")?.into_iter().map(TokenHash::from_bytes).collect(),
                }),
            },
        },
        identity: identity(&r)?,
        claims: claims(&r)?,
    })
}

/// Reads what an event needs of an account row.
pub(super) fn account_event(item: &Item) -> Result<AccountImage, StoreError> {
    let Row::Account(user) = row_of(item)? else { return Err(corrupt("an account's key")) };
    let r = Reader::new(item);
    let created = r.time("createdAt")?;
    Ok(AccountImage {
        user,
        password_changed_at: r.time_opt("passwordChangedAt")?,
        mfa_enabled_at: r.time_opt("mfaEnabledAt")?,
        recovery_renewed_at: r.time_opt("recoveryRenewedAt")?,
        status: status(&r)?,
        claims: claims(&r)?,
        at: r.time_opt("lastUpdatedAt")?.unwrap_or(created),
        origin: origin(&r)?,
    })
}

/// When a device was removed. Its row stays for a while, expired, so that the change stream says who removed it.
const REMOVED_AT: &str = "removedAt";

/// No device is trusted under this key: there is no row, or one that a removal left.
pub(super) const NO_DEVICE: &str = "attribute_not_exists(PK) OR attribute_exists(removedAt)";

/// A device is removed. It also expires now, so that a release which does not know removals does not accept it either.
pub(super) fn remove_device(row: Statement, now: Millis, op: &str) -> Statement {
    row.set(REMOVED_AT, timestamp(now))
        .set("expiresAt", timestamp(now))
        .set("op", string(op))
        .set(TTL, number(now.plus_seconds(TOMBSTONE_SECONDS).seconds_up()))
        .remove(&["prevSecretHash", "seed"])
}

/// Writes a device that becomes trusted.
pub(super) fn device_item(user: UserId, id: DeviceId, device: &TrustedDevice) -> Item {
    let (pk, sk) = keys::device(user, id);
    let mut item = Item::from([
        (keys::PK.to_owned(), string(pk)),
        (keys::SK.to_owned(), string(sk)),
        ("userId".to_owned(), string(user.to_string())),
        ("secretHash".to_owned(), binary(device.secret.as_bytes())),
        ("rotatedAt".to_owned(), timestamp(device.rotated_at)),
        ("authEpoch".to_owned(), number(device.auth_epoch)),
        ("name".to_owned(), string(&device.name)),
        ("createdAt".to_owned(), timestamp(device.created_at)),
        ("lastUsedAt".to_owned(), timestamp(device.last_used_at)),
        ("expiresAt".to_owned(), timestamp(device.expires_at)),
        ("op".to_owned(), string(&device.op)),
        (TTL.to_owned(), number(keys::ttl(device.expires_at))),
    ]);
    if let Some(session) = device.session {
        item.insert("sid".to_owned(), string(session.to_string()));
    }
    if let Some(network) = &device.network {
        item.insert("network".to_owned(), string(network));
    }
    item
}

/// The device of a row; none where the row is what a removal left for the change stream.
pub(super) fn device_if_trusted(item: &Item) -> Result<Option<TrustedDevice>, StoreError> {
    if item.contains_key(REMOVED_AT) { Ok(None) } else { trusted_device(item).map(Some) }
}

/// Reads a trusted device's record. Those of version 0.1.0 have no name and no rotation of their own.
fn trusted_device(item: &Item) -> Result<TrustedDevice, StoreError> {
    let r = Reader::new(item);
    let created_at = r.time("createdAt")?;
    Ok(TrustedDevice {
        secret: TokenHash::from_bytes(r.bytes("secretHash")?),
        previous: r.bytes_opt("prevSecretHash")?.map(TokenHash::from_bytes),
        seed: r.bytes_opt("seed")?,
        rotated_at: r.time_opt("rotatedAt")?.unwrap_or(created_at),
        auth_epoch: r.int("authEpoch")?,
        name: r.text_opt("name")?.unwrap_or_default().to_owned(),
        session: r.parse_opt("sid")?,
        network: r.text_opt("network")?.map(str::to_owned),
        created_at,
        last_used_at: r.time_opt("lastUsedAt")?.unwrap_or(created_at),
        expires_at: r.time("expiresAt")?,
        op: r.text("op")?.to_owned(),
    })
}

/// Reads what an event needs of a trusted device's row.
pub(super) fn device_event(item: &Item) -> Result<DeviceImage, StoreError> {
    let Row::Device(user, _) = row_of(item)? else { return Err(corrupt("a device's key")) };
    let device = trusted_device(item)?;
    let r = Reader::new(item);
    Ok(DeviceImage {
        user,
        name: device.name,
        session: device.session,
        created_at: device.created_at,
        expires_at: device.expires_at,
        removed_at: r.time_opt(REMOVED_AT)?,
        origin: origin(&r)?,
    })
}

/// Reads a sign-in's child row.
pub(super) fn challenge(item: &Item) -> Result<MfaChallenge, StoreError> {
    let Row::Challenge(login) = row_of(item)? else { return Err(corrupt("a challenge's key")) };
    let r = Reader::new(item);
    Ok(MfaChallenge {
        login,
        user: r.parse("userId")?,
        auth_epoch: r.int_opt("authEpoch")?.unwrap_or_default(),
        secret: TokenHash::from_bytes(r.bytes("secretHash")?),
        seed: r.bytes("seed")?,
        expires_at: r.time("expiresAt")?,
        wishes: SessionOptions { stay_signed_in: r.flag("staySignedIn")?, device: device(&r)? },
    })
}

/// Reads what an event needs of a child row.
pub(super) fn challenge_event(item: &Item) -> Result<ChallengeImage, StoreError> {
    let Row::Challenge(id) = row_of(item)? else { return Err(corrupt("a challenge's key")) };
    let r = Reader::new(item);
    let wrong = r.hashes("wrong")?.len();
    Ok(ChallengeImage { id, user: r.parse("userId")?, wrong, at: r.time("at")?, origin: origin(&r)? })
}

/// The stored text of a status.
pub(super) const fn status_text(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE",
        Status::Disabled => "DISABLED",
        Status::Deleted => "DELETED",
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
        to_browser: r.flag("cookies")?,
        network: r.text_opt("network")?.unwrap_or_default().to_owned(),
    })
}

fn login_state(r: &Reader<'_>) -> Result<LoginState, StoreError> {
    LoginState::parse(r.text("state")?).ok_or_else(|| corrupt("a sign-in's state"))
}

/// Reads what an event needs of a sign-in row.
pub(super) fn login_event(item: &Item) -> Result<LoginImage, StoreError> {
    let Row::Login(id) = row_of(item)? else { return Err(corrupt("a sign-in's key")) };
    let r = Reader::new(item);
    let known = LoginFailure::ALL.map(LoginFailure::as_str);
    Ok(LoginImage {
        id,
        user: r.parse_opt("userId")?,
        state: login_state(&r)?,
        reason: r.text_opt("reason")?.and_then(|text| known.into_iter().find(|k| *k == text)),
        at: r.time("at")?,
        with_mfa: r.flag("mfa")?,
        session: r.parse_opt("sid")?,
        reauthentication: r.flag("reauthentication")?,
        origin: origin(&r)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_sessions::account::MAX_IDENTITY_BYTES;
    use holdfast_sessions::claims::MAX_CLAIMS_BYTES;
    use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{LoginId, Millis, Secret, SessionId, UserId, policy::Policy};

    fn sample() -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(4).unwrap() };
        let draw = SessionSecrets { sid: SessionId::from_bytes([2; 16]), origin: Secret::new([3; 32]), seed: [4; 32] };
        let wishes =
            SessionOptions { stay_signed_in: true, device: Device::seen(Some("laptop"), "curl/8", "192.0.2.1") };
        new_session(at, "a@b", &draw, &wishes, &Policy::default(), Millis::new(1_000), "op1".into()).0
    }

    #[test]
    fn a_slot_reads_back_as_it_was_written() {
        let mut full = sample();
        full.trust =
            Some(Trust { device: DeviceId::from_bytes([6; 16]), since: Millis::new(7), until: Millis::new(90) });
        full.authenticated_at = Millis::new(2_000);
        full.identity = Some(Identity { provider: "p".into(), subject: "s".into() });
        full.claims = Claims::parse(r#"{"role":"admin"}"#).unwrap();
        full.mfa_verified_at = Some(Millis::new(8));
        let keys = full.keys.as_mut().unwrap();
        keys.previous_access = Some((TokenHash::from_bytes([9; 32]), Millis::new(9)));
        keys.refresh.as_mut().unwrap().previous = Some(TokenHash::from_bytes([10; 32]));
        for written in [sample(), full] {
            assert_eq!(slot(&slot_item(&written)), Ok(written));
        }
    }

    #[test]
    fn claims_that_are_no_object_are_corrupt_and_empty_ones_take_no_room() {
        let mut item = slot_item(&sample());
        assert!(!item.contains_key(CLAIMS));
        for bad in ["[]", "{", ""] {
            item.insert(CLAIMS.into(), string(bad));
            assert!(matches!(slot(&item), Err(StoreError::Corrupt(_))), "{bad:?}");
        }
    }

    /// A strongly consistent GetItem costs one unit for 4 KiB (Developer Guide, "Read consistency").
    #[test]
    fn a_validation_costs_one_read_unit_with_the_longest_claims_and_two_with_the_longest_identity_too() {
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CLAIMS_BYTES - 8));
        for (bytes, units) in [(256, 1), (MAX_IDENTITY_BYTES, 2)] {
            let identity = Identity { provider: "p".repeat(bytes), subject: "s".repeat(bytes) };
            let slot = Slot { claims: Claims::parse(&text).unwrap(), identity: Some(identity), ..largest(9, 254, 64) };
            assert_eq!(size(&slot_item(&slot)).div_ceil(4096), units, "{}", size(&slot_item(&slot)));
        }
    }

    #[test]
    fn a_change_of_a_session_comes_from_where_it_says_and_else_from_where_the_session_began() {
        let live = slot_item(&sample());
        let client = Origin { network: Some("192.0.2.0/24".into()), actor: None };
        assert_eq!(slot_event(&live).unwrap().origin, client);
        let mut by_operator = live.clone();
        by_operator.insert("actor".into(), string("role/ops"));
        let operator = Origin { network: None, actor: Some("role/ops".into()) };
        assert_eq!(slot_event(&by_operator).unwrap().origin, operator);
        // An eviction and the end of a session by another sign-in are not the client's own.
        let mut ended = live;
        ended.insert("endedAt".into(), timestamp(Millis::new(2_000)));
        assert_eq!(slot_event(&ended).unwrap().origin, Origin::default());
    }

    #[test]
    fn a_seed_is_plain_or_sealed_and_anything_else_is_corrupt() {
        let read = |bytes: &[u8]| seed(&Reader::new(&Item::from([("s".to_owned(), binary(bytes))])), "s");
        assert!(matches!(read(&[1; 20]), Ok(Some(KeptSeed::Plain(_)))));
        assert!(matches!(read(&[1; 21]), Ok(Some(KeptSeed::Sealed(sealed))) if sealed == [1; 20]));
        for bad in [&[][..], &[SEALED], &[2; 21]] {
            assert!(matches!(read(bad), Err(StoreError::Corrupt(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_event_of_a_failed_sign_in_has_its_reason() {
        let (pk, sk) = keys::login(LoginId::from_bytes([1; 16]));
        let mut item = Item::from([
            (keys::PK.to_owned(), string(pk)),
            (keys::SK.to_owned(), string(sk)),
            ("state".to_owned(), string(LoginState::Failed.as_str())),
            ("at".to_owned(), timestamp(Millis::new(1_000))),
        ]);
        for reason in LoginFailure::ALL.map(LoginFailure::as_str) {
            item.insert("reason".into(), string(reason));
            assert_eq!(login_event(&item).unwrap().reason, Some(reason));
        }
        item.insert("reason".into(), string("OF_A_NEWER_RELEASE"));
        assert_eq!(login_event(&item).unwrap().reason, None);
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
        item.insert("accessHash".into(), binary(&[1; 31]));
        assert!(matches!(slot(&item), Err(StoreError::Corrupt(_))));
        let mut item = slot_item(&sample());
        item.remove("idleExpiresAt");
        assert!(matches!(slot(&item), Err(StoreError::Corrupt(_))));
    }

    /// The size of an item in bytes, as DynamoDB counts its names and values (Developer Guide, "Item sizes and
    /// formats"). A number takes at most one byte for two digits and two more. A map takes three bytes and one for each
    /// entry.
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
        slot.mfa_verified_at = Some(now);
        slot.trust = Some(Trust { device: DeviceId::from_bytes([9; 16]), since: now, until: now });
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
            (keys::PK.to_owned(), string(pk)),
            (keys::SK.to_owned(), string(sk)),
            ("userId".to_owned(), string("u".repeat(22))),
            ("email".to_owned(), string("e".repeat(email))),
            ("password".to_owned(), string("p".repeat(100))),
            ("authEpoch".to_owned(), number(u64::MAX)),
            ("status".to_owned(), string("DISABLED")),
            ("version".to_owned(), number(u64::MAX)),
            ("createdAt".to_owned(), timestamp(long)),
            ("lastUpdatedAt".to_owned(), timestamp(long)),
            ("passwordChangedAt".to_owned(), timestamp(long)),
            ("mfaEnabledAt".to_owned(), timestamp(long)),
            // A seed sealed by KMS has about 170 bytes; one is pending or in use, never both.
            ("mfaSecret".to_owned(), binary(&[1; 200])),
            ("lastStep".to_owned(), number(u64::MAX)),
            ("recovery".to_owned(), crate::attributes::binary_set([[1_u8; 32]; 10].iter())),
            ("op".to_owned(), string("o".repeat(16))),
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
