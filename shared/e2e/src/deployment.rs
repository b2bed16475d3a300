use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::Deserialize;

use crate::Fault;
use crate::http::in_one_line;

/// A deployed Holdfast, as `outputs.json` describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// `local`, `staging`, `production` …
    pub env: String,
    /// The AWS Region of the deployment.
    pub region: String,
    /// `dynamodb` or `redis`.
    pub cache_provider: String,
    /// Base of the HTTP API; routes follow as `/v1/…`.
    pub http_url: String,
    /// URL of the WebSocket API, without a ticket.
    pub ws_url: String,
    /// The console, where there is one.
    #[serde(default)]
    pub console_url: Option<String>,
    /// Endpoint of the local cloud; absent on AWS.
    #[serde(default)]
    pub aws_endpoint_url: Option<String>,
    /// The cache's URL, where there is one.
    #[serde(default)]
    pub redis_url: Option<String>,
    /// The names of the tables.
    pub tables: Tables,
    /// The URLs of the queues.
    pub queues: Queues,
    /// Name of the EventBridge bus.
    pub event_bus: String,
    /// Function key → function name.
    pub functions: BTreeMap<String, String>,
    /// The function that other APIs ask about their callers. A deployment before version 0.2.0 has none.
    #[serde(default)]
    pub authorizer: Option<Authorizer>,
}

/// The function `sessions-authorizer`, as an API attaches it.
#[derive(Clone, Debug, Deserialize)]
pub struct Authorizer {
    /// The name of the function.
    pub name: String,
    /// The alias that API Gateway invokes.
    #[serde(default)]
    pub qualifier: Option<String>,
    /// The URI of the authorizer of an API.
    pub invoke_arn: String,
}

/// Names of the DynamoDB tables.
#[derive(Clone, Debug, Deserialize)]
pub struct Tables {
    /// Accounts, sessions, sign-ins.
    pub sessions: String,
    /// Sockets, tickets, channels.
    pub connections: String,
    /// Audit trail, last sign-ins. Not part of the contract: a deployment of something else may not have it.
    #[serde(default)]
    pub activity: String,
}

/// URLs of the SQS queues.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queues {
    /// Messages to users and topics.
    pub push: String,
    /// What `push` could not deliver.
    pub push_dlq: String,
    /// Messages to every connected client.
    pub broadcast: String,
    /// What `broadcast` could not deliver.
    pub broadcast_dlq: String,
    /// Sockets to close.
    pub close: String,
    /// What could not be closed.
    pub close_dlq: String,
}

impl Deployment {
    /// Reads the deployment from `file`.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Fault::new(format!("{}: {error}; run `make deploy` first", file.display())))?;
        Self::parse(&text).map_err(|fault| Fault::new(format!("{}: {fault}", file.display())))
    }

    /// Reads the text of an `outputs.json`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut deployment: Self =
            serde_json::from_str(text).map_err(|error| Fault::new(format!("not an outputs.json: {error}")))?;
        let absent = |value: &Option<String>| value.as_deref().is_none_or(str::is_empty);
        if absent(&deployment.aws_endpoint_url) {
            deployment.aws_endpoint_url = None;
        }
        for url in [&mut deployment.http_url, &mut deployment.ws_url] {
            url.truncate(url.trim_end_matches('/').len());
        }
        Ok(deployment)
    }

    /// The file that `HOLDFAST_OUTPUTS` names; a relative path may also start at the workspace's root, because tests
    /// run in the folder of their crate.
    pub fn from_env() -> Result<Self, Fault> {
        let file = std::env::var_os("HOLDFAST_OUTPUTS").map(PathBuf::from).ok_or_else(|| {
            Fault::new("HOLDFAST_OUTPUTS is not set: run `make deploy`, then set it to the path of .local/outputs.json")
        })?;
        let from_root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file);
        Self::read(if !file.exists() && from_root.exists() { &from_root } else { &file })
    }

    /// Whether this is the local cloud.
    pub fn is_local(&self) -> bool {
        self.aws_endpoint_url.is_some()
    }

    /// The credentials that sign requests: the fixed `test`/`test` on the local cloud, and the configured ones on AWS.
    /// The local cloud never sees the caller's own credentials.
    pub async fn credentials(&self) -> Result<Credentials, Fault> {
        if self.is_local() {
            return Ok(Credentials::new("test", "test", None, None, "local cloud"));
        }
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http);
        let config = loader.region(Region::new(self.region.clone())).load().await;
        let provider = config.credentials_provider().ok_or_else(|| Fault::new("no AWS credentials are configured"))?;
        provider
            .provide_credentials()
            .await
            .map_err(|error| Fault::new(format!("AWS credentials: {}", in_one_line(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = r#"{ "env": "local", "region": "us-east-1", "cacheProvider": "redis",
        "httpUrl": "http://127.0.0.1:4566/_aws/execute-api/abcd1234/", "wsUrl": "ws://127.0.0.1:4566/_aws/execute-api/abcd1235/v1",
        "consoleUrl": "http://127.0.0.1:4566/console", "awsEndpointUrl": "http://127.0.0.1:4566",
        "redisUrl": "redis://127.0.0.1:6379/0", "tables": {"sessions": "s", "connections": "c"},
        "queues": {"push": "p", "pushDlq": "pd", "broadcast": "b", "broadcastDlq": "bd", "close": "c", "closeDlq": "cd"},
        "eventBus": "holdfast-local", "functions": {"auth-login": "holdfast-local-auth-login"} }"#;

    #[tokio::test]
    async fn the_file_of_a_local_deployment_is_understood() {
        let deployment = Deployment::parse(LOCAL).unwrap();
        assert!(deployment.is_local());
        assert_eq!(deployment.http_url, "http://127.0.0.1:4566/_aws/execute-api/abcd1234");
        assert_eq!(deployment.queues.close_dlq, "cd");
        assert_eq!(deployment.functions["auth-login"], "holdfast-local-auth-login");
        assert_eq!(deployment.credentials().await.unwrap().access_key_id(), "test");
    }

    #[test]
    fn without_an_endpoint_it_is_aws() {
        for change in ["null", "\"\""] {
            let text = LOCAL
                .replace("\"awsEndpointUrl\": \"http://127.0.0.1:4566\"", &format!("\"awsEndpointUrl\": {change}"));
            assert!(!Deployment::parse(&text).unwrap().is_local());
        }
        let text = LOCAL.replace("\"awsEndpointUrl\": \"http://127.0.0.1:4566\",", "");
        assert!(!Deployment::parse(&text).unwrap().is_local());
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = Deployment::parse(&LOCAL.replace("\"eventBus\"", "\"bus\"")).unwrap_err();
        assert!(fault.to_string().contains("eventBus"), "{fault}");
    }
}
