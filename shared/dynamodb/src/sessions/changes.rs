//! Changes of a user's account, slots and devices as one transaction.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use holdfast_sessions::TokenHash;
use holdfast_sessions::change::{
    AccountChange, DeviceChange, DeviceEdit, FactorEdit, SlotChange, SlotEdit, SlotSeen, UserChange,
};
use holdfast_sessions::mfa::Proof;
use holdfast_sessions::ports::{StoreResult, Transacted, UserChanges};
use holdfast_sessions::token::Address;

use super::keys;
use super::slots::{FREE, LIVE, UNENDED, from, tombstone, transacted};
use super::{SessionsTable, image};
use crate::attributes::{binary, binary_set, number, string, timestamp};
use crate::call::transaction;
use crate::order::InOneOrder;
use crate::statement::{Statement, put_new};

impl UserChanges for SessionsTable {
    async fn apply(&self, change: &UserChange) -> StoreResult<Transacted> {
        let mut actions = Vec::with_capacity(1 + change.slots.len() + change.devices.len());
        if let Some(account) = &change.account {
            actions.push(self.account_change(change, account)?);
        }
        for slot in &change.slots {
            actions.push(self.slot_change(change, slot)?);
        }
        for device in &change.devices {
            actions.push(self.device_change(change, device)?);
        }
        let result = self
            .client
            .transact_write_items()
            .client_request_token(change.token())
            .set_transact_items(Some(actions))
            .customize()
            .interceptor(InOneOrder)
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }
}

impl SessionsTable {
    fn account_change(&self, change: &UserChange, account: &AccountChange) -> StoreResult<TransactWriteItem> {
        let key = keys::account(change.user);
        let mut meta = Statement::new().when("authEpoch = :epoch").value(":epoch", number(account.auth_epoch));
        let edit = &account.edit;
        if edit.is_empty() {
            return meta.check_part(&self.table, key);
        }
        meta = from(meta, &change.origin)
            .set_to("version = version + :one")
            .value(":one", number(1))
            .set("lastUpdatedAt", timestamp(change.now))
            .set("op", string(&change.op));
        if edit.moves_epoch {
            meta = meta.set_to("authEpoch = authEpoch + :one").set("epochMovedAt", timestamp(change.now));
            if !matches!(edit.factor, Some(FactorEdit::Activate { .. } | FactorEdit::Disable(_) | FactorEdit::Reset)) {
                meta = meta.remove(&PENDING);
            }
        }
        if let Some(password) = &edit.password {
            meta = meta.set("password", string(password)).set("passwordChangedAt", timestamp(change.now));
        }
        if let Some(status) = edit.status {
            meta = meta.set("status", string(image::status_text(status)));
        }
        if let Some(claims) = &edit.claims {
            meta = image::set_claims(meta, claims);
        }
        if let Some(factor) = &edit.factor {
            meta = factor_change(meta, factor, change);
        }
        meta.update_part(&self.table, key)
    }

    fn slot_change(&self, change: &UserChange, part: &SlotChange) -> StoreResult<TransactWriteItem> {
        let key = keys::slot(Address { user: change.user, slot: part.slot });
        let mut slot = seen(&part.seen, change);
        match &part.edit {
            SlotEdit::Keep => slot.check_part(&self.table, key),
            SlotEdit::End(reason) => {
                tombstone(slot, *reason, &change.origin, change.now, &change.op).update_part(&self.table, key)
            }
            SlotEdit::Update(update) => {
                slot = from(slot, &change.origin)
                    .set_to("version = version + :one")
                    .value(":one", number(1))
                    .set("lastUpdatedAt", timestamp(change.now))
                    .set("op", string(&change.op));
                if let Some(trust) = &update.trust {
                    slot = image::set_trust(slot, trust.as_ref());
                }
                if let Some(verified) = update.mfa_verified_at {
                    slot = slot.set("mfaVerifiedAt", timestamp(verified));
                }
                if let Some(authenticated) = update.authenticated_at {
                    slot = slot.set("authenticatedAt", timestamp(authenticated));
                }
                if let Some(claims) = &update.claims {
                    slot = image::set_claims(slot, claims);
                }
                slot.update_part(&self.table, key)
            }
        }
    }

    fn device_change(&self, change: &UserChange, part: &DeviceChange) -> StoreResult<TransactWriteItem> {
        let key = keys::device(change.user, part.id);
        let as_read = |seen: &str| Statement::new().when("op = :seen").value(":seen", string(seen));
        match &part.edit {
            DeviceEdit::Absent => Statement::new().when(image::NO_DEVICE).check_part(&self.table, key),
            DeviceEdit::Create(device) => put_new(&self.table, image::device_item(change.user, part.id, device)),
            DeviceEdit::Delete { seen } => {
                let removed = image::remove_device(from(as_read(seen), &change.origin), change.now, &change.op);
                removed.update_part(&self.table, key)
            }
            DeviceEdit::Keep { seen, auth_epoch } => {
                as_read(seen).set("authEpoch", number(auth_epoch)).update_part(&self.table, key)
            }
        }
    }
}

/// The condition that a slot is as it was seen. Only the values that it names are bound: DynamoDB refuses others.
fn seen(seen: &SlotSeen, change: &UserChange) -> Statement {
    let statement = Statement::new();
    let of =
        |statement: Statement, sid: &holdfast_sessions::SessionId| statement.value(":sid", string(sid.to_string()));
    let now = |statement: Statement| statement.value(":now", timestamp(change.now));
    match seen {
        SlotSeen::Free => now(statement.when(FREE)),
        SlotSeen::Unended(sid) => of(statement.when(UNENDED), sid),
        SlotSeen::Version(sid, version) => {
            of(statement.when(UNENDED).when("version = :version").value(":version", number(version)), sid)
        }
        SlotSeen::Live(sid) => now(of(statement.when(LIVE), sid)),
        SlotSeen::LiveVersion(sid, version) => {
            now(of(statement.when(LIVE).when("version = :version").value(":version", number(version)), sid))
        }
    }
}

const PENDING: [&str; 3] = ["mfaPending", "mfaPendingAt", "mfaPendingSid"];
const FACTOR: [&str; 7] =
    ["mfaSecret", "mfaPending", "mfaPendingAt", "mfaPendingSid", "lastStep", "recovery", "mfaEnabledAt"];

fn factor_change(meta: Statement, factor: &FactorEdit, change: &UserChange) -> Statement {
    let codes = |hashes: &[TokenHash]| -> AttributeValue { binary_set(hashes.iter().map(TokenHash::as_bytes)) };
    match factor {
        FactorEdit::Enroll { pending, session, seen } => {
            let meta = meta
                .set("mfaPending", image::seed_value(pending))
                .set("mfaPendingAt", timestamp(change.now))
                .set("mfaPendingSid", string(session.to_string()))
                .when("attribute_not_exists(mfaSecret)");
            match seen {
                None => meta.when("attribute_not_exists(mfaPending)"),
                Some(seen) => meta.when("mfaPending = :seen").value(":seen", image::seed_value(seen)),
            }
        }
        FactorEdit::Activate { pending, kept, step, recovery } => meta
            .set("mfaSecret", image::seed_value(kept))
            .set("lastStep", number(step))
            .set("recovery", codes(recovery))
            .set("mfaEnabledAt", timestamp(change.now))
            .remove(&PENDING)
            .when("mfaPending = :seed")
            .when("attribute_not_exists(mfaSecret)")
            .value(":seed", image::seed_value(pending)),
        FactorEdit::Spend(Proof::Step(step)) => unused_step(meta.set_to("lastStep = :step"), *step),
        FactorEdit::Spend(Proof::Recovery(code)) => {
            unused_code(meta.then("DELETE recovery :codes").value(":codes", codes(&[*code])), code)
        }
        FactorEdit::Disable(Proof::Step(step)) => unused_step(meta.remove(&FACTOR), *step),
        FactorEdit::Disable(Proof::Recovery(code)) => unused_code(meta.remove(&FACTOR), code),
        FactorEdit::Reset => meta.remove(&FACTOR),
        FactorEdit::RenewRecovery(hashes) => meta
            .set("recovery", codes(hashes))
            .set("recoveryRenewedAt", timestamp(change.now))
            .when("attribute_exists(mfaSecret)"),
    }
}

fn unused_step(meta: Statement, step: u64) -> Statement {
    meta.when("attribute_exists(mfaSecret)")
        .when("attribute_not_exists(lastStep) OR lastStep < :step")
        .value(":step", number(step))
}

fn unused_code(meta: Statement, code: &TokenHash) -> Statement {
    meta.when("attribute_exists(mfaSecret)").when("contains(recovery, :code)").value(":code", binary(code.as_bytes()))
}
