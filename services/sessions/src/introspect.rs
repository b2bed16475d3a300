//! Says to a service whether an access token opens a session now (the shape of RFC 7662, in camelCase).

use holdfast_runtime::{Request, Response, metrics, wire};
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, Failure};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    token: String,
}

/// Serves `POST /v1/sessions/introspect`, and the same as a direct invocation.
///
/// The check is that of `GET /v1/sessions/current`. A store that cannot be reached is an error, and never
/// `active:false`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    if request.iam_caller().is_none() && !request.is_direct() {
        return Err(Failure::new(Code::Forbidden, "Sign the request with AWS Signature Version 4."));
    }
    let body: Body = request.json_or_payload()?;
    match sessions.authenticate([body.token]).await {
        Ok(current) => {
            let session = wire::session(&current.slot, current.slot.sid);
            Response::json(200, &json!({"active": true, "claims": session["claims"], "session": session}))
        }
        Err(failure) if failure.code == Code::Unauthenticated => {
            metrics::count("INACTIVE");
            Response::json(200, &json!({"active": false}))
        }
        Err(trouble) => Err(trouble),
    }
}
