//! Trusted devices, and how passwords and seeds are kept.

use holdfast_domain::mfa::Seed;
use holdfast_domain::ports::{AccountUpkeep, Devices, StoreError, Stored};
use holdfast_domain::trusted_device::TrustedDevice;
use holdfast_domain::{DeviceId, Millis, UserId};

use super::accounts::claim;
use super::keys::{self, PK, Row, SK};
use super::{SessionsTable, image};
use crate::attributes::{Reader, b, s};
use crate::call::{conditional, trouble};

impl AccountUpkeep for SessionsTable {
    async fn strengthen(&self, user: UserId, old: &str, new: &str) -> Stored<()> {
        let (pk, sk) = keys::account(user);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET password = :new")
            .condition_expression("password = :old")
            .expression_attribute_values(":new", s(new))
            .expression_attribute_values(":old", s(old))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn seal_seed(&self, user: UserId, plain: &Seed, sealed: &[u8]) -> Stored<()> {
        let (pk, sk) = keys::account(user);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET mfaSecret = :sealed")
            .condition_expression("mfaSecret = :plain")
            .expression_attribute_values(":sealed", image::sealed_value(sealed))
            .expression_attribute_values(":plain", b(plain.expose()))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn claim_email(&self, user: UserId, email_key: &[u8; 32], now: Millis) -> Stored<()> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(claim(keys::email(email_key), user, now)))
            .condition_expression("attribute_not_exists(PK)")
            .send()
            .await;
        conditional("PutItem", None, put).map(|_| ())
    }
}

impl Devices for SessionsTable {
    async fn device(&self, user: UserId, id: DeviceId) -> Stored<Option<TrustedDevice>> {
        let row = self.get(keys::device(user, id)).await?;
        Ok(row.as_ref().map(image::device_if_trusted).transpose()?.flatten())
    }

    async fn devices(&self, user: UserId) -> Stored<Vec<(DeviceId, TrustedDevice)>> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("PK = :pk AND begins_with(SK, :devices)")
                .expression_attribute_values(":pk", s(keys::user(user)))
                .expression_attribute_values(":devices", s(keys::DEVICES))
                .consistent_read(true)
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|e| trouble("Query", &e))?;
            for item in answer.items.unwrap_or_default() {
                let reader = Reader::new(&item);
                let Row::Device(_, id) = keys::row(reader.text(PK)?, reader.text(SK)?) else {
                    return Err(StoreError::Corrupt("a device's key".into()));
                };
                found.extend(image::device_if_trusted(&item)?.map(|device| (id, device)));
            }
            match answer.last_evaluated_key {
                Some(key) => from = Some(key),
                None => return Ok(found),
            }
        }
    }
}
