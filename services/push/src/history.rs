//! What a channel holds after a mark: all of it (with `limit`, the first part of it), or `recovered:false` and nothing.

use holdfast_domain::ports::Host as _;
use holdfast_domain::{Code, Failure};
use holdfast_dynamodb::ConnectionsTable;
use holdfast_kit::{ConfigError, Env, Request, Response, System};
use holdfast_push::channel::{Channel, Position};
use holdfast_push::ports::Channels as _;
use holdfast_push::service::{Budget, Recovery, beginning, page, readable, recover};
use holdfast_push_providers::{self as providers, LiveSessions, LiveTopics};

mod wire;

/// What `push-history` needs.
pub struct Deps {
    sessions: LiveSessions,
    table: ConnectionsTable,
    topics: LiveTopics,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self {
            sessions: providers::sessions(env, &sdk).await?,
            table: providers::connections(env, &sdk)?,
            topics: providers::topics(env, &sdk)?,
        })
    }
}

/// Serves `GET /v1/channels/{channel}/messages`.
pub async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let current = deps.sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let name = decoded(request.path_parameter("channel"));
    let channel: Channel =
        name.parse().map_err(|_| bad("A channel is `user:<userId>`, `topic:<name>` or `broadcast`."))?;
    let open = readable(&deps.topics, current.slot.at.user, std::slice::from_ref(&channel)).await?;
    if !open.contains(&channel) {
        return Err(Failure::new(Code::Forbidden, "This channel is not yours to read."));
    }
    let after: Option<u64> = match request.query("after") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| bad("Query parameter `after` must be an offset."))?),
    };
    let limit: Option<u64> = match request.query("limit") {
        None => None,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=1_000) => Some(limit),
            _ => return Err(bad("Query parameter `limit` must be a number of messages from 1 to 1000.")),
        },
    };
    let now = System.now();
    let Some(head) = deps.table.head(&channel).await? else {
        // Nobody ever wrote or listened here: there is nothing to miss, and no epoch to be right about.
        let nothing = request.query("epoch").is_none() && after.unwrap_or_default() == 0;
        return Ok(Response::json_text(200, wire::nothing(nothing)));
    };
    let offset = match after {
        Some(after) => after,
        None => beginning(&deps.table, &channel, head, now).await?.offset,
    };
    let mark = match request.query("epoch") {
        None => Some(Position { epoch: head.epoch, offset }),
        // A wrong epoch is answered, not refused: the client reloads.
        Some(text) => text.parse().ok().map(|epoch| Position { epoch, offset }),
    };
    let found = match limit {
        // All of it or nothing, as `hello` does it.
        None => recover(&deps.table, &channel, mark, head, &mut Budget::default()).await?,
        Some(limit) => page(&deps.table, &channel, mark, head, limit).await?,
    };
    let text = match found {
        Recovery::Complete(messages) => wire::page(&channel, head, Some(&messages), now),
        Recovery::Lost => wire::page(&channel, head, None, now),
    };
    Ok(Response::json_text(200, text))
}

fn bad(detail: &'static str) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// A channel's name needs escaping nowhere but in clients that escape `:` too.
fn decoded(parameter: &str) -> String {
    parameter.replace("%3A", ":").replace("%3a", ":")
}
