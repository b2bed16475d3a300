//! The table `activity`: what subscribers of the event bus record about a user. No decision about a session or a
//! sign-in reads it.
//!
//! | PK | SK | holds |
//! |---|---|---|
//! | `U#<userId>` | `E#<at>#<event id>` | one event, written once |
//! | `U#<userId>` | `LAST_LOGIN` | when and where the user last signed in |
//! | `U#<userId>` | `DEVICES` | the names of the devices that were seen, hashed |

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use holdfast_sessions::ports::{AuditEntry, AuditTrail, DeviceSeen, LastLogins, SeenDevices, StoreResult, UserData};
use holdfast_sessions::secret::fingerprint;
use holdfast_sessions::{Millis, UserId};

use crate::attributes::{Reader, binary_set, item, number, string};
use crate::call::{conditional, trouble};
use crate::statement::Statement;

/// Devices that are stored for one user: more than a user has, and far from an item's 400 KB.
const MAX_DEVICES: usize = 500;

const LAST_LOGIN: &str = "LAST_LOGIN";
const DEVICES: &str = "DEVICES";

/// The partition of a user.
fn owner(user: impl std::fmt::Display) -> String {
    format!("U#{user}")
}

/// The table behind the subscribers.
#[derive(Clone, Debug)]
pub struct ActivityTable {
    client: Client,
    table: String,
}

impl ActivityTable {
    /// Builds the client once; connections are opened by the first call.
    pub fn new(config: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(config), table: table.into() }
    }
}

impl AuditTrail for ActivityTable {
    async fn append(&self, entry: &AuditEntry<'_>, delete_after: Millis) -> StoreResult<()> {
        let attributes = [
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
        let attributes = attributes.into_iter().filter_map(|(name, text)| text.map(|text| (name, string(text))));
        let key = (owner(entry.user), format!("E#{}#{}", entry.at, entry.id));
        let row = item(key, attributes.chain([("ttl", number(delete_after.seconds_up()))]));
        let put = Statement::absent().put_item(&self.client, &self.table, row);
        // Refused: it is there already.
        conditional("PutItem", None, put.send().await).map(|_| ())
    }
}

impl LastLogins for ActivityTable {
    async fn last_login(&self, user: &str, session: &str, at: &str, device: Option<&str>) -> StoreResult<()> {
        let result = Statement::new()
            .set("at", string(at))
            .set("sessionId", string(session))
            .set("device", string(device.unwrap_or_default()))
            .when("attribute_not_exists(#at) OR #at < :at")
            .update_item(&self.client, &self.table, (owner(user), LAST_LOGIN))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

impl UserData for ActivityTable {
    /// The audit trail stays: its events hold no e-mail.
    async fn forget_user(&self, user: UserId) -> StoreResult<()> {
        for sk in [LAST_LOGIN, DEVICES] {
            let delete = Statement::new().delete_item(&self.client, &self.table, (owner(user), sk));
            delete.send().await.map_err(|e| trouble("DeleteItem", &e))?;
        }
        Ok(())
    }
}

impl SeenDevices for ActivityTable {
    async fn device(&self, user: &str, name: &str) -> StoreResult<DeviceSeen> {
        let hash = fingerprint("holdfast/device-name/1", &[name.as_bytes()]);
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item((owner(user), DEVICES), [])))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| trouble("GetItem", &e))?;
        let known = answer.item.as_ref().map_or(Ok(vec![]), |item| Reader::new(item).hashes("deviceNames"))?;
        if known.contains(&hash) || known.len() >= MAX_DEVICES {
            return Ok(DeviceSeen::Known);
        }
        let result = Statement::new()
            .then("ADD deviceNames :names")
            .value(":names", binary_set([&hash]))
            .update_item(&self.client, &self.table, (owner(user), DEVICES))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await
            .map_err(|e| trouble("UpdateItem", &e))?;
        // What was there at the write counts: of two deliveries at once, one finds the other's.
        let before = result.attributes.as_ref().map_or(Ok(vec![]), |item| Reader::new(item).hashes("deviceNames"))?;
        Ok(match before {
            before if before.contains(&hash) => DeviceSeen::Known,
            before if before.is_empty() => DeviceSeen::First,
            _ => DeviceSeen::New,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use holdfast_testkit::CannedAws;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_user_with_five_hundred_devices_gets_no_more_of_them() {
        let stored: Vec<_> = (0..500_u16).map(|nth| STANDARD.encode(nth.to_be_bytes().repeat(16))).collect();
        for (devices, requests) in [(499, 2), (500, 1)] {
            let item = json!({ "Item": { "deviceNames": { "BS": stored[..devices] } } });
            let before = json!({ "Attributes": { "deviceNames": { "BS": stored[..devices] } } });
            let aws = CannedAws::new(&[(200, &item.to_string()), (200, &before.to_string())]);
            let table = ActivityTable::new(&aws.config(), "activity");
            let expected = if devices == 500 { DeviceSeen::Known } else { DeviceSeen::New };
            assert_eq!(table.device("ada", "a new laptop").await, Ok(expected), "after {devices}");
            assert_eq!(aws.requests().len(), requests, "after {devices}: one to read, and one to store");
        }
    }
}
