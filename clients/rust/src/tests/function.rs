//! A session by direct invocation of the function.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::{Value, json};

use super::server::*;
use super::signature::signature_for;
use crate::{CreateSession, ErrorKind, NewSession, NewSessionRequest};

const PATH: &str = "/2015-03-31/functions/holdfast-test-sessions-create/invocations";

async fn start_function() -> (Server, Arc<FakeTiming>, CreateSession) {
    let (server, timing) = (Server::start().await, Arc::new(FakeTiming::default()));
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, Some(SECURITY_TOKEN.into()), None, "test");
    let builder = CreateSession::builder("holdfast-test-sessions-create").qualifier("live").endpoint_url(&server.url);
    let mut builder = builder.region(REGION).credentials_provider(credentials);
    builder.options.timing = timing.clone();
    let client = builder.build().unwrap();
    (server, timing, client)
}

/// The answer of the function, in the form of API Gateway.
fn answered(status: u16, body: &Value, cookies: &[&str]) -> Said {
    let headers = json!({"content-type": "application/json", "x-request-id": "q2"});
    Said::json(200, json!({"statusCode": status, "headers": headers, "cookies": cookies, "body": body.to_string()}))
}

fn refusal(status: u16, code: &str) -> Said {
    answered(status, &json!({"status": status, "code": code, "detail": "A detail."}), &[])
}

async fn create(client: &CreateSession) -> Result<NewSession, crate::Error> {
    client.create_session(&NewSessionRequest::new("https://id.example.com", "7")).await
}

#[tokio::test]
async fn the_payload_is_the_body_of_the_route_signed_for_lambda() {
    let (server, _, client) = start_function().await;
    server.will([answered(201, &created(), &["a=1; Path=/", "b=2; Path=/"])]);
    let made = create(&client).await.unwrap();
    assert_eq!(
        (made.session.user_id.as_str(), made.set_cookies),
        ("u1", vec!["a=1; Path=/".into(), "b=2; Path=/".into()])
    );
    assert_eq!(made.tokens.unwrap().access_token, "hf1.access");
    let seen = server.requests().remove(0);
    assert_eq!((seen.path.as_str(), seen.query.as_str()), (PATH, "Qualifier=live"));
    assert_eq!(server.bodies(), [json!({"identity": {"provider": "https://id.example.com", "subject": "7"}})]);
    let (_, given, computed) = signature_for("lambda", &seen, REGION, PATH);
    assert_eq!(given, computed);
}

#[tokio::test]
async fn a_refusal_of_the_function_is_that_of_the_route() {
    let (server, _, client) = start_function().await;
    for (said, kind, code) in [
        (refusal(400, "INVALID_REQUEST"), ErrorKind::Refused, "INVALID_REQUEST"),
        (refusal(403, "ACCOUNT_DISABLED"), ErrorKind::Refused, "ACCOUNT_DISABLED"),
        (refusal(503, "UNAVAILABLE"), ErrorKind::Unavailable, "UNAVAILABLE"),
        (refusal(500, "INTERNAL"), ErrorKind::Unavailable, "INTERNAL"),
    ] {
        server.will([said]);
        let error = failed(create(&client).await);
        assert_eq!((error.kind(), error.code(), error.request_id()), (kind, code, Some("q2")));
        assert_eq!(server.requests().len(), 1, "{code} is not repeated");
    }
}

/// Whether the function ran is not known, or it ran and failed: the session may exist.
#[tokio::test]
async fn an_invocation_that_may_have_had_an_effect_is_unavailable_and_not_repeated() {
    let (server, _, client) = start_function().await;
    let crashed = Said::json(200, json!({"errorType": "Runtime.ExitError", "errorMessage": "the secret"}));
    for (said, code) in [
        (crashed.header("x-amz-function-error", "Unhandled"), "FUNCTION_FAILED"),
        (Said::Close, "UNREACHABLE"),
        (Said::text(502, ""), "HTTP_502"),
        (Said::json(500, json!({"Message": "An error"})), "HTTP_500"),
    ] {
        server.will([said]);
        let error = failed(create(&client).await);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, code));
        assert!(!error.detail().contains("the secret"));
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_unavailable() {
    let (server, _, client) = start_function().await;
    let good = json!({"statusCode": 201, "headers": {}, "cookies": [], "body": created().to_string()});
    for change in [
        json!({"statusCode": "201"}),
        json!({"statusCode": 70000}),
        json!({"headers": {"a b": "c"}}),
        json!({"headers": {"a": 1}}),
        json!({"cookies": ["a\nb"]}),
        json!({"cookies": [1]}),
        json!({"body": null}),
        json!({"body": "<html>"}),
        json!({"body": with(created(), json!({"session": null})).to_string()}),
    ] {
        server.will([Said::json(200, with(good.clone(), change.clone()))]);
        let error = failed(create(&client).await);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "UNEXPECTED_ANSWER"), "{change}");
    }
    for said in [Said::text(200, "null"), Said::text(200, "<html>"), Said::json(200, created())] {
        server.will([said]);
        assert_eq!(failed(create(&client).await).code(), "UNEXPECTED_ANSWER");
    }
    server.will([Said::json(200, good)]);
    create(&client).await.unwrap();
}

#[tokio::test]
async fn a_throttled_invocation_had_no_effect_and_is_repeated() {
    let (server, timing, client) = start_function().await;
    let throttled = || Said::json(429, json!({"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}));
    server.will([
        throttled().header("retry-after", "1"),
        refusal(429, "TOO_MANY_ATTEMPTS"),
        answered(201, &created(), &[]),
    ]);
    create(&client).await.unwrap();
    assert_eq!((server.requests().len(), timing.waits()), (3, vec![1_050, 100]));
    server.will(vec![throttled(); 4]);
    assert_eq!(failed(create(&client).await).kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_lambda_refuses_is_configuration() {
    let (server, _, client) = start_function().await;
    for (status, says) in [(403, "lambda:InvokeFunction"), (404, "There may be no such function")] {
        server.will([Said::json(status, json!({"Message": "No."}))]);
        let error = failed(create(&client).await);
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Configuration, status));
        assert!(error.detail().contains(says), "{error}");
    }
}

#[tokio::test]
async fn the_address_and_the_region_are_those_of_the_configuration() {
    let server = Server::start().await;
    let provider = SharedCredentialsProvider::new(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"));
    let config = SdkConfig::builder().region(Region::new("eu-west-1")).credentials_provider(provider);
    let client = CreateSession::new("f", &config.endpoint_url(&server.url).build()).unwrap();
    server.will([answered(201, &created(), &[])]);
    create(&client).await.unwrap();
    let seen = server.requests().remove(0);
    assert_eq!((seen.path.as_str(), seen.query.as_str()), ("/2015-03-31/functions/f/invocations", ""));
    assert!(seen.headers["authorization"].to_str().unwrap().contains("/eu-west-1/lambda/aws4_request"));
}

#[test]
fn a_configuration_that_names_no_function_is_refused() {
    let build = |function: &str, qualifier: &str| {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
        CreateSession::builder(function).qualifier(qualifier).region(REGION).credentials_provider(credentials).build()
    };
    build("holdfast-test-sessions-create", "live").unwrap();
    for (function, qualifier) in
        [("", "live"), ("f/../g", "live"), ("f?x", "live"), ("f", ""), ("f", "a&b"), (&"f".repeat(65), "1")]
    {
        let error = failed(build(function, qualifier));
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Configuration, "INVALID_FUNCTION"),
            "{function:?} {qualifier:?}"
        );
    }
    let builder = || CreateSession::builder("f").region(REGION);
    assert_eq!(failed(builder().build()).code(), "NO_CREDENTIALS");
    let credentials = || Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    let elsewhere = builder().credentials_provider(credentials()).endpoint_url("http://lambda.example.com").build();
    assert_eq!(failed(elsewhere).code(), "INVALID_URL");
    let at_once = builder().credentials_provider(credentials()).timeout(std::time::Duration::ZERO).build();
    assert_eq!(failed(at_once).code(), "INVALID_TIMEOUT");
}
