//! Conditional writes as they read: each name and each value is next to the expression that uses it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem,
    Update,
};
use holdfast_sessions::ports::{StoreError, StoreResult};

use crate::attributes::{Item, item};

/// Partition and sort key of an item.
pub(crate) type Key<S = String> = (String, S);

/// A request that the SDK refuses to build lacks a required part: a defect of this crate, not of the store.
fn build_error(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Corrupt(format!("request: {error}"))
}

/// Binds a statement in a request: each kind of request takes the same parts, and the SDK has no trait for them.
macro_rules! bind {
    ($statement:expr, $request:expr, $table:expr) => {
        $request
            .table_name($table)
            .set_condition_expression($statement.condition())
            .set_expression_attribute_names($statement.names())
            .set_expression_attribute_values($statement.values())
    };
}

/// One conditional write of one item, to send alone or as a part of a transaction, or the key condition of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    set: Vec<String>,
    remove: Vec<String>,
    other: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    without_old_item: bool,
}

impl Statement {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A statement about an item that must not exist yet.
    pub(crate) fn absent() -> Self {
        Self::new().when("attribute_not_exists(PK)")
    }

    /// `SET attribute = value`.
    pub(crate) fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{attribute} = :{attribute}"));
        self.names.insert(format!("#{attribute}"), attribute.to_owned());
        self.values.insert(format!(":{attribute}"), value);
        self
    }

    /// `SET attribute = value`, or `REMOVE attribute` where there is no value.
    pub(crate) fn set_or_remove(self, attribute: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(&[attribute]),
        }
    }

    /// `SET` of an expression whose names and values are bound with [`name`](Self::name) and [`value`](Self::value).
    pub(crate) fn set_to(mut self, expression: &str) -> Self {
        self.set.push(expression.to_owned());
        self
    }

    /// `REMOVE` of these attributes.
    pub(crate) fn remove(mut self, attributes: &[&str]) -> Self {
        for attribute in attributes {
            self.remove.push(format!("#{attribute}"));
            self.names.insert(format!("#{attribute}"), (*attribute).to_owned());
        }
        self
    }

    /// `ADD …` or `DELETE …`, as written.
    pub(crate) fn then(mut self, clause: &str) -> Self {
        self.other.push(clause.to_owned());
        self
    }

    /// A condition; all of them must hold.
    pub(crate) fn when(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    /// The value of a placeholder.
    pub(crate) fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    /// The attribute behind a placeholder for its name.
    pub(crate) fn name(mut self, placeholder: &str, attribute: &str) -> Self {
        self.names.insert(placeholder.to_owned(), attribute.to_owned());
        self
    }

    /// The condition; `None` where there is none.
    fn condition(&self) -> Option<String> {
        match self.conditions.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            many => Some(many.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND ")),
        }
    }

    /// The update expression.
    fn update(&self) -> String {
        let mut clauses = Vec::new();
        if !self.set.is_empty() {
            clauses.push(format!("SET {}", self.set.join(", ")));
        }
        if !self.remove.is_empty() {
            clauses.push(format!("REMOVE {}", self.remove.join(", ")));
        }
        clauses.extend(self.other.iter().cloned());
        clauses.join(" ")
    }

    /// Finds what DynamoDB refuses and a less strict store accepts. That is an empty update, a path that is written
    /// twice, or a name or value that is bound and not used or used and not bound. It is a defect of this crate, which
    /// every build with debug assertions finds.
    fn defect(&self, with_update: bool) -> Option<String> {
        let written: Vec<&str> =
            self.set.iter().filter_map(|set| set.split_once(" = ")).map(|(path, _)| path).collect();
        // In `ADD topicCount :more`, the clause may appear once, and so may its path.
        let other = self.other.iter().flat_map(|clause| clause.split(' ').take(2));
        let removed = self.remove.iter().map(String::as_str);
        let written: Vec<&str> = written.into_iter().chain(removed).chain(other).collect();
        if with_update && written.is_empty() {
            return Some("nothing is written".to_owned());
        }
        // `#status` and `status` are one path.
        let plain = |path: &&str| self.names.get(*path).map_or((*path).to_owned(), Clone::clone);
        let mut paths: Vec<String> = written.iter().map(plain).collect();
        paths.sort_unstable();
        if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(format!("{} is written twice", pair[0]));
        }
        let update = if with_update { self.update() } else { String::new() };
        let text = format!("{update} {}", self.condition().unwrap_or_default());
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '#' | ':' | '_');
        let used: Vec<&str> = text.split(|c: char| !is_word(c)).collect();
        let unused = self.names.keys().chain(self.values.keys()).find(|bound| !used.contains(&bound.as_str()));
        let unbound = used.iter().find(|word| {
            word.starts_with('#') && !self.names.contains_key(**word)
                || word.starts_with(':') && !self.values.contains_key(**word)
        });
        unused
            .map(|name| format!("{name} is bound and not used"))
            .or_else(|| unbound.map(|name| format!("{name} is used and not bound")))
    }

    fn checked(&self, with_update: bool) {
        debug_assert_eq!(self.defect(with_update), None, "{self:?}");
    }

    /// The names; `None` where there are none, as DynamoDB wants it.
    fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.names.clone()).filter(|names| !names.is_empty())
    }

    /// The values; `None` where there are none.
    fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        Some(self.values.clone()).filter(|values| !values.is_empty())
    }

    /// Omits the old item from the refusal of an update or put within a transaction, because the caller does not read
    /// it.
    pub(crate) fn without_old_item(mut self) -> Self {
        self.without_old_item = true;
        self
    }

    fn on_refusal(&self) -> Option<OnRefusal> {
        (!self.without_old_item).then_some(OnRefusal::AllOld)
    }

    /// Builds an update outside a transaction.
    pub(crate) fn update_item(
        &self,
        client: &Client,
        table: &str,
        key: Key<impl Into<String>>,
    ) -> UpdateItemFluentBuilder {
        self.checked(true);
        bind!(self, client.update_item(), table).set_key(Some(item(key, []))).update_expression(self.update())
    }

    /// Builds a put outside a transaction.
    pub(crate) fn put_item(&self, client: &Client, table: &str, item: Item) -> PutItemFluentBuilder {
        self.checked(false);
        bind!(self, client.put_item(), table).set_item(Some(item))
    }

    /// Builds a deletion outside a transaction.
    pub(crate) fn delete_item(
        &self,
        client: &Client,
        table: &str,
        key: Key<impl Into<String>>,
    ) -> DeleteItemFluentBuilder {
        self.checked(false);
        bind!(self, client.delete_item(), table).set_key(Some(item(key, [])))
    }

    /// A query for what the condition says of the key.
    pub(crate) fn query(&self, client: &Client, table: &str) -> QueryFluentBuilder {
        self.checked(false);
        let query = client.query().table_name(table).set_key_condition_expression(self.condition());
        query.set_expression_attribute_names(self.names()).set_expression_attribute_values(self.values())
    }

    /// An update within a transaction.
    pub(crate) fn update_part(&self, table: &str, key: Key<impl Into<String>>) -> StoreResult<TransactWriteItem> {
        self.checked(true);
        let update = bind!(self, Update::builder(), table)
            .set_key(Some(item(key, [])))
            .update_expression(self.update())
            .set_return_values_on_condition_check_failure(self.on_refusal())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// A put within a transaction.
    pub(crate) fn put_part(&self, table: &str, item: Item) -> StoreResult<TransactWriteItem> {
        self.checked(false);
        let put = bind!(self, Put::builder(), table)
            .set_item(Some(item))
            .set_return_values_on_condition_check_failure(self.on_refusal())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A condition within a transaction.
    pub(crate) fn check_part(&self, table: &str, key: Key<impl Into<String>>) -> StoreResult<TransactWriteItem> {
        self.checked(false);
        let check = bind!(self, ConditionCheck::builder(), table)
            .set_key(Some(item(key, [])))
            .set_return_values_on_condition_check_failure(self.on_refusal());
        let check = check.build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A deletion within a transaction.
    pub(crate) fn delete_part(&self, table: &str, key: Key<impl Into<String>>) -> StoreResult<TransactWriteItem> {
        self.checked(false);
        let delete = bind!(self, Delete::builder(), table).set_key(Some(item(key, [])));
        let delete = delete.build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// A new item within a transaction: there must be none under its key.
pub(crate) fn put_new(table: &str, item: Item) -> StoreResult<TransactWriteItem> {
    Statement::absent().put_part(table, item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::{number, string};

    #[test]
    fn a_statement_reads_as_it_was_written() {
        let statement = Statement::new()
            .set("status", string("ACTIVE"))
            .set_to("version = version + :one")
            .value(":one", number(1))
            .remove(&["actor"])
            .when("authEpoch = :epoch")
            .when("attribute_exists(PK)")
            .value(":epoch", number(7));
        assert_eq!(statement.update(), "SET #status = :status, version = version + :one REMOVE #actor");
        assert_eq!(statement.condition().as_deref(), Some("(authEpoch = :epoch) AND (attribute_exists(PK))"));
        assert_eq!(statement.names().map(|names| names.len()), Some(2));
        assert_eq!(statement.values().map(|values| values.len()), Some(3));
    }

    #[test]
    fn what_dynamodb_refuses_is_a_defect() {
        let good = Statement::new().set("a", number(1)).remove(&["b"]).when("c = :c").value(":c", number(1));
        assert_eq!(good.defect(true), None);
        for (bad, says) in [
            (good.clone().set("a", number(2)), "a is written twice"),
            (good.clone().set_to("a = :c"), "a is written twice"),
            (good.clone().set("b", number(2)), "b is written twice"),
            (good.clone().then("ADD a :c"), "a is written twice"),
            (good.clone().then("ADD d :c").then("ADD e :c"), "ADD is written twice"),
            (Statement::new().when("c = :c").value(":c", number(1)), "nothing is written"),
            (good.clone().value(":d", number(2)), ":d is bound and not used"),
            (good.clone().name("#d", "d"), "#d is bound and not used"),
            (good.clone().when("#d = :c"), "#d is used and not bound"),
            (good.clone().when("e = :e"), ":e is used and not bound"),
        ] {
            assert_eq!(bad.defect(true).as_deref(), Some(says), "{bad:?}");
        }
        assert!(good.defect(false).is_some(), "a condition alone uses nothing of the update");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "nothing is written")]
    fn a_request_with_a_defect_is_not_built() {
        let _ = Statement::new().update_part("sessions", ("U#1".to_owned(), "META"));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert_eq!((Statement::new().names(), Statement::new().values()), (None, None));
        assert_eq!(Statement::new().condition(), None);
        assert_eq!(Statement::new().when("a = :b").condition().as_deref(), Some("a = :b"));
    }
}
