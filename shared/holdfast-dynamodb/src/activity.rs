//! The table `activity`: what subscribers of the event bus write down of a user. Nothing that decides anything reads it.
//!
//! | PK | SK | holds |
//! |---|---|---|
//! | `U#<userId>` | `E#<at>#<event id>` | one event, written once |
//! | `U#<userId>` | `LAST_LOGIN` | when and where the user last signed in |
//! | `U#<userId>` | `DEVICES` | the names of the devices that were seen, hashed |

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use holdfast_domain::ports::{AuditEntry, AuditTrail, DeviceSeen, LastLogins, SeenDevices, Stored, UserData};
use holdfast_domain::secret::fingerprint;
use holdfast_domain::{Millis, UserId};

use crate::attributes::{Reader, bs, n, s};
use crate::call::{conditional, trouble};

/// Devices remembered of one user: more than anybody has, and far from an item's 400 KB.
const MAX_DEVICES: usize = 500;

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
    async fn append(&self, entry: &AuditEntry<'_>, delete_after: Millis) -> Stored<()> {
        let owner = format!("U#{}", entry.user);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("PK", s(owner))
            .item("SK", s(format!("E#{}#{}", entry.at, entry.id)))
            .item("id", s(entry.id))
            .item("seq", s(entry.seq))
            .item("type", s(entry.kind))
            .item("at", s(entry.at))
            .item("ttl", n(delete_after.seconds_up()))
            .condition_expression("attribute_not_exists(PK)");
        for (name, value) in [
            ("userId", Some(entry.user)),
            ("sessionId", entry.session),
            ("loginSessionId", entry.login),
            ("reason", entry.reason),
            ("device", entry.device),
            ("network", entry.network),
            ("actor", entry.actor),
        ] {
            if let Some(value) = value {
                put = put.item(name, s(value));
            }
        }
        // Refused: it is there already.
        conditional("PutItem", None, put.send().await).map(|_| ())
    }
}

impl LastLogins for ActivityTable {
    async fn last_login(&self, user: &str, session: &str, at: &str, device: Option<&str>) -> Stored<()> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("PK", s(format!("U#{user}")))
            .key("SK", s("LAST_LOGIN"))
            .update_expression("SET #at = :at, sessionId = :session, device = :device")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", s(at))
            .expression_attribute_values(":session", s(session))
            .expression_attribute_values(":device", s(device.unwrap_or_default()))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

impl UserData for ActivityTable {
    /// The audit trail stays: its events hold no e-mail.
    async fn forget_user(&self, user: UserId) -> Stored<()> {
        for sk in ["LAST_LOGIN", "DEVICES"] {
            self.client
                .delete_item()
                .table_name(&self.table)
                .key("PK", s(format!("U#{user}")))
                .key("SK", s(sk))
                .send()
                .await
                .map_err(|e| trouble("DeleteItem", &e))?;
        }
        Ok(())
    }
}

impl SeenDevices for ActivityTable {
    async fn device(&self, user: &str, name: &str) -> Stored<DeviceSeen> {
        let hash = fingerprint("holdfast/device-name/1", &[name.as_bytes()]);
        let key = (s(format!("U#{user}")), s("DEVICES"));
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("PK", key.0.clone())
            .key("SK", key.1.clone())
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| trouble("GetItem", &e))?;
        let known = answer.item.as_ref().map_or(Ok(vec![]), |item| Reader::new(item).hashes("deviceNames"))?;
        if known.contains(&hash) || known.len() >= MAX_DEVICES {
            return Ok(DeviceSeen::Known);
        }
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("PK", key.0)
            .key("SK", key.1)
            .update_expression("ADD deviceNames :names")
            .expression_attribute_values(":names", bs([&hash]))
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
