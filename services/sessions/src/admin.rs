//! Answers `{"ok":true,…}` or `{"ok":false,"error":{…}}`: a refused command is an answer, not a failed invocation.

use std::time::Duration;

use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::{ConfigError, Env, System, metrics, problem, wire};
use holdfast_sessions::account::{Account, PasswordStrength, Status};
use holdfast_sessions::change::Origin;
use holdfast_sessions::email::Email;
use holdfast_sessions::policy::SignInLimits;
use holdfast_sessions::ports::{Clock, NewPasswords, Rng, SessionCache, SessionStore, UserData};
use holdfast_sessions::service::{ListedDevice, Registration, Revoked, Sessions};
use holdfast_sessions::{Code, Failure, Millis, SessionId, UserId};
use holdfast_wiring::{LiveActivity, LiveCache, LivePasswords, LiveTable, LiveUserChannels};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use self::command::{Command, Whom};

mod command;

/// The dependencies of `sessions-admin`.
pub struct Deps<S, C, H, P, A, U> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) registration: Registration<S, P, H>,
    /// What subscribers keep of users.
    pub(crate) activity: A,
    /// What push keeps of users.
    pub(crate) connections: U,
    pub(crate) limits: SignInLimits,
}

impl Deps<LiveTable, LiveCache, System, LivePasswords, LiveActivity, LiveUserChannels> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let limits = env.sign_in_limits()?;
        let sdk = holdfast_wiring::sdk(env);
        let sessions = holdfast_wiring::sessions(env, &sdk).await?;
        let (store, passwords) = (sessions.store.clone(), LivePasswords::default());
        // Operators create accounts whether users may or not, and draw on no budget.
        let registration = Registration { store, passwords, host: System, open: true, per_network: u32::MAX };
        let activity = holdfast_wiring::activity_table(env, &sdk)?;
        let connections = holdfast_wiring::connections_table(env, &sdk)?;
        Ok(Self { sessions, registration, activity, connections, limits })
    }
}

impl<S: SessionStore, C: SessionCache, H: Clock + Rng, P, A, U> Deps<S, C, H, P, A, U> {
    async fn user(&self, whom: &Whom) -> Result<UserId, Failure> {
        match whom {
            Whom::Id(user) => Ok(*user),
            Whom::Email(email) => self.sessions.user_by_email(email).await,
        }
    }
}

/// Runs one command of an operator.
pub async fn handle<S, C, H, P, A, U>(
    deps: &Deps<S, C, H, P, A, U>,
    payload: Box<RawValue>,
    budget: Duration,
) -> Result<Value, InvocationError>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    P: NewPasswords + PasswordStrength,
    A: UserData,
    U: UserData,
{
    let outcome = match command::parse(&payload) {
        Ok((command, origin)) => match tokio::time::timeout(budget, run(deps, &command, &origin)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(Code::Unavailable, "It took too long; it may or may not have happened.")),
        },
        Err(refused) => Err(refused),
    };
    Ok(outcome.unwrap_or_else(|failure| {
        metrics::count(failure.code.as_str());
        tracing::info!(code = failure.code.as_str(), detail = %failure.detail, "command refused");
        json!({"ok": false, "error": {
            "code": failure.code.as_str(),
            "status": problem::status(failure.code),
            "title": problem::title(failure.code),
            "detail": failure.detail,
        }})
    }))
}

async fn run<S, C, H, P, A, U>(
    deps: &Deps<S, C, H, P, A, U>,
    command: &Command,
    origin: &Origin,
) -> Result<Value, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    P: NewPasswords + PasswordStrength,
    A: UserData,
    U: UserData,
{
    let sessions = &deps.sessions;
    let revoked = match command {
        Command::Find(email) => {
            let user = sessions.user_by_email(email).await?;
            return list(sessions, user).await;
        }
        Command::Create { email, password } => {
            let email = Email::parse(email)?;
            let account = deps.registration.create(&email, password, origin).await?;
            tracing::info!("account created");
            return Ok(json!({"ok": true, "user": user(&account)}));
        }
        Command::List(whom) => return list(sessions, deps.user(whom).await?).await,
        Command::Attempts { email, ip } => return attempts(sessions, &deps.limits, email, ip).await,
        Command::ClearAttempts { email, ip } => {
            sessions.clear_attempts(email, ip, &deps.limits).await?;
            tracing::info!("attempts cleared");
            return attempts(sessions, &deps.limits, email, ip).await;
        }
        Command::SetPassword(whom, password) => {
            let passwords = &deps.registration.passwords;
            sessions.set_password(passwords, deps.user(whom).await?, password, origin).await?
        }
        Command::SetClaims(whom, claims) => {
            let user = deps.user(whom).await?;
            let effect = sessions.set_claims(user, claims, origin).await?;
            tracing::info!("claims set");
            let mut answer = Map::new();
            answer.insert("ok".into(), true.into());
            answer.insert("userId".into(), user.to_string().into());
            answer.insert("claims".into(), wire::claims(claims));
            wire::put_effect(&mut answer, effect);
            return Ok(Value::Object(answer));
        }
        Command::Delete(whom) => delete(deps, deps.user(whom).await?, origin).await?,
        Command::RemoveDevice(whom, id) => {
            let removed = sessions.remove_device_of(deps.user(whom).await?, *id, origin).await?;
            tracing::info!("device removed");
            let mut answer = wire::removed(&removed);
            answer["ok"] = true.into();
            return Ok(answer);
        }
        Command::End(whom, sid) => sessions.end_any(deps.user(whom).await?, *sid, origin).await?,
        Command::EndAll(whom) => sessions.end_all_of(deps.user(whom).await?, origin).await?,
        Command::Disable(whom) => sessions.set_status(deps.user(whom).await?, Status::Disabled, origin).await?,
        Command::ResetMfa(whom) => sessions.reset_factor(deps.user(whom).await?, origin).await?,
        Command::Enable(whom) => sessions.set_status(deps.user(whom).await?, Status::Active, origin).await?,
    };
    tracing::info!(revoked = revoked.count, "command done");
    let mut answer = wire::revoked(&revoked);
    answer["ok"] = true.into();
    Ok(answer)
}

/// Deletes the account last. A deletion that stopped half-way can be repeated by `userId`, and continues.
async fn delete<S, C, H, P, A, U>(
    deps: &Deps<S, C, H, P, A, U>,
    user: UserId,
    origin: &Origin,
) -> Result<Revoked, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    A: UserData,
    U: UserData,
{
    // The sessions first: a live socket or a sign-in would bring back what is deleted.
    let revoked = deps.sessions.begin_deletion(user, origin).await?;
    deps.activity.forget_user(user).await?;
    deps.connections.forget_user(user).await?;
    deps.sessions.finish_deletion(user, &deps.limits).await?;
    Ok(revoked)
}

fn user(account: &Account) -> Value {
    let status = match account.status {
        Status::Active => "ACTIVE",
        Status::Disabled => "DISABLED",
        Status::Deleted => "DELETED",
    };
    let mut user = json!({
        "userId": account.user.to_string(), "email": account.email, "status": status,
        "mfaEnabled": account.mfa.enabled.is_some(), "claims": wire::claims(&account.claims),
    });
    if let Some(identity) = &account.identity {
        user["identity"] = wire::identity(identity);
    }
    user
}

async fn list<S, C, H>(sessions: &Sessions<S, C, H>, id: UserId) -> Result<Value, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let report = sessions.inspect(id).await?;
    // No session of this user is asking.
    let nobody = SessionId::from_bytes([0; 16]);
    let devices = report.devices.into_iter().map(|(id, record)| ListedDevice { id, record, current: false });
    Ok(json!({
        "ok": true,
        "user": user(&report.account),
        "sessions": report.sessions.iter().map(|slot| wire::session(slot, nobody)).collect::<Vec<_>>(),
        "devices": devices.map(|device| wire::device(&device)).collect::<Vec<_>>(),
    }))
}

async fn attempts<S, C, H>(
    sessions: &Sessions<S, C, H>,
    limits: &SignInLimits,
    email: &str,
    ip: &str,
) -> Result<Value, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let found = sessions.attempt_status(email, ip, limits).await?;
    let time = |time: Option<Millis>| time.map(|time| time.to_string());
    let budgets: Vec<_> = found
        .iter()
        .map(|budget| {
            json!({
                "scope": budget.scope.name,
                "count": budget.count,
                "limit": budget.scope.limit,
                "windowEndsAt": time(budget.window_ends),
                "failuresInARow": budget.run,
                "waitUntil": time(budget.wait_until),
                "knownUntil": time(budget.known_until),
            })
        })
        .collect();
    Ok(json!({"ok": true, "attempts": budgets}))
}
