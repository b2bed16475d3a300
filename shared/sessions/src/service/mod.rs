//! The use cases, over the ports. They keep no state between two calls. They get time, randomness and waiting from the port
//! that `host` holds. Every use case ends after a bounded number of store calls.

mod admin;
mod budget;
mod change;
mod claims;
mod commit;
mod devices;
mod end;
mod factor;
mod leased;
mod password;
mod reauthenticate;
mod refresh;
mod register;
mod retry;
mod second_factor;
mod sign_in;
mod strong;
mod trust;
mod validate;
mod vouched;

pub use admin::{AttemptStatus, UserReport};
pub use devices::{ListedDevice, Removed};
pub use factor::{Activated, FactorSettings};
pub use leased::LeasedCache;
pub use password::PasswordRequest;
pub use reauthenticate::ReauthenticationRequest;
pub use register::Registration;
pub use second_factor::VerifyRequest;
pub use sign_in::{FirstStep, MfaRequired, SignIn, SignInRequest, SignedIn};
pub use strong::{DeleteOnly, StrongReads};
pub use trust::{TrustRequest, TrustSet};
pub use vouched::{Vouched, VouchedRequest};

use crate::policy::Policy;
use crate::ports::Effect;
use crate::session::Slot;
use crate::token::{AccessToken, RefreshToken};

/// The use cases that create, read, change and end sessions.
#[derive(Clone, Debug)]
pub struct Sessions<S, C, H> {
    /// The store, which is the source of truth.
    pub store: S,
    /// The reads that check a request, and the deletion of cached copies after a change. Without a cache server, it reads the
    /// store (see [`StrongReads`]).
    pub cache: C,
    /// The clock, the random source, and the timer between two tries.
    pub host: H,
    /// The session limit and the lifetimes.
    pub policy: Policy,
}

/// The session a request is made in.
#[derive(Clone, Debug)]
pub struct Current {
    /// The slot as validated. Its `lastUsedAt` is up to date.
    pub slot: Slot,
}

/// A new pair of tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The token that authenticates requests.
    pub access: AccessToken,
    /// The token that is exchanged for the next pair.
    pub refresh: RefreshToken,
}

impl Tokens {
    fn of(refresh: RefreshToken) -> Self {
        Self { access: AccessToken::of(&refresh), refresh }
    }
}

/// How many sessions were ended, and how surely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Live at the strong read before the transaction.
    pub count: usize,
    /// The effect of the end; see [`Effect`].
    pub effect: Effect,
}
