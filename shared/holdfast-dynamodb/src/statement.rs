//! Conditional writes as they read: each name and each value stands beside the expression that uses it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem,
    Update,
};
use holdfast_domain::ports::{StoreError, Stored};

use crate::attributes::{Item, s};

/// Partition and sort key of an item.
pub(crate) type Key = (String, String);

/// A request that the SDK refuses to build lacks a required part: a defect of this crate, not of the store.
pub(crate) fn build_error(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Corrupt(format!("request: {error}"))
}

/// One conditional write of one item, to send by itself or as a part of a transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    set: Vec<String>,
    remove: Vec<String>,
    other: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Statement {
    pub(crate) fn new() -> Self {
        Self::default()
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
    pub(crate) fn condition(&self) -> Option<String> {
        match self.conditions.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            many => Some(many.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND ")),
        }
    }

    /// The update expression.
    pub(crate) fn update(&self) -> String {
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

    /// The names; `None` where there are none, as DynamoDB wants it.
    pub(crate) fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.names.clone()).filter(|names| !names.is_empty())
    }

    /// The values; `None` where there are none.
    pub(crate) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        Some(self.values.clone()).filter(|values| !values.is_empty())
    }

    /// As an update within a transaction.
    pub(crate) fn update_part(&self, table: &str, (pk, sk): Key) -> Stored<TransactWriteItem> {
        let update = Update::builder()
            .table_name(table)
            .key("PK", s(pk))
            .key("SK", s(sk))
            .update_expression(self.update())
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(self.names())
            .set_expression_attribute_values(self.values())
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// As a condition within a transaction.
    pub(crate) fn check_part(&self, table: &str, (pk, sk): Key) -> Stored<TransactWriteItem> {
        let check = ConditionCheck::builder()
            .table_name(table)
            .key("PK", s(pk))
            .key("SK", s(sk))
            .condition_expression(self.condition().unwrap_or_default())
            .set_expression_attribute_names(self.names())
            .set_expression_attribute_values(self.values())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// As a deletion within a transaction.
    pub(crate) fn delete_part(&self, table: &str, (pk, sk): Key) -> Stored<TransactWriteItem> {
        let delete = Delete::builder()
            .table_name(table)
            .key("PK", s(pk))
            .key("SK", s(sk))
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(self.names())
            .set_expression_attribute_values(self.values())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// A new item within a transaction: there must be none under its key.
pub(crate) fn put_new(table: &str, item: Item) -> Stored<TransactWriteItem> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(PK)")
        .return_values_on_condition_check_failure(OnRefusal::AllOld)
        .build()
        .map_err(build_error)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::n;

    #[test]
    fn a_statement_reads_as_it_was_written() {
        let statement = Statement::new()
            .set("status", s("ACTIVE"))
            .set_to("version = version + :one")
            .value(":one", n(1))
            .remove(&["actor"])
            .when("authEpoch = :epoch")
            .when("attribute_exists(PK)")
            .value(":epoch", n(7));
        assert_eq!(statement.update(), "SET #status = :status, version = version + :one REMOVE #actor");
        assert_eq!(statement.condition().as_deref(), Some("(authEpoch = :epoch) AND (attribute_exists(PK))"));
        assert_eq!(statement.names().map(|names| names.len()), Some(2));
        assert_eq!(statement.values().map(|values| values.len()), Some(3));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert_eq!((Statement::new().names(), Statement::new().values()), (None, None));
        assert_eq!(Statement::new().condition(), None);
        assert_eq!(Statement::new().when("a = :b").condition().as_deref(), Some("a = :b"));
    }
}
