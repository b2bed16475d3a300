//! Lists the caller's live sessions, most recently used first.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use serde_json::json;

/// Serves `GET /v1/sessions`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let slots = sessions.list(&current).await?;
    let list: Vec<_> = slots.iter().map(|slot| wire::session(slot, current.slot.sid)).collect();
    Response::json(200, &json!({"sessions": list}))
}
