//! Second factors, stronger password hashes, and trusted devices.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use holdfast_domain::mfa::Proof;
use holdfast_domain::ports::{AccountWrites, Devices, FactorChange, FactorStep, Stored, Transacted, TrustedDevice};
use holdfast_domain::secret::fingerprint;
use holdfast_domain::token::Address;
use holdfast_domain::{DeviceId, Millis, TokenHash, UserId, ids};

use super::keys::{self, PK, SK, TTL};
use super::slots::{LIVE, transacted};
use super::{SessionsTable, image};
use crate::attributes::{at, b, bs, n, s};
use crate::call::{conditional, transaction};

impl AccountWrites for SessionsTable {
    async fn change_factor(&self, change: &FactorChange) -> Stored<Transacted> {
        let (pk, sk) = keys::account(change.user);
        let meta = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .expression_attribute_values(":epoch", n(change.auth_epoch))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":now", at(change.now))
            .expression_attribute_values(":op", s(&change.op));
        let written = "version = version + :one, lastUpdatedAt = :now, op = :op";
        let meta = match &change.step {
            FactorStep::Enroll(seed) => meta
                .update_expression(format!("SET mfaPending = :seed, {written}"))
                .condition_expression("authEpoch = :epoch AND attribute_not_exists(mfaSecret)")
                .expression_attribute_values(":seed", b(seed.expose())),
            FactorStep::Activate { pending, step, recovery } => meta
                .update_expression(format!(
                    "SET mfaSecret = :seed, lastStep = :step, recovery = :codes, mfaEnabledAt = :now, \
                     authEpoch = authEpoch + :one, {written} REMOVE mfaPending"
                ))
                .condition_expression("authEpoch = :epoch AND mfaPending = :seed AND attribute_not_exists(mfaSecret)")
                .expression_attribute_values(":seed", b(pending.expose()))
                .expression_attribute_values(":step", n(step))
                .expression_attribute_values(":codes", bs(recovery.iter().map(TokenHash::as_bytes))),
            FactorStep::Disable(proof) => {
                let meta = meta.update_expression(format!(
                    "SET authEpoch = authEpoch + :one, {written} REMOVE mfaSecret, mfaPending, lastStep, recovery, \
                     mfaEnabledAt"
                ));
                match proof {
                    Proof::Step(step) => meta
                        .condition_expression("authEpoch = :epoch AND lastStep < :step")
                        .expression_attribute_values(":step", n(step)),
                    Proof::Recovery(code) => meta
                        .condition_expression("authEpoch = :epoch AND contains(recovery, :code)")
                        .expression_attribute_values(":code", b(code.as_bytes())),
                }
            }
        };
        let meta = meta.build().map_err(super::build_error)?;
        let (slot, sid, version) = change.caller;
        let caller = keys::slot(Address { user: change.user, slot });
        let caller = match &change.step {
            // The session has shown its second factor: that is part of what it is.
            FactorStep::Activate { .. } => {
                let shown = Update::builder()
                    .table_name(&self.table)
                    .key(PK, s(caller.0))
                    .key(SK, s(caller.1))
                    .update_expression(
                        "SET mfaVerifiedAt = :now, version = version + :one, lastUpdatedAt = :now, op = :op",
                    )
                    .condition_expression(format!("version = :version AND {LIVE}"))
                    .expression_attribute_values(":sid", s(sid.to_string()))
                    .expression_attribute_values(":version", n(version))
                    .expression_attribute_values(":one", n(1))
                    .expression_attribute_values(":now", at(change.now))
                    .expression_attribute_values(":op", s(&change.op))
                    .build()
                    .map_err(super::build_error)?;
                TransactWriteItem::builder().update(shown).build()
            }
            FactorStep::Enroll(_) | FactorStep::Disable(_) => self.check(caller, LIVE, Some(sid), change.now)?,
        };
        // What was read is part of the token: a repetition is recognised, a new reading is a new request.
        let seen = [change.auth_epoch, version, change.now.get().cast_unsigned()].map(u64::to_be_bytes).concat();
        let token = fingerprint("holdfast/factor/1", &[change.op.as_bytes(), &seen]);
        let result = self
            .client
            .transact_write_items()
            .client_request_token(ids::encode(&token[..24]))
            .transact_items(TransactWriteItem::builder().update(meta).build())
            .transact_items(caller)
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }

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
}

impl Devices for SessionsTable {
    async fn device(&self, user: UserId, id: DeviceId) -> Stored<Option<TrustedDevice>> {
        self.get(keys::device(user, id)).await?.as_ref().map(image::trusted_device).transpose()
    }
}

impl SessionsTable {
    /// The record of a device that becomes trusted, as part of a transaction.
    pub(super) fn new_device(
        &self,
        user: UserId,
        id: DeviceId,
        (secret, until): (&TokenHash, Millis),
        auth_epoch: u64,
        now: Millis,
        op: &str,
    ) -> Stored<Put> {
        let (pk, sk) = keys::device(user, id);
        Put::builder()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("userId", s(user.to_string()))
            .item("secretHash", b(secret.as_bytes()))
            .item("authEpoch", n(auth_epoch))
            .item("createdAt", at(now))
            .item("expiresAt", at(until))
            .item("op", s(op))
            .item(TTL, n(keys::ttl(until)))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(super::build_error)
    }
}
