//! A local cloud for one test, with its own process, port and directory. Dropping it removes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use holdfast_sessions::Millis;

use crate::ports::free_port;
use crate::suites::rows::Row;

/// How long the emulator may take to answer after its start (it takes half a second).
const PATIENCE: Duration = Duration::from_secs(30);

/// A running emulator with the tables.
#[derive(Debug)]
pub struct LocalCloud {
    process: Child,
    directory: PathBuf,
    endpoint: String,
    config: SdkConfig,
}

/// The tools that `make tools` installs: `HOLDFAST_TOOLS`, or `.tools` of this repository.
fn tool(name: &str) -> PathBuf {
    let tools = std::env::var_os("HOLDFAST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools"), PathBuf::from);
    let candidates = [tools.join("bin").join(name), tools.join("venv/bin").join(name)];
    match candidates.iter().find(|path| path.exists()) {
        Some(path) => path.clone(),
        None => panic!("{name} is not in {}: run `make tools` first", tools.display()),
    }
}

impl LocalCloud {
    /// Name of the sessions table.
    pub const SESSIONS: &str = "sessions";
    /// Name of the connections table.
    pub const CONNECTIONS: &str = "connections";
    /// Name of the table of activity.
    pub const ACTIVITY: &str = "activity";

    /// Starts the emulator and creates the tables. `HOLDFAST_DYNAMODB` names the program of dynoxide, which then runs
    /// instead: a second implementation of DynamoDB, without other services (`make conform`).
    ///
    /// # Panics
    /// When the emulator is not installed or does not come up: a test that needs it cannot pass without.
    pub async fn start() -> Self {
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("holdfast-test-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a temporary directory");
        let log = fs::File::create(directory.join("emulator.log")).expect("a log file");
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = if let Some(program) = std::env::var_os("HOLDFAST_DYNAMODB") {
            let mut command = Command::new(program);
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command
        } else {
            Command::new(tool("ministack"))
        };
        let process = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &directory)
            .env("TMPDIR", &directory)
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the emulator starts");
        let config = config(&endpoint).await;
        let cloud = Self { process, directory, endpoint, config };
        cloud.create_tables().await;
        cloud
    }

    /// The configuration for any client of the SDK.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.config
    }

    /// The address, `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Every row of a table, as it is stored.
    ///
    /// # Panics
    /// When the emulator does not answer.
    pub async fn rows(&self, table: &str) -> Vec<Row> {
        let client = Client::new(&self.config);
        let (mut rows, mut from) = (Vec::new(), None);
        loop {
            let scan = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(from);
            let page = scan.send().await.expect("the rows of a page");
            rows.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return rows;
            }
        }
    }

    /// Deletes every row of a table that is past its TTL at `now`, as DynamoDB does at any time after it.
    ///
    /// # Panics
    /// When the emulator does not answer.
    pub async fn expire(&self, table: &str, now: Millis) {
        let client = Client::new(&self.config);
        for row in self.rows(table).await {
            let ttl = row.get("ttl").and_then(|ttl| ttl.as_n().ok()).and_then(|digits| digits.parse::<i64>().ok());
            if ttl.is_some_and(|ttl| ttl.saturating_mul(1_000) <= now.get()) {
                let key = ["PK", "SK"].into_iter().filter_map(|name| Some((name.to_owned(), row.get(name)?.clone())));
                let delete = client.delete_item().table_name(table).set_key(Some(key.collect()));
                delete.send().await.expect("the row is deleted");
            }
        }
    }

    async fn create_tables(&self) {
        let client = Client::new(&self.config);
        let started = Instant::now();
        while client.list_tables().send().await.is_err() {
            let log = self.directory.join("emulator.log");
            assert!(
                started.elapsed() < PATIENCE,
                "the emulator did not come up: {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect("complete")
        };
        let key = |name: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("complete")
        };
        let index = GlobalSecondaryIndex::builder()
            .index_name("GSI1")
            .key_schema(key("GSI1PK", KeyType::Hash))
            .key_schema(key("GSI1SK", KeyType::Range))
            .projection(
                Projection::builder()
                    .projection_type(ProjectionType::Include)
                    .non_key_attributes("connectedAt")
                    .non_key_attributes("sid")
                    .non_key_attributes("sessionExpiresAt")
                    .build(),
            )
            .build()
            .expect("complete");
        for table in [Self::SESSIONS, Self::CONNECTIONS, Self::ACTIVITY] {
            let mut request = client
                .create_table()
                .table_name(table)
                .billing_mode(BillingMode::PayPerRequest)
                .attribute_definitions(attribute("PK"))
                .attribute_definitions(attribute("SK"))
                .key_schema(key("PK", KeyType::Hash))
                .key_schema(key("SK", KeyType::Range));
            if table == Self::CONNECTIONS {
                request = request
                    .attribute_definitions(attribute("GSI1PK"))
                    .attribute_definitions(attribute("GSI1SK"))
                    .global_secondary_indexes(index.clone());
            }
            request.send().await.expect("the table is created");
        }
    }
}

/// Fixed credentials; nothing of the caller's environment is read.
async fn config(endpoint: &str) -> SdkConfig {
    let base = holdfast_aws::sdk_config_with(
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "holdfast-testkit")),
        true,
    );
    base.endpoint_url(endpoint).load().await
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
