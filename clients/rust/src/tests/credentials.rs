//! When the source of the credentials is asked, and what its errors mean.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};

use super::server::*;
use crate::ErrorKind;
use crate::retries::SystemTiming;

type Answer = dyn Fn() -> Option<Result> + Send + Sync;

/// Answers with the result of a function, or never.
struct Provider {
    answer: Box<Answer>,
    asked: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Provider")
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.asked.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::new(async {
            match (self.answer)() {
                Some(answer) => answer,
                None => pending().await,
            }
        })
    }
}

fn provider(answer: impl Fn() -> Option<Result> + Send + Sync + 'static) -> (Provider, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    (Provider { answer: Box::new(answer), asked: asked.clone() }, asked)
}

fn until(expiry: Option<SystemTime>) -> Option<Result> {
    Some(Ok(Credentials::new(ACCESS_KEY, SECRET_KEY, None, expiry, "test")))
}

#[tokio::test]
async fn the_source_is_asked_again_shortly_before_the_credentials_expire() {
    let (server, timing, _) = start().await;
    let expiry = SystemTime::UNIX_EPOCH + START + Duration::from_secs(3_600);
    let (source, asked) = provider(move || until(Some(expiry)));
    let client = server.builder(&timing).credentials_provider(source).build().unwrap();
    for (seconds, expected) in [(0, 1), (3_589, 1), (1, 2)] {
        timing.pass(Duration::from_secs(seconds));
        client.verify(LIVE).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn credentials_without_an_expiry_are_kept_for_15_minutes() {
    let (server, timing, _) = start().await;
    let (source, asked) = provider(|| until(None));
    let client = server.builder(&timing).credentials_provider(source).build().unwrap();
    for (seconds, expected) in [(0, 1), (899, 1), (1, 2)] {
        timing.pass(Duration::from_secs(seconds));
        client.verify(LIVE).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn missing_credentials_are_a_configuration_error_and_a_silent_source_is_an_outage() {
    type Fails = fn() -> CredentialsError;
    let (server, timing, _) = start().await;
    let cases: [(Fails, ErrorKind, &str); 4] = [
        (|| CredentialsError::not_loaded("x"), ErrorKind::Configuration, "NO_CREDENTIALS"),
        (|| CredentialsError::invalid_configuration("the secret"), ErrorKind::Configuration, "NO_CREDENTIALS"),
        (|| CredentialsError::provider_timed_out(Duration::ZERO), ErrorKind::Unavailable, "CREDENTIALS_UNAVAILABLE"),
        (|| CredentialsError::provider_error("the secret"), ErrorKind::Unavailable, "CREDENTIALS_UNAVAILABLE"),
    ];
    for (fails, kind, code) in cases {
        let (source, asked) = provider(move || Some(Err(fails())));
        let client = server.builder(&timing).credentials_provider(source).build().unwrap();
        let error = failed(client.verify(LIVE).await);
        assert_eq!((error.kind(), error.code()), (kind, code));
        assert!(!format!("{error:?}").contains("the secret"), "{error:?}");
        failed(client.verify(LIVE).await);
        assert_eq!(asked.load(Ordering::SeqCst), 2, "an error is not kept");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn the_time_out_includes_the_source() {
    let (server, timing, _) = start().await;
    let (source, _) = provider(|| None);
    let mut builder = server.builder(&timing).credentials_provider(source).timeout(Duration::from_millis(300));
    builder.options.timing = Arc::new(SystemTiming);
    let error = failed(builder.build().unwrap().verify(LIVE).await);
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "UNREACHABLE"));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_call_without_time_left_is_not_sent() {
    let (server, timing, _) = start().await;
    // The look-up uses up the time of the call, which all cookies share. A fifth of the 60 s is needed for one more.
    for (seconds, sent) in [(48, 2), (49, 1)] {
        let clock = timing.clone();
        let (source, _) = provider(move || {
            clock.pass(Duration::from_secs(seconds));
            until(None)
        });
        let client = server.builder(&timing).credentials_provider(source).build().unwrap();
        server.will([]);
        let found = client.verify_any(vec![STALE.to_owned(), LIVE.to_owned()]).await;
        assert_eq!(server.requests().len(), sent);
        assert_eq!(
            found.map_err(|error| error.code().to_owned()).map(|found| found.user_id),
            match sent {
                2 => Ok("u1".to_owned()),
                _ => Err("UNREACHABLE".to_owned()),
            }
        );
    }
}
