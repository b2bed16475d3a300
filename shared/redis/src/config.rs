//! The address of the cache server, and the credentials for it.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult,
    TlsCertificates,
};

use crate::iam::{IamTokens, SharedTokens};

/// How long a call waits for the server.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Longest time to open a connection, TLS and authentication included.
    pub connect: Duration,
    /// Longest time one script may take.
    pub command: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { connect: Duration::from_millis(250), command: Duration::from_millis(60) }
    }
}

/// The address of the cache server, and the credentials for it.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://host:port/db` or `rediss://…` with TLS; may hold a user and a password.
    pub url: String,
    /// Whether the server speaks the cluster protocol (ElastiCache Serverless always does).
    pub cluster: bool,
    /// IAM tokens, which replace the credentials of the URL.
    pub tokens: Option<Arc<IamTokens>>,
    /// The certificate authority in PEM, if it is not a public one.
    pub authority: Option<Vec<u8>>,
}

/// The URL may hold a password: it is never printed.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("cluster", &self.cluster)
            .field("iam", &self.tokens.is_some())
            .field("authority", &self.authority.is_some())
            .finish_non_exhaustive()
    }
}

/// A configuration with which no connection can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRefused(pub String);

impl fmt::Display for ConfigRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigRefused {}

/// The client that opens connections.
pub(crate) enum Opener {
    Single(Client, AsyncConnectionConfig),
    Cluster(ClusterClient),
}

/// An open connection; clones share it.
#[derive(Clone)]
pub(crate) enum Connection {
    Single(MultiplexedConnection, Closed),
    Cluster(ClusterConnection),
}

/// Whether a connection is closed. The client reports this as soon as it has read the end of the stream.
#[derive(Clone, Default)]
pub(crate) struct Closed(Arc<AtomicBool>);

impl Closed {
    fn hear(&self, said: &PushInfo) {
        if said.kind == PushKind::Disconnection {
            self.0.store(true, Ordering::Release);
        }
    }
}

impl Connection {
    /// Whether every request on this connection would fail without being sent. A cluster's client reopens its
    /// connections to single nodes.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Connection::Single(_, Closed(closed)) => closed.load(Ordering::Acquire),
            Connection::Cluster(_) => false,
        }
    }
}

impl RedisConfig {
    /// Checks the configuration without connecting.
    pub(crate) fn opener(&self, limits: TimeLimits) -> Result<Opener, ConfigRefused> {
        let refused = |_| ConfigRefused("must be redis://… or rediss://… with host, port and database".to_owned());
        let info = self.url.as_str().into_connection_info().map_err(refused)?;
        // Off by default in this version of the client; every request here is one small write that waits for its reply.
        let tcp = TcpSettings::default().set_nodelay(true);
        let certificates =
            self.authority.as_ref().map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) });
        let unusable = |_| ConfigRefused("is not usable with the given certificate authority".to_owned());
        if self.cluster {
            let mut builder = ClusterClient::builder([info])
                .use_protocol(ProtocolVersion::RESP3)
                .tcp_settings(tcp)
                .connection_timeout(limits.connect)
                .response_timeout(limits.command)
                // A command is never repeated behind the protocol's back.
                .retries(0);
            if let Some(certificates) = certificates {
                builder = builder.certs(certificates);
            }
            if let Some(tokens) = &self.tokens {
                builder = builder.set_credentials_provider(SharedTokens(tokens.clone()));
            }
            return Ok(Opener::Cluster(builder.build().map_err(unusable)?));
        }
        // Only with this version does the client say when a connection has been closed.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(info, certificates).map_err(unusable)?,
            None => Client::open(info).map_err(refused)?,
        };
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits.connect))
            // The link limits the time of each command, and a second timer costs a hit two calls of the kernel. The
            // client sends new tokens itself. Those may be slow, because it renews no more after one that failed.
            .set_response_timeout(None);
        if let Some(tokens) = &self.tokens {
            config = config.set_credentials_provider(SharedTokens(tokens.clone()));
        }
        Ok(Opener::Single(client, config))
    }
}

impl Opener {
    pub(crate) async fn open(&self) -> RedisResult<Connection> {
        match self {
            Opener::Single(client, config) => {
                let closed = Closed::default();
                let heard = closed.clone();
                let config = config.clone().set_push_sender(move |said| {
                    heard.hear(&said);
                    Ok::<(), Infallible>(())
                });
                let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                Ok(Connection::Single(connection, closed))
            }
            Opener::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, cluster: bool) -> RedisConfig {
        RedisConfig { url: url.into(), cluster, tokens: None, authority: None }
    }

    #[test]
    fn a_wrong_address_is_refused_at_start_without_showing_it() {
        for cluster in [false, true] {
            for url in ["", "localhost:6379", "http://x:secret@h", "redis://:secret@"] {
                let Err(refused) = config(url, cluster).opener(TimeLimits::default()) else {
                    panic!("{url} was taken")
                };
                let text = "must be redis://… or rediss://… with host, port and database";
                assert_eq!(refused.to_string(), text, "it shows nothing of {url}");
            }
            assert!(config("redis://127.0.0.1:6379/0", cluster).opener(TimeLimits::default()).is_ok());
            assert!(config("rediss://cache.example.com:6379", cluster).opener(TimeLimits::default()).is_ok());
        }
    }

    #[test]
    fn a_debug_print_holds_no_password() {
        let config = config("redis://u:hunter2@127.0.0.1:6379/0", false);
        assert_eq!(format!("{config:?}"), "RedisConfig { cluster: false, iam: false, authority: false, .. }");
        let cache = crate::RedisCache::new(&config, holdfast_testkit::ManualHost::default()).expect("a good address");
        assert_eq!(format!("{cache:?}"), "RedisCache { .. }");
    }
}
