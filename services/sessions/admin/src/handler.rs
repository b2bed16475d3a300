//! Answers `{"ok":true,…}` or `{"ok":false,"error":{…}}`: a refused command is an answer, not a failed invocation.

use std::time::Duration;

use holdfast_domain::account::Status;
use holdfast_domain::policy::SignInLimits;
use holdfast_domain::{Code, Failure, SessionId, UserId};
use holdfast_kit::boot::Broken;
use holdfast_kit::{ConfigError, Env, metrics, wire};
use holdfast_providers::LiveSessions;
use serde_json::{Value, json};

use crate::command::{self, Command, Whom};

pub(crate) struct Deps {
    sessions: LiveSessions,
    limits: SignInLimits,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let limits = env.sign_in_limits()?;
        Ok(Self { sessions: holdfast_providers::sessions(env).await?, limits })
    }

    async fn user(&self, whom: &Whom) -> Result<UserId, Failure> {
        match whom {
            Whom::Id(user) => Ok(*user),
            Whom::Email(email) => self.sessions.user_by_email(email).await,
        }
    }
}

pub(crate) async fn handle(deps: &'static Deps, payload: Value, budget: Duration) -> Result<Value, Broken> {
    let outcome = match command::parse(payload) {
        Ok(command) => match tokio::time::timeout(budget, run(deps, &command)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(Code::Unavailable, "It took too long; it may or may not have happened.")),
        },
        Err(refused) => Err(refused),
    };
    Ok(outcome.unwrap_or_else(|failure| {
        metrics::count(failure.code.text());
        tracing::info!(code = failure.code.text(), detail = %failure.detail, "command refused");
        json!({"ok": false, "error": {
            "code": failure.code.text(),
            "status": failure.code.status(),
            "title": failure.code.title(),
            "detail": failure.detail,
        }})
    }))
}

async fn run(deps: &Deps, command: &Command) -> Result<Value, Failure> {
    let sessions = &deps.sessions;
    let revoked = match command {
        Command::List(whom) => return list(deps, deps.user(whom).await?).await,
        Command::Attempts { email, ip } => return attempts(deps, email, ip).await,
        Command::ClearAttempts { email, ip } => {
            sessions.clear_attempts(email, ip, &deps.limits).await?;
            tracing::info!("attempts cleared");
            return attempts(deps, email, ip).await;
        }
        Command::End(whom, sid) => sessions.end_any(deps.user(whom).await?, *sid).await?,
        Command::EndAll(whom) => sessions.end_all_of(deps.user(whom).await?).await?,
        Command::Disable(whom) => sessions.set_status(deps.user(whom).await?, Status::Disabled).await?,
        Command::ResetMfa(whom) => sessions.reset_factor(deps.user(whom).await?).await?,
        Command::Enable(whom) => sessions.set_status(deps.user(whom).await?, Status::Active).await?,
    };
    tracing::info!(revoked = revoked.count, "command done");
    let mut answer = wire::revoked(&revoked);
    answer["ok"] = true.into();
    Ok(answer)
}

async fn list(deps: &Deps, user: UserId) -> Result<Value, Failure> {
    let (account, live) = deps.sessions.inspect(user).await?;
    // No session of this user is asking.
    let nobody = SessionId::from_bytes([0; 16]);
    let status = match account.status {
        Status::Active => "ACTIVE",
        Status::Disabled => "DISABLED",
    };
    Ok(json!({
        "ok": true,
        "user": {"userId": user.to_string(), "email": account.email, "status": status,
                 "mfaEnabled": account.mfa.enabled.is_some()},
        "sessions": live.iter().map(|slot| wire::session(slot, nobody)).collect::<Vec<_>>(),
    }))
}

async fn attempts(deps: &Deps, email: &str, ip: &str) -> Result<Value, Failure> {
    let found = deps.sessions.attempt_status(email, ip, &deps.limits).await?;
    let budgets: Vec<_> = found
        .iter()
        .map(|budget| {
            json!({
                "scope": budget.scope,
                "count": budget.count,
                "limit": budget.limit,
                "windowEndsAt": budget.window_ends.map(|ends| ends.to_string()),
            })
        })
        .collect();
    Ok(json!({"ok": true, "attempts": budgets}))
}
