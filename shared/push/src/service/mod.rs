//! The use cases over the ports. Each ends in a bounded number of calls. Only [`Heads`] keeps data between invocations.

mod access;
mod append;
mod close;
mod connect;
mod deliver;
mod frames;
mod heads;
mod hello;
mod history;
mod publish;
mod renewal;
mod resolve;

pub use access::readable;
pub use close::Closer;
pub use connect::{Admission, ConnectRefusal, Connector};
pub use deliver::{FanOut, Limits, WorkOutcome};
pub use frames::{Caller, Frames};
pub use heads::Heads;
pub use history::{Budget, Recovery, beginning, page, recover};
pub use publish::{Published, Publisher};

use holdfast_sessions::ports::{Clock, Rng};

use crate::close::ByeCode;
use crate::frame::ServerFrame;
use crate::ids::ConnectionId;
use crate::outcome::Posted;
use crate::ports::Gateway;

/// The time between the answer to a `bye` and the close. `DeleteConnection` carries no reason, so `bye` goes first. The
/// delete may drop what is still queued for the client.
const BYE_MILLIS: u64 = 600;

/// The number of attempts of a `bye` while the account is throttled. A client that is closed without a `bye`
/// reconnects.
const BYE_TRIES: u32 = 3;

/// Sends a `bye`, then closes the socket. The socket may still be open afterwards (an unknown outcome).
async fn close_with_bye<G: Gateway, H: Clock + Rng>(gateway: &G, host: &H, id: &ConnectionId, code: ByeCode) -> Posted {
    let bye = gateway.text(&ServerFrame::Bye(code));
    for attempt in 0..BYE_TRIES {
        match gateway.post(id, &bye).await {
            // A post with an unknown outcome may be on its way too.
            Posted::Done | Posted::Unknown => {
                host.sleep(BYE_MILLIS).await;
                break;
            }
            Posted::Throttled => pause(host, attempt, 100, 1_000).await,
            _ => break,
        }
    }
    gateway.close(id).await
}

/// Waits a random time up to `min(cap, base · 2^attempt)` ms ("full jitter", AWS Architecture Blog, 2015).
async fn pause<H: Clock + Rng>(host: &H, attempt: u32, base: u64, cap: u64) {
    let ceiling = cap.min(base << attempt.min(16));
    let random = u64::from_be_bytes(host.random());
    host.sleep(random % (ceiling + 1)).await;
}
