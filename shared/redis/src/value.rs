//! The text of a copy of a slot. Its names are short, because it is sent on every hit.

use std::borrow::Cow;

use holdfast_sessions::account::Identity;
use holdfast_sessions::cache::Cached;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::device::Device;
use holdfast_sessions::session::{Keys, Slot, Trust};
use holdfast_sessions::token::Address;
use holdfast_sessions::{DeviceId, Millis, SessionId, SlotNo, TokenHash, UserId, ids};
use serde::{Deserialize, Serialize};

/// The form that this version writes. It reads no other form, and the reader then uses the table. Form 3 has claims: a
/// function that does not know them stores copies of form 2, and those must not be read as "no claims".
const FORM: u8 = 3;
/// Longer copies are neither written nor read. The longest copy has about ten kilobytes: each byte of the claims and of the
/// identity takes at most two.
const MAX_BYTES: usize = 12 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredValue<'a> {
    f: u8,
    #[serde(borrow)]
    u: Cow<'a, str>,
    n: u8,
    #[serde(borrow)]
    s: Cow<'a, str>,
    m: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cl: Option<String>,
    v: u64,
    #[serde(borrow)]
    a: Cow<'a, str>,
    ae: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<(String, i64)>,
    c: i64,
    at: i64,
    lu: i64,
    up: i64,
    ie: i64,
    xe: i64,
    st: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mf: Option<i64>,
    d: [String; 4],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<(String, i64, i64)>,
    o: String,
    until: i64,
}

/// Writes a copy as text; `None` if its session is not live or the text is too long.
pub fn write(copy: &Cached) -> Option<String> {
    let Slot { keys, device, .. } = &copy.slot;
    let keys = keys.as_ref()?;
    let slot = &copy.slot;
    let hash = |hash: &TokenHash| ids::encode(hash.as_bytes());
    let stored = StoredValue {
        f: FORM,
        u: slot.at.user.to_string().into(),
        n: slot.at.slot.get(),
        s: slot.sid.to_string().into(),
        m: slot.email.clone(),
        id: slot.identity.as_ref().map(|identity| (identity.provider.clone(), identity.subject.clone())),
        cl: (!slot.claims.is_empty()).then(|| slot.claims.as_str().to_owned()),
        v: slot.version,
        a: hash(&keys.access).into(),
        ae: keys.access_expires_at.get(),
        p: keys.previous_access.as_ref().map(|(previous, until)| (hash(previous), until.get())),
        c: slot.created_at.get(),
        at: slot.authenticated_at.get(),
        lu: slot.last_used_at.get(),
        up: slot.last_updated_at.get(),
        ie: slot.idle_expires_at.get(),
        xe: slot.absolute_expires_at.get(),
        st: slot.stay_signed_in,
        mf: slot.mfa_verified_at.map(Millis::get),
        d: [device.name.clone(), device.browser.clone(), device.os.clone(), device.ip.clone()],
        t: slot.trust.map(|trust| (trust.device.to_string(), trust.since.get(), trust.until.get())),
        o: slot.op.clone(),
        until: copy.valid_until.get(),
    };
    serde_json::to_string(&stored).ok().filter(|text| text.len() <= MAX_BYTES)
}

/// Reads a copy; `None` for any other text.
pub fn read(bytes: &[u8]) -> Option<Cached> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let stored: StoredValue = serde_json::from_slice(bytes).ok()?;
    if stored.f != FORM {
        return None;
    }
    let hash = |text: &str| ids::decode::<32>(text).ok().map(TokenHash::from_bytes);
    let previous_access = match stored.p {
        None => None,
        Some((text, until)) => Some((hash(&text)?, Millis::new(until))),
    };
    let trust = match stored.t {
        None => None,
        Some((device, since, until)) => Some(Trust {
            device: device.parse::<DeviceId>().ok()?,
            since: Millis::new(since),
            until: Millis::new(until),
        }),
    };
    let [name, browser, os, ip] = stored.d;
    let slot = Slot {
        at: Address { user: stored.u.parse::<UserId>().ok()?, slot: SlotNo::new(stored.n)? },
        sid: stored.s.parse::<SessionId>().ok()?,
        email: stored.m,
        identity: stored.id.map(|(provider, subject)| Identity { provider, subject }),
        claims: match stored.cl {
            None => Claims::default(),
            Some(text) => Claims::parse(&text).ok()?,
        },
        version: stored.v,
        keys: Some(Keys {
            access: hash(&stored.a)?,
            access_expires_at: Millis::new(stored.ae),
            previous_access,
            refresh: None,
        }),
        created_at: Millis::new(stored.c),
        authenticated_at: Millis::new(stored.at),
        last_used_at: Millis::new(stored.lu),
        last_updated_at: Millis::new(stored.up),
        idle_expires_at: Millis::new(stored.ie),
        absolute_expires_at: Millis::new(stored.xe),
        stay_signed_in: stored.st,
        mfa_verified_at: stored.mf.map(Millis::new),
        device: Device { name, browser, os, ip },
        trust,
        op: stored.o,
        ended: None,
    };
    Some(Cached { slot, valid_until: Millis::new(stored.until) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_sessions::account::MAX_IDENTITY_BYTES;
    use holdfast_sessions::claims::MAX_CLAIMS_BYTES;
    use holdfast_sessions::policy::Policy;
    use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
    use holdfast_sessions::{Secret, SessionId};
    use proptest::prelude::*;

    fn sample() -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(4).unwrap() };
        let draw = SessionSecrets { sid: SessionId::from_bytes([2; 16]), origin: Secret::new([3; 32]), seed: [4; 32] };
        let wishes =
            SessionOptions { stay_signed_in: true, device: Device::seen(Some("läptop \"x\""), "curl/8", "192.0.2.1") };
        new_session(at, "a@b", &draw, &wishes, &Policy::default(), Millis::new(1_000), "op1".into()).0
    }

    #[test]
    fn a_copy_reads_back_as_it_was_written() {
        let mut full = sample();
        full.trust =
            Some(Trust { device: DeviceId::from_bytes([5; 16]), since: Millis::new(7), until: Millis::new(70) });
        full.authenticated_at = Millis::new(1_500);
        full.identity = Some(Identity { provider: "p".into(), subject: "s".into() });
        full.claims = Claims::parse(r#"{"role":"admin"}"#).unwrap();
        full.mfa_verified_at = Some(Millis::new(8));
        full.keys.as_mut().unwrap().previous_access = Some((TokenHash::from_bytes([9; 32]), Millis::new(9)));
        for slot in [sample(), full] {
            let copy = Cached::of(&slot, Millis::new(2_000), 60).unwrap();
            assert_eq!(read(write(&copy).unwrap().as_bytes()), Some(copy));
        }
    }

    #[test]
    fn nothing_in_a_copy_signs_in_or_refreshes() {
        let slot = sample();
        let keys = slot.keys.clone().unwrap();
        let text = write(&Cached::of(&slot, Millis::new(0), 60).unwrap()).unwrap();
        let refresh = keys.refresh.unwrap();
        for secret in [refresh.seed, *refresh.current.as_bytes(), *refresh.family.as_bytes()] {
            assert!(!text.contains(&ids::encode(&secret)));
        }
        assert!(!text.contains("hf1."));
    }

    #[test]
    fn a_copy_with_escaped_characters_is_the_same_copy() {
        let copy = Cached::of(&sample(), Millis::new(0), 60).unwrap();
        let mut text = write(&copy).unwrap();
        for name in ["\"u\":\"", "\"s\":\"", "\"a\":\""] {
            let at = text.find(name).unwrap() + name.len();
            let escaped = format!("\\u{:04x}", text.as_bytes()[at]);
            text.replace_range(at..=at, &escaped);
        }
        assert_eq!(text.matches("\\u00").count(), 3, "{text}");
        assert_eq!(read(text.as_bytes()), Some(copy));
    }

    #[test]
    fn another_form_is_not_read() {
        let text = write(&Cached::of(&sample(), Millis::new(0), 60).unwrap()).unwrap();
        assert_eq!(read(text.replace("\"f\":3", "\"f\":2").as_bytes()), None);
        assert_eq!(read(text.replace("\"v\":1", "\"cl\":\"[]\",\"v\":1").as_bytes()), None);
        assert_eq!(read(text.replace("\"st\":true", "\"st\":true,\"x\":1").as_bytes()), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_not_read() {
        let copy = Cached::of(&sample(), Millis::new(0), 60).unwrap();
        let text = write(&copy).unwrap();
        let padded = |bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
        assert_eq!(read(padded(12 * 1024).as_bytes()), Some(copy.clone()));
        for bytes in [12 * 1024 + 1, 16 * 1024] {
            assert_eq!(read(padded(bytes).as_bytes()), None, "{bytes} bytes");
        }
    }

    #[test]
    fn the_longest_claims_and_identity_fit_into_a_copy() {
        let text = format!(r#"{{"a":"{}"}}"#, "\\\"".repeat((MAX_CLAIMS_BYTES - 8) / 2));
        let quotes = "\"".repeat(MAX_IDENTITY_BYTES);
        let identity = Identity::accept(&quotes, &quotes).unwrap();
        let slot = Slot { claims: Claims::parse(&text).unwrap(), identity: Some(identity), ..sample() };
        let copy = Cached::of(&slot, Millis::new(0), 60).unwrap();
        assert_eq!(read(write(&copy).unwrap().as_bytes()), Some(copy));
    }

    proptest! {
        #[test]
        fn garbage_is_none_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(read(&bytes), None);
        }

        #[test]
        fn a_flipped_byte_is_none_or_another_copy_but_never_a_panic(at in 0usize..400, to in any::<u8>()) {
            let mut text = write(&Cached::of(&sample(), Millis::new(0), 60).unwrap()).unwrap().into_bytes();
            let at = at % text.len();
            text[at] = to;
            let _ = read(&text);
        }
    }
}
