//! A function that reads one item strongly with the SDK's client, and with `QUESTION=UpdateItem` also writes to it. It returns as many
//! bytes as what it is compared with, and does nothing else.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_aws::Roots;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The same client as a function of Holdfast has, with its time-outs and its TLS.
    let config = holdfast_aws::sdk_config(Arc::new(|name: &str| std::env::var(name).ok()), Roots::System);
    let client = Client::new(&config);
    let (table, partition, sort) = (variable("SESSIONS_TABLE")?, variable("PARTITION")?, variable("SORT")?);
    let answer = RawValue::from_string(variable("ANSWER")?)?;
    let writes = variable("QUESTION")? == "UpdateItem";
    let handler = |_: LambdaEvent<Box<RawValue>>| {
        let read = client
            .get_item()
            .table_name(&table)
            .key("PK", AttributeValue::S(partition.clone()))
            .key("SK", AttributeValue::S(sort.clone()))
            .consistent_read(true);
        let write = client
            .update_item()
            .table_name(&table)
            .key("PK", AttributeValue::S(partition.clone()))
            .key("SK", AttributeValue::S(sort.clone()))
            .update_expression("SET v = :next")
            .condition_expression("v = :seen")
            .expression_attribute_values(":next", AttributeValue::N("2".into()))
            .expression_attribute_values(":seen", AttributeValue::N("1".into()));
        let answer = answer.clone();
        async move {
            read.send().await?;
            if writes {
                write.send().await?;
            }
            Ok::<_, Error>(answer)
        }
    };
    Runtime::new(service_fn(handler)).run().await
}
