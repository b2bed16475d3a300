//! AWS by canned answers: what no emulator says, such as a partial failure or a refusal by code, one answer a request.
//!
//! The SDK has a client for this (`test-util`), but that one changes the features of half the dependencies: every test build
//! and every build of the functions then compiled them again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// Answers for the requests of one client, in their order, and the bodies of the requests that came.
#[derive(Clone, Default)]
pub struct CannedAws {
    exchange: Arc<Mutex<Exchange>>,
}

#[derive(Default)]
struct Exchange {
    answers: VecDeque<(u16, String)>,
    requests: Vec<String>,
}

impl CannedAws {
    /// Answers with these statuses and JSON bodies; a request too many is an error of the connection.
    #[must_use]
    pub fn new(answers: &[(u16, &str)]) -> Self {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        Self { exchange: Arc::new(Mutex::new(Exchange { answers, requests: Vec::new() })) }
    }

    /// The settings of a client that asks here and does not retry.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .retry_config(RetryConfig::disabled())
            .http_client(self.clone())
            .build()
    }

    /// The bodies of all requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.exchange().requests.clone()
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CannedAws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CannedAws").finish_non_exhaustive()
    }
}

impl HttpConnector for CannedAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut exchange = self.exchange();
        exchange.requests.push(String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned());
        let answer = exchange.answers.pop_front();
        HttpConnectorFuture::ready(match answer.map(|(status, body)| (StatusCode::try_from(status), body)) {
            Some((Ok(status), body)) => {
                let mut response = HttpResponse::new(status, SdkBody::from(body));
                response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
                Ok(response)
            }
            Some((Err(error), _)) => Err(ConnectorError::other(error.into(), None)),
            None => Err(ConnectorError::other("no answer is left".into(), None)),
        })
    }
}

impl HttpClient for CannedAws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
