//! Conditional writes as they read: each name and each value stands beside the expression that uses it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem,
    Update,
};
use holdfast_sessions::ports::{StoreError, StoreResult};

use crate::attributes::{Item, string};

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

    /// What DynamoDB refuses and a kinder store lets pass: a path that is written twice, or a bound name or value that no
    /// expression uses. A defect of this crate, which every build with debug assertions finds.
    fn defect(&self, with_update: bool) -> Option<String> {
        let written: Vec<&str> =
            self.set.iter().filter_map(|set| set.split_once(" = ")).map(|(path, _)| path).collect();
        let written: Vec<&str> = written.into_iter().chain(self.remove.iter().map(String::as_str)).collect();
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

    pub(crate) fn checked(&self, with_update: bool) {
        debug_assert_eq!(self.defect(with_update), None, "{self:?}");
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
    pub(crate) fn update_part(&self, table: &str, (pk, sk): Key) -> StoreResult<TransactWriteItem> {
        self.checked(true);
        let update = Update::builder()
            .table_name(table)
            .key("PK", string(pk))
            .key("SK", string(sk))
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
    pub(crate) fn check_part(&self, table: &str, (pk, sk): Key) -> StoreResult<TransactWriteItem> {
        self.checked(false);
        let check = ConditionCheck::builder()
            .table_name(table)
            .key("PK", string(pk))
            .key("SK", string(sk))
            .condition_expression(self.condition().unwrap_or_default())
            .set_expression_attribute_names(self.names())
            .set_expression_attribute_values(self.values())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// As a deletion within a transaction.
    pub(crate) fn delete_part(&self, table: &str, (pk, sk): Key) -> StoreResult<TransactWriteItem> {
        self.checked(false);
        let delete = Delete::builder()
            .table_name(table)
            .key("PK", string(pk))
            .key("SK", string(sk))
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(self.names())
            .set_expression_attribute_values(self.values())
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// A new item within a transaction: there must be none under its key.
pub(crate) fn put_new(table: &str, item: Item) -> StoreResult<TransactWriteItem> {
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
    use crate::attributes::number;

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
    fn what_is_not_there_is_left_out() {
        assert_eq!((Statement::new().names(), Statement::new().values()), (None, None));
        assert_eq!(Statement::new().condition(), None);
        assert_eq!(Statement::new().when("a = :b").condition().as_deref(), Some("a = :b"));
    }
}
