//! The smallest function: it answers every event with the same text. Starts are compared with it.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = async |_: LambdaEvent<Box<RawValue>>| Ok::<_, Error>(Value::from("nothing"));
    Runtime::new(service_fn(answer)).run().await
}
