//! No credential follows from another. An attacker who sees one answer of a sign-in cannot compute what another answer
//! holds. The test knows every derivation that there is, and tries them all on everything that an answer holds.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_sessions::change::Origin;
use holdfast_sessions::mfa::{Answer, step_at};
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::secret::{Domain, Label, Secret, TokenHash};
use holdfast_sessions::service::{FactorSettings, FirstStep, SignInRequest, SignedIn, VerifyRequest};
use holdfast_testkit::suites::sessions::{Bench, UserBox};
use holdfast_testkit::{ManualHost, MemoryStore};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const LABELS: [Label; 9] = [
    Label::NextRefresh,
    Label::AccessOfRefresh,
    Label::FirstFamily,
    Label::FirstRefresh,
    Label::SessionName,
    Label::NextDevice,
    Label::DeviceName,
    Label::DeviceSecret,
    Label::Attempt,
];
const DOMAINS: [Domain; 7] =
    [Domain::Access, Domain::Refresh, Domain::Family, Domain::Mfa, Domain::Ticket, Domain::Device, Domain::Recovery];

/// The text, every value of at least 16 bytes that its parts encode, and the pieces of those values.
fn pieces(text: &str) -> Vec<Vec<u8>> {
    let mut found = vec![text.as_bytes().to_vec()];
    for part in text.split('.') {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) else { continue };
        if bytes.len() < 16 {
            continue;
        }
        for (from, to) in [(0, 16), (0, 32), (16, 32), (16, 48), (0, 48)] {
            found.extend(bytes.get(from..to).map(<[u8]>::to_vec));
        }
        found.push(bytes);
    }
    found
}

/// The values that no attacker may find out: the secret parts, not the addresses, which are in every token.
fn secrets(text: &str) -> Vec<Vec<u8>> {
    let secret = text.split('.').nth(3).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    // Of a device token, the part after its id.
    let from = if secret.len() == 48 { 16 } else { 0 };
    vec![secret[from..].to_vec()]
}

fn derived(key: &[u8], label: Label, context: &[u8]) -> Vec<u8> {
    // Keys are hashed into the form that secrets have; those of the right length are taken as they are.
    match (<[u8; 32]>::try_from(key), <[u8; 48]>::try_from(key)) {
        (Ok(key), _) => Secret::new(key).derive(label, context).expose().to_vec(),
        (_, Ok(key)) => Secret::new(key).derive(label, context).expose().to_vec(),
        _ => TokenHash::of(Domain::Access, key).as_bytes().to_vec(),
    }
}

/// Everything that follows from what is known, in `depth` steps.
fn closure(known: &[String], depth: usize) -> HashSet<Vec<u8>> {
    let mut all: HashSet<Vec<u8>> = known.iter().flat_map(|text| pieces(text)).collect();
    let given: Vec<Vec<u8>> = all.iter().cloned().collect();
    let mut newest = given.clone();
    for _ in 0..depth {
        let mut next = Vec::new();
        for key in &newest {
            let contexts = [vec![], vec![0; 32]].into_iter().chain(given.iter().cloned());
            for context in contexts.chain(newest.iter().take(12).cloned()) {
                next.extend(LABELS.iter().map(|label| derived(key, *label, &context)));
            }
            next.extend(DOMAINS.iter().map(|domain| TokenHash::of(*domain, key).as_bytes().to_vec()));
        }
        // Halves are used as names, and families are 16 bytes.
        next.extend(next.clone().iter().map(|bytes| bytes[..16].to_vec()));
        newest = next.into_iter().filter(|bytes| all.insert(bytes.clone())).collect();
        // The second round grows by the square: it starts from what the first derived under no context or one given.
        newest.truncate(200);
    }
    all
}

fn tokens(signed_in: &SignedIn) -> Vec<String> {
    let mut texts = vec![signed_in.tokens.refresh.text(), signed_in.tokens.access.text()];
    texts.extend(signed_in.device_token.as_ref().map(|token| token.text()));
    texts
}

/// A user with a second factor signs in with it, refreshes, and signs in by the trusted device.
async fn story(trusts: bool, by_device: bool, refreshes: u8) {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store, host.clone()).await;
    let sessions = bench.sessions();
    let service = bench.sign_in_service(Policy::default());
    let settings = FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: UserBox };
    let first = bench.sign_in().await;
    let current = sessions.identify(Some(&first.tokens.access.text())).await.expect("live");
    let (seed, _) = sessions.enroll(&current, &settings, &Origin::default()).await.expect("a seed");
    let code = |step: u64| {
        let digits = seed.code(step);
        Answer::read(Some(&String::from_utf8_lossy(&digits)), None).expect("six digits")
    };
    let step = step_at(host.now());
    sessions.activate(&current, &code(step - 1), &settings, "192.0.2.1").await.expect("on");

    // Each answer: everything that it gives, and which of it are credentials.
    let mut answers: Vec<(&str, Vec<String>)> = vec![("the first sign-in", tokens(&first))];
    let Ok(FirstStep::MfaRequired(second)) = service.sign_in(&bench.request()).await else {
        panic!("no second factor")
    };
    answers.push(("MFA_REQUIRED", vec![second.token.text(), second.login.to_string()]));
    let request =
        VerifyRequest { token: second.token.text(), answer: code(step), trust_device: trusts, ip: "192.0.2.1".into() };
    let signed_in = service.verify(&UserBox, &request).await.expect("signed in");
    let mut given = tokens(&signed_in);
    given.push(signed_in.slot.sid.to_string());
    answers.push(("AUTHENTICATED", given));
    let mut refresh = signed_in.tokens.refresh.text();
    for _ in 0..refreshes {
        let (_, pair, _) = sessions.refresh(&refresh, &Origin::default()).await.expect("refreshed");
        refresh = pair.refresh.text();
        answers.push(("a refresh", vec![refresh.clone(), pair.access.text()]));
    }
    if let (Some(device), true) = (&signed_in.device_token, by_device) {
        let request = SignInRequest { device_token: Some(device.text()), ..bench.request() };
        let Ok(FirstStep::Authenticated(again)) = service.sign_in(&request).await else { panic!("not by device") };
        answers.push(("a sign-in by device", tokens(&again)));
    }

    for (from, known) in &answers {
        let reachable = closure(known, 2);
        for (to, other) in answers.iter().filter(|(_, other)| other != known) {
            for text in other.iter().filter(|text| text.starts_with("hf1.")) {
                for secret in secrets(text) {
                    assert!(!reachable.contains(&secret), "{to} follows from {from}");
                }
            }
        }
    }
}

#[test]
fn nothing_of_one_answer_follows_from_another() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    runner
        .run(&(any::<bool>(), any::<bool>(), 0u8..3), |(trusts, by_device, refreshes)| {
            runtime.block_on(story(trusts, by_device, refreshes));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The search finds what does follow: the access token, from its own refresh token.
#[test]
fn the_search_finds_what_follows() {
    use holdfast_sessions::token::{AccessToken, Address, RefreshToken};
    use holdfast_sessions::{SlotNo, UserId};
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    let refresh = RefreshToken::first(at, &Secret::new([2; 32]), &[3; 32]);
    let access = AccessToken::of(&refresh);
    assert!(closure(&[refresh.text()], 1).contains(&secrets(&access.text())[0]));
    assert!(!closure(&[access.text()], 2).contains(&secrets(&refresh.text())[0]));
}
