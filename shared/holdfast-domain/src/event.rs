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
        }
    }

    /// `holdfast.<service>`, the event's source.
    pub const fn source(self) -> &'static str {
        match self {
            Kind::LoginStarted | Kind::MfaRequired | Kind::MfaCompleted | Kind::AuthFailed => "holdfast.auth",
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
        session: None,
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
    if new.trusted && same.is_some_and(|old| !old.trusted) {
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
    fn a_login_row_tells_its_transitions_once() {
        let image = |state| LoginImage {
            id: LoginId::from_bytes([1; 16]),
            user: None,
            state,
            reason: None,
            at: Millis::new(1),
            with_mfa: false,
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
