//! Stops trusting one of the caller's devices, or all of them. Their tokens are invalid at once.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, DeviceId, Failure};

/// Serves `DELETE /v1/devices` and `DELETE /v1/devices/{deviceId}`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let origin = Origin::client(request.source_ip());
    let removed = match request.path_parameter("deviceId") {
        // By the path, not by an empty parameter: a trailing slash must not mean all of them.
        _ if request.path().ends_with("/devices") => sessions.remove_all_devices(&current, &origin).await?,
        // What is no id of ours names no device of the caller's: the same answer as for somebody else's.
        id => {
            let id: DeviceId =
                id.parse().map_err(|_| Failure::new(Code::NotFound, "You have no trusted device with this id."))?;
            sessions.remove_device(&current, id, &origin).await?
        }
    };
    Response::json(200, &wire::removed(&removed))
}
