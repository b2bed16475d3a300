//! Stops trusting one of the caller's devices, or all of them. Their tokens are void at once.

use holdfast_domain::change::Origin;
use holdfast_domain::ports::{Host, SessionCache, SessionStore};
use holdfast_domain::service::Sessions;
use holdfast_domain::{Code, DeviceId, Failure};
use holdfast_kit::{Request, Response, wire};

/// Serves `DELETE /v1/devices` and `DELETE /v1/devices/{deviceId}`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Host,
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
