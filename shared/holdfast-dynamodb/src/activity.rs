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
use holdfast_domain::ports::Stored;
use holdfast_domain::secret::fingerprint;
use holdfast_domain::{Millis, UserId};

use crate::attributes::{Reader, bs, n, s};
use crate::call::{conditional, trouble};

/// Devices remembered of one user: more than anybody has, and far from an item's 400 KB.
const MAX_DEVICES: usize = 500;

/// One event of the audit trail.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its order.
    pub seq: &'a str,
    /// Its name.
    pub kind: &'a str,
    /// When, RFC 3339.
    pub at: &'a str,
    /// To whom. Events of nobody (a sign-in with an e-mail that has no account) are not kept: a flood of them would be a
    /// flood of rows.
    pub user: &'a str,
    /// To which session.
    pub session: Option<&'a str>,
    /// In which sign-in.
    pub login: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
    /// On what device.
    pub device: Option<&'a str>,
    /// From which network.
    pub network: Option<&'a str>,
    /// By which operator.
    pub actor: Option<&'a str>,
}

/// Whether a device had been seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The user's first of all.
    First,
    /// One more.
    New,
    /// An old acquaintance.
    Known,
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

    /// Appends an event, once however often it is delivered; nothing is ever overwritten.
    pub async fn append(&self, entry: &Entry<'_>, delete_after: Millis) -> Stored<()> {
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

    /// Notes a sign-in, unless a later one has been noted: events may come in any order.
    pub async fn last_login(&self, user: &str, session: &str, at: &str, device: Option<&str>) -> Stored<()> {
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

    /// Deletes what is kept of a user who is deleted, but for the audit trail: its events stay, and hold no e-mail.
    pub async fn forget_user(&self, user: UserId) -> Stored<()> {
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

    /// Remembers a device by its name, and says whether it was known.
    pub async fn device(&self, user: &str, name: &str) -> Stored<Seen> {
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
            return Ok(Seen::Known);
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
            before if before.contains(&hash) => Seen::Known,
            before if before.is_empty() => Seen::First,
            _ => Seen::New,
        })
    }
}
