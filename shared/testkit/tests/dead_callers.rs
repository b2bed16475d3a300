//! Every operation of a session whose caller is no longer live when its change is checked. It is refused, and nothing
//! changes. The caller was validated a moment before, as in a request.

use holdfast_sessions::account::Status;
use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::mfa::{Answer, Seed, step_at};
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{Clock as _, Devices as _, SessionReads as _};
use holdfast_sessions::service::{
    Current, FactorSettings, FirstStep, PasswordRequest, ReauthenticationRequest, Sessions, SignInRequest, SignedIn,
    StrongReads, TrustRequest, VerifyRequest,
};
use holdfast_sessions::session::Slot;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, Failure};
use holdfast_testkit::suites::sessions::{Bench, PlainPasswords, UserBox};
use holdfast_testkit::{ManualHost, MemoryStore};

const NEW: &str = "another horse battery";
const HOME: &str = "192.0.2.1";

/// A request of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Identify,
    Authenticate,
    Refresh,
    List,
    Devices,
    LogOut,
    LogOutByRefreshToken,
    Revoke,
    RevokeAll,
    RevokeOthers,
    TrustOwn,
    DistrustOwn,
    DistrustOther,
    RemoveDevice,
    RemoveDevices,
    Enroll,
    Activate,
    Disable,
    RenewRecoveryCodes,
    Reauthenticate,
    ChangePassword,
}

impl Ask {
    const ALL: [Ask; 21] = [
        Ask::Identify,
        Ask::Authenticate,
        Ask::Refresh,
        Ask::List,
        Ask::Devices,
        Ask::LogOut,
        Ask::LogOutByRefreshToken,
        Ask::Revoke,
        Ask::RevokeAll,
        Ask::RevokeOthers,
        Ask::TrustOwn,
        Ask::DistrustOwn,
        Ask::DistrustOther,
        Ask::RemoveDevice,
        Ask::RemoveDevices,
        Ask::Enroll,
        Ask::Activate,
        Ask::Disable,
        Ask::RenewRecoveryCodes,
        Ask::Reauthenticate,
        Ask::ChangePassword,
    ];

    /// Whether the request needs a second factor that is on.
    fn wants_factor(self) -> bool {
        !matches!(self, Ask::Enroll | Ask::Activate)
    }

    /// How a caller whose session has ended is refused. A log-out is not refused, because the session has already
    /// ended.
    fn refusal(self) -> Option<Code> {
        match self {
            Ask::LogOut => None,
            Ask::Refresh => Some(Code::InvalidRefreshToken),
            _ => Some(Code::Unauthenticated),
        }
    }
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Idle,
    Logout,
    RevokedByAnother,
    RevokedWithAllOthers,
    Evicted,
    EndedAndItsSlotTaken,
    EndedByOperator,
    AllEndedByOperator,
    Theft,
    LowerLimit,
    PasswordChanged,
    FactorReset,
    Disabled,
    Deleted,
}

impl End {
    const ALL: [End; 14] = [
        End::Idle,
        End::Logout,
        End::RevokedByAnother,
        End::RevokedWithAllOthers,
        End::Evicted,
        End::EndedAndItsSlotTaken,
        End::EndedByOperator,
        End::AllEndedByOperator,
        End::Theft,
        End::LowerLimit,
        End::PasswordChanged,
        End::FactorReset,
        End::Disabled,
        End::Deleted,
    ];
}

struct World {
    bench: Bench<MemoryStore, ManualHost>,
    policy: Policy,
    /// The seed of the second factor, which is on or waits for its first code.
    seed: Seed,
    recovery: Vec<String>,
    caller: SignedIn,
    current: Current,
    /// Another live session of the user.
    other: Current,
    /// The device that the caller trusts.
    device: DeviceId,
}

fn settings() -> FactorSettings<UserBox> {
    FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: UserBox }
}

fn code(seed: &Seed, step: u64) -> Answer {
    Answer::read(Some(&String::from_utf8_lossy(&seed.code(step))), None).expect("works before it is over")
}

type Service = Sessions<MemoryStore, StrongReads<MemoryStore>, ManualHost>;

impl World {
    async fn new(with_factor: bool) -> Self {
        let host = ManualHost::default();
        let bench = Bench::new(MemoryStore::default(), host.clone()).await;
        let sessions = bench.sessions();
        let first = bench.sign_in().await;
        let other = sessions.identify([&*first.tokens.access.text()]).await.expect("works before it is over");
        let (mut seed, mut recovery) = (None, vec![]);
        if with_factor {
            let (made, _) =
                sessions.enroll(&other, &settings(), &Origin::client(HOME)).await.expect("works before it is over");
            let answer = code(&made, step_at(host.now()) - 1);
            let on = sessions.activate(&other, &answer, &settings(), HOME).await.expect("works before it is over");
            recovery = on.codes.expose().to_vec();
            seed = Some(made);
        }
        let mut world = Self {
            policy: Policy::default(),
            seed: seed.clone().unwrap_or_else(|| Seed::from_bytes([0; 20])),
            recovery,
            caller: first.clone(),
            current: other.clone(),
            other,
            device: DeviceId::from_bytes([0; 16]),
            bench,
        };
        world.caller = match seed {
            Some(seed) => world.sign_in(code(&seed, step_at(host.now()))).await,
            None => world.bench.sign_in().await,
        };
        world.current =
            sessions.identify([&*world.caller.tokens.access.text()]).await.expect("works before it is over");
        let trust = world.trust(world.caller.slot.sid, true);
        let set =
            sessions.set_trust(&world.current, &trust, &Origin::client(HOME)).await.expect("works before it is over");
        world.device = set.device_token.expect("works before it is over").device;
        if !with_factor {
            world.seed = sessions
                .enroll(&world.current, &settings(), &Origin::client(HOME))
                .await
                .expect("works before it is over")
                .0;
        }
        world.current =
            sessions.identify([&*world.caller.tokens.access.text()]).await.expect("works before it is over");
        world
    }

    fn sessions(&self) -> Service {
        Sessions { policy: self.policy.clone(), ..self.bench.sessions() }
    }

    fn trust(&self, sid: holdfast_sessions::SessionId, trusted: bool) -> TrustRequest {
        TrustRequest { sid, trusted, expected_versions: None, trust_seconds: 600 }
    }

    async fn sign_in(&self, answer: Answer) -> SignedIn {
        let service = self.bench.sign_in_service(self.policy.clone());
        match service
            .sign_in(&SignInRequest { ip: HOME.into(), ..self.bench.request() })
            .await
            .expect("works before it is over")
        {
            FirstStep::Authenticated(signed_in) => *signed_in,
            FirstStep::MfaRequired(second) => {
                let token = second.token.text();
                let request = VerifyRequest { token, answer, trust_device: false, ip: HOME.into() };
                service.verify(&UserBox, &request).await.expect("works before it is over")
            }
        }
    }

    /// One more session of the user; `nth` chooses a recovery code.
    async fn another(&self, nth: usize) -> SignedIn {
        let answer = match self.recovery.get(nth) {
            Some(text) => Answer::read(None, Some(text)).expect("works before it is over"),
            None => Answer::read(Some("000000"), None).expect("works before it is over"),
        };
        self.sign_in(answer).await
    }

    async fn ask(&self, ask: Ask) -> Result<(), Failure> {
        let sessions = self.sessions();
        let (current, origin) = (&self.current, Origin::client(HOME));
        let (access, refresh) = (self.caller.tokens.access.text(), self.caller.tokens.refresh.text());
        let (own, other) = (self.caller.slot.sid, self.other.slot.sid);
        let request = self.bench.request();
        let next = code(&self.seed, step_at(self.bench.host.now()) + 1);
        let limits = SignInLimits::default();
        match ask {
            Ask::Identify => sessions.identify([&*access]).await.map(|_| ()),
            Ask::Authenticate => sessions.authenticate([&*access]).await.map(|_| ()),
            Ask::Refresh => sessions.refresh(&refresh, &origin).await.map(|_| ()),
            Ask::List => sessions.list(current).await.map(|_| ()),
            Ask::Devices => sessions.devices(current).await.map(|_| ()),
            Ask::LogOut => sessions.log_out(current, &origin).await.map(|_| ()),
            Ask::LogOutByRefreshToken => sessions.log_out_by_refresh_token(&refresh, &origin).await.map(|_| ()),
            Ask::Revoke => sessions.revoke(current, other, &origin).await.map(|_| ()),
            Ask::RevokeAll => sessions.revoke_all(current, false, &origin).await.map(|_| ()),
            Ask::RevokeOthers => sessions.revoke_all(current, true, &origin).await.map(|_| ()),
            Ask::TrustOwn => sessions.set_trust(current, &self.trust(own, true), &origin).await.map(|_| ()),
            Ask::DistrustOwn => sessions.set_trust(current, &self.trust(own, false), &origin).await.map(|_| ()),
            Ask::DistrustOther => sessions.set_trust(current, &self.trust(other, false), &origin).await.map(|_| ()),
            Ask::RemoveDevice => sessions.remove_device(current, self.device, &origin).await.map(|_| ()),
            Ask::RemoveDevices => sessions.remove_all_devices(current, &origin).await.map(|_| ()),
            Ask::Enroll => sessions.enroll(current, &settings(), &origin).await.map(|_| ()),
            Ask::Activate => sessions.activate(current, &next, &settings(), HOME).await.map(|_| ()),
            Ask::Disable => sessions.disable(current, &next, &settings(), HOME).await,
            Ask::RenewRecoveryCodes => sessions.renew_recovery_codes(current, &origin).await.map(|_| ()),
            Ask::Reauthenticate => {
                let both = ReauthenticationRequest { password: request.password, answer: Some(next), ip: HOME.into() };
                sessions.reauthenticate(&PlainPasswords, &settings(), current, &both).await.map(|_| ())
            }
            Ask::ChangePassword => {
                let change = PasswordRequest { current: request.password, new: NEW.into(), ip: HOME.into() };
                sessions.change_password(&PlainPasswords, &limits, current, &change).await.map(|_| ())
            }
        }
    }

    async fn end(&mut self, end: End) {
        let (sessions, origin) = (self.sessions(), Origin::client(HOME));
        let (user, sid) = (self.bench.user, self.caller.slot.sid);
        match end {
            End::Idle => self.bench.host.advance_seconds(3_600),
            End::Logout => {
                sessions.log_out(&self.current, &origin).await.expect("works before it is over");
            }
            End::RevokedByAnother => {
                sessions.revoke(&self.other, sid, &origin).await.expect("works before it is over");
            }
            End::RevokedWithAllOthers => {
                sessions.revoke_all(&self.other, true, &origin).await.expect("works before it is over");
            }
            End::Evicted => {
                for nth in 0..5 {
                    self.bench.host.advance_seconds(1);
                    self.another(nth).await;
                }
            }
            End::EndedAndItsSlotTaken => {
                sessions.log_out(&self.current, &origin).await.expect("works before it is over");
                let there = self.another(0).await;
                let mut last = there.slot.at;
                for nth in 1..4 {
                    if last == self.caller.slot.at {
                        break;
                    }
                    last = self.another(nth).await.slot.at;
                }
                let taken =
                    self.bench.store.slot(self.caller.slot.at).await.expect("works before it is over").expect("a slot");
                assert_ne!(taken.sid, sid, "another session lives in the slot");
            }
            End::EndedByOperator => {
                sessions.end_any(user, sid, &origin).await.expect("works before it is over");
            }
            End::AllEndedByOperator => {
                sessions.end_all_of(user, &origin).await.expect("works before it is over");
            }
            End::Theft => {
                let old = self.caller.tokens.refresh.text();
                let (_, next, _) = sessions.refresh(&old, &origin).await.expect("works before it is over");
                sessions.refresh(&next.refresh.text(), &origin).await.expect("works before it is over");
                assert_eq!(sessions.refresh(&old, &origin).await.expect_err("refused").code, Code::RefreshTokenReused);
            }
            End::LowerLimit => self.policy.max_sessions = self.caller.slot.at.slot.get(),
            End::PasswordChanged => {
                let change =
                    PasswordRequest { current: self.bench.request().password, new: NEW.into(), ip: HOME.into() };
                let limits = SignInLimits::default();
                sessions
                    .change_password(&PlainPasswords, &limits, &self.other, &change)
                    .await
                    .expect("works before it is over");
            }
            End::FactorReset => {
                sessions.reset_factor(user, &origin).await.expect("works before it is over");
            }
            End::Disabled => {
                sessions.set_status(user, Status::Disabled, &origin).await.expect("works before it is over");
            }
            End::Deleted => {
                sessions.begin_deletion(user, &origin).await.expect("works before it is over");
                sessions.finish_deletion(user, &SignInLimits::default()).await.expect("works before it is over");
            }
        }
    }

    /// Everything of the user that an operation could change. Without `own`, the caller's own slot is left out.
    async fn state(&self, own: bool) -> (Option<(String, Vec<Slot>)>, Vec<(DeviceId, TrustedDevice)>) {
        let state = self.bench.store.user(self.bench.user).await.expect("works before it is over");
        let devices = self.bench.store.devices(self.bench.user).await.expect("works before it is over");
        let keep = |slot: &Slot| own || slot.sid != self.caller.slot.sid;
        let seen = state.map(|state| {
            let account = &state.account;
            let text = format!(
                "{} {} {:?} {} {:?}",
                account.password, account.auth_epoch, account.status, account.version, account.mfa
            );
            (text, state.slots.into_iter().filter(keep).collect())
        });
        (seen, devices)
    }
}

#[tokio::test]
async fn a_live_caller_may_do_everything() {
    for ask in Ask::ALL {
        let world = Box::pin(World::new(ask.wants_factor())).await;
        let before = world.state(true).await;
        let outcome = Box::pin(world.ask(ask)).await;
        assert!(outcome.is_ok(), "{ask:?}: {outcome:?}");
        let reads = matches!(ask, Ask::Identify | Ask::Authenticate | Ask::List | Ask::Devices | Ask::Enroll);
        assert_eq!(before == world.state(true).await, reads, "{ask:?} changes what it is for");
    }
}

#[tokio::test]
async fn a_caller_who_is_no_longer_live_is_refused_and_changes_nothing() {
    for end in End::ALL {
        for ask in Ask::ALL {
            let mut world = Box::pin(World::new(ask.wants_factor())).await;
            Box::pin(world.end(end)).await;
            let own = ask.refusal().is_some();
            let before = world.state(own).await;
            let outcome = Box::pin(world.ask(ask)).await.err().map(|failure| failure.code);
            assert_eq!(outcome, ask.refusal(), "{ask:?} after {end:?}");
            assert!(before == world.state(own).await, "{ask:?} after {end:?} changed something");
        }
    }
}

/// An expired session is not listed, not counted and not revoked, and it cannot be edited.
#[tokio::test]
async fn expired_sessions_are_neither_listed_nor_counted_nor_revoked() {
    let world = Box::pin(World::new(false)).await;
    let (host, origin) = (&world.bench.host, Origin::client(HOME));
    host.advance_seconds(3_600);
    let fresh = world.bench.sign_in().await;
    let sessions = world.sessions();
    let caller = sessions.identify([&*fresh.tokens.access.text()]).await.expect("works before it is over");
    let expired = [world.caller.slot.sid, world.other.slot.sid];
    let there = world.bench.store.user(world.bench.user).await.expect("works before it is over").unwrap().slots;
    assert!(there.iter().any(|slot| expired.contains(&slot.sid)), "its row is still there");

    let listed: Vec<_> =
        sessions.list(&caller).await.expect("works before it is over").into_iter().map(|slot| slot.sid).collect();
    assert_eq!(listed, [fresh.slot.sid]);
    let report = sessions.inspect(world.bench.user).await.expect("works before it is over");
    assert_eq!(report.sessions.iter().map(|slot| slot.sid).collect::<Vec<_>>(), [fresh.slot.sid]);
    let before = world.state(true).await;
    for sid in expired {
        let refusals = [
            sessions.revoke(&caller, sid, &origin).await.err(),
            sessions.end_any(world.bench.user, sid, &origin).await.err(),
            sessions.set_trust(&caller, &world.trust(sid, true), &origin).await.err(),
            sessions.set_trust(&caller, &world.trust(sid, false), &origin).await.err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.map(|failure| failure.code), Some(Code::NotFound));
        }
    }
    assert!(before == world.state(true).await);
    assert_eq!(sessions.revoke_all(&caller, true, &origin).await.expect("works before it is over").count, 0);
    assert_eq!(sessions.revoke_all(&caller, false, &origin).await.expect("works before it is over").count, 1);
    assert_eq!(sessions.end_all_of(world.bench.user, &origin).await.expect("works before it is over").count, 0);
}

/// A session from a trusted device has shown no second factor, so it makes no device trusted. That holds while its
/// device is trusted, and after that trust has ended in any way.
#[tokio::test]
async fn a_session_that_came_by_a_device_trusts_no_device() {
    for way in 0..4 {
        let mut world = Box::pin(World::new(true)).await;
        let (sessions, origin) = (world.sessions(), Origin::client(HOME));
        // A second device, whose token the next session comes by.
        let trusting = world.another(0).await;
        let mine = sessions.identify([&*trusting.tokens.access.text()]).await.expect("works before it is over");
        let wish = world.trust(trusting.slot.sid, true);
        let token =
            sessions.set_trust(&mine, &wish, &origin).await.expect("works before it is over").device_token.unwrap();
        let request = SignInRequest { device_token: Some(token.text()), ..world.bench.request() };
        let service = world.bench.sign_in_service(Policy::default());
        let Ok(FirstStep::Authenticated(by_device)) = service.sign_in(&request).await else { panic!("not by device") };
        world.current = sessions.identify([&*by_device.tokens.access.text()]).await.expect("works before it is over");
        assert_eq!(by_device.slot.mfa_verified_at, None);
        match way {
            0 => {}
            1 => {
                sessions.remove_device(&world.current, token.device, &origin).await.expect("works before it is over");
            }
            2 => {
                sessions.remove_device(&mine, token.device, &origin).await.expect("works before it is over");
            }
            _ => world.bench.host.advance_seconds(600),
        }
        let before = world.bench.store.devices(world.bench.user).await.expect("works before it is over");
        let wish = world.trust(by_device.slot.sid, true);
        let outcome = sessions.set_trust(&world.current, &wish, &origin).await;
        if way == 0 {
            let set = outcome.expect("works before it is over");
            assert!(set.device_token.is_none() && set.slot.trust == by_device.slot.trust);
        } else {
            assert_eq!(outcome.unwrap_err().code, Code::ReauthenticationRequired, "way {way}");
        }
        assert_eq!(
            world.bench.store.devices(world.bench.user).await.expect("works before it is over"),
            before,
            "way {way}"
        );
        // The password alone proves no second factor; password and code do.
        let password = world.bench.request().password;
        let half = ReauthenticationRequest { password, answer: None, ip: HOME.into() };
        sessions
            .reauthenticate(&PlainPasswords, &settings(), &world.current, &half)
            .await
            .expect("works before it is over");
        if way > 0 {
            let refused = sessions.set_trust(&world.current, &wish, &origin).await.unwrap_err();
            assert_eq!(refused.code, Code::ReauthenticationRequired, "way {way}");
        }
        let answer = Answer::read(None, Some(&world.recovery[5])).expect("works before it is over");
        let both = ReauthenticationRequest { answer: Some(answer), ..half };
        sessions
            .reauthenticate(&PlainPasswords, &settings(), &world.current, &both)
            .await
            .expect("works before it is over");
        assert!(
            sessions
                .set_trust(&world.current, &wish, &origin)
                .await
                .expect("works before it is over")
                .device_token
                .is_some()
        );
    }
}
