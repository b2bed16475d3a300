//! Accounts and the e-mails that name them.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem};
use holdfast_domain::account::Account;
use holdfast_domain::ports::{Accounts, Stored, Transacted};
use holdfast_domain::{Millis, UserId};

use super::keys::{self, PK, SK};
use super::slots::transacted;
use super::{SessionsTable, image};
use crate::attributes::{Reader, at, n, s};
use crate::call::transaction;

impl Accounts for SessionsTable {
    async fn user_of(&self, email_key: &[u8; 32]) -> Stored<Option<UserId>> {
        self.get(keys::email(email_key)).await?.map(|item| Reader::new(&item).parse("userId")).transpose()
    }

    async fn register(&self, email_key: &[u8; 32], account: &Account, now: Millis) -> Stored<Transacted> {
        let (pk, sk) = keys::email(email_key);
        let claim = Put::builder()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("userId", s(account.user.to_string()))
            .item("createdAt", at(now))
            .condition_expression("attribute_not_exists(PK)")
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .build()
            .map_err(super::build_error)?;
        let (pk, sk) = keys::account(account.user);
        let meta = Put::builder()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("userId", s(account.user.to_string()))
            .item("email", s(&account.email))
            .item("password", s(&account.password))
            .item("authEpoch", n(account.auth_epoch))
            .item("status", s(image::status_text(account.status)))
            .item("version", n(account.version))
            .item("createdAt", at(now))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(super::build_error)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(claim).build())
            .transact_items(TransactWriteItem::builder().put(meta).build())
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        // The e-mail is claimed by this very account: an earlier try was applied and its reply lost.
        let ours = outcome
            .refused(0)
            .flatten()
            .and_then(|item| item.get("userId"))
            .and_then(|v| v.as_s().ok())
            .is_some_and(|id| *id == account.user.to_string());
        Ok(if ours { Transacted::Done } else { transacted(&outcome) })
    }
}
