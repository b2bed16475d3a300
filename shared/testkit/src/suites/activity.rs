//! What every store of the audit trail, the latest sign-ins and the seen devices must do. Each check draws users of its
//! own, so that all can run against one store.

use std::collections::BTreeMap;

use holdfast_sessions::ports::{AuditEntry, AuditTrail, Clock, DeviceSeen, LastLogins, Rng, SeenDevices, UserData};
use holdfast_sessions::{Millis, UserId};

/// Names and values of an entry, as the table names its attributes.
pub type Fields = BTreeMap<String, String>;

/// One entry of the audit trail as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// What the entry says.
    pub fields: Fields,
    /// The row may be deleted after this time.
    pub delete_after: Millis,
}

/// Reads what was written, so that a check can inspect it. Shipped code does not need it, because it never reads these
/// rows.
pub trait Look {
    /// The audit trail of a user, in the order of its keys.
    fn trail(&self, user: &str) -> impl Future<Output = Vec<StoredEntry>> + Send;
    /// Time, session and device of the latest sign-in of a user.
    fn latest_login(&self, user: &str) -> impl Future<Output = Option<(String, String, String)>> + Send;
}

/// Everything that the subscribers of the event bus ask of a store.
pub trait Store: AuditTrail + LastLogins + SeenDevices + UserData {}
impl<S> Store for S where S: AuditTrail + LastLogins + SeenDevices + UserData {}

/// Every check of this module. `delete_after` is the end of every entry that is written here.
///
/// # Panics
/// When the store does not keep the contract.
pub async fn all(store: &impl Store, look: &impl Look, host: &(impl Clock + Rng), delete_after: Millis) {
    an_entry_is_kept_with_all_that_it_says(store, look, host, delete_after).await;
    an_entry_is_written_once_and_never_changed(store, look, host, delete_after).await;
    entries_lie_in_the_order_of_their_times(store, look, host, delete_after).await;
    the_latest_sign_in_wins_in_any_order(store, look, host).await;
    each_device_of_a_user_is_new_once(store, host).await;
    of_many_first_deliveries_one_finds_the_device_new(store, host).await;
    a_forgotten_user_keeps_only_the_audit_trail(store, look, host, delete_after).await;
}

fn someone(host: &(impl Clock + Rng)) -> UserId {
    UserId::from_bytes(host.random())
}

fn entry<'a>(user: &'a str, id: &'a str, at: &'a str) -> AuditEntry<'a> {
    AuditEntry {
        id,
        seq: "000000000000000000017",
        kind: "SESSION_CREATED",
        at,
        user,
        session: None,
        login: None,
        reason: None,
        device: None,
        network: None,
        actor: None,
    }
}

async fn an_entry_is_kept_with_all_that_it_says(
    store: &impl Store,
    look: &impl Look,
    host: &(impl Clock + Rng),
    delete_after: Millis,
) {
    let user = someone(host).to_string();
    let full = AuditEntry {
        session: Some("the session"),
        login: Some("the sign-in"),
        reason: Some("WRONG_CODE"),
        device: Some("Ada\u{2019}s ☎"),
        network: Some("192.0.2.0/24"),
        actor: Some("operator@example.com"),
        ..entry(&user, "e1", "2026-01-01T00:00:00.000Z")
    };
    store.append(&full, delete_after).await.expect("an entry");
    let bare = entry(&user, "e2", "2026-01-01T00:00:01.000Z");
    store.append(&bare, delete_after).await.expect("an entry");
    let always = [("id", "e2"), ("seq", bare.seq), ("type", bare.kind), ("at", bare.at), ("userId", &user)];
    let expected: Fields = always.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut all = expected.clone();
    let more = [
        ("id", "e1"),
        ("at", full.at),
        ("sessionId", "the session"),
        ("loginSessionId", "the sign-in"),
        ("reason", "WRONG_CODE"),
        ("device", "Ada\u{2019}s ☎"),
        ("network", "192.0.2.0/24"),
        ("actor", "operator@example.com"),
    ];
    all.extend(more.into_iter().map(|(name, value)| (name.into(), value.into())));
    let expected = [all, expected].map(|fields| StoredEntry { fields, delete_after });
    assert_eq!(look.trail(&user).await, expected, "what is unknown is left out, not empty");
}

async fn an_entry_is_written_once_and_never_changed(
    store: &impl Store,
    look: &impl Look,
    host: &(impl Clock + Rng),
    delete_after: Millis,
) {
    let user = someone(host).to_string();
    let at = "2026-01-01T00:00:00.000Z";
    store.append(&entry(&user, "e1", at), delete_after).await.expect("an entry");
    let before = look.trail(&user).await;
    let again = AuditEntry { reason: Some("FORGED"), ..entry(&user, "e1", at) };
    let later = delete_after.plus_seconds(86_400);
    store.append(&again, later).await.expect("a repeated delivery is no error");
    assert_eq!(look.trail(&user).await, before, "a repeated delivery changes nothing");
    store.append(&entry(&user, "e2", at), delete_after).await.expect("an entry");
    assert_eq!(look.trail(&user).await.len(), 2, "two events of one moment are two entries");
}

async fn entries_lie_in_the_order_of_their_times(
    store: &impl Store,
    look: &impl Look,
    host: &(impl Clock + Rng),
    delete_after: Millis,
) {
    let user = someone(host).to_string();
    for at in ["2026-01-03T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"] {
        store.append(&entry(&user, &at[..10], at), delete_after).await.expect("an entry");
    }
    let ids: Vec<_> = look.trail(&user).await.into_iter().map(|entry| entry.fields["id"].clone()).collect();
    assert_eq!(ids, ["2026-01-01", "2026-01-02", "2026-01-03"]);
    let other = someone(host).to_string();
    assert_eq!(look.trail(&other).await, [], "another user's trail is apart");
}

async fn the_latest_sign_in_wins_in_any_order(store: &impl Store, look: &impl Look, host: &(impl Clock + Rng)) {
    let user = someone(host).to_string();
    assert_eq!(look.latest_login(&user).await, None);
    let logins = [
        ("2026-01-02T00:00:00.000Z", "s2", Some("laptop")),
        ("2026-01-01T00:00:00.000Z", "s1", Some("phone")),
        ("2026-01-02T00:00:00.000Z", "the same moment", None),
    ];
    for (at, session, device) in logins {
        store.last_login(&user, session, at, device).await.expect("a sign-in, or one that comes too late");
        let latest = ("2026-01-02T00:00:00.000Z".into(), "s2".into(), "laptop".into());
        assert_eq!(look.latest_login(&user).await, Some(latest), "after {session}");
    }
    store.last_login(&user, "s3", "2026-01-03T00:00:00.000Z", None).await.expect("a sign-in");
    let latest = ("2026-01-03T00:00:00.000Z".into(), "s3".into(), String::new());
    assert_eq!(look.latest_login(&user).await, Some(latest), "a sign-in without a device");
}

async fn each_device_of_a_user_is_new_once(store: &impl Store, host: &(impl Clock + Rng)) {
    let [ada, bob] = [someone(host), someone(host)].map(|user| user.to_string());
    for (user, name, expected) in [
        (&ada, "laptop", DeviceSeen::First),
        (&ada, "laptop", DeviceSeen::Known),
        (&ada, "phone", DeviceSeen::New),
        (&ada, "phone", DeviceSeen::Known),
        (&ada, "laptop", DeviceSeen::Known),
        (&bob, "laptop", DeviceSeen::First),
        (&bob, "Laptop", DeviceSeen::New),
    ] {
        assert_eq!(store.device(user, name).await, Ok(expected), "{name}");
    }
}

/// The alert about a new device is sent for the answer `New`; a delivery that comes twice at once must not send two.
async fn of_many_first_deliveries_one_finds_the_device_new(store: &impl Store, host: &(impl Clock + Rng)) {
    let user = someone(host).to_string();
    assert_eq!(store.device(&user, "laptop").await, Ok(DeviceSeen::First));
    let answers = futures_util::future::join_all((0..8).map(|_| store.device(&user, "phone"))).await;
    let new = answers.iter().filter(|answer| **answer == Ok(DeviceSeen::New)).count();
    let known = answers.iter().filter(|answer| **answer == Ok(DeviceSeen::Known)).count();
    assert_eq!((new, known), (1, 7), "{answers:?}");
}

async fn a_forgotten_user_keeps_only_the_audit_trail(
    store: &impl Store,
    look: &impl Look,
    host: &(impl Clock + Rng),
    delete_after: Millis,
) {
    let [gone, stays] = [someone(host), someone(host)];
    for user in [gone, stays].map(|user| user.to_string()) {
        store.append(&entry(&user, "e1", "2026-01-01T00:00:00.000Z"), delete_after).await.expect("an entry");
        store.last_login(&user, "s1", "2026-01-01T00:00:00.000Z", None).await.expect("a sign-in");
        store.device(&user, "laptop").await.expect("a device");
    }
    for _ in 0..2 {
        store.forget_user(gone).await.expect("repeating it is no error");
        let user = gone.to_string();
        assert_eq!((look.trail(&user).await.len(), look.latest_login(&user).await), (1, None));
    }
    assert_eq!(store.device(&gone.to_string(), "laptop").await, Ok(DeviceSeen::First), "its devices are forgotten");
    let user = stays.to_string();
    assert!(look.latest_login(&user).await.is_some(), "another user's sign-in stays");
    assert_eq!(store.device(&user, "laptop").await, Ok(DeviceSeen::Known), "another user's devices stay");
}
