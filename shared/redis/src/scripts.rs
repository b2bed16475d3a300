//! The scripts, and the keys that they use.
//!
//! Each script reads the server's *incarnation* inside itself: `run_id` changes when the process restarts,
//! `master_replid` when a replica is promoted. A copy carries the incarnation that stored it. So a copy that a
//! restarted, promoted or demoted server still holds is not a hit. One read per connection would not be enough, because
//! `REPLICAOF` keeps client connections open.
//!
//! A server with functions (Redis 7, Valkey) keeps the script that reads as a function of a library. It costs the server little more
//! than half as much, because it reads `run_id` once. That of a process never changes, and the function's memory ends with the
//! process. The role and `master_replid` can change at any time, so they are read at each call.
//!
//! All keys of a user share the hash tag `{userId}`. They are in one slot of a cluster, so a script may touch several
//! of them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use holdfast_sessions::cache::LEASE_MILLIS;
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, UserId};

/// Defines `incarnation()`: the id, or nil and a reply with the reason. An id without any digit but 0 identifies no
/// server. `process` is the `run_id`. A script begins with none, and a function of a library keeps it.
const INCARNATION: &str = r"
local process
local function id(info, name)
  local found = type(info) == 'string' and string.match(info, name .. ':(%x+)')
  return found and string.find(found, '[1-9a-f]') and found
end
local function incarnation()
  process = process or id(redis.pcall('INFO', 'server'), 'run_id')
  local replication = redis.pcall('INFO', 'replication')
  local repl = id(replication, 'master_replid')
  if not process or not repl then return nil, 'hidden' end
  if string.match(replication, 'role:(%a+)') ~= 'master' then return nil, 'replica' end
  return process .. ':' .. repl
end
";

/// r1. `KEYS` are copy and lease; `ARGV` are a nonce and the life of a lease in ms. Replies `{'hit', copy}`, `{'lease',
/// lease}`, `{'miss'}`, or why there is no incarnation. A key of another type is a hit with an unreadable copy. The
/// lease id holds the server's time in microseconds. So every *execution* creates its own id, and a repeated or late
/// one cannot revive a lease that was deleted. Without free memory the server refuses the lease, not the script.
const READ: &str = r"
local inc, why = incarnation()
if not inc then return {why} end
local copy = redis.pcall('GET', KEYS[1])
if type(copy) == 'table' then return {'hit', ''} end
if copy and string.sub(copy, 1, #inc + 1) == inc .. '\n' then
  return {'hit', string.sub(copy, #inc + 2)}
end
local time = redis.call('TIME')
local lease = ARGV[1] .. ':' .. time[1] .. ':' .. time[2] .. ':' .. inc
local set = redis.pcall('SET', KEYS[2], lease, 'NX', 'PX', ARGV[2])
if type(set) == 'table' and set.ok then return {'lease', lease} end
return {'miss'}
";

/// r3. `KEYS` are copy and lease; `ARGV` are lease, copy and life in ms. Replies 1 if it stored the copy. It deletes
/// the lease first, so that no failure after that allows a second use.
const FILL: &str = r"
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
local inc = incarnation()
if not inc or string.sub(ARGV[1], -#inc - 1) ~= ':' .. inc then return 0 end
redis.call('SET', KEYS[1], inc .. '\n' .. ARGV[2], 'PX', ARGV[3])
return 1
";

/// w2. `KEYS` are copies and leases. Replies `{'deleted'}`, or why that is not final. It is a plain script, not a
/// flagged one. A server refuses flagged scripts when memory is full, and a delete must work then.
const DELETE: &str = r"
redis.call('DEL', unpack(KEYS))
local inc, why = incarnation()
if not inc then return {why} end
return {'deleted'}
";

/// Asks which server this is, and changes nothing.
const WHO: &str = r"
local inc, why = incarnation()
if not inc then return {why} end
return {'primary'}
";

/// A script, and the name that the server gives it.
#[derive(Debug)]
pub struct Script {
    code: String,
    hash: String,
    function: Option<Function>,
}

impl Script {
    fn new(body: &str) -> Self {
        let code = format!("{INCARNATION}{body}");
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash, function: None }
    }

    /// The same script, which a server may also keep as a function.
    fn with_function(body: &str) -> Self {
        Self { function: Some(Function::new(body)), ..Self::new(body) }
    }

    /// The text of the script, for `EVAL`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The hash of the script, for `EVALSHA`.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The function that does the same.
    pub fn function(&self) -> Option<&Function> {
        self.function.as_ref()
    }
}

/// A script as the only function of a library. Both have a name that no other version of the script has, so that two versions of
/// Holdfast can share a server.
#[derive(Debug)]
pub struct Function {
    name: String,
    library: String,
}

impl Function {
    fn new(body: &str) -> Self {
        let library = |name: &str| {
            format!(
                "#!lua name={name}\n{INCARNATION}local function run(KEYS, ARGV){body}end\nredis.register_function('{name}', run)\n"
            )
        };
        let name = format!("holdfast_{}", redis::Script::new(&library("")).get_hash());
        Self { library: library(&name), name }
    }

    /// The name of the function, for `FCALL`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of the library, for `FUNCTION LOAD`.
    pub fn library(&self) -> &str {
        &self.library
    }
}

/// The script r1, which reads.
pub static READ_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::with_function(READ));
/// The script r3, which fills.
pub static FILL_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(FILL));
/// The script w2, which deletes.
pub static DELETE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(DELETE));
/// The script that probes the fence.
pub static WHO_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(WHO));

/// Life of a lease, as the script takes it.
pub const LEASE_LIFE: i64 = LEASE_MILLIS;

/// The key of the copy of a slot.
pub fn copy_key(at: Address) -> String {
    key(at, 'v')
}

/// The key of the lease to fill that copy.
pub fn lease_key(at: Address) -> String {
    key(at, 'l')
}

fn key(at: Address, kind: char) -> String {
    let mut key = String::with_capacity(32);
    let written = write!(key, "s:{{{}}}:{}:{kind}", at.user, at.slot);
    debug_assert!(written.is_ok(), "neither a text nor an id fails");
    key
}

/// Hash slots of a cluster (Redis cluster specification, "Key distribution model").
pub const CLUSTER_SLOTS: u16 = 16_384;

/// The cluster's hash slot of one of our keys: CRC-16/XMODEM of the part in braces.
pub fn cluster_slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
    let crc = tag.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    });
    crc % CLUSTER_SLOTS
}

/// Both keys of each of these slots.
pub fn keys(user: UserId, slots: &[SlotNo]) -> Vec<String> {
    slots.iter().map(|slot| Address { user, slot: *slot }).flat_map(|at| [copy_key(at), lease_key(at)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_a_cluster_are_counted_as_the_servers_do() {
        // The specification's own example: CRC-16 of "123456789" is 31C3.
        assert_eq!(cluster_slot("123456789"), 0x31C3 % CLUSTER_SLOTS);
        assert_eq!(cluster_slot("s:{123456789}:4:v"), 0x31C3 % CLUSTER_SLOTS);
    }

    #[test]
    fn all_keys_of_a_user_share_one_hash_tag_and_start_with_the_prefix_its_acl_allows() {
        let user = UserId::from_bytes([7; 16]);
        let slots: Vec<_> = SlotNo::all().collect();
        let keys = keys(user, &slots);
        assert_eq!(keys.len(), 20);
        let tag = format!("s:{{{user}}}:");
        assert!(keys.iter().all(|key| key.starts_with(&tag)));
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), 20);
    }
}
