//! Attempt budgets against strangers who guess. No user who is known to an account is ever refused because of them, and
//! in the long run they get few guesses. The tests simulate months with a manual clock.

use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::service::{FirstStep, SignIn, SignInRequest, StrongReads, TrustRequest};
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords};
use holdfast_testkit::{ManualHost, MemoryStore};

type Service = SignIn<MemoryStore, StrongReads<MemoryStore>, PlainPasswords, ManualHost>;

struct Account {
    bench: Bench<MemoryStore, ManualHost>,
    service: Service,
}

const HOME: &str = "192.0.2.1";
const WORK: &str = "192.0.3.1";
const HOTEL: &str = "203.0.113.1";

impl Account {
    async fn new(store: &MemoryStore, host: &ManualHost) -> Self {
        let bench = Bench::new(store.clone(), host.clone()).await;
        let mut service = bench.sign_in_service(Policy::default());
        service.limits = SignInLimits::default();
        Self { bench, service }
    }

    async fn try_from(&self, ip: &str, password: Option<&str>, device: Option<&str>) -> Result<FirstStep, Code> {
        let right = self.bench.request();
        let request = SignInRequest {
            password: password.map_or(right.password.clone(), str::to_owned),
            ip: ip.into(),
            device_token: device.map(str::to_owned),
            ..right
        };
        self.service.sign_in(&request).await.map_err(|failure| failure.code)
    }

    async fn guess(&self, ip: &str) -> Code {
        self.try_from(ip, Some("not the password"), None).await.expect_err("a wrong password")
    }
}

fn strangers(count: u8) -> Vec<String> {
    (0..count).map(|n| format!("198.51.{n}.7")).collect()
}

/// Twelve networks guess at once, for every budget that they can reach. A known user signs in, and an unknown one
/// waits.
#[tokio::test]
async fn nobody_who_is_known_is_refused_because_of_strangers() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let (ada, other) = (Account::new(&store, &host).await, Account::new(&store, &host).await);
    for ip in [HOME, WORK] {
        assert!(ada.try_from(ip, None, None).await.is_ok());
    }
    // Ada also trusts the device that she takes along.
    let signed_in = ada.try_from(HOME, None, None).await.unwrap().session().unwrap();
    let sessions = ada.bench.sessions();
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.unwrap();
    let trust =
        TrustRequest { sid: signed_in.slot.sid, trusted: true, expected_versions: None, trust_seconds: 2_592_000 };
    let set = sessions.set_trust(&current, &trust, &Origin::client(HOME)).await.unwrap();
    let shown = set.device_token.unwrap().text();
    let mut device = shown.clone();

    let networks = strangers(12);
    let mut compared = 0;
    for _ in 0..10 {
        for network in &networks {
            compared += u32::from(ada.guess(network).await == Code::InvalidCredentials);
        }
    }
    assert_eq!(compared, 50, "the account's budget for strangers, and no more");

    // who, from where, with what: refused or not.
    let with_device = Some(shown.as_str());
    for (who, ip, shown, refused) in [
        ("at home", HOME, None, false),
        ("at work", WORK, None, false),
        ("in a hotel without the trusted device", HOTEL, None, true),
        ("in a network that guesses, without it", networks[0].as_str(), None, true),
        ("in a hotel with it", HOTEL, with_device, false),
        ("in the hotel from then on", HOTEL, None, false),
    ] {
        let outcome = ada.try_from(ip, None, shown).await;
        assert_eq!(outcome.as_ref().err() == Some(&Code::TooManyAttempts), refused, "{who}");
        if shown.is_some()
            && let Ok(first) = outcome
        {
            device = first.session().unwrap().device_token.unwrap().text();
        }
    }
    assert!(ada.try_from(networks[0].as_str(), None, Some(&device)).await.is_ok(), "even in a network that guesses");
    assert!(other.try_from(HOME, None, None).await.is_ok(), "another account is not touched");

    // A wrong password at home draws on the budget of home, and on nobody else's.
    for _ in 0..5 {
        assert_eq!(ada.guess(HOME).await, Code::InvalidCredentials);
    }
    assert_eq!(ada.guess(HOME).await, Code::TooManyAttempts);
    assert!(ada.try_from(WORK, None, None).await.is_ok());
    // A whole network's budget: a hundred failures, whoever is meant.
    let mut accounts = Vec::new();
    for _ in 0..20 {
        accounts.push(Account::new(&store, &host).await);
    }
    for account in &accounts {
        for _ in 0..5 {
            assert_eq!(account.guess("198.51.200.7").await, Code::InvalidCredentials);
        }
    }
    assert_eq!(other.guess("198.51.200.7").await, Code::TooManyAttempts);
}

/// Strangers who guess for a month from ever new networks: after a hundred failures in a row they wait, up to a day.
#[tokio::test]
async fn a_month_of_guessing_is_a_hundred_guesses_and_one_a_day() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let ada = Account::new(&store, &host).await;
    assert!(ada.try_from(HOME, None, None).await.is_ok());
    let begun = host.now();
    let month = begun.plus_seconds(30 * 86_400);
    let (mut guesses, mut asked, mut owner) = (0, 0, 0);
    while host.now() < month {
        // A network of its own for every try: only the account's budget is in their way.
        let ip = format!("10.{}.{}.1", asked / 250, asked % 250);
        asked += 1;
        match ada.guess(&ip).await {
            Code::InvalidCredentials => guesses += 1,
            Code::TooManyAttempts => host.advance_seconds(900),
            other => panic!("{other:?}"),
        }
        // The owner signs in at home once a day all the while, and is never refused.
        let days = (host.now().get() - begun.get()) / 86_400_000;
        while owner < days {
            owner += 1;
            assert!(ada.try_from(HOME, None, None).await.is_ok(), "day {owner}");
        }
    }
    eprintln!("a month of guessing one account's password from everywhere: {guesses} guesses ({asked} tries)");
    assert!((100..=140).contains(&guesses), "{guesses}");
    assert!(owner >= 29);
}

/// A refused attempt writes nothing, so a flood of them costs no writes.
#[tokio::test]
async fn a_refusal_is_decided_before_anything_is_written() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let ada = Account::new(&store, &host).await;
    for _ in 0..5 {
        assert_eq!(ada.guess(HOTEL).await, Code::InvalidCredentials);
    }
    let before = format!("{store:?}");
    for _ in 0..20 {
        assert_eq!(ada.guess(HOTEL).await, Code::TooManyAttempts);
    }
    assert_eq!(format!("{store:?}"), before);
}
