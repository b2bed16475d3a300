//! A model and three providers run the same commands of a client, and all four must give the same answers.

mod model;
#[path = "../patient/mod.rs"]
mod patient;

use holdfast_redis::RedisConfig;
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, SessionCache};
use holdfast_sessions::service::{LeasedCache, SignInRequest, StrongReads, TrustRequest};
use holdfast_sessions::{DeviceId, Failure, SessionId};
use holdfast_testkit::cache::{MemoryCache, leased};
use holdfast_testkit::host::PatientHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{ManualHost, MemoryStore};
use model::{Answer, Command, Model, TRUST, Tag};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The service with one provider, and every token that it issued.
struct World<C> {
    name: &'static str,
    bench: Bench<MemoryStore, ManualHost, C>,
    /// By session, by generation: access and refresh token.
    tokens: Vec<Vec<(String, String)>>,
    sids: Vec<SessionId>,
    /// By device, by generation: its tokens.
    devices: Vec<(DeviceId, Vec<String>)>,
}

fn code(failure: &Failure) -> Answer {
    Answer::Refused(failure.code.as_str())
}

impl<C: SessionCache + Clone> World<C> {
    async fn new(name: &'static str, make: impl FnOnce(&MemoryStore, &ManualHost) -> C) -> Self {
        let (store, host) = (MemoryStore::default(), ManualHost::default());
        let cache = make(&store, &host);
        Self { name, bench: Bench::behind(store, cache, host).await, tokens: vec![], sids: vec![], devices: vec![] }
    }

    fn pair(&self, session: usize, age: usize) -> &(String, String) {
        let pairs = &self.tokens[session];
        &pairs[pairs.len().saturating_sub(1 + age)]
    }

    async fn sign_in(&mut self, device_token: Option<String>) -> Answer {
        self.bench.host.advance_seconds(1);
        let request = SignInRequest { device_token, ..self.bench.request() };
        let first = self.bench.sign_in_service(Policy::default()).sign_in(&request).await.expect("signed in");
        let made = first.session().expect("there is no second factor");
        self.tokens.push(vec![(made.tokens.access.text(), made.tokens.refresh.text())]);
        self.sids.push(made.slot.sid);
        let session = self.sids.len() - 1;
        let Some(token) = made.device_token else { return Answer::Made(session) };
        assert!(made.slot.trusted(self.bench.host.now()).is_some_and(|trust| trust.device == token.device));
        let device = self.devices.iter().position(|(known, _)| *known == token.device).expect("a known device");
        let (tokens, text) = (&mut self.devices[device].1, token.text());
        // Every caller who shows a token within the grace gets the same next one.
        if tokens.last() != Some(&text) {
            tokens.push(text);
        }
        Answer::MadeOn(session, device, tokens.len() - 1)
    }

    async fn apply(&mut self, command: &Command, model: &Model) -> Answer {
        let sessions = self.bench.sessions();
        match *command {
            Command::Wait { seconds } => {
                self.bench.host.advance_seconds(seconds);
                Answer::Done
            }
            Command::SignIn => self.sign_in(None).await,
            Command::SignInOn { device, age } => {
                let tokens = &self.devices[device].1;
                let shown = tokens[tokens.len().saturating_sub(1 + age)].clone();
                self.sign_in(Some(shown)).await
            }
            Command::Devices { by } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => match sessions.devices(&current).await {
                    Ok(devices) => {
                        let number = |id: DeviceId| self.devices.iter().position(|(known, _)| *known == id);
                        let mut all: Vec<_> =
                            devices.iter().map(|device| number(device.id).unwrap_or(usize::MAX)).collect();
                        all.sort_unstable();
                        let own = devices.iter().find(|device| device.current).and_then(|device| number(device.id));
                        Answer::Listed(all, own)
                    }
                    Err(failure) => code(&failure),
                },
                Err(failure) => code(&failure),
            },
            Command::RemoveDevice { by, device } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => {
                    match sessions.remove_device(&current, self.devices[device].0, &Origin::default()).await {
                        Ok(removed) => Answer::Removed(removed.count),
                        Err(failure) => code(&failure),
                    }
                }
                Err(failure) => code(&failure),
            },
            Command::RemoveAllDevices { by } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => match sessions.remove_all_devices(&current, &Origin::default()).await {
                    Ok(removed) => Answer::Removed(removed.count),
                    Err(failure) => code(&failure),
                },
                Err(failure) => code(&failure),
            },
            Command::Validate { session, age } => match sessions.authenticate(Some(&self.pair(session, age).0)).await {
                Ok(current) => {
                    let number = self.sids.iter().position(|sid| *sid == current.slot.sid);
                    let trusted = current.slot.trusted(self.bench.host.now()).is_some();
                    Answer::In(number.unwrap_or(usize::MAX), current.slot.version, trusted)
                }
                Err(failure) => code(&failure),
            },
            Command::Refresh { session, age } => {
                let presented = self.pair(session, age).1.clone();
                match sessions.refresh(&presented, &Origin::default()).await {
                    Ok((_, tokens, _)) => {
                        let pair = (tokens.access.text(), tokens.refresh.text());
                        let pairs = &mut self.tokens[session];
                        // Within the grace every caller gets the same pair, and a new one otherwise.
                        if pairs.last() != Some(&pair) {
                            pairs.push(pair);
                        }
                        Answer::Pair(pairs.len() - 1)
                    }
                    Err(failure) => code(&failure),
                }
            }
            Command::End { by, session } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => match sessions.revoke(&current, self.sids[session], &Origin::default()).await {
                    Ok(revoked) => Answer::Ended(revoked.count),
                    Err(failure) => code(&failure),
                },
                Err(failure) => code(&failure),
            },
            Command::EndAll { by, keep } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => match sessions.revoke_all(&current, keep, &Origin::default()).await {
                    Ok(revoked) => Answer::Ended(revoked.count),
                    Err(failure) => code(&failure),
                },
                Err(failure) => code(&failure),
            },
            Command::Trust { by, session, trusted, tag } => match sessions.identify(Some(&self.pair(by, 0).0)).await {
                Ok(current) => {
                    let expected_versions = match tag {
                        Tag::None => None,
                        Tag::Right => Some(vec![model.version(session) + 9, model.version(session)]),
                        Tag::Wrong => Some(vec![model.version(session) + 7]),
                    };
                    let wish =
                        TrustRequest { sid: self.sids[session], trusted, expected_versions, trust_seconds: TRUST };
                    match sessions.set_trust(&current, &wish, &Origin::default()).await {
                        Ok(set) => {
                            if let Some(token) = set.device_token {
                                self.devices.push((token.device, vec![token.text()]));
                            }
                            Answer::Edited(set.slot.version, set.slot.trusted(self.bench.host.now()).is_some())
                        }
                        Err(failure) => code(&failure),
                    }
                }
                Err(failure) => code(&failure),
            },
        }
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let session = 0usize..8;
    let tag = prop_oneof![Just(Tag::None), Just(Tag::Right), Just(Tag::Wrong)];
    // Around every limit there is: grace, touch, access, idle, absolute.
    let seconds = prop_oneof![0i64..13, 295i64..305, 880i64..920, 3_500i64..3_700, 40_000i64..90_000];
    let command = prop_oneof![
        4 => Just(Command::SignIn),
        6 => (session.clone(), 0usize..3).prop_map(|(session, age)| Command::Validate { session, age }),
        5 => (session.clone(), 0usize..3).prop_map(|(session, age)| Command::Refresh { session, age }),
        1 => (session.clone(), session.clone()).prop_map(|(by, session)| Command::End { by, session }),
        1 => (session.clone(), any::<bool>()).prop_map(|(by, keep)| Command::EndAll { by, keep }),
        4 => (session.clone(), session.clone(), any::<bool>(), tag)
            .prop_map(|(by, session, trusted, tag)| Command::Trust { by, session, trusted, tag }),
        4 => (session.clone(), 0usize..3).prop_map(|(device, age)| Command::SignInOn { device, age }),
        2 => session.clone().prop_map(|by| Command::Devices { by }),
        1 => (session.clone(), session.clone()).prop_map(|(by, device)| Command::RemoveDevice { by, device }),
        1 => session.clone().prop_map(|by| Command::RemoveAllDevices { by }),
        4 => seconds.prop_map(|seconds| Command::Wait { seconds }),
    ];
    prop::collection::vec(command, 1..60)
}

/// Names only what there is: sessions by their age, tokens by generations that exist.
fn within(command: &Command, model: &Model) -> Option<Command> {
    let made = model.made();
    let pick = |number: usize| (made > 0).then(|| made - 1 - number % made);
    Some(match command.clone() {
        Command::Validate { session, age } => {
            let session = pick(session)?;
            Command::Validate { session, age: age.min(model.generation(session)) }
        }
        Command::Refresh { session, age } => {
            let session = pick(session)?;
            Command::Refresh { session, age: age.min(model.generation(session)) }
        }
        Command::End { by, session } => Command::End { by: pick(by)?, session: pick(session)? },
        Command::EndAll { by, keep } => Command::EndAll { by: pick(by)?, keep },
        Command::Trust { by, session, trusted, tag } => {
            // Every second one is about the caller's own session.
            let session = if session.is_multiple_of(2) { by } else { session };
            Command::Trust { by: pick(by)?, session: pick(session)?, trusted, tag }
        }
        Command::SignInOn { device, age } => {
            let device = (model.devices() > 0).then(|| device % model.devices())?;
            Command::SignInOn { device, age: age.min(model.device_generation(device)) }
        }
        Command::Devices { by } => Command::Devices { by: pick(by)? },
        Command::RemoveDevice { by, device } => {
            let device = (model.devices() > 0).then(|| device % model.devices())?;
            Command::RemoveDevice { by: pick(by)?, device }
        }
        Command::RemoveAllDevices { by } => Command::RemoveAllDevices { by: pick(by)? },
        other => other,
    })
}

fn notice(_: CacheEvent) {}

async fn tell(url: &str, commands: &[Command]) -> Result<usize, TestCaseError> {
    let mut model = Model::default();
    let mut strong = World::new("strong reads", |store, _| StrongReads(store.clone())).await;
    let mut memory =
        World::new("a cache in memory", |store, host| leased(store, &MemoryCache::new(host.clone()), host)).await;
    let config = RedisConfig { url: url.to_owned(), cluster: false, tokens: None, authority: None };
    let redis = patient::cache(&config);
    let mut redis = World::new("redis", |store, host| LeasedCache {
        store: store.clone(),
        server: redis,
        host: PatientHost(host.clone()),
        max_age_seconds: 60,
        notice,
    })
    .await;
    let mut said = 0;
    for command in commands {
        let Some(command) = within(command, &model) else { continue };
        let answers = [
            (strong.name, strong.apply(&command, &model).await),
            (memory.name, memory.apply(&command, &model).await),
            (redis.name, redis.apply(&command, &model).await),
        ];
        let expected = model.apply(&command);
        for (name, answer) in answers {
            prop_assert_eq!(&answer, &expected, "{} after {:?}", name, command);
        }
        said += 1;
    }
    Ok(said)
}

#[test]
fn model_and_providers_tell_the_same_story() {
    let cases = std::env::var("HOLDFAST_STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let server = RedisServer::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let said = std::cell::Cell::new(0);
    let outcome = runner.run(&commands(), |commands| {
        said.set(said.get() + runtime.block_on(tell(&server.url(), &commands))?);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{cases} stories of {} commands, the same from a model and three providers", said.get());
    assert!(said.get() > usize::try_from(cases).unwrap_or(0) * 5, "hardly anything was said");
}
