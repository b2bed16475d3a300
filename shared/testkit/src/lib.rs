//! The support of Holdfast's tests: a separate local cloud, an in-memory store, a manual clock, and one
//! contract suite per port that every implementation must pass.
//!
//! * [`cloud`]: starts the pinned emulator on a free port, with the tables. Dropping it removes it.
//! * [`memory`]: the session ports over a map behind one lock.
//! * [`cache`]: a cache server in memory that can forget, restart and fail.
//! * [`ports`]: free ports, for servers that a test starts.
//! * [`canned`]: AWS by canned answers, for what no emulator says.
//! * [`slow`]: AWS that answers late, for tests of the time-outs.
//! * [`activity`]: the table of subscribers and the event bus in memory.
//! * [`failing`]: any port, with one failing call.
//! * [`push`]: the push ports in memory, with sockets that tests open and close.
//! * [`host`]: a clock that only moves when a test moves it.
//! * [`seeded`]: a host whose every draw follows from a seed.
//! * [`failures`]: the table of what each function does when a call fails.
//! * [`world`]: one user with a session over a store that fails, for tests of handlers.
//! * [`started`]: the executables of a service, as Lambda starts them.
//! * [`suites`]: what a store must do, in the words of its port.

pub mod activity;
pub mod cache;
pub mod canned;
pub mod cloud;
pub mod failing;
pub mod failures;
pub mod faulty;
pub mod host;
pub mod memory;
pub mod ports;
pub mod push;
pub mod redis;
pub mod seeded;
pub mod slow;
pub mod started;
pub mod suites;
pub mod world;

pub use cache::MemoryCache;
pub use canned::CannedAws;
pub use cloud::LocalCloud;
pub use host::ManualHost;
pub use memory::MemoryStore;
pub use slow::SlowAws;
