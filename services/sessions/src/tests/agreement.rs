//! One verdict for one token at one time, in all ways to check it.
//!
//! A session can be checked by its own route, by introspection, by the authorizer of three kinds of API, and by the layer of
//! the Rust kit. Random stories of users run over three providers: without a cache, with a cache in memory, and with a real
//! redis-server. After each step, every way must say the same of a token, and the same of its session.
//!
//! `HOLDFAST_AGREEMENTS` is the number of stories. A failure names its story, and `HOLDFAST_STORY=<number>` repeats it.

use std::sync::Arc;

use holdfast_redis::{RedisCache, RedisConfig, TimeLimits};
use holdfast_runtime::cookies::{ACCESS, CSRF_HEADER};
use holdfast_runtime::recording::answered;
use holdfast_sessions::UserId;
use holdfast_sessions::account::{Identity, Status};
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::mfa::{Answer as Code, Seed, step_at};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::SessionCache;
use holdfast_sessions::service::{
    FactorSettings, PasswordRequest, ReauthenticationRequest, Sessions, StrongReads, TrustRequest, VerifyRequest,
    Vouched, VouchedRequest,
};
use holdfast_testkit::MemoryStore;
use holdfast_testkit::cache::{MemoryCache, leased};
use holdfast_testkit::failing::Trouble;
use holdfast_testkit::host::{PatientHost, RealHost};
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::sessions::{Bench, PASSWORD, UserBox, real_now};
use holdfast_testkit::world::HOME;
use serde_json::value::RawValue;

use super::gates::{FORMS, Form, event, lets_in};
use super::kit::{Kit, Passed, pass};
use super::*;
use crate::authorizer::Requirements;

/// Steps of a story.
const STEPS: u64 = 12;
/// Where the clock of a story begins: at a full hour, so that its codes of second factors are always as old.
fn start() -> Millis {
    let now = real_now().get();
    Millis::new(now - now % 3_600_000)
}

/// Numbers that follow from a seed (xorshift).
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).expect("an index")]
    }

    /// One of the last few, which are more often live.
    fn recent<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let from = if self.below(4) == 0 { 0 } else { all.len().saturating_sub(3) };
        self.of(&all[from..])
    }
}

/// What a way to check a session says.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    /// The caller is accepted, with these facts of the session.
    In(Value),
    /// The caller is refused, for the reason of this code.
    Refused(String),
    /// Nothing is known of the session. The caller gets an error of the server.
    Unknown,
}

impl Verdict {
    fn refused(code: &str) -> Self {
        Self::Refused(code.to_owned())
    }

    /// The verdict of an API that also asks for a second factor or for a recent authentication.
    fn asking(&self, requirements: &Requirements, now: Millis) -> Self {
        let Self::In(facts) = self else { return self.clone() };
        let at: Millis = facts["authenticatedAt"].as_str().expect("text").parse().expect("a time");
        let is_recent = requirements.max_age_seconds.is_none_or(|seconds| now.get() - at.get() < seconds * 1_000);
        if is_recent && (!requirements.mfa || facts["mfaVerified"] == true) {
            return self.clone();
        }
        Self::refused("REAUTHENTICATION_REQUIRED")
    }
}

/// What every way says of a session.
const FACTS: [&str; 8] =
    ["userId", "sessionId", "email", "claims", "mfaVerified", "trusted", "authenticatedAt", "expiresAt"];

fn facts(session: &Value) -> Verdict {
    Verdict::In(FACTS.iter().map(|name| ((*name).to_owned(), session[*name].clone())).collect())
}

fn of_answer(answer: &Answer, session: Option<&Value>) -> Verdict {
    match (answer.status, session) {
        (200, Some(session)) => facts(session),
        (401 | 403, _) => Verdict::refused(&answer.code),
        (500 | 503, _) => Verdict::Unknown,
        _ => panic!("an unexpected answer: {answer:?}"),
    }
}

/// How a client presents its token.
#[derive(Clone, Copy, Debug)]
enum Presented<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

impl Presented<'_> {
    fn token(&self) -> &str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Bearer(token) => vec![("authorization", format!("Bearer {token}"))],
            Self::Cookie(token) => vec![("cookie", format!("a=b; {ACCESS}={token}")), ("origin", PAGE.to_owned())],
        }
    }
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

type Service<C> = Sessions<TestStore, C, PatientHost>;

/// Everything that checks sessions, with one provider.
struct Place<C> {
    name: &'static str,
    /// When each story begins.
    start: Millis,
    sessions: Service<C>,
    kit: Kit,
    /// Makes the cache fail, or work again.
    fail_cache: Box<dyn Fn(bool)>,
}

impl<C: SessionCache + Clone + 'static> Place<C> {
    async fn new(
        name: &'static str,
        start: Millis,
        make: impl FnOnce(&TestStore, &PatientHost) -> (C, Box<dyn Fn(bool)>),
    ) -> Self {
        let (store, host) = (TestStore::new(MemoryStore::default()), PatientHost(ManualHost::at(start)));
        let (cache, fail_cache) = make(&store, &host);
        let sessions = Sessions { store, cache, host, policy: Policy::default() };
        let kit = Kit::before(sessions.clone()).await;
        Self { name, start, sessions, kit, fail_cache }
    }

    async fn current(&self, presented: Presented<'_>) -> Verdict {
        let call = Call::new("GET", "/v1/sessions/current");
        let call = presented.headers().into_iter().fold(call, |call, (name, value)| call.header(name, &value));
        let answer = answered(&env(), &[], &call, |request| current::handle(&self.sessions, request)).await;
        of_answer(&answer, Some(&answer.body))
    }

    async fn introspection(&self, token: &str) -> Verdict {
        let call = introspect_call(token);
        let answer = answered(&env(), &[], &call, |request| introspect::handle(&self.sessions, request)).await;
        if answer.body["active"] == false {
            assert_eq!(answer.status, 200);
            return Verdict::refused("UNAUTHENTICATED");
        }
        assert!(answer.status != 200 || answer.body["claims"] == answer.body["session"]["claims"], "{answer:?}");
        of_answer(&answer, answer.body.get("session"))
    }

    async fn authorizer(
        &self,
        form: Form,
        requirements: &Requirements,
        method: &str,
        headers: &[(&str, &str)],
    ) -> Verdict {
        let origins: Arc<[String]> = [PAGE.to_owned()].into();
        let deps = authorizer::Deps { sessions: self.sessions.clone(), origins, requirements: requirements.clone() };
        let event = RawValue::from_string(event(form, method, headers).to_string()).expect("JSON");
        let Ok(answer) = authorizer::handle(&deps, event, Duration::from_secs(60)).await else {
            return Verdict::Unknown;
        };
        let context = &answer["context"];
        if !lets_in(form, &answer) {
            return Verdict::refused(context["code"].as_str().expect("a code"));
        }
        let read = |name: &&str| {
            let text = context[*name].as_str().expect("text");
            let is_text = !["claims", "mfaVerified", "trusted"].contains(name);
            let value: Value = if is_text { text.into() } else { serde_json::from_str(text).expect("JSON") };
            ((*name).to_owned(), value)
        };
        Verdict::In(FACTS.iter().map(read).collect())
    }

    async fn layer(&self, requirements: &Requirements, hasty: bool, method: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut layer = if hasty { self.kit.hasty_layer() } else { self.kit.layer() };
        if requirements.mfa {
            layer = layer.require_mfa();
        }
        if let Some(seconds) = requirements.max_age_seconds {
            layer = layer.max_age(Duration::from_secs(seconds.unsigned_abs()));
        }
        match pass(&layer, method, headers).await {
            Passed::In(session) => {
                let authenticated_at = self.kit.authenticated_at(&session);
                let mut raw = Value::Object(session.raw);
                raw["authenticatedAt"] = authenticated_at.to_string().into();
                let typed = json!({
                    "userId": session.user_id, "sessionId": session.session_id, "email": session.email,
                    "claims": session.claims, "mfaVerified": session.mfa_verified, "trusted": session.trusted,
                });
                for (name, value) in typed.as_object().expect("an object") {
                    assert_eq!(&raw[name], value, "the kit reads {name} as it was sent");
                }
                facts(&raw)
            }
            Passed::Refused(401 | 403, code) => Verdict::Refused(code),
            Passed::Refused(503, _) => Verdict::Unknown,
            Passed::Refused(status, code) => panic!("an unexpected answer: {status} {code}"),
        }
    }

    /// What each way says of a token.
    async fn verdicts(&self, presented: Presented<'_>, hasty: bool) -> Vec<(String, Verdict)> {
        let (headers, none) = (presented.headers(), Requirements::default());
        let headers = borrowed(&headers);
        let mut said = vec![
            ("the route of the session".to_owned(), self.current(presented).await),
            ("introspection".to_owned(), self.introspection(presented.token()).await),
            ("the layer of the kit".to_owned(), self.layer(&none, hasty, "GET", &headers).await),
        ];
        for form in FORMS {
            said.push((format!("the authorizer ({form:?})"), self.authorizer(form, &none, "GET", &headers).await));
        }
        said
    }

    /// The one verdict on a token.
    ///
    /// # Panics
    /// Panics if two ways do not agree.
    async fn verdict(&self, presented: Presented<'_>, when: &str) -> Verdict {
        let said = self.verdicts(presented, false).await;
        let (first, expected) = &said[0];
        for (way, verdict) in &said {
            assert_eq!(verdict, expected, "{way} and {first} disagree ({}, {when}, {presented:?})", self.name);
        }
        expected.clone()
    }

    /// Compares the authorizer and the layer of an API that asks for more.
    async fn compare_requirements(&self, draw: &mut Draw, presented: Presented<'_>, plain: &Verdict, when: &str) {
        let ages = [None, Some(60), Some(300), Some(900), Some(3_600)];
        let requirements = Requirements { mfa: draw.coin(), max_age_seconds: *draw.of(&ages) };
        let headers = presented.headers();
        let headers = borrowed(&headers);
        let expected = plain.asking(&requirements, self.sessions.host.now());
        let form = *draw.of(&FORMS);
        let said = self.authorizer(form, &requirements, "GET", &headers).await;
        assert_eq!(said, expected, "the authorizer ({form:?}) with {requirements:?} ({}, {when})", self.name);
        // The kit measures the age by the clock of the machine. An authentication that is too old by a pause of the machine is
        // young enough at another try.
        let mut said = self.layer(&requirements, false, "GET", &headers).await;
        for _ in 0..3 {
            if said == expected {
                break;
            }
            said = self.layer(&requirements, false, "GET", &headers).await;
        }
        assert_eq!(said, expected, "the layer with {requirements:?} ({}, {when})", self.name);
    }

    /// Compares the verdicts while the table, and often the cache too, fails: an error, or what a cache still knows.
    async fn compare_during_failure(&self, draw: &mut Draw, presented: Presented<'_>, calm: &Verdict, when: &str) {
        let trouble = [Trouble::Unavailable, Trouble::Throttled, Trouble::Corrupt]
            [usize::try_from(draw.below(3)).expect("an index")]
        .clone();
        self.sessions.store.fail_at("slot", trouble);
        (self.fail_cache)(draw.coin());
        for (way, verdict) in self.verdicts(presented, true).await {
            assert!(
                verdict == Verdict::Unknown || verdict == *calm,
                "{way} says {verdict:?} during a failure, and {calm:?} without ({}, {when})",
                self.name
            );
            let is_told = self.name == STRONG && matches!(calm, Verdict::In(_));
            assert!(!is_told || verdict == Verdict::Unknown, "{way} accepts without the table ({when})");
        }
        (self.fail_cache)(false);
        self.sessions.store.heal();
    }
}

const STRONG: &str = "without a cache";

/// The users of a story, and all that they were given.
struct Story<'a, C> {
    place: &'a Place<C>,
    draw: Draw,
    bench: Bench<TestStore, PatientHost, C>,
    identity: Identity,
    users: Vec<UserId>,
    access: Vec<String>,
    refresh: Vec<String>,
    seed: Option<Seed>,
    password: String,
}

impl<'a, C: SessionCache + Clone + 'static> Story<'a, C> {
    async fn new(place: &'a Place<C>, number: u64) -> Self {
        let Sessions { store, cache, host, .. } = place.sessions.clone();
        host.0.advance_millis(place.start.get() - host.now().get());
        let bench = Bench::behind(store, cache, host).await;
        let identity = Identity::accept("https://id.example.com", &bench.email).expect("an identity");
        let users = vec![bench.user];
        let access = vec!["junk".to_owned()];
        let (refresh, password) = (vec!["junk".to_owned()], PASSWORD.to_owned());
        Self { place, draw: Draw::new(number), bench, identity, users, access, refresh, seed: None, password }
    }

    fn keep(&mut self, made: &SignedIn) {
        self.access.push(made.tokens.access.text());
        self.refresh.push(made.tokens.refresh.text());
    }

    fn code(&self, seed: &Seed) -> Code {
        let step = step_at(self.bench.host.now());
        Code::read(Some(&String::from_utf8_lossy(&seed.code(step))), None).expect("six digits")
    }

    /// Time passes with every sign-in. Otherwise several sessions were used last, and any of them may be replaced.
    async fn sign_in(&mut self) {
        self.bench.host.0.advance_seconds(1);
        let service = self.bench.sign_in_service(Policy::default());
        let (password, stay_signed_in) = (self.password.clone(), self.draw.coin());
        let request = SignInRequest { password, stay_signed_in, ..self.bench.request() };
        let made = match service.sign_in(&request).await {
            Ok(FirstStep::Authenticated(made)) => *made,
            Ok(FirstStep::MfaRequired(first)) => {
                let Some(seed) = &self.seed else { return };
                let request = VerifyRequest {
                    token: first.token.text(),
                    answer: self.code(seed),
                    trust_device: false,
                    ip: request.ip.clone(),
                };
                let Ok(made) = service.verify(&UserBox, &request).await else { return };
                made
            }
            Err(_) => return,
        };
        self.keep(&made);
    }

    /// Another service signs its user in, or makes a session of the user recent.
    async fn vouch(&mut self) {
        self.bench.host.0.advance_seconds(1);
        let SignIn { store, cache, host, policy, limits, .. } = self.bench.sign_in_service(Policy::default());
        let now = host.now();
        let service = SignIn { store, cache, verifier: (), host, policy, limits };
        let token = self.draw.recent(&self.access).clone();
        let session = self.place.sessions.identify([token]).await.ok().map(|current| current.slot.sid);
        let ago = i64::try_from(self.draw.below(1_200)).expect("seconds");
        let claims = format!(
            r#"{{"role":"{}"}}"#,
            ["reader", "editor", "réd😀"][usize::try_from(self.draw.below(3)).expect("an index")]
        );
        let request = VouchedRequest {
            identity: self.identity.clone(),
            email: Some(self.bench.email.clone()),
            claims: self.draw.coin().then(|| Claims::parse(&claims).expect("an object")),
            session: session.filter(|_| self.draw.coin()),
            stay_signed_in: self.draw.coin(),
            device_name: None,
            mfa_verified: self.draw.coin(),
            authenticated_at: self.draw.coin().then(|| now.plus_seconds(-ago)),
            to_browser: false,
            user_agent: "curl/8".into(),
            ip: HOME.into(),
        };
        if let Ok(Vouched::SignedIn(made)) = service.sign_in_vouched(&request).await {
            if !self.users.contains(&made.slot.at.user) {
                self.users.push(made.slot.at.user);
            }
            self.keep(&made);
        }
    }

    async fn refresh(&mut self) {
        let presented = self.draw.recent(&self.refresh).clone();
        if let Ok((_, tokens, _)) = self.place.sessions.refresh(&presented, &Origin::default()).await {
            self.access.push(tokens.access.text());
            self.refresh.push(tokens.refresh.text());
        }
    }

    /// What the owner of a session does in it.
    async fn use_session(&mut self) {
        let (sessions, origin) = (&self.place.sessions, Origin::client(HOME));
        let settings = FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: UserBox };
        let token = self.draw.recent(&self.access).clone();
        let Ok(current) = sessions.identify([token]).await else { return };
        let other = self.draw.recent(&self.access).clone();
        let other = sessions.identify([other]).await.map_or(current.slot.sid, |other| other.slot.sid);
        match self.draw.below(9) {
            0 => drop(sessions.log_out(&current, &origin).await),
            1 => drop(sessions.revoke(&current, other, &origin).await),
            2 => drop(sessions.revoke_all(&current, self.draw.coin(), &origin).await),
            3 => {
                let wish = TrustRequest {
                    sid: other,
                    trusted: self.draw.coin(),
                    expected_versions: None,
                    trust_seconds: 2_592_000,
                };
                drop(sessions.set_trust(&current, &wish, &origin).await);
            }
            4 | 5 => {
                let answer = self.seed.as_ref().map(|seed| self.code(seed)).filter(|_| self.draw.coin());
                let (password, ip) = (self.password.clone(), HOME.to_owned());
                let request = ReauthenticationRequest { password, answer, ip };
                drop(sessions.reauthenticate(&PlainPasswords, &settings, &current, &request).await);
            }
            6 => {
                let Ok((seed, _)) = sessions.enroll(&current, &settings, &origin).await else { return };
                let code = self.code(&seed);
                if sessions.activate(&current, &code, &settings, HOME).await.is_ok() {
                    self.seed = Some(seed);
                }
            }
            7 => {
                let Some(seed) = &self.seed else { return };
                let code = self.code(seed);
                if sessions.disable(&current, &code, &settings, HOME).await.is_ok() {
                    self.seed = None;
                }
            }
            _ => {
                let new = format!("{PASSWORD} {}", self.draw.below(1_000));
                let request = PasswordRequest { current: self.password.clone(), new: new.clone(), ip: HOME.into() };
                if sessions.change_password(&PlainPasswords, &settings.limits, &current, &request).await.is_ok() {
                    self.password = new;
                }
            }
        }
    }

    /// What operators and other services do to a user.
    async fn administer(&mut self) {
        let (sessions, origin) = (&self.place.sessions, Origin::default());
        let user = *self.draw.of(&self.users);
        match self.draw.below(16) {
            0..8 => {
                let roles = ["admin", "reader", "née"];
                let claims = format!(r#"{{"role":"{}","n":{}}}"#, self.draw.of(&roles), self.draw.below(3));
                drop(sessions.set_claims(user, &Claims::parse(&claims).expect("an object"), &origin).await);
            }
            8..10 => drop(sessions.set_status(user, Status::Disabled, &origin).await),
            10..13 => drop(sessions.set_status(user, Status::Active, &origin).await),
            13 => drop(sessions.end_all_of(user, &origin).await),
            14 => {
                let reset = sessions.reset_factor(user, &origin).await.is_ok();
                if reset && user == self.bench.user {
                    self.seed = None;
                }
            }
            _ if user != self.bench.user => {
                drop(sessions.begin_deletion(user, &origin).await);
                drop(sessions.finish_deletion(user, &SignInLimits::default()).await);
            }
            _ => {}
        }
    }

    /// Time passes, often up to or past a limit: grace, recency, touch, access, idle, absolute.
    fn wait(&mut self) {
        let (from, to): (u64, u64) =
            *self.draw.of(&[(0, 13), (0, 13), (55, 65), (295, 305), (890, 910), (3_590, 3_610), (80_000, 90_000)]);
        let seconds = i64::try_from(from + self.draw.below(to - from)).expect("seconds");
        self.bench.host.0.advance_seconds(seconds);
        if self.draw.coin() {
            self.bench.host.0.advance_millis(i64::try_from(self.draw.below(1_000)).expect("milliseconds"));
        }
    }

    async fn step(&mut self) {
        match self.draw.below(20) {
            0..4 => self.sign_in().await,
            4..7 => self.vouch().await,
            7..10 => self.refresh().await,
            10..13 => self.use_session().await,
            13 => {
                let presented = self.draw.recent(&self.refresh).clone();
                drop(self.place.sessions.log_out_by_refresh_token(&presented, &Origin::default()).await);
            }
            14..16 => self.administer().await,
            _ => self.wait(),
        }
    }

    fn token(&mut self) -> String {
        match self.draw.below(30) {
            0 => self.draw.recent(&self.refresh).clone(),
            1 => format!("{}x", self.draw.recent(&self.access)),
            _ => self.draw.recent(&self.access).clone(),
        }
    }

    /// The verdicts on a token after each step, and on all tokens at the end.
    async fn tell(&mut self, number: u64) -> Vec<Verdict> {
        let mut said = Vec::new();
        for step in 0..STEPS {
            self.step().await;
            let token = self.token();
            let presented = if self.draw.below(3) == 0 { Presented::Cookie(&token) } else { Presented::Bearer(&token) };
            let when = format!("HOLDFAST_STORY={number}, step {step}");
            let verdict = self.place.verdict(presented, &when).await;
            self.place.compare_requirements(&mut self.draw, presented, &verdict, &when).await;
            if self.draw.below(12) == 0 {
                self.place.compare_during_failure(&mut self.draw, presented, &verdict, &when).await;
            }
            said.push(verdict);
        }
        for token in self.access.clone() {
            let when = format!("HOLDFAST_STORY={number}, the end");
            said.push(self.place.verdict(Presented::Bearer(&token), &when).await);
        }
        said
    }
}

async fn without_cache(start: Millis) -> Place<StrongReads<TestStore>> {
    Place::new(STRONG, start, |store, _| (StrongReads(store.clone()), Box::new(|_| {}))).await
}

/// Tells these stories over every provider; how many verdicts were "in", "refused", and how many of the first asked for a
/// second factor.
async fn tell_all(numbers: impl Iterator<Item = u64>, url: &str) -> [usize; 3] {
    let start = start();
    let strong = without_cache(start).await;
    let memory = Place::new("with a cache in memory", start, |store, host| {
        let server = MemoryCache::new(host.clone());
        let cache = leased(store, &server, host);
        (cache, Box::new(move |down| server.set_down(down)))
    })
    .await;
    let config = RedisConfig { url: url.to_owned(), cluster: false, tokens: None, authority: None };
    // Time is not the subject.
    let limits = TimeLimits { connect: Duration::from_secs(20), command: Duration::from_secs(20) };
    let server = RedisCache::with_time_limits(&config, RealHost, limits).expect("a good address");
    let redis = Place::new("with Redis", start, |store, host| (leased(store, &server, host), Box::new(|_| {}))).await;
    let mut counts = [0; 3];
    for number in numbers {
        let told = Story::new(&strong, number).await.tell(number).await;
        let others = [
            (memory.name, Story::new(&memory, number).await.tell(number).await),
            (redis.name, Story::new(&redis, number).await.tell(number).await),
        ];
        // Users and sessions have other ids in each place.
        let outline = |said: &[Verdict]| {
            said.iter()
                .map(|verdict| match verdict {
                    Verdict::In(facts) => {
                        format!("{} {} {}", facts["claims"], facts["mfaVerified"], facts["authenticatedAt"])
                    }
                    other => format!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        for (name, other) in others {
            assert_eq!(outline(&other), outline(&told), "{name} and {STRONG}, HOLDFAST_STORY={number}");
        }
        for verdict in told {
            counts[usize::from(!matches!(verdict, Verdict::In(_)))] += 1;
            counts[2] += usize::from(matches!(&verdict, Verdict::In(facts) if facts["mfaVerified"] == true));
        }
    }
    counts
}

pub(super) fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs work with tasks that stay on this thread.
pub(super) fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

#[test]
fn all_ways_to_check_a_session_agree() {
    let server = RedisServer::start(&[]);
    if let Some(number) = number_of("HOLDFAST_STORY") {
        on_this_thread(tell_all(std::iter::once(number), &server.url()));
        return;
    }
    let stories = number_of("HOLDFAST_AGREEMENTS").unwrap_or(300);
    let half = |first: u64| {
        let url = server.url();
        move || on_this_thread(tell_all((first..stories).step_by(2), &url))
    };
    let counts = std::thread::scope(|scope| {
        let halves = [scope.spawn(half(0)), scope.spawn(half(1))];
        halves.map(|half| half.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure)))
    });
    let [live, over, verified] = [0, 1, 2].map(|kind| counts.iter().map(|count| count[kind]).sum::<usize>());
    eprintln!(
        "{stories} stories, {} verdicts over three providers: {live} live ({verified} with a second factor), {over} refused; six ways agree",
        live + over
    );
    let least = usize::try_from(stories).unwrap_or_default();
    assert!(live > 2 * least && over > 2 * least && verified > least / 4, "the stories say too little");
}

/// A request with any credentials, well-formed and otherwise, from any page.
fn request(draw: &mut Draw, tokens: &[String]) -> (&'static str, Vec<(&'static str, String)>) {
    let method = *draw.of(&["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]);
    let mut headers = Vec::new();
    let authorizations = if draw.coin() { 0 } else { 1 + draw.below(5) / 4 };
    for _ in 0..authorizations {
        let (one, two) = (draw.of(tokens).clone(), draw.of(tokens).clone());
        headers.push((
            "authorization",
            match draw.below(16) {
                0 => format!("bearer {one}"),
                1 => format!("BEARER   {one}"),
                2 => format!("Bearer {one} {two}"),
                3 => format!("Bearer {one},Bearer {two}"),
                4 => format!("Bearer {one},"),
                5 => format!("Bearer\t{one}"),
                6 => format!("Bearer {one}="),
                7 => format!("Bearer \"{one}\""),
                8 => format!("Basic {one}"),
                9 => one,
                10 => format!("Bearer{one}"),
                11 => "Bearer".to_owned(),
                12 => String::new(),
                _ => format!("Bearer {one}"),
            },
        ));
    }
    let mut cookies = Vec::new();
    for _ in 0..draw.below(10) {
        let token = draw.of(tokens).clone();
        let name = *draw.of(&[ACCESS, ACCESS, ACCESS, ACCESS, "a", "__host-holdfast-access", "holdfast-access"]);
        cookies.push(match draw.below(8) {
            0 => format!("{name}=\"{token}\""),
            1 => format!("{name} = {token} "),
            2 => format!("{name}="),
            3 => name.to_owned(),
            _ => format!("{name}={token}"),
        });
    }
    if !cookies.is_empty() {
        headers.push(("cookie", cookies.join(*draw.of(&["; ", ";"]))));
    }
    let origins =
        [PAGE, PAGE, PAGE, "https://evil.example", "null", "", "https://app.example.com/", "https://APP.example.com"];
    for _ in 0..draw.below(8).div_ceil(2).min(1 + draw.below(8) / 7) {
        headers.push(("origin", (*draw.of(&origins)).to_owned()));
    }
    for _ in 0..draw.below(9) / 4 {
        headers.push((CSRF_HEADER, (*draw.of(&["1", "1", "1", "0", "true", "1, 1", ""])).to_owned()));
    }
    (method, headers)
}

#[test]
fn every_reader_of_a_request_finds_the_same_credential() {
    let requests = number_of("HOLDFAST_REQUESTS").unwrap_or(3_000);
    let counts = on_this_thread(async {
        let place = without_cache(start()).await;
        let mut story = Story::new(&place, 0).await;
        // As many ended sessions as cookies of one name are tried, and two live ones.
        for _ in 0..4 {
            story.sign_in().await;
        }
        for ended in &story.access[1..] {
            let current = place.sessions.identify([ended]).await.expect("live");
            place.sessions.log_out(&current, &Origin::default()).await.expect("ended");
        }
        for _ in 0..2 {
            story.sign_in().await;
        }
        let (mut tokens, none) = (story.access.clone(), Requirements::default());
        tokens.extend([story.refresh[5].clone(), tokens[5].clone(), tokens[6].clone()]);
        let mut counts = [0; 3];
        for number in 0..requests {
            let (method, headers) = request(&mut Draw::new(number), &tokens);
            let mut headers = borrowed(&headers);
            let http = place.authorizer(Form::Http, &none, method, &headers).await;
            let rest = place.authorizer(Form::Rest, &none, method, &headers).await;
            assert_eq!(rest, http, "REST and HTTP API: request {number}, {method} {headers:?}");
            let layer = place.layer(&none, false, method, &headers).await;
            assert_eq!(layer, http, "the layer and the HTTP API: request {number}, {method} {headers:?}");
            counts[match &http {
                Verdict::In(_) => 0,
                Verdict::Refused(code) if code == "FORBIDDEN" => 1,
                _ => 2,
            }] += 1;
            if method == "GET" {
                let call = headers.iter().fold(Call::new(method, "/v1/sessions/current"), |call, (name, value)| {
                    let before = call.event()["headers"][*name].as_str();
                    let both = before.map_or((*value).to_owned(), |before| format!("{before},{value}"));
                    call.header(name, &both)
                });
                let answer = answered(&env(), &[], &call, |request| current::handle(&place.sessions, request)).await;
                let route = of_answer(&answer, Some(&answer.body));
                assert_eq!(route, http, "the route and the HTTP API: request {number}, {method} {headers:?}");
                let socket = place.authorizer(Form::Socket, &none, method, &headers).await;
                headers.push(("upgrade", "websocket"));
                let layer = place.layer(&none, false, method, &headers).await;
                assert_eq!(layer, socket, "the layer and the WebSocket API: request {number}, {headers:?}");
            }
        }
        counts
    });
    eprintln!(
        "{requests} requests: {} accepted, {} refused as another site's, {} without a session",
        counts[0], counts[1], counts[2]
    );
    assert!(
        counts.iter().all(|count| *count * 20 > usize::try_from(requests).unwrap_or_default()),
        "one-sided: {counts:?}"
    );
}
