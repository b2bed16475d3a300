//! Chooses the adapters of the push ports once, at start, from the environment only.
//!
//! Push functions run outside the VPC, so they validate sessions with one strong read each and write to no session.

mod hooks;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;
use holdfast_aws::Roots;
use holdfast_dynamodb::{ConnectionsTable, SessionsTable};
use holdfast_push::channel::{Topic, TopicPolicy};
use holdfast_push::ids::MessageId;
use holdfast_push::ports::{Count, DeliveryMetrics, PresenceAccess, TopicAccess};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::service::{Closer, Connector, FanOut, Frames, Heads, Publisher};
use holdfast_queue::{Closing, Lanes, LanesWithDeadLetters, Queue};
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::UserId;
use holdfast_sessions::ids::SLOT_KEYS;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::StoreResult;
use holdfast_sessions::service::{Sessions, StrongReads};
use holdfast_websocket_api::Connections;

pub use hooks::{PresenceFunction, TopicFunction};

/// The JSON of frames and of queue messages.
pub mod wire {
    pub use holdfast_queue::wire::{
        MessageOrigin, PublishBody, Unreadable, Work, close_request_from_json, close_request_to_json, job_from_json,
        job_to_json, publish_from_json, work_from_json,
    };
    pub use holdfast_websocket_api::wire::{frame_from_json, frame_to_json};
}

/// The table of sessions, which push only reads.
pub type LiveSessionsTable = SessionsTable;
/// The table of connections.
pub type LiveConnections = ConnectionsTable;
/// API Gateway's side of sockets.
pub type LiveGateway = Connections;
/// The queue `close`.
pub type LiveClosing = Closing;
/// The queues `push` and `broadcast`.
pub type LiveLanes = Lanes;
/// The same with their dead-letter queues.
pub type LiveLanesWithDeadLetters = LanesWithDeadLetters;
/// Validation of access tokens by one strong read each.
pub type LiveSessionCache = StrongReads<SessionsTable>;
/// The authorizer's view of handshakes: without any means to write.
pub type LiveAdmission = Connector<SessionsTable, ConnectionsTable, (), (), System>;
/// Validation of access tokens.
pub type LiveStrongSessions = Sessions<SessionsTable, StrongReads<SessionsTable>, System>;
/// The use case of handshakes.
pub type LiveConnector = Connector<SessionsTable, ConnectionsTable, Connections, Closing, System>;
/// The use case of frames.
pub type LiveFrames = Frames<SessionsTable, ConnectionsTable, Connections, LiveTopics, LivePresence, Metrics, System>;
/// The publishers' door.
pub type LivePublisher = Publisher<ConnectionsTable, Lanes, Metrics, System>;
/// The use case of delivery.
pub type LiveFanOut = FanOut<SessionsTable, ConnectionsTable, Connections, LanesWithDeadLetters, Metrics, System>;
/// The use case of closing sockets.
pub type LiveCloser = Closer<ConnectionsTable, Connections, Closing, System>;

/// Counts become metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metrics;

impl DeliveryMetrics for Metrics {
    fn add(&self, what: Count, n: usize) {
        if n > 0 {
            metrics::add(what.as_str(), n as u64);
        }
    }

    fn latency(&self, _message: MessageId, millis: i64) {
        metrics::millis("PUSH_LATENCY", millis as f64);
    }
}

/// The configuration of the clients. A function makes it once and shares it, because each has an HTTP client of its own.
pub fn sdk(env: &Env) -> SdkConfig {
    let roots = roots(env);
    let variables = env.clone();
    holdfast_aws::sdk_config(Arc::new(move |name| variables.optional(name).map(str::to_owned)), roots)
}

fn roots(env: &Env) -> Roots {
    if env.has_amazon_certificates() { Roots::Amazon } else { Roots::System }
}

/// How many slots count. Where it is not said, all that exist do: a lowered limit is then enforced by the next sign-in
/// and not by this function.
fn policy(env: &Env) -> Result<Policy, ConfigError> {
    let slots = env.int("MAX_SESSIONS_PER_USER", 1..=i64::from(SLOT_KEYS), i64::from(SLOT_KEYS))?;
    Ok(Policy { max_sessions: u8::try_from(slots).unwrap_or(SLOT_KEYS), ..Policy::default() })
}

async fn sessions_table(env: &Env, sdk: &SdkConfig) -> Result<SessionsTable, ConfigError> {
    let table = SessionsTable::new(sdk, env.text("SESSIONS_TABLE")?);
    // Opens the connection while the function starts, when it has more CPU than later. Trouble now is trouble then.
    let _ = table.ping().await;
    Ok(table)
}

/// The table `connections`.
pub fn connections(env: &Env, sdk: &SdkConfig) -> Result<ConnectionsTable, ConfigError> {
    Ok(ConnectionsTable::new(sdk, env.text("CONNECTIONS_TABLE")?))
}

#[inline]
fn gateway(env: &Env, sdk: &SdkConfig) -> Result<Connections, ConfigError> {
    Ok(Connections::new(sdk, roots(env), &env.url("WS_CALLBACK_URL")?))
}

#[inline]
fn queue(env: &Env, sdk: &SdkConfig, variable: &str) -> Result<Queue, ConfigError> {
    Ok(Queue::new(sdk, env.url(variable)?))
}

/// Who decides about topics.
#[derive(Clone, Debug)]
pub enum LiveTopics {
    /// A list of public prefixes.
    Prefixes(TopicPolicy),
    /// A function of the operator's.
    Function(TopicFunction),
}

impl TopicAccess for LiveTopics {
    #[inline]
    async fn readable(&self, user: UserId, topics: BTreeSet<Topic>) -> StoreResult<BTreeSet<Topic>> {
        match self {
            LiveTopics::Prefixes(policy) => policy.readable(user, topics).await,
            LiveTopics::Function(function) => function.readable(user, topics).await,
        }
    }
}

/// `TOPIC_POLICY`: public prefixes, separated by commas, or the ARN of one function; nothing denies every topic.
#[inline]
pub fn topics(env: &Env, sdk: &SdkConfig) -> Result<LiveTopics, ConfigError> {
    let parts = env.list("TOPIC_POLICY");
    match parts.iter().find(|part| part.starts_with("arn:")) {
        None => Ok(LiveTopics::Prefixes(TopicPolicy::public(parts))),
        Some(arn) if parts.len() == 1 && is_function(arn) => Ok(LiveTopics::Function(TopicFunction::new(sdk, arn))),
        Some(_) => Err(ConfigError {
            variable: "TOPIC_POLICY".to_owned(),
            problem: "must list public prefixes, or be the ARN of one Lambda function and nothing else".to_owned(),
        }),
    }
}

/// Whether this is the ARN of one function, with or without an alias.
fn is_function(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let names = parts.get(6..).unwrap_or_default();
    arn.starts_with("arn:aws")
        && parts.get(2) == Some(&"lambda")
        && parts.get(5) == Some(&"function")
        && (1..=2).contains(&names.len())
        && names
            .iter()
            .all(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

/// Who decides about presence.
#[derive(Clone, Debug)]
pub enum LivePresence {
    /// The user alone, or all users.
    Policy(PresencePolicy),
    /// A function of the operator's.
    Function(PresenceFunction),
}

impl PresenceAccess for LivePresence {
    #[inline]
    async fn visible(&self, asker: UserId, users: BTreeSet<UserId>) -> StoreResult<BTreeSet<UserId>> {
        match self {
            LivePresence::Policy(policy) => policy.visible(asker, users).await,
            LivePresence::Function(function) => function.visible(asker, users).await,
        }
    }
}

/// `PRESENCE_POLICY`: `self`, `everyone`, or the ARN of one function; nothing shows users their own presence only.
#[inline]
pub fn presence(env: &Env, sdk: &SdkConfig) -> Result<LivePresence, ConfigError> {
    match env.optional("PRESENCE_POLICY") {
        None | Some("self") => Ok(LivePresence::Policy(PresencePolicy::Own)),
        Some("everyone") => Ok(LivePresence::Policy(PresencePolicy::Everyone)),
        Some(arn) if is_function(arn) => Ok(LivePresence::Function(PresenceFunction::new(sdk, arn))),
        Some(_) => Err(ConfigError {
            variable: "PRESENCE_POLICY".to_owned(),
            problem: "must be self, everyone, or the ARN of one Lambda function".to_owned(),
        }),
    }
}

/// What routes need that know their caller by an access token.
pub async fn sessions(env: &Env, sdk: &SdkConfig) -> Result<LiveStrongSessions, ConfigError> {
    let store = sessions_table(env, sdk).await?;
    Ok(Sessions { cache: StrongReads(store.clone()), store, host: System, policy: policy(env)? })
}

/// What `$connect` needs.
#[inline]
pub async fn connector(env: &Env, sdk: &SdkConfig) -> Result<LiveConnector, ConfigError> {
    Ok(Connector {
        sessions: sessions_table(env, sdk).await?,
        table: connections(env, sdk)?,
        gateway: gateway(env, sdk)?,
        closing: Closing(queue(env, sdk, "CLOSE_QUEUE_URL")?),
        host: System,
        policy: policy(env)?,
    })
}

/// What the authorizer needs: the same without any means to write.
pub async fn admission(env: &Env, sdk: &SdkConfig) -> Result<LiveAdmission, ConfigError> {
    Ok(Connector {
        sessions: sessions_table(env, sdk).await?,
        table: connections(env, sdk)?,
        gateway: (),
        closing: (),
        host: System,
        policy: policy(env)?,
    })
}

/// What frames need.
#[inline]
pub async fn frames(env: &Env, sdk: &SdkConfig) -> Result<LiveFrames, ConfigError> {
    Ok(Frames {
        sessions: sessions_table(env, sdk).await?,
        table: connections(env, sdk)?,
        gateway: gateway(env, sdk)?,
        host: System,
        policy: policy(env)?,
        topics: topics(env, sdk)?,
        presence: presence(env, sdk)?,
        tally: Metrics,
        recovery_per_second: u32::try_from(env.int("RECOVERY_POSTS_PER_SECOND", 1..=10_000, 1_000)?).unwrap_or(1_000),
        heads: Heads::default(),
    })
}

#[inline]
fn lanes(env: &Env, sdk: &SdkConfig, direct: &str, broadcast: &str) -> Result<Lanes, ConfigError> {
    Ok(Lanes { direct: queue(env, sdk, direct)?, broadcast: queue(env, sdk, broadcast)? })
}

/// What publishing needs.
#[inline]
pub async fn publisher(env: &Env, sdk: &SdkConfig) -> Result<LivePublisher, ConfigError> {
    Ok(Publisher {
        table: connections(env, sdk)?,
        queue: lanes(env, sdk, "PUSH_QUEUE_URL", "BROADCAST_QUEUE_URL")?,
        tally: Metrics,
        host: System,
    })
}

/// What delivery needs.
#[inline]
pub async fn fan_out(env: &Env, sdk: &SdkConfig) -> Result<LiveFanOut, ConfigError> {
    Ok(FanOut {
        sessions: sessions_table(env, sdk).await?,
        policy: policy(env)?,
        table: connections(env, sdk)?,
        gateway: gateway(env, sdk)?,
        queue: LanesWithDeadLetters {
            lanes: lanes(env, sdk, "PUSH_QUEUE_URL", "BROADCAST_QUEUE_URL")?,
            dead: lanes(env, sdk, "PUSH_DLQ_URL", "BROADCAST_DLQ_URL")?,
        },
        tally: Metrics,
        host: System,
    })
}

/// What closing needs.
#[inline]
pub async fn closer(env: &Env, sdk: &SdkConfig) -> Result<LiveCloser, ConfigError> {
    Ok(Closer {
        table: connections(env, sdk)?,
        gateway: gateway(env, sdk)?,
        queue: Closing(queue(env, sdk, "CLOSE_QUEUE_URL")?),
        host: System,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_policy_is_a_list_of_prefixes_or_one_function() {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::v2026_01_12()).build();
        let of = |policy: &str| topics(&Env::of([("TOPIC_POLICY", policy)]), &sdk);
        let hook = "arn:aws:lambda:us-east-1:000000000000:function:hook";
        assert!(
            matches!(topics(&Env::of([]), &sdk), Ok(LiveTopics::Prefixes(policy)) if policy == TopicPolicy::default())
        );
        assert!(matches!(of("news.,public."), Ok(LiveTopics::Prefixes(_))));
        assert!(matches!(of(hook), Ok(LiveTopics::Function(_))));
        for unclear in [&format!("{hook},news."), "arn:aws:sqs:us-east-1:000000000000:queue", "arn:x:function:y"] {
            assert_eq!(of(unclear).unwrap_err().variable, "TOPIC_POLICY", "{unclear}");
        }
    }

    #[test]
    fn a_presence_policy_is_oneself_everybody_or_one_function() {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::v2026_01_12()).build();
        let of = |policy: &str| presence(&Env::of([("PRESENCE_POLICY", policy)]), &sdk);
        let hook = "arn:aws:lambda:us-east-1:000000000000:function:hook";
        for own in ["self", ""] {
            assert!(matches!(of(own), Ok(LivePresence::Policy(PresencePolicy::Own))), "{own}");
        }
        assert!(matches!(presence(&Env::of([]), &sdk), Ok(LivePresence::Policy(PresencePolicy::Own))));
        assert!(matches!(of("everyone"), Ok(LivePresence::Policy(PresencePolicy::Everyone))));
        for function in [hook, &format!("{hook}:live")] {
            assert!(matches!(of(function), Ok(LivePresence::Function(_))), "{function}");
        }
        let unclear = [
            "Self",
            "everyone,self",
            "friends",
            " everyone",
            "arn:aws:sqs:us-east-1:000000000000:queue",
            "arn:aws:lambda:us-east-1:000000000000:function:",
            &format!("{hook},{hook}"),
            &format!("{hook}:live:x"),
        ];
        for policy in unclear {
            assert_eq!(of(policy).unwrap_err().variable, "PRESENCE_POLICY", "{policy}");
        }
    }

    /// Every count by its public name (alarms and dashboards read it), and a latency as the milliseconds it is. This binary runs
    /// itself again, because metrics are what a process writes.
    #[test]
    fn what_delivery_counts_is_written_as_metrics() {
        let names = [
            (Count::Accepted, "PUSH_ACCEPTED"),
            (Count::Delivered, "PUSH_DELIVERED"),
            (Count::Gone, "PUSH_GONE"),
            (Count::Throttled, "PUSH_THROTTLED"),
            (Count::Retried, "PUSH_RETRIED"),
            (Count::DeadLettered, "PUSH_DEAD_LETTERED"),
            (Count::Expired, "PUSH_EXPIRED"),
            (Count::Undeliverable, "PUSH_UNDELIVERABLE"),
            (Count::Forbidden, "PUSH_FORBIDDEN"),
            (Count::AppendDelayed, "PUSH_APPEND_DELAYED"),
            (Count::Recovered, "PUSH_RECOVERED"),
            (Count::NotRecovered, "PUSH_NOT_RECOVERED"),
            (Count::RecoveryPosted, "PUSH_RECOVERY_POSTED"),
            (Count::RecoveryRefused, "PUSH_RECOVERY_REFUSED"),
        ];
        if std::env::var_os("HOLDFAST_TEST_METRICS").is_some() {
            metrics::start("staging", "push-fanout");
            for (n, (count, _)) in names.into_iter().enumerate() {
                Metrics.add(count, n);
                Metrics.add(count, n);
            }
            for millis in [1_234, 7] {
                Metrics.latency(MessageId::from_bytes([1; 16]), millis);
            }
            metrics::flush(7);
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::what_delivery_counts_is_written_as_metrics", "--nocapture"])
            .env("HOLDFAST_TEST_METRICS", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("\"_aws\"")).unwrap_or_else(|| panic!("{text}"));
        for (n, (_, name)) in names.into_iter().enumerate() {
            let written = format!("\"{name}\":{}.0", 2 * n);
            assert_eq!(line.contains(&written), n > 0, "{name}: what did not happen is not written: {line}");
            assert_eq!(line.contains(&format!("\"Name\":\"{name}\",\"Unit\":\"Count\"")), n > 0, "{name}: {line}");
        }
        assert!(line.contains("\"PUSH_LATENCY\":[1234.0,7.0]"), "{line}");
        assert!(line.contains("\"Name\":\"PUSH_LATENCY\",\"Unit\":\"Milliseconds\""), "{line}");
        assert!(line.contains("\"env\":\"staging\"") && line.contains("\"function\":\"push-fanout\""), "{line}");
    }

    #[test]
    fn the_arn_of_one_function_names_it_and_at_most_an_alias() {
        for arn in [
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:lambda:us-east-1:000000000000:function:my-hook_1:live-2_b",
            "arn:aws-cn:lambda:cn-north-1:000000000000:function:f",
        ] {
            assert!(is_function(arn), "{arn}");
        }
        for other in [
            "",
            "f",
            "function:f",
            "arn:azure:lambda:us-east-1:000000000000:function:f",
            "arn:aws:sqs:us-east-1:000000000000:function:f",
            "arn:aws:sqs:us-east-1:000000000000:queue:f",
            "arn:aws:lambda:us-east-1:000000000000:layer:f",
            "arn:aws:lambda:us-east-1:000000000000:layer",
            "arn:aws:lambda:us-east-1:000000000000:function",
            "arn:aws:lambda:us-east-1:000000000000:function:",
            "arn:aws:lambda:us-east-1:000000000000:function:f:",
            "arn:aws:lambda:us-east-1:000000000000:function:f:live:x",
            "arn:aws:lambda:us-east-1:000000000000:function:f.g",
            "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        ] {
            assert!(!is_function(other), "{other}");
        }
    }

    #[test]
    fn every_slot_counts_unless_a_limit_is_given() {
        assert_eq!(policy(&Env::of([])).unwrap().max_sessions, 10);
        assert_eq!(policy(&Env::of([("MAX_SESSIONS_PER_USER", "5")])).unwrap().max_sessions, 5);
        assert!(policy(&Env::of([("MAX_SESSIONS_PER_USER", "11")])).is_err());
    }
}
