//! The protocols of the session store as state machines. The checker explores every interleaving.
//!
//! Each model exists once as it is built and several times as it must not be built. [`catalogue`] names them all. The
//! models must hold everywhere in their scope. Each mutant must be caught by a shortest counter-example, which is
//! stored in `counter-examples/`.
//!
//! * [`invariant`]: what must hold.
//! * [`protocol`]: what a model is.
//! * [`check`]: exploring one.
//! * [`cache`]: leases and deletes.
//! * [`slots`]: sign-in, end-all, eviction.
//! * [`refresh`]: rotation of refresh tokens.
//! * [`connect`]: a handshake against a revocation.
//! * [`catalogue`]: which models and mutants there are, and in which scope.
//! * [`counter_example`]: the stored texts.

pub mod cache;
pub mod catalogue;
pub mod check;
pub mod connect;
pub mod counter_example;
pub mod invariant;
pub mod protocol;
pub mod refresh;
pub mod slots;
