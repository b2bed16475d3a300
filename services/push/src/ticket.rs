//! Gives out a ticket: what opens one socket, once, within half a minute. The access token itself never stands in a URL.

use holdfast_domain::ports::Host as _;
use holdfast_domain::token::Ticket;
use holdfast_domain::{Code, Failure, Secret};
use holdfast_dynamodb::ConnectionsTable;
use holdfast_kit::{ConfigError, Env, Request, Response, System};
use holdfast_push::budget::{Reservation, TICKETS_PER_WINDOW};
use holdfast_push::ports::{RecoveryBudget as _, Tickets};
use holdfast_push::ticket::{TICKET_SECONDS, TicketRow};
use holdfast_push_providers::{self as providers, LiveSessions};
use serde_json::json;

/// What `push-ticket` needs.
pub struct Deps {
    sessions: LiveSessions,
    table: ConnectionsTable,
    /// Where clients connect; `wss://` on AWS.
    url: String,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let url = env.text("WS_URL")?;
        if !url.starts_with("wss://") && !url.starts_with("ws://") {
            let problem = "must start with wss:// or ws://".to_owned();
            return Err(ConfigError { variable: "WS_URL".to_owned(), problem });
        }
        let sdk = providers::sdk(env).await;
        Ok(Self { sessions: providers::sessions(env, &sdk).await?, table: providers::connections(env, &sdk)?, url })
    }
}

/// Serves `POST /v1/push/tickets`.
pub async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let current = deps.sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let (user, now) = (current.slot.at.user, System.now());
    let wanted = Reservation::ticket(user, now);
    if !deps.table.reserve(&wanted).await? {
        let detail = format!("A user may have {TICKETS_PER_WINDOW} tickets a minute; wait and try again.");
        return Err(Failure::new(Code::TooManyAttempts, detail).retry_after(wanted.ends().retry_after(now)));
    }
    let ticket = Ticket::new(Secret::new(System.random()));
    // A ticket never outlives the session: the handshake would refuse it anyway.
    let expires_at = System.now().plus_seconds(TICKET_SECONDS).min(current.slot.expires_at());
    let row = TicketRow { hash: ticket.hash(), at: current.slot.at, sid: current.slot.sid, expires_at };
    deps.table.put_ticket(&row).await?;
    let text = ticket.text();
    let url = format!("{}?ticket={text}", deps.url);
    Response::json(201, &json!({"ticket": text, "expiresAt": expires_at.to_string(), "url": url}))
}
