//! Sensitive changes need a session that was signed in lately; refreshing does not make it so.

use holdfast_domain::error::Code;
use holdfast_domain::mfa::Answer;
use holdfast_domain::policy::SignInLimits;
use holdfast_domain::service::{FactorSettings, PasswordRequest};
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords};
use holdfast_testkit::{ManualHost, MemoryStore};

#[tokio::test]
async fn a_sensitive_change_needs_a_recent_sign_in() {
    let host = ManualHost::default();
    let bench = Bench::new(MemoryStore::default(), host.clone()).await;
    let sessions = bench.sessions();
    let signed_in = bench.sign_in().await;
    let settings = FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default() };
    let change = PasswordRequest {
        current: bench.request().password,
        new: "another horse battery".into(),
        ip: "192.0.2.1".into(),
    };
    let answer = Answer::read(Some("123456"), None).unwrap();

    host.advance_seconds(899);
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.unwrap();
    sessions.enroll(&current, &settings).await.expect("15 minutes are not over");

    host.advance_seconds(1);
    let (_, tokens, _) = sessions.refresh(&signed_in.tokens.refresh.text()).await.unwrap();
    let current = sessions.identify(Some(&tokens.access.text())).await.unwrap();
    let refusals = [
        sessions.enroll(&current, &settings).await.err(),
        sessions.disable(&current, &answer, &settings).await.err(),
        sessions.change_password(&PlainPasswords, &settings.limits, &current, &change).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.map(|failure| failure.code), Some(Code::ReauthenticationRequired));
    }
    // Everything else goes on.
    assert_eq!(sessions.list(&current).await.unwrap().len(), 1);
}
