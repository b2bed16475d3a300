//! Which change of an item is which event. An event exists iff the change committed, because it is made from the table's
//! stream and from nothing else.

use crate::ids::{LoginId, SessionId, UserId};
use crate::session::{EndReason, Slot};
use crate::signin::LoginState;
use crate::time::Millis;

/// The names of contract §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sign-in began.
    LoginStarted,
    /// It waits for the second factor.
    MfaRequired,
    /// The second factor was right and the session exists.
    MfaCompleted,
    /// It failed.
    AuthFailed,
    /// A session exists.
    SessionCreated,
    /// A newer sign-in took its place.
    SessionEvicted,
    /// It was ended.
    SessionRevoked,
    /// It ran out.
    SessionExpired,
    /// An old refresh token came back.
    TokenReused,
    /// A device is trusted now.
    DeviceTrusted,
    /// The second factor was switched on.
    MfaEnabled,
    /// And off.
    MfaDisabled,
    /// The password changed.
    PasswordChanged,
}

impl Kind {
    /// As in the event and as the metric is called.
    pub const fn text(self) -> &'static str {
        match self {
            Kind::LoginStarted => "LOGIN_STARTED",
            Kind::MfaRequired => "MFA_REQUIRED",
            Kind::MfaCompleted => "MFA_COMPLETED",
            Kind::AuthFailed => "AUTH_FAILED",
            Kind::SessionCreated => "SESSION_CREATED",
            Kind::SessionEvicted => "SESSION_EVICTED",
            Kind::SessionRevoked => "SESSION_REVOKED",
            Kind::SessionExpired => "SESSION_EXPIRED",
            Kind::TokenReused => "TOKEN_REUSED",
            Kind::DeviceTrusted => "DEVICE_TRUSTED",
            Kind::MfaEnabled => "MFA_ENABLED",
            Kind::MfaDisabled => "MFA_DISABLED",
            Kind::PasswordChanged => "PASSWORD_CHANGED",
        }
    }

    /// `holdfast.<service>`, the event's source.
    pub const fn source(self) -> &'static str {
        match self {
            Kind::LoginStarted
            | Kind::MfaRequired
            | Kind::MfaCompleted
            | Kind::AuthFailed
            | Kind::MfaEnabled
            | Kind::MfaDisabled
            | Kind::PasswordChanged => "holdfast.auth",
            _ => "holdfast.sessions",
        }
    }
}

/// One event, before it has an id: the relay derives that from the stream record, so that a repeated record repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Millis,
    /// To whom, if known.
    pub user: Option<UserId>,
    /// To which session.
    pub session: Option<SessionId>,
    /// In which sign-in.
    pub login: Option<LoginId>,
    /// Why.
    pub reason: Option<&'static str>,
    /// On what device: the name its user knows it by.
    pub device: Option<String>,
}

/// A sign-in row before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginImage {
    /// Which.
    pub id: LoginId,
    /// Whose, if known.
    pub user: Option<UserId>,
    /// Its state.
    pub state: LoginState,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// When it was last written.
    pub at: Millis,
    /// Whether a second factor was part of it.
    pub with_mfa: bool,
    /// The session it became.
    pub session: Option<SessionId>,
}

/// A child row before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeImage {
    /// Of which sign-in.
    pub id: LoginId,
    /// Whose.
    pub user: UserId,
    /// How many different answers were wrong.
    pub wrong: usize,
    /// When it was last written.
    pub at: Millis,
}

/// Why a second factor failed, as the event says it.
pub const WRONG_CODE: &str = "WRONG_CODE";

/// The events of a change of a child row: a wrong answer. The sign-in stays open; another answer may follow.
pub fn of_challenge(old: Option<&ChallengeImage>, new: Option<&ChallengeImage>) -> Vec<Event> {
    let (Some(old), Some(new)) = (old, new) else { return vec![] };
    if new.wrong <= old.wrong {
        return vec![];
    }
    vec![Event {
        kind: Kind::AuthFailed,
        at: new.at,
        user: Some(new.user),
        session: None,
        login: Some(new.id),
        reason: Some(WRONG_CODE),
        device: None,
    }]
}

/// What an event needs of an account row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountImage {
    /// Whose.
    pub user: UserId,
    /// When the password last changed.
    pub password_changed_at: Option<Millis>,
    /// Since when there is a second factor.
    pub mfa_enabled_at: Option<Millis>,
    /// When it was last written by its user.
    pub at: Millis,
}

/// The events of a change of an account row.
pub fn of_account(old: Option<&AccountImage>, new: Option<&AccountImage>) -> Vec<Event> {
    let (Some(old), Some(new)) = (old, new) else { return vec![] };
    let event = |kind: Kind, at: Millis| Event {
        kind,
        at,
        user: Some(new.user),
        session: None,
        login: None,
        reason: None,
        device: None,
    };
    let mut events = Vec::new();
    if let Some(at) = new.password_changed_at.filter(|at| old.password_changed_at != Some(*at)) {
        events.push(event(Kind::PasswordChanged, at));
    }
    match (old.mfa_enabled_at, new.mfa_enabled_at) {
        (None, Some(at)) => events.push(event(Kind::MfaEnabled, at)),
        (Some(_), None) => events.push(event(Kind::MfaDisabled, new.at)),
        _ => {}
    }
    events
}

/// The events of a change of a sign-in row. Its removal by TTL is none: an unfinished sign-in simply lapses.
pub fn of_login(old: Option<&LoginImage>, new: Option<&LoginImage>) -> Vec<Event> {
    let Some(new) = new else { return vec![] };
    let kind = match (old.map(|o| o.state), new.state) {
        (Some(before), now) if before == now => return vec![],
        (_, LoginState::Started) => Kind::LoginStarted,
        (_, LoginState::MfaRequired) => Kind::MfaRequired,
        (_, LoginState::Failed) => Kind::AuthFailed,
        (_, LoginState::Consumed) if new.with_mfa => Kind::MfaCompleted,
        (_, LoginState::Consumed) => return vec![],
    };
    vec![Event {
        kind,
        at: new.at,
        user: new.user,
        session: new.session.filter(|_| kind == Kind::MfaCompleted),
        login: Some(new.id),
        reason: new.reason,
        device: None,
    }]
}

/// The events of a change of a slot, and the sessions whose sockets must be closed because of it. `at` is the stream
/// record's own time, for what nobody wrote down (expiry).
pub fn of_slot(old: Option<&Slot>, new: Option<&Slot>, at: Millis) -> (Vec<Event>, Vec<(Slot, Kind)>) {
    let mut events = Vec::new();
    let mut over: Vec<(Slot, Kind)> = Vec::new();
    let event = |kind: Kind, slot: &Slot, at: Millis, reason: Option<&'static str>| Event {
        kind,
        at,
        user: Some(slot.at.user),
        session: Some(slot.sid),
        login: None,
        reason,
        device: Some(slot.device.name.clone()),
    };
    match (old, new) {
        // The session that was here is gone without a tombstone: replaced, or removed by TTL.
        (Some(old), Some(new)) if old.sid != new.sid && old.ended.is_none() => {
            let kind = if old.is_live(new.created_at) { Kind::SessionEvicted } else { Kind::SessionExpired };
            events.push(event(
                kind,
                old,
                new.created_at,
                Some(EndReason::Evicted.text()).filter(|_| kind == Kind::SessionEvicted),
            ));
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
        // An end-all buries what had already run out, too: that was its end.
        let had_expired = same.is_some_and(|old| !old.is_live(ended.at));
        let kind = match ended.reason {
            _ if had_expired => Kind::SessionExpired,
            EndReason::TokenReused => Kind::TokenReused,
            EndReason::Evicted => Kind::SessionEvicted,
            _ => Kind::SessionRevoked,
        };
        if kind == Kind::TokenReused {
            events.push(event(Kind::TokenReused, new, ended.at, None));
            events.push(event(Kind::SessionRevoked, new, ended.at, Some(ended.reason.text())));
        } else {
            let reason = Some(ended.reason.text()).filter(|_| kind != Kind::SessionExpired);
            events.push(event(kind, new, ended.at, reason));
        }
        over.push((new.clone(), kind));
    }
    // A device that was trusted before brings its trust along; one that is trusted with the second factor is new.
    let newly = same.map_or(new.ended.is_none() && new.mfa_verified_at.is_some(), |old| !old.trusted);
    if new.trusted && newly {
        events.push(event(Kind::DeviceTrusted, new, new.trusted_at.unwrap_or(new.last_updated_at), None));
    }
    (events, over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Ended;
    use crate::session::tests::slot;

    fn kinds(old: Option<&Slot>, new: Option<&Slot>) -> Vec<Kind> {
        of_slot(old, new, Millis::new(9)).0.iter().map(|e| e.kind).collect()
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
        let (events, over) = of_slot(Some(&slot(0, 0)), Some(&ended(EndReason::Logout)), Millis::new(9));
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
        let (events, over) = of_slot(Some(&expired), Some(&buried), Millis::new(9));
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
    fn a_device_becomes_trusted_once() {
        let trusted = |mfa: Option<i64>| Slot {
            trusted: true,
            trusted_at: Some(Millis::new(1)),
            mfa_verified_at: mfa.map(Millis::new),
            ..slot(0, 0)
        };
        assert_eq!(kinds(None, Some(&trusted(Some(1)))), [Kind::SessionCreated, Kind::DeviceTrusted]);
        assert_eq!(kinds(None, Some(&trusted(None))), [Kind::SessionCreated], "the device was trusted before");
        assert_eq!(kinds(Some(&slot(0, 0)), Some(&trusted(None))), [Kind::DeviceTrusted]);
        assert_eq!(kinds(Some(&trusted(None)), Some(&trusted(None))), []);
    }

    #[test]
    fn a_wrong_answer_is_told_once_and_a_counted_one_not_at_all() {
        let image = |wrong| ChallengeImage {
            id: LoginId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            wrong,
            at: Millis::new(1),
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
            at: Millis::new(9),
        };
        let kinds = |old, new| -> Vec<_> { of_account(Some(&old), Some(&new)).iter().map(|e| e.kind).collect() };
        assert_eq!(kinds(image(None, None), image(Some(1), None)), [Kind::PasswordChanged]);
        assert_eq!(kinds(image(Some(1), None), image(Some(2), None)), [Kind::PasswordChanged]);
        assert_eq!(kinds(image(Some(1), None), image(Some(1), Some(2))), [Kind::MfaEnabled]);
        assert_eq!(kinds(image(None, Some(2)), image(None, None)), [Kind::MfaDisabled]);
        assert_eq!(kinds(image(None, Some(2)), image(None, Some(2))), []);
        assert_eq!(of_account(None, Some(&image(None, None))), [], "a registration is none of these");
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
}
