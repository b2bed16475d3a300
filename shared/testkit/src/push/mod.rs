//! The parts that tests of push need: the connections table, the sessions, `@connections` and the queues, all in
//! memory.

mod gateway;
mod queue;
mod sessions;
pub mod stepped;
mod table;

pub use gateway::FakeGateway;
pub use queue::{Counters, MemoryQueues};
pub use sessions::OpenSessions;
pub use table::MemoryTable;
