//! A function that asks the cache one question and returns as many bytes as a validation, and does nothing else. `QUESTION` is the
//! cache's function of a validation (`FCALL`) or a plain `GET`.

use holdfast_redis::scripts::{LEASE_LIFE, READ_SCRIPT};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use redis::aio::MultiplexedConnection;
use serde_json::value::RawValue;

fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = redis::Client::open(variable("REDIS_URL")?)?.get_multiplexed_async_connection().await?;
    let mut command = match variable("QUESTION")?.as_str() {
        "GET" => redis::cmd("GET"),
        _ => {
            let mut command = redis::cmd("FCALL");
            command.arg(READ_SCRIPT.function().map(|function| function.name())).arg(2);
            command
        }
    };
    command.arg(variable("COPY")?);
    if variable("QUESTION")? == "FCALL" {
        command.arg(variable("LEASE")?).arg("nonce").arg(LEASE_LIFE);
    }
    let answer = RawValue::from_string(variable("ANSWER")?)?;
    let handler = |_: LambdaEvent<Box<RawValue>>| {
        let (mut server, command, answer): (MultiplexedConnection, _, _) =
            (server.clone(), command.clone(), answer.clone());
        async move {
            // A miss would compare another question.
            match command.query_async(&mut server).await? {
                redis::Value::BulkString(_) => Ok::<_, Error>(answer),
                redis::Value::Array(parts) if parts.first() == Some(&redis::Value::BulkString(b"hit".to_vec())) => {
                    Ok(answer)
                }
                other => Err(format!("the cache answered {other:?}").into()),
            }
        }
    };
    Runtime::new(service_fn(handler)).run().await
}
