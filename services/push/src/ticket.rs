//! Returns a ticket, which opens one socket once within 30 seconds. The access token itself is never in a URL.

use holdfast_push::budget::{RecoveryReservation, TICKETS_PER_WINDOW};
use holdfast_push::ports::{RecoveryBudget, Tickets};
use holdfast_push::ticket::{TICKET_SECONDS, TicketRow};
use holdfast_push_wiring::{self as providers, LiveConnections, LiveSessionCache, LiveSessionsTable};
use holdfast_runtime::{ConfigError, Env, Request, Response, System};
use holdfast_sessions::ports::{Clock, Rng, SessionCache};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::token::Ticket;
use holdfast_sessions::{Code, Failure, Secret};
use serde_json::json;

/// The dependencies of `push-ticket`.
pub struct Deps<S, C, H, T> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) table: T,
    pub(crate) host: H,
    /// Where clients connect; `wss://` on AWS.
    pub(crate) url: String,
}

impl Deps<LiveSessionsTable, LiveSessionCache, System, LiveConnections> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let url = socket_url(env)?;
        let sdk = providers::sdk(env);
        let sessions = providers::sessions(env, &sdk).await?;
        Ok(Self { sessions, table: providers::connections(env, &sdk)?, host: System, url })
    }
}

/// `WS_URL`: where clients connect.
fn socket_url(env: &Env) -> Result<String, ConfigError> {
    let url = env.text("WS_URL")?;
    if !url.starts_with("wss://") && !url.starts_with("ws://") {
        let problem = "must start with wss:// or ws://".to_owned();
        return Err(ConfigError { variable: "WS_URL".to_owned(), problem });
    }
    Ok(url)
}

/// Serves `POST /v1/push/tickets`.
pub async fn handle<S, C, H, T>(deps: &Deps<S, C, H, T>, request: Request) -> Result<Response, Failure>
where
    S: Send + Sync,
    C: SessionCache,
    H: Clock + Rng,
    T: RecoveryBudget + Tickets,
{
    let current = deps.sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let (user, now) = (current.slot.at.user, deps.host.now());
    let wanted = RecoveryReservation::ticket(user, now);
    if !deps.table.reserve(&wanted).await? {
        let detail = format!("A user may have {TICKETS_PER_WINDOW} tickets a minute; wait and try again.");
        return Err(Failure::new(Code::TooManyAttempts, detail).retry_after(wanted.ends().retry_after(now)));
    }
    let ticket = Ticket::new(Secret::new(deps.host.random()));
    // A ticket never outlives the session: the handshake would refuse it anyway.
    let expires_at = deps.host.now().plus_seconds(TICKET_SECONDS).min(current.slot.expires_at());
    let row = TicketRow { hash: ticket.hash(), at: current.slot.at, sid: current.slot.sid, expires_at };
    deps.table.put_ticket(&row).await?;
    let text = ticket.text();
    let url = format!("{}?ticket={text}", deps.url);
    Response::json(201, &json!({"ticket": text, "expiresAt": expires_at.to_string(), "url": url}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sent_to_a_socket_and_nowhere_else() {
        let read = |url: &str| socket_url(&Env::of([("WS_URL", url)]));
        for url in ["wss://push.example.com/v1", "ws://127.0.0.1:9001"] {
            assert_eq!(read(url), Ok(url.to_owned()));
        }
        for other in ["", "https://push.example.com", "push.example.com", "xws://push.example.com"] {
            assert_eq!(read(other).unwrap_err().variable, "WS_URL", "{other}");
        }
    }
}
