//! `GET /v1/rust`. API Gateway calls it only after the authorizer has let the request through.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |event: LambdaEvent<Value>| handle(&event.payload))).await
}

fn handle(event: &Value) -> Result<Value, Error> {
    let session = &event["requestContext"]["authorizer"]["lambda"];
    let claims: Value = serde_json::from_str(session["claims"].as_str().ok_or("the route has no authorizer")?)?;

    let body = json!({"userId": session["userId"], "mfaVerified": session["mfaVerified"] == "true", "claims": claims});
    Ok(json!({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body.to_string()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_the_caller_and_a_route_without_an_authorizer_fails() {
        let session = json!({"userId": "u", "mfaVerified": "true", "claims": r#"{"role":"caf\u00e9"}"#});
        let answer = handle(&json!({"requestContext": {"authorizer": {"lambda": session}}})).unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({"userId": "u", "mfaVerified": true, "claims": {"role": "café"}}));
        assert!(handle(&json!({"requestContext": {}})).is_err());
    }
}
