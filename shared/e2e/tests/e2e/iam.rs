//! A function can do with its role what it has to, and nothing else.
//!
//! The roles trust only Lambda, so the test asks Lambda. It creates a function with the role in question, and the
//! function returns its credentials. So every attempt uses the real role and its real policy.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use holdfast_e2e::{Call, Http, Reply, Signer, random_text};
use serde_json::{Value, json};

use crate::world::{World, eventually, sdk_config};

const PROBE: &str = "import os\n\ndef handler(event, context):\n    return {n: os.environ[n] for n in \
                     ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')}\n";

struct Lambda<'a> {
    world: &'a World,
    http: Http,
    credentials: Credentials,
}

impl<'a> Lambda<'a> {
    async fn new(world: &'a World) -> Self {
        let credentials = world.deployment.credentials().await.unwrap();
        Self { world, http: Http::new(), credentials }
    }

    async fn send(&self, call: Call) -> Reply {
        self.send_to("lambda", call).await
    }

    async fn send_to(&self, service: &'static str, call: Call) -> Reply {
        let base = self.world.deployment.aws_endpoint_url.as_deref().unwrap();
        let signer = Signer::new(self.credentials.clone(), &self.world.deployment.region, service);
        self.http.send(base, call, Some(&signer)).await.unwrap()
    }

    /// Lambda made it, and leaves it behind.
    async fn forget_log_group(&self, function: &str) {
        let call = Call::new("POST", "/")
            .header("x-amz-target", "Logs_20140328.DeleteLogGroup")
            .header("content-type", "application/x-amz-json-1.1");
        let body = json!({"logGroupName": format!("/aws/lambda/{function}")}).to_string();
        let deleted = self.send_to("logs", Call { body: body.into_bytes(), ..call }).await;
        assert!(deleted.status == 200 || deleted.text("/__type").is_ok(), "{}", deleted.fault(200));
    }

    /// The credentials that a function with the role of `key` gets.
    async fn credentials_of(&self, key: &str) -> Credentials {
        let function = &self.world.deployment.functions[key];
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let role = self.send(Call::new("GET", path)).await.text("/Role").unwrap();
        let probe = format!("holdfast-e2e-{}", random_text());
        let body = json!({"FunctionName": probe, "Runtime": "python3.12", "Handler": "probe.handler", "Role": role,
            "Code": {"ZipFile": STANDARD.encode(zip("probe.py", PROBE.as_bytes()))}, "Timeout": 10});
        let created = self.send(Call::new("POST", "/2015-03-31/functions").json(&body)).await;
        assert_eq!(created.status, 201, "{}", created.fault(201));
        let path = format!("/2015-03-31/functions/{probe}/invocations");
        let answer: Option<Value> = async {
            for _ in 0..50 {
                let reply = self.send(Call::new("POST", path.clone()).raw("{}")).await;
                if reply.status == 200 && reply.at("/AWS_ACCESS_KEY_ID").is_string() {
                    return Some(reply.json());
                }
                // Still being created.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            None
        }
        .await;
        let deleted = self.send(Call::new("DELETE", format!("/2015-03-31/functions/{probe}"))).await;
        assert_eq!(deleted.status, 204, "{}", deleted.fault(204));
        self.forget_log_group(&probe).await;
        let answer = answer.expect("the probe says who it is");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let (key, secret) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY"));
        assert_ne!(key, "test", "the local cloud gives functions their role only with AUTH=true");
        Credentials::new(key, secret, Some(text("AWS_SESSION_TOKEN")), None, "probe")
    }
}

/// A zip file with one stored entry: Lambda takes code in no other form.
pub(crate) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = crc32fast::hash(content).to_le_bytes();
    let size = (content.len() as u32).to_le_bytes();
    let name_length = (name.len() as u16).to_le_bytes();
    // Version 2.0, no flags, stored; 1980-01-01 00:00.
    let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &crc, &size, &size, &name_length, &[0, 0]].concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    // No comment, disk 0, no internal attributes; a regular file that all users may read; offset 0.
    let attributes = (0o100_644_u32 << 16).to_le_bytes();
    let central =
        [b"PK\x01\x02\x14\x03", &common[..], &[0, 0, 0, 0, 0, 0], &attributes, &[0; 4], name.as_bytes()].concat();
    let (start, length) = ((local.len() as u32).to_le_bytes(), (central.len() as u32).to_le_bytes());
    let end = [b"PK\x05\x06".as_slice(), &[0, 0, 0, 0, 1, 0, 1, 0], &length, &start, &[0, 0]].concat();
    [local, central, end].concat()
}

async fn client_of(world: &World, key: &str) -> aws_sdk_dynamodb::Client {
    let credentials = Lambda::new(world).await.credentials_of(key).await;
    aws_sdk_dynamodb::Client::new(&sdk_config(&world.deployment, credentials))
}

/// `Ok`, or the error's code.
async fn read(client: &aws_sdk_dynamodb::Client, table: &str) -> Result<(), String> {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let answer = client.get_item().table_name(table).key("PK", key("E2E#none")).key("SK", key("NONE")).send().await;
    answer.map(drop).map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

async fn delete(client: &aws_sdk_dynamodb::Client, table: &str) -> Result<(), String> {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let answer = client.delete_item().table_name(table).key("PK", key("E2E#none")).key("SK", key("NONE")).send().await;
    answer.map(drop).map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

async fn write(client: &aws_sdk_dynamodb::Client, table: &str) -> Result<(), String> {
    // The condition never holds. A role that may write learns that, and writes nothing.
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let answer = client
        .put_item()
        .table_name(table)
        .item("PK", key("E2E#none"))
        .item("SK", key("NONE"))
        .condition_expression("attribute_exists(PK)")
        .send()
        .await;
    answer.map(drop).map_err(|error| error.code().unwrap_or("no answer").to_owned())
}

const DENIED: &str = "AccessDeniedException";

#[tokio::test]
async fn sign_in_reads_its_own_table_and_is_denied_the_other() {
    let world = World::open().await;
    let client = client_of(&world, "auth-login").await;
    let tables = &world.deployment.tables;
    // A new role's session may take a moment to be known.
    let own = eventually("auth-login to read the sessions table", async || read(&client, &tables.sessions).await.ok());
    own.await;
    assert_eq!(write(&client, &tables.sessions).await, Err("ConditionalCheckFailedException".to_owned()));
    assert_eq!(read(&client, &tables.connections).await, Err(DENIED.to_owned()));
    assert_eq!(write(&client, &tables.connections).await, Err(DENIED.to_owned()));
    // Not even everything on its own table: it ends nothing by deleting, and it never reads the whole.
    assert_eq!(delete(&client, &tables.sessions).await, Err(DENIED.to_owned()));
    let scan = client.scan().table_name(&tables.sessions).limit(1).send().await;
    assert_eq!(scan.map(drop).map_err(|error| error.code().map(str::to_owned)), Err(Some(DENIED.to_owned())));
}

#[tokio::test]
async fn push_may_look_at_sessions_and_change_none() {
    let world = World::open().await;
    let client = client_of(&world, "push-connect").await;
    let tables = &world.deployment.tables;
    eventually("push-connect to read both tables", async || {
        read(&client, &tables.connections).await.ok()?;
        read(&client, &tables.sessions).await.ok()
    })
    .await;
    assert_eq!(write(&client, &tables.sessions).await, Err(DENIED.to_owned()));
    assert_eq!(delete(&client, &tables.sessions).await, Err(DENIED.to_owned()));
}

#[tokio::test]
async fn a_role_without_the_permission_cannot_publish() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let credentials = Lambda::new(&world).await.credentials_of("auth-login").await;
    let signer = Signer::new(credentials, &world.deployment.region, "execute-api");
    let body = json!({"to": {"userIds": [session.user_id]}, "kind": "note", "data": {}});
    let reply = world.api.send_signed(Call::new("POST", "/v1/messages").json(&body), &signer).await.unwrap();
    assert_eq!(reply.status, 403, "{}", reply.fault(403));
}
