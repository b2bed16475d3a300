//! Lists the caller's live sessions, most recently used first.

use holdfast_domain::Failure;
use holdfast_domain::ports::{Host, SessionCache, SessionStore};
use holdfast_domain::service::Sessions;
use holdfast_kit::{Request, Response, wire};
use serde_json::json;

/// Serves `GET /v1/sessions`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Host,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let slots = sessions.list(&current).await?;
    let list: Vec<_> = slots.iter().map(|slot| wire::session(slot, current.slot.sid)).collect();
    Response::json(200, &json!({"sessions": list}))
}
