//! A caller who guesses learns nothing. An unknown e-mail, a wrong password and a disabled account get the same answer,
//! for the same work. The work is counted, not timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdfast_sessions::account::Status;
use holdfast_sessions::change::Origin;
use holdfast_sessions::email::Email;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{CredentialVerifier, PasswordVerdict, StoreResult};
use holdfast_sessions::service::{SignIn, SignInRequest};
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords};
use holdfast_testkit::{ManualHost, MemoryStore};

/// Counts the verifications, which are slow.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl CredentialVerifier for Counted {
    async fn verify(
        &self,
        email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        self.0.fetch_add(1, Ordering::SeqCst);
        PlainPasswords.verify(email, password, stored, salt).await
    }

    async fn change(&self, email: &Email, current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        PlainPasswords.change(email, current, new, salt).await
    }

    fn adopted(&self) -> String {
        PlainPasswords.adopted()
    }
}

#[tokio::test]
async fn unknown_wrong_and_disabled_cost_the_same_and_say_the_same() {
    let host = ManualHost::default();
    let bench = Bench::new(MemoryStore::default(), host.clone()).await;
    let plain = bench.sign_in_service(Policy::default());
    let counted = Counted::default();
    let service = SignIn {
        store: plain.store.clone(),
        cache: plain.cache.clone(),
        verifier: counted.clone(),
        host,
        policy: plain.policy.clone(),
        limits: plain.limits.clone(),
    };
    let unknown = SignInRequest { email: "nobody@example.com".into(), ..bench.request() };
    let wrong = SignInRequest { password: "not the password".into(), ..bench.request() };
    let mut answers = Vec::new();
    for request in [unknown, wrong] {
        let before = counted.0.load(Ordering::SeqCst);
        let failure = service.sign_in(&request).await.expect_err("refused");
        answers.push((failure, counted.0.load(Ordering::SeqCst) - before));
    }
    bench.sessions().set_status(bench.user, Status::Disabled, &Origin::default()).await.expect("disabled");
    let before = counted.0.load(Ordering::SeqCst);
    let failure = service.sign_in(&bench.request()).await.expect_err("refused");
    answers.push((failure, counted.0.load(Ordering::SeqCst) - before));
    assert!(answers.iter().all(|(failure, hashes)| *failure == answers[0].0 && *hashes == 1), "{answers:?}");
}
