//! Trusted devices, and how passwords and seeds are kept.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_sessions::mfa::Seed;
use holdfast_sessions::ports::{AccountUpkeep, Devices, StoreError, StoreResult};
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, Millis, UserId};

use super::accounts::claim;
use super::keys::{self, PK, Row, SK};
use super::{SessionsTable, image};
use crate::attributes::{Reader, binary, string};
use crate::call::{conditional, trouble};
use crate::statement::Statement;

impl SessionsTable {
    /// Replaces an attribute of an account, if it still is as it was read.
    async fn replace(
        &self,
        user: UserId,
        attribute: &str,
        old: AttributeValue,
        new: AttributeValue,
    ) -> StoreResult<()> {
        let result = Statement::new()
            .set(attribute, new)
            .when(&format!("#{attribute} = :old"))
            .value(":old", old)
            .update_item(&self.client, &self.table, keys::account(user))
            .send()
            .await;
        conditional("UpdateItem", None, result).map(|_| ())
    }
}

impl AccountUpkeep for SessionsTable {
    async fn strengthen(&self, user: UserId, old: &str, new: &str) -> StoreResult<()> {
        self.replace(user, "password", string(old), string(new)).await
    }

    async fn seal_seed(&self, user: UserId, plain: &Seed, sealed: &[u8]) -> StoreResult<()> {
        self.replace(user, "mfaSecret", binary(plain.expose()), image::sealed_value(sealed)).await
    }

    async fn claim_email(&self, user: UserId, email_key: &[u8; 32], now: Millis) -> StoreResult<()> {
        let claimed = claim(keys::email(email_key), user, now);
        let put = Statement::absent().put_item(&self.client, &self.table, claimed).send().await;
        conditional("PutItem", None, put).map(|_| ())
    }
}

impl Devices for SessionsTable {
    async fn device(&self, user: UserId, id: DeviceId) -> StoreResult<Option<TrustedDevice>> {
        let row = self.get(keys::device(user, id)).await?;
        Ok(row.as_ref().map(image::device_if_trusted).transpose()?.flatten())
    }

    async fn devices(&self, user: UserId) -> StoreResult<Vec<(DeviceId, TrustedDevice)>> {
        let rows = Statement::new()
            .when("PK = :pk AND begins_with(SK, :devices)")
            .value(":pk", string(keys::user(user)))
            .value(":devices", string(keys::DEVICES));
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let answer = rows
                .query(&self.client, &self.table)
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
