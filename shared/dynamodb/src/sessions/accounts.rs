//! Accounts, and the e-mails and identities that name them.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_sessions::account::{Account, Identity};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{AccountDeletion, Accounts, StoreError, StoreResult, Transacted};
use holdfast_sessions::{Millis, UserId};

use super::keys::{self, SK};
use super::slots::transacted;
use super::{SessionsTable, image};
use crate::attributes::{Item, Reader, item, string, timestamp};
use crate::call::{TransactionOutcome, transaction, trouble};
use crate::statement::{Key, Statement, put_new};

/// An item that says which account a name belongs to.
pub(super) fn claim(key: Key, user: UserId, now: Millis) -> Item {
    item(key, [("userId", string(user.to_string())), ("createdAt", timestamp(now))])
}

/// Whether the claim at `index` was refused because this very account holds it: an earlier try was applied and its reply
/// lost.
fn is_held_by(outcome: &TransactionOutcome, index: usize, user: UserId) -> bool {
    let holder = outcome.refused(index).flatten().and_then(|item| item.get("userId"));
    holder.and_then(|v| v.as_s().ok()).is_some_and(|id| *id == user.to_string())
}

impl SessionsTable {
    async fn holder(&self, key: Key) -> StoreResult<Option<UserId>> {
        self.get(key).await?.map(|item| Reader::new(&item).parse("userId")).transpose()
    }
}

impl Accounts for SessionsTable {
    async fn user_of(&self, email_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        self.holder(keys::email(email_key)).await
    }

    async fn user_of_identity(&self, identity_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        self.holder(keys::identity(identity_key)).await
    }

    async fn bind_identity(
        &self,
        user: UserId,
        identity: &Identity,
        password: &str,
        now: Millis,
    ) -> StoreResult<Transacted> {
        let meta = Statement::new()
            .set("identityProvider", string(&identity.provider))
            .set("identitySubject", string(&identity.subject))
            .set("lastUpdatedAt", timestamp(now))
            .when("attribute_not_exists(identitySubject)")
            .when("password = :password")
            .value(":password", string(password));
        let result = self
            .client
            .transact_write_items()
            .transact_items(put_new(&self.table, claim(keys::identity(&identity.key()), user, now))?)
            .transact_items(meta.update_part(&self.table, keys::account(user))?)
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        Ok(if is_held_by(&outcome, 0, user) { Transacted::Done } else { transacted(&outcome) })
    }

    async fn register(
        &self,
        email_key: Option<&[u8; 32]>,
        account: &Account,
        origin: &Origin,
        now: Millis,
    ) -> StoreResult<Transacted> {
        let mut claims = Vec::new();
        claims.extend(email_key.map(keys::email));
        claims.extend(account.identity.as_ref().map(|identity| keys::identity(&identity.key())));
        let mut actions = Vec::with_capacity(3);
        for key in claims {
            actions.push(put_new(&self.table, claim(key, account.user, now))?);
        }
        actions.push(put_new(&self.table, image::account_item(account, origin, now))?);
        let result = self.client.transact_write_items().set_transact_items(Some(actions)).send().await;
        let outcome = transaction("TransactWriteItems", result)?;
        Ok(if is_held_by(&outcome, 0, account.user) { Transacted::Done } else { transacted(&outcome) })
    }
}

impl AccountDeletion for SessionsTable {
    async fn erase(&self, account: &Account, email_keys: &[[u8; 32]]) -> StoreResult<()> {
        let user = account.user;
        let rows = Statement::new().when("PK = :pk").value(":pk", string(keys::user(user)));
        loop {
            let page = rows.query(&self.client, &self.table).projection_expression("PK, SK").consistent_read(true);
            let answer = page.send().await.map_err(|e| trouble("Query", &e))?;
            let is_account = |item: &Item| item.get(SK).is_some_and(|sk| *sk == string(keys::META));
            let rest: Vec<Item> =
                answer.items.unwrap_or_default().into_iter().filter(|item| !is_account(item)).collect();
            for key in rest.iter() {
                let result = self.client.delete_item().table_name(&self.table).set_key(Some(key.clone())).send().await;
                result.map_err(|e| trouble("DeleteItem", &e))?;
            }
            if rest.is_empty() && answer.last_evaluated_key.is_none() {
                break;
            }
        }
        let own = |key: Key| {
            Statement::new()
                .when("attribute_not_exists(PK) OR userId = :user")
                .value(":user", string(user.to_string()))
                .delete_part(&self.table, key)
        };
        let deleted = AttributeValue::S(image::status_text(holdfast_sessions::account::Status::Deleted).to_owned());
        let meta = Statement::new()
            .when("attribute_not_exists(PK) OR #status = :deleted")
            .name("#status", "status")
            .value(":deleted", deleted)
            .delete_part(&self.table, keys::account(user))?;
        let mut actions = vec![meta];
        for key in email_keys {
            actions.push(own(keys::email(key))?);
        }
        if let Some(identity) = &account.identity {
            actions.push(own(keys::identity(&identity.key()))?);
        }
        let result = self.client.transact_write_items().set_transact_items(Some(actions)).send().await;
        match transacted(&transaction("TransactWriteItems", result)?) {
            Transacted::Done => Ok(()),
            Transacted::Busy => Err(StoreError::Conflict("TransactWriteItems: conflict".into())),
            // Another account has the e-mail by now, or this account is not being deleted.
            Transacted::Refused => Err(StoreError::Conflict("delete: the account has changed; repeat it".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_sessions::account::Status;
    use holdfast_sessions::claims::Claims;
    use holdfast_sessions::mfa::Mfa;
    use holdfast_testkit::CannedAws;
    use serde_json::{Value, json};

    use super::*;

    /// The account is deleted last and under its condition: an erasure that is interrupted is found and repeated by it.
    #[tokio::test]
    async fn every_row_of_a_user_is_deleted_before_the_account_also_one_that_comes_meanwhile() {
        let user = UserId::from_bytes([1; 16]);
        let account = Account {
            user,
            email: "a@b".into(),
            password: "hash".into(),
            auth_epoch: 2,
            epoch_moved_at: None,
            status: Status::Deleted,
            version: 2,
            mfa: Mfa::default(),
            identity: None,
            claims: Claims::default(),
        };
        let rows = |sks: &[&str]| {
            let key = |sk| json!({ "PK": { "S": keys::user(user) }, "SK": { "S": sk } });
            json!({ "Items": sks.iter().map(key).collect::<Vec<_>>() }).to_string()
        };
        let (first, second, last) = (rows(&["D#1", "META", "S#0"]), rows(&["D#2", "META"]), rows(&["META"]));
        let answers = [first.as_str(), "{}", "{}", second.as_str(), "{}", last.as_str(), "{}"];
        let aws = CannedAws::new(&answers.map(|answer| (200, answer)));
        let table = SessionsTable::new(&aws.config(), "sessions");
        table.erase(&account, &[[2; 32]]).await.expect("erased");
        let requests: Vec<Value> = aws.requests().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        let deleted: Vec<_> = requests.iter().filter_map(|request| request["Key"]["SK"]["S"].as_str()).collect();
        assert_eq!(deleted, ["D#1", "S#0", "D#2"]);
        let last = &requests.last().expect("the transaction")["TransactItems"];
        let together = [0, 1].map(|nth| last[nth]["Delete"]["Key"]["SK"]["S"].as_str());
        assert_eq!(together, [Some("META"), Some("EMAIL")]);
    }
}
