//! The events that changes of items cause. An event exists iff the change committed, because the table's stream is its
//! only source.

use crate::account::Status;
use crate::attempts;
use crate::change::Origin;
use crate::claims::Claims;
use crate::ids::{LoginId, SessionId, UserId};
use crate::session::{EndReason, Slot};
use crate::signin::LoginState;
use crate::time::Millis;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $source:literal;)*) => {
        /// The types of events, each with its name and its source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $variant),* }

        impl Kind {
            /// All types of events.
            pub const ALL: &[Kind] = &[$(Kind::$variant),*];

            /// The `type` in the event, and the name of the metric that counts it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $text),* }
            }

            /// The event's source, `holdfast.<service>`.
            pub const fn source(self) -> &'static str {
                match self { $(Kind::$variant => $source),* }
            }
        }
    };
}

kinds! {
    /// A sign-in began.
    LoginStarted = "LOGIN_STARTED", "holdfast.auth";
    /// A sign-in waits for the second factor.
    MfaRequired = "MFA_REQUIRED", "holdfast.auth";
    /// The second factor was right and the session exists.
    MfaCompleted = "MFA_COMPLETED", "holdfast.auth";
    /// A sign-in, or an answer to its second factor, failed.
    AuthFailed = "AUTH_FAILED", "holdfast.auth";
    /// The user of a session reauthenticated.
    Reauthenticated = "REAUTHENTICATED", "holdfast.auth";
    /// An attempt to reauthenticate the user of a session failed.
    ReauthenticationFailed = "REAUTHENTICATION_FAILED", "holdfast.auth";
    /// The second factor was switched on.
    MfaEnabled = "MFA_ENABLED", "holdfast.auth";
    /// The second factor was switched off.
    MfaDisabled = "MFA_DISABLED", "holdfast.auth";
    /// New recovery codes replaced the old ones.
    RecoveryCodesRenewed = "RECOVERY_CODES_RENEWED", "holdfast.auth";
    /// The password changed.
    PasswordChanged = "PASSWORD_CHANGED", "holdfast.auth";
    /// The claims of a user changed.
    ClaimsChanged = "CLAIMS_CHANGED", "holdfast.auth";
    /// An account was created.
    AccountCreated = "ACCOUNT_CREATED", "holdfast.auth";
    /// An account was disabled.
    AccountDisabled = "ACCOUNT_DISABLED", "holdfast.auth";
    /// A disabled account was enabled.
    AccountEnabled = "ACCOUNT_ENABLED", "holdfast.auth";
    /// An account was deleted with everything that was kept under it.
    AccountDeleted = "ACCOUNT_DELETED", "holdfast.auth";
    /// A session was created.
    SessionCreated = "SESSION_CREATED", "holdfast.sessions";
    /// A newer sign-in ended a session because the limit was reached.
    SessionEvicted = "SESSION_EVICTED", "holdfast.sessions";
    /// A session was ended.
    SessionRevoked = "SESSION_REVOKED", "holdfast.sessions";
    /// A session expired.
    SessionExpired = "SESSION_EXPIRED", "holdfast.sessions";
    /// An old refresh token of a live session was presented.
    TokenReused = "TOKEN_REUSED", "holdfast.sessions";
    /// A device became trusted.
    DeviceTrusted = "DEVICE_TRUSTED", "holdfast.sessions";
    /// A device is no longer trusted.
    DeviceRemoved = "DEVICE_REMOVED", "holdfast.sessions";
}

/// One event, before it has an id: the relay derives that from the stream record, so that a repeated record repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The type of the event.
    pub kind: Kind,
    /// The time of the change.
    pub at: Millis,
    /// The user of the event, if known.
    pub user: Option<UserId>,
    /// The session of the event.
    pub session: Option<SessionId>,
    /// The sign-in of the event.
    pub login: Option<LoginId>,
    /// The reason of the change.
    pub reason: Option<&'static str>,
    /// On what device: the name its user knows it by.
    pub device: Option<String>,
    /// Where the change comes from.
    pub origin: Origin,
}

impl Event {
    fn of_user(kind: Kind, at: Millis, user: UserId, origin: &Origin) -> Self {
        let origin = origin.clone();
        Self { kind, at, user: Some(user), session: None, login: None, reason: None, device: None, origin }
    }
}

/// A sign-in row before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginImage {
    /// The id of the sign-in.
    pub id: LoginId,
    /// The user of the sign-in, if known.
    pub user: Option<UserId>,
    /// The state of the sign-in.
    pub state: LoginState,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// When it was last written.
    pub at: Millis,
    /// Whether a second factor was part of it.
    pub with_mfa: bool,
    /// The session it became, or that asked for a reauthentication.
    pub session: Option<SessionId>,
    /// Whether it is a reauthentication instead of a sign-in.
    pub reauthentication: bool,
    /// Where the attempt came from.
    pub origin: Origin,
}

/// A child row before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeImage {
    /// The id of the sign-in.
    pub id: LoginId,
    /// The user of the sign-in.
    pub user: UserId,
    /// How many different answers were wrong.
    pub wrong: usize,
    /// When it was last written.
    pub at: Millis,
    /// Where the last answer came from.
    pub origin: Origin,
}

/// Why a second factor failed, as the event says it.
pub const WRONG_CODE: &str = "WRONG_CODE";

/// The events of a change of a child row: a wrong answer. The sign-in stays open; another answer may follow.
pub fn of_challenge(old: Option<&ChallengeImage>, new: Option<&ChallengeImage>) -> Vec<Event> {
    let (Some(old), Some(new)) = (old, new) else { return vec![] };
    if new.wrong <= old.wrong {
        return vec![];
    }
    let failed = Event::of_user(Kind::AuthFailed, new.at, new.user, &new.origin);
    vec![Event { login: Some(new.id), reason: Some(WRONG_CODE), ..failed }]
}

/// What an event needs of an account row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountImage {
    /// The user of the account.
    pub user: UserId,
    /// When the password last changed.
    pub password_changed_at: Option<Millis>,
    /// When the second factor was switched on.
    pub mfa_enabled_at: Option<Millis>,
    /// When the recovery codes were last renewed.
    pub recovery_renewed_at: Option<Millis>,
    /// The status of the account.
    pub status: Status,
    /// What services state about the user. No event holds it.
    pub claims: Claims,
    /// When it was last written.
    pub at: Millis,
    /// Where the last change came from.
    pub origin: Origin,
}

/// The events of a change of an account row.
pub fn of_account(old: Option<&AccountImage>, new: Option<&AccountImage>) -> Vec<Event> {
    let (old, new) = match (old, new) {
        (None, Some(new)) => return vec![Event::of_user(Kind::AccountCreated, new.at, new.user, &new.origin)],
        (Some(old), None) => return vec![Event::of_user(Kind::AccountDeleted, old.at, old.user, &old.origin)],
        (Some(old), Some(new)) => (old, new),
        (None, None) => return vec![],
    };
    let mut kinds = Vec::new();
    let changed = |old: Option<Millis>, new: Option<Millis>| new.is_some() && old != new;
    if changed(old.password_changed_at, new.password_changed_at) {
        kinds.push(Kind::PasswordChanged);
    }
    match (old.mfa_enabled_at, new.mfa_enabled_at) {
        (None, Some(_)) => kinds.push(Kind::MfaEnabled),
        (Some(_), None) => kinds.push(Kind::MfaDisabled),
        _ => {}
    }
    if changed(old.recovery_renewed_at, new.recovery_renewed_at) {
        kinds.push(Kind::RecoveryCodesRenewed);
    }
    if old.claims != new.claims {
        kinds.push(Kind::ClaimsChanged);
    }
    match (old.status, new.status) {
        (Status::Active, Status::Disabled) => kinds.push(Kind::AccountDisabled),
        (Status::Disabled, Status::Active) => kinds.push(Kind::AccountEnabled),
        // A deletion has its event when it is complete and the row is deleted.
        _ => {}
    }
    kinds.into_iter().map(|kind| Event::of_user(kind, new.at, new.user, &new.origin)).collect()
}

/// What an event needs of a trusted device's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceImage {
    /// The user of the device.
    pub user: UserId,
    /// The name its user knows it by.
    pub name: String,
    /// The session that made it trusted.
    pub session: Option<SessionId>,
    /// When it became trusted.
    pub created_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// When it was removed, if it was.
    pub removed_at: Option<Millis>,
    /// Where the last change came from that is an event: the trust, or the removal.
    pub origin: Origin,
}

/// The events of a change of a trusted device's row. `at` is the stream record's own time. A row that is deleted after
/// its expiry has no event.
pub fn of_device(old: Option<&DeviceImage>, new: Option<&DeviceImage>, at: Millis) -> Vec<Event> {
    let (kind, device, at, origin) = match (old, new) {
        (None, Some(new)) => (Kind::DeviceTrusted, new, new.created_at, new.origin.clone()),
        // A removal after the expiry is no event, because the token no longer worked.
        (Some(old), Some(DeviceImage { removed_at: Some(removed), origin, .. }))
            if old.removed_at.is_none() && *removed < old.expires_at =>
        {
            (Kind::DeviceRemoved, old, *removed, origin.clone())
        }
        // Version 0.1.0 deleted the row, and said nothing of where that came from.
        (Some(old), None) if old.removed_at.is_none() && at < old.expires_at => {
            (Kind::DeviceRemoved, old, at, Origin::default())
        }
        _ => return vec![],
    };
    let event = Event::of_user(kind, at, device.user, &origin);
    let name = Some(device.name.clone()).filter(|name| !name.is_empty());
    vec![Event { session: device.session, device: name, ..event }]
}

/// The events of a change of a sign-in row. Its removal by TTL is none: an unfinished sign-in simply lapses.
pub fn of_login(old: Option<&LoginImage>, new: Option<&LoginImage>) -> Vec<Event> {
    let Some(new) = new else { return vec![] };
    let kind = match (old.map(|o| o.state), new.state) {
        (Some(before), now) if before == now => return vec![],
        (_, LoginState::Failed) if new.reauthentication => Kind::ReauthenticationFailed,
        (_, LoginState::Started) => Kind::LoginStarted,
        (_, LoginState::MfaRequired) => Kind::MfaRequired,
        (_, LoginState::Failed) => Kind::AuthFailed,
        (_, LoginState::Consumed) if new.with_mfa => Kind::MfaCompleted,
        (_, LoginState::Consumed) => return vec![],
    };
    let tells_session = matches!(kind, Kind::MfaCompleted | Kind::ReauthenticationFailed);
    vec![Event {
        kind,
        at: new.at,
        user: new.user,
        session: new.session.filter(|_| tells_session),
        login: Some(new.id).filter(|_| !new.reauthentication),
        reason: new.reason,
        device: None,
        origin: new.origin.clone(),
    }]
}

/// A slot before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotImage {
    /// The content of the slot.
    pub slot: Slot,
    /// Where the last change came from that is an event.
    pub origin: Origin,
}

/// The events of a change of a slot, and the sessions whose sockets must be closed because of it. `at` is the stream
/// record's own time. It is the time of an expiry, because no writer records that.
pub fn of_slot(old: Option<&SlotImage>, new: Option<&SlotImage>, at: Millis) -> (Vec<Event>, Vec<(Slot, Kind)>) {
    let mut events = Vec::new();
    let mut over: Vec<(Slot, Kind)> = Vec::new();
    let nowhere = Origin::default();
    let origin = new.map_or(&nowhere, |new| &new.origin);
    let (old, new) = (old.map(|old| &old.slot), new.map(|new| &new.slot));
    let event = |kind: Kind, slot: &Slot, at: Millis, reason: Option<&'static str>| Event {
        session: Some(slot.sid),
        reason,
        device: Some(slot.device.name.clone()),
        ..Event::of_user(kind, at, slot.at.user, origin)
    };
    match (old, new) {
        // The session that was here left no tombstone: it was replaced, or removed by TTL.
        (Some(old), Some(new)) if old.sid != new.sid && old.ended.is_none() => {
            let kind = if old.is_live(new.created_at) { Kind::SessionEvicted } else { Kind::SessionExpired };
            let reason = Some(EndReason::Evicted.as_str()).filter(|_| kind == Kind::SessionEvicted);
            events.push(event(kind, old, new.created_at, reason));
            over.push((old.clone(), kind));
        }
        (Some(old), None) if old.ended.is_none() => {
            events.push(event(Kind::SessionExpired, old, at, None));
            over.push((old.clone(), Kind::SessionExpired));
        }
        _ => {}
    }
    let Some(new) = new else { return (events, over) };
    let same = old.filter(|old| old.sid == new.sid);
    if same.is_none() && new.ended.is_none() {
        events.push(event(Kind::SessionCreated, new, new.created_at, None));
    }
    if let (Some(ended), true) = (new.ended, same.is_none_or(|old| old.ended.is_none())) {
        // An end-all ends what had already expired, too: the expiry was its end.
        let had_expired = same.is_some_and(|old| !old.is_live(ended.at));
        let kind = match ended.reason {
            _ if had_expired => Kind::SessionExpired,
            EndReason::TokenReused => Kind::TokenReused,
            EndReason::Evicted => Kind::SessionEvicted,
            _ => Kind::SessionRevoked,
        };
        if kind == Kind::TokenReused {
            events.push(event(Kind::TokenReused, new, ended.at, None));
            events.push(event(Kind::SessionRevoked, new, ended.at, Some(ended.reason.as_str())));
        } else {
            let reason = Some(ended.reason.as_str()).filter(|_| kind != Kind::SessionExpired);
            events.push(event(kind, new, ended.at, reason));
        }
        over.push((new.clone(), kind));
    } else if same.is_some_and(|old| old.authenticated_at < new.authenticated_at) {
        // A service may state an earlier time of the authentication: the event happened when the session was written.
        events.push(event(Kind::Reauthenticated, new, new.last_updated_at, None));
    }
    (events, over)
}

/// The network in the origin of a session that was just created.
pub fn created_from(slot: &Slot) -> Origin {
    Origin { network: Some(attempts::network(&slot.device.ip)), actor: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Ended;
    use crate::session::tests::slot;

    fn image(slot: &Slot) -> SlotImage {
        SlotImage { slot: slot.clone(), origin: Origin::client("192.0.2.1") }
    }

    fn told(old: Option<&Slot>, new: Option<&Slot>) -> (Vec<Event>, Vec<(Slot, Kind)>) {
        of_slot(old.map(image).as_ref(), new.map(image).as_ref(), Millis::new(9))
    }

    fn kinds(old: Option<&Slot>, new: Option<&Slot>) -> Vec<Kind> {
        told(old, new).0.iter().map(|e| e.kind).collect()
    }

    fn ended(reason: EndReason) -> Slot {
        Slot { ended: Some(Ended { at: Millis::new(5), reason }), keys: None, ..slot(0, 0) }
    }

    fn another() -> Slot {
        Slot { sid: SessionId::from_bytes([77; 16]), created_at: Millis::new(50), ..slot(0, 0) }
    }

    #[test]
    fn a_new_slot_is_a_session_created() {
        assert_eq!(kinds(None, Some(&slot(0, 0))), [Kind::SessionCreated]);
    }

    #[test]
    fn a_replaced_live_session_was_evicted_and_a_replaced_expired_one_expired() {
        let old = slot(0, 0);
        assert_eq!(kinds(Some(&old), Some(&another())), [Kind::SessionEvicted, Kind::SessionCreated]);
        let stale = Slot { idle_expires_at: Millis::new(10), ..old };
        assert_eq!(kinds(Some(&stale), Some(&another())), [Kind::SessionExpired, Kind::SessionCreated]);
    }

    #[test]
    fn over_a_tombstone_there_is_only_a_creation() {
        assert_eq!(kinds(Some(&ended(EndReason::Logout)), Some(&another())), [Kind::SessionCreated]);
    }

    #[test]
    fn a_tombstone_says_why() {
        let (events, over) = told(Some(&slot(0, 0)), Some(&ended(EndReason::Logout)));
        assert_eq!((events[0].kind, events[0].reason), (Kind::SessionRevoked, Some("LOGOUT")));
        assert_eq!(over.len(), 1);
        let theft = kinds(Some(&slot(0, 0)), Some(&ended(EndReason::TokenReused)));
        assert_eq!(theft, [Kind::TokenReused, Kind::SessionRevoked]);
    }

    #[test]
    fn removal_by_ttl_is_an_expiry_only_if_nothing_ended_it_before() {
        assert_eq!(kinds(Some(&slot(0, 0)), None), [Kind::SessionExpired]);
        assert_eq!(kinds(Some(&ended(EndReason::Logout)), None), []);
    }

    #[test]
    fn burying_what_had_run_out_is_its_expiry() {
        let expired = Slot { idle_expires_at: Millis::new(1), ..slot(0, 0) };
        let buried = ended(EndReason::RevokedAll);
        let (events, over) = told(Some(&expired), Some(&buried));
        assert_eq!((events[0].kind, events[0].reason), (Kind::SessionExpired, None));
        assert_eq!(over.len(), 1);
    }

    #[test]
    fn a_touch_or_a_rotation_is_no_event() {
        let old = slot(0, 0);
        let touched = Slot { last_used_at: Millis::new(900), ..old.clone() };
        assert_eq!(kinds(Some(&old), Some(&touched)), []);
    }

    #[test]
    fn a_device_is_trusted_when_its_record_appears_and_removed_when_it_goes_before_its_time() {
        let device = DeviceImage {
            user: UserId::from_bytes([1; 16]),
            name: "laptop".into(),
            session: Some(SessionId::from_bytes([2; 16])),
            created_at: Millis::new(1),
            expires_at: Millis::new(10),
            removed_at: None,
            origin: Origin::client("192.0.2.1"),
        };
        fn told(old: Option<&DeviceImage>, new: Option<&DeviceImage>, at: i64) -> Vec<Event> {
            of_device(old, new, Millis::new(at))
        }
        let trusted = &told(None, Some(&device), 5)[0];
        assert_eq!((trusted.kind, trusted.at, trusted.session), (Kind::DeviceTrusted, Millis::new(1), device.session));
        assert_eq!(trusted.origin.network.as_deref(), Some("192.0.2.0/24"));
        let removed = &told(Some(&device), None, 9)[0];
        assert_eq!(
            (removed.kind, removed.at, removed.device.as_deref()),
            (Kind::DeviceRemoved, Millis::new(9), Some("laptop"))
        );
        assert_eq!(told(Some(&device), None, 10), [], "it had expired");
        let gone = |at| DeviceImage {
            expires_at: Millis::new(at),
            removed_at: Some(Millis::new(at)),
            origin: Origin::operator("admin/ada"),
            ..device.clone()
        };
        let removed = &told(Some(&device), Some(&gone(9)), 50)[0];
        assert_eq!((removed.kind, removed.at), (Kind::DeviceRemoved, Millis::new(9)));
        assert_eq!(removed.origin.actor.as_deref(), Some("admin/ada"), "who removed it, not where it was trusted");
        assert_eq!(told(Some(&device), Some(&gone(10)), 50), [], "it had expired before");
        assert_eq!(told(Some(&gone(9)), None, 9), [], "the row of a removed device");
        assert_eq!(told(Some(&gone(9)), Some(&gone(9)), 9), []);
        assert_eq!(told(Some(&device), Some(&device), 5), []);
    }

    #[test]
    fn a_reauthentication_is_told_once() {
        // A service states that it was earlier than the write.
        let again = Slot { authenticated_at: Millis::new(5), last_updated_at: Millis::new(7), ..slot(0, 0) };
        let (events, over) = told(Some(&slot(0, 0)), Some(&again));
        assert_eq!((events[0].kind, events[0].at, over.len()), (Kind::Reauthenticated, Millis::new(7), 0));
        assert_eq!(events[0].origin.network.as_deref(), Some("192.0.2.0/24"));
        assert_eq!(kinds(Some(&again), Some(&again)), []);
    }

    #[test]
    fn a_wrong_answer_is_told_once_and_a_counted_one_not_at_all() {
        let image = |wrong| ChallengeImage {
            id: LoginId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            wrong,
            at: Millis::new(1),
            origin: Origin::default(),
        };
        let told = of_challenge(Some(&image(0)), Some(&image(1)));
        assert_eq!((told[0].kind, told[0].reason), (Kind::AuthFailed, Some(WRONG_CODE)));
        assert_eq!(of_challenge(Some(&image(1)), Some(&image(1))), []);
        assert_eq!(of_challenge(None, Some(&image(0))), []);
        assert_eq!(of_challenge(Some(&image(1)), None), []);
    }

    #[test]
    fn an_account_tells_what_its_user_changed() {
        let image = |password: Option<i64>, mfa: Option<i64>| AccountImage {
            user: UserId::from_bytes([2; 16]),
            password_changed_at: password.map(Millis::new),
            mfa_enabled_at: mfa.map(Millis::new),
            recovery_renewed_at: None,
            status: Status::Active,
            claims: Claims::default(),
            at: Millis::new(9),
            origin: Origin::operator("role/name"),
        };
        let kinds = |old, new| -> Vec<_> { of_account(Some(&old), Some(&new)).iter().map(|e| e.kind).collect() };
        assert_eq!(kinds(image(None, None), image(Some(1), None)), [Kind::PasswordChanged]);
        assert_eq!(kinds(image(Some(1), None), image(Some(2), None)), [Kind::PasswordChanged]);
        assert_eq!(kinds(image(Some(1), None), image(Some(1), Some(2))), [Kind::MfaEnabled]);
        assert_eq!(kinds(image(None, Some(2)), image(None, None)), [Kind::MfaDisabled]);
        assert_eq!(kinds(image(None, Some(2)), image(None, Some(2))), []);
        let whole = |old: Option<&AccountImage>, new: Option<&AccountImage>| -> Vec<_> {
            of_account(old, new).into_iter().map(|e| (e.kind, e.origin.actor)).collect()
        };
        let actor = || Some("role/name".to_owned());
        let plain = image(None, None);
        assert_eq!(whole(None, Some(&plain)), [(Kind::AccountCreated, actor())]);
        assert_eq!(whole(Some(&plain), None), [(Kind::AccountDeleted, actor())]);
        let with = |status| AccountImage { status, ..image(None, None) };
        let (off, gone) = (with(Status::Disabled), with(Status::Deleted));
        assert_eq!(whole(Some(&plain), Some(&off)), [(Kind::AccountDisabled, actor())]);
        assert_eq!(whole(Some(&off), Some(&plain)), [(Kind::AccountEnabled, actor())]);
        assert_eq!(whole(Some(&plain), Some(&gone)), [], "told when the row goes");
        let renewed = AccountImage { recovery_renewed_at: Some(Millis::new(3)), ..image(None, None) };
        assert_eq!(whole(Some(&plain), Some(&renewed)), [(Kind::RecoveryCodesRenewed, actor())]);
        assert_eq!(whole(Some(&renewed), Some(&renewed)), []);
        let claimed = AccountImage { claims: Claims::parse(r#"{"role":"admin"}"#).unwrap(), ..image(None, None) };
        assert_eq!(whole(Some(&plain), Some(&claimed)), [(Kind::ClaimsChanged, actor())]);
        assert_eq!(whole(Some(&claimed), Some(&plain)), [(Kind::ClaimsChanged, actor())]);
        assert_eq!(whole(Some(&claimed), Some(&claimed)), []);
        assert_eq!(whole(None, Some(&claimed)), [(Kind::AccountCreated, actor())], "claims of the first moment");
    }

    #[test]
    fn a_login_row_tells_its_transitions_once() {
        let image = |state| LoginImage {
            id: LoginId::from_bytes([1; 16]),
            user: None,
            state,
            reason: None,
            at: Millis::new(1),
            with_mfa: false,
            session: None,
            reauthentication: false,
            origin: Origin::default(),
        };
        let kinds = |old: Option<LoginState>, new: LoginState| -> Vec<Kind> {
            of_login(old.map(image).as_ref(), Some(&image(new))).iter().map(|e| e.kind).collect()
        };
        assert_eq!(kinds(None, LoginState::Started), [Kind::LoginStarted]);
        assert_eq!(kinds(Some(LoginState::Started), LoginState::Failed), [Kind::AuthFailed]);
        assert_eq!(kinds(Some(LoginState::Failed), LoginState::Failed), []);
        assert_eq!(kinds(Some(LoginState::Started), LoginState::Consumed), []);
        assert_eq!(of_login(Some(&image(LoginState::Started)), None), []);
    }

    #[test]
    fn only_an_eviction_names_its_reason() {
        let live = slot(0, 0);
        let next = Slot { sid: crate::SessionId::from_bytes([9; 16]), created_at: Millis::new(1), ..slot(0, 0) };
        let (events, over) = told(Some(&live), Some(&next));
        assert_eq!((events[0].kind, events[0].reason), (Kind::SessionEvicted, Some(EndReason::Evicted.as_str())));
        assert_eq!((over[0].0.sid, over[0].1), (live.sid, Kind::SessionEvicted));
        let late = Slot { created_at: live.absolute_expires_at, ..next };
        let (events, _) = told(Some(&live), Some(&late));
        assert_eq!((events[0].kind, events[0].reason), (Kind::SessionExpired, None));
        let tombstone = Slot { ended: Some(Ended { at: Millis::new(1), reason: EndReason::Evicted }), ..live.clone() };
        assert_eq!(kinds(Some(&live), Some(&tombstone)), [Kind::SessionEvicted]);
    }

    #[test]
    fn a_new_session_names_the_network_of_its_device() {
        let mut made = slot(0, 0);
        made.device.ip = "198.51.100.7".into();
        assert_eq!(created_from(&made), Origin { network: Some("198.51.100.0/24".into()), actor: None });
    }
}
