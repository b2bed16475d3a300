//! What every test starts with: the deployment, a client, and users.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_e2e::{Api, Call, Deployment, Http, Person, SignedIn, Signer, random_text};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// How long anything that happens behind an answer may take: streams, queues and functions that have to start.
const EVENTUALLY: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) deployment: Deployment,
    pub(crate) api: Api,
    pub(crate) config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
}

impl World {
    pub(crate) async fn open() -> Self {
        let deployment = Deployment::from_env().unwrap_or_else(|fault| panic!("{fault}"));
        assert!(deployment.is_local(), "these tests look into tables and assume roles: they are for the local cloud");
        let api = Api::new(&deployment).await.unwrap();
        let config = sdk_config(&deployment, deployment.credentials().await.unwrap());
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        Self { deployment, api, config, dynamodb }
    }

    /// Registers a new user.
    pub(crate) async fn person(&self) -> Person {
        let person = Person::random();
        self.api.register(&person).await.unwrap().expect(201).unwrap();
        person
    }

    /// Registers a new user and signs in once.
    pub(crate) async fn signed_in(&self) -> (Person, SignedIn) {
        let person = self.person().await;
        let session = self.api.sign_in(&person, "first").await.unwrap();
        (person, session)
    }

    /// All items of a partition, read strongly.
    pub(crate) async fn partition(&self, table: &str, key: &str) -> Vec<Item> {
        let answer = self
            .dynamodb
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(key.to_owned()))
            .send()
            .await
            .unwrap();
        assert!(answer.last_evaluated_key.is_none(), "{key} has more than one page");
        answer.items.unwrap_or_default()
    }

    /// Moves a time in an item to a second ago, as if the test had waited for it.
    pub(crate) async fn has_passed(&self, table: &str, item: &Item, time: &str) {
        self.move_back(table, item, time, 1).await;
    }

    /// Moves a time in an item to so many seconds ago.
    pub(crate) async fn move_back(&self, table: &str, item: &Item, time: &str, seconds: u64) {
        self.dynamodb
            .update_item()
            .table_name(table)
            .key("PK", item["PK"].clone())
            .key("SK", item["SK"].clone())
            .update_expression("SET #time = :past")
            .condition_expression("#time > :past")
            .expression_attribute_names("#time", time)
            .expression_attribute_values(":past", AttributeValue::N((now_millis() - seconds * 1_000).to_string()))
            .send()
            .await
            .unwrap();
    }

    /// What a function answers when it is invoked with this payload.
    pub(crate) async fn invoke(&self, function: &str, payload: &Value) -> Value {
        let base = self.deployment.aws_endpoint_url.as_deref().unwrap();
        let signer = Signer::new(self.deployment.credentials().await.unwrap(), &self.deployment.region, "lambda");
        let name = self.deployment.functions.get(function).unwrap_or_else(|| panic!("no function {function}"));
        let call = Call::new("POST", format!("/2015-03-31/functions/{name}/invocations")).json(payload);
        let reply = Http::new().send(base, call, Some(&signer)).await.unwrap();
        assert_eq!(reply.status, 200, "{function}: {}", reply.fault(200));
        assert_eq!(reply.header("x-amz-function-error"), None, "{function}: {}", reply.fault("an answer"));
        reply.json()
    }

    /// What `sessions-admin` answers.
    pub(crate) async fn admin(&self, command: &Value) -> Value {
        self.invoke("sessions-admin", command).await
    }

    /// Status and body of a `POST` whose client has this address: the event is the one that API Gateway would send.
    pub(crate) async fn request_from(&self, ip: &str, function: &str, path: &str, body: &Value) -> (u64, Value) {
        let event = json!({
            "version": "2.0", "routeKey": format!("POST {path}"), "rawPath": path, "rawQueryString": "",
            "headers": {"content-type": "application/json", "user-agent": "holdfast-e2e"},
            "requestContext": {
                "accountId": "000000000000", "apiId": "e2e", "stage": "$default", "requestId": random_text(), "time": "",
                "timeEpoch": 0, "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": ip,
                                         "userAgent": "holdfast-e2e"}
            },
            "body": body.to_string(), "isBase64Encoded": false
        });
        let answer = self.invoke(function, &event).await;
        let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("no HTTP answer: {answer}"));
        (status, serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or(Value::Null))
    }

    /// Gives this machine's network its attempts back, so that runs do not use them up for each other.
    pub(crate) async fn clear_network(&self) {
        let email = Person::random().email;
        let cleared = self.admin(&json!({"action": "clear-attempts", "email": email, "ip": "127.0.0.1"})).await;
        assert_eq!(cleared["ok"], true, "{cleared}");
    }

    /// The events of a user in the audit trail.
    pub(crate) async fn trail(&self, user_id: &str) -> Vec<Item> {
        let items = self.partition(&self.deployment.tables.activity, &format!("U#{user_id}")).await;
        items.into_iter().filter(|item| text(item, "SK").starts_with("E#")).collect()
    }

    /// All items of a table, including those of other tests.
    pub(crate) async fn everything(&self, table: &str) -> Vec<Item> {
        let mut pages = self.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }
}

/// The clock, in milliseconds.
pub(crate) fn now_millis() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// An address in a network of its own.
pub(crate) fn stranger() -> String {
    let random = random_text();
    let byte = |at: usize| u8::from_str_radix(&random[at..at + 2], 16).unwrap();
    format!("10.{}.{}.{}", byte(0), byte(2), byte(4))
}

/// The network of such an address, as rows and events name it.
pub(crate) fn network_of(ip: &str) -> String {
    format!("{}.0/24", ip.rsplit_once('.').unwrap().0)
}

/// An AWS client's configuration with these credentials.
pub(crate) fn sdk_config(deployment: &Deployment, credentials: Credentials) -> SdkConfig {
    let time_outs = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(60))
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(deployment.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(time_outs)
        .endpoint_url(deployment.aws_endpoint_url.clone().unwrap_or_default())
        .build()
}

/// Asks until there is an answer; a test that waits for something that never comes says for what.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + EVENTUALLY;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s", EVENTUALLY.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One command (no spaces within its words) to the cache server, and the first line of the answer.
pub(crate) async fn redis(url: &str, command: &str) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let address = url.trim_start_matches("redis://").split('/').next().unwrap_or_default();
    let mut stream = BufReader::new(tokio::net::TcpStream::connect(address).await.unwrap());
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    answer.trim_end().to_owned()
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// The secret part of a token or ticket that carries its address: `version.user.slot.secret.checksum`.
pub(crate) fn secret_of(token: &str) -> &str {
    token.split('.').nth(3).unwrap_or_else(|| panic!("a token has five parts"))
}

/// Whether `needle` stands anywhere in the item, as text or as the bytes it stands for.
pub(crate) fn holds(item: &Item, needle: &str) -> bool {
    use base64::Engine;
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(needle).ok();
    let needles = [Some(needle.as_bytes().to_vec()), decoded];
    let needles: Vec<Vec<u8>> = needles.into_iter().flatten().collect();
    item.iter().any(|(name, value)| {
        let name = AttributeValue::S(name.clone());
        [&name, value].into_iter().any(|value| needles.iter().any(|needle| value_holds(value, needle)))
    })
}

fn value_holds(value: &AttributeValue, needle: &[u8]) -> bool {
    let within = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => within(text.as_bytes()),
        AttributeValue::B(blob) => within(blob.as_ref()),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().any(|text| within(text.as_bytes())),
        AttributeValue::Bs(blobs) => blobs.iter().any(|blob| within(blob.as_ref())),
        AttributeValue::L(values) => values.iter().any(|value| value_holds(value, needle)),
        AttributeValue::M(members) => {
            members.iter().any(|(name, value)| within(name.as_bytes()) || value_holds(value, needle))
        }
        _ => false,
    }
}
