//! Sensitive changes need a session that was signed in lately; refreshing does not make it so.

use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::mfa::Answer;
use holdfast_sessions::policy::SignInLimits;
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::service::{FactorSettings, PasswordRequest, ReauthenticationRequest};
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords, UserBox};
use holdfast_testkit::{ManualHost, MemoryStore};

#[tokio::test]
async fn a_sensitive_change_needs_a_recent_sign_in() {
    let host = ManualHost::default();
    let bench = Bench::new(MemoryStore::default(), host.clone()).await;
    let sessions = bench.sessions();
    let signed_in = bench.sign_in().await;
    let settings = FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: UserBox };
    let change = PasswordRequest {
        current: bench.request().password,
        new: "another horse battery".into(),
        ip: "192.0.2.1".into(),
    };
    let answer = Answer::read(Some("123456"), None).unwrap();

    host.advance_seconds(899);
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.unwrap();
    sessions.enroll(&current, &settings, &Origin::default()).await.expect("15 minutes are not over");

    host.advance_seconds(1);
    let (_, tokens, _) = sessions.refresh(&signed_in.tokens.refresh.text(), &Origin::default()).await.unwrap();
    let current = sessions.identify(Some(&tokens.access.text())).await.unwrap();
    let refusals = [
        sessions.enroll(&current, &settings, &Origin::default()).await.err(),
        sessions.disable(&current, &answer, &settings, "192.0.2.1").await.err(),
        sessions.change_password(&PlainPasswords, &settings.limits, &current, &change).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.map(|failure| failure.code), Some(Code::ReauthenticationRequired));
    }
    // The password makes the session recent again, and no other.
    let again = ReauthenticationRequest { password: bench.request().password, answer: None, ip: "192.0.2.1".into() };
    let wrong = ReauthenticationRequest { password: "not the password".into(), ..again.clone() };
    let refused = sessions.reauthenticate(&PlainPasswords, &settings, &current, &wrong).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidCredentials);
    assert_eq!(bench.store.failed_reauthentications().len(), 1);
    let (slot, _) = sessions.reauthenticate(&PlainPasswords, &settings, &current, &again).await.unwrap();
    assert_eq!((slot.sid, slot.authenticated_at), (current.slot.sid, host.now()));
    sessions.enroll(&current, &settings, &Origin::default()).await.expect("recent again");
    // All other operations continue.
    assert_eq!(sessions.list(&current).await.unwrap().len(), 1);
}
