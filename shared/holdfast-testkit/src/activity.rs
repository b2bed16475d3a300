//! The tables that subscribers write, and the event bus, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_domain::ports::{
    AuditEntry, AuditTrail, BusEntry, DeviceSeen, EventBus, LastLogins, SeenDevices, Stored, UserData,
};
use holdfast_domain::{Millis, UserId};

use crate::suites::activity::{Look, StoredEntry};

#[derive(Debug, Default)]
struct Rows {
    // Key: user, time and id.
    trail: BTreeMap<(String, String, String), StoredEntry>,
    logins: BTreeMap<String, (String, String, String)>,
    devices: BTreeMap<String, BTreeSet<String>>,
    forgotten: Vec<UserId>,
}

/// The table `activity`. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryActivity(Arc<Mutex<Rows>>);

impl MemoryActivity {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The audit trail, in the order of users, times and ids.
    pub fn whole_trail(&self) -> Vec<StoredEntry> {
        self.lock().trail.values().cloned().collect()
    }

    /// Users that were forgotten, in order.
    pub fn forgotten(&self) -> Vec<UserId> {
        self.lock().forgotten.clone()
    }
}

impl Look for MemoryActivity {
    async fn trail(&self, user: &str) -> Vec<StoredEntry> {
        self.lock().trail.iter().filter(|((of, ..), _)| of == user).map(|(_, entry)| entry.clone()).collect()
    }

    async fn latest_login(&self, user: &str) -> Option<(String, String, String)> {
        self.lock().logins.get(user).cloned()
    }
}

impl AuditTrail for MemoryActivity {
    async fn append(&self, entry: &AuditEntry<'_>, delete_after: Millis) -> Stored<()> {
        let key = (entry.user.to_owned(), entry.at.to_owned(), entry.id.to_owned());
        let fields = [
            ("id", Some(entry.id)),
            ("seq", Some(entry.seq)),
            ("type", Some(entry.kind)),
            ("at", Some(entry.at)),
            ("userId", Some(entry.user)),
            ("sessionId", entry.session),
            ("loginSessionId", entry.login),
            ("reason", entry.reason),
            ("device", entry.device),
            ("network", entry.network),
            ("actor", entry.actor),
        ];
        let fields =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        self.lock().trail.entry(key).or_insert(StoredEntry { fields, delete_after });
        Ok(())
    }
}

impl LastLogins for MemoryActivity {
    async fn last_login(&self, user: &str, session: &str, at: &str, device: Option<&str>) -> Stored<()> {
        let mut rows = self.lock();
        if rows.logins.get(user).is_none_or(|(known, ..)| known.as_str() < at) {
            let login = (at.to_owned(), session.to_owned(), device.unwrap_or_default().to_owned());
            rows.logins.insert(user.to_owned(), login);
        }
        Ok(())
    }
}

impl SeenDevices for MemoryActivity {
    async fn device(&self, user: &str, name: &str) -> Stored<DeviceSeen> {
        let mut rows = self.lock();
        let known = rows.devices.entry(user.to_owned()).or_default();
        let is_first = known.is_empty();
        Ok(match known.insert(name.to_owned()) {
            false => DeviceSeen::Known,
            true if is_first => DeviceSeen::First,
            true => DeviceSeen::New,
        })
    }
}

impl UserData for MemoryActivity {
    async fn forget_user(&self, user: UserId) -> Stored<()> {
        let mut rows = self.lock();
        rows.logins.remove(&user.to_string());
        rows.devices.remove(&user.to_string());
        rows.forgotten.push(user);
        Ok(())
    }
}

/// The event bus. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryBus(Arc<Mutex<Vec<BusEntry>>>);

impl MemoryBus {
    /// What was published, in order.
    pub fn published(&self) -> Vec<BusEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl EventBus for MemoryBus {
    async fn publish(&self, entries: &[BusEntry]) -> Stored<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(entries);
        Ok(())
    }
}
