//! What a channel holds after a mark: all of it (with `limit`, the first part of it), or `recovered:false` and nothing.

use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::ServerFrame;
use holdfast_push::message::Recorded;
use holdfast_push::ports::{Channels, TopicAccess};
use holdfast_push::service::{Budget, Recovery, beginning, page, readable, recover};
use holdfast_push_wiring::wire::frame_to_json;
use holdfast_push_wiring::{self as providers, LiveConnections, LiveSessionCache, LiveSessionsTable, LiveTopics};
use holdfast_runtime::{ConfigError, Env, Request, Response, System};
use holdfast_sessions::ports::{Clock, Rng, SessionCache};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, Failure, Millis};

/// The query parameters of the route.
pub const QUERY: &[&str] = &["after", "epoch", "limit"];

/// The dependencies of `push-history`.
pub struct Deps<S, C, H, T, P> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) table: T,
    pub(crate) topics: P,
    pub(crate) host: H,
}

impl Deps<LiveSessionsTable, LiveSessionCache, System, LiveConnections, LiveTopics> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env);
        Ok(Self {
            sessions: providers::sessions(env, &sdk).await?,
            table: providers::connections(env, &sdk)?,
            topics: providers::topics(env, &sdk)?,
            host: System,
        })
    }
}

/// Serves `GET /v1/channels/{channel}/messages`.
pub async fn handle<S, C, H, T, P>(deps: &Deps<S, C, H, T, P>, request: Request) -> Result<Response, Failure>
where
    S: Send + Sync,
    C: SessionCache,
    H: Clock + Rng,
    T: Channels,
    P: TopicAccess,
{
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
    let now = deps.host.now();
    let Some(head) = deps.table.head(&channel).await? else {
        // Nobody ever wrote or listened here: there is nothing to miss, and no epoch to be right about.
        let nothing = request.query("epoch").is_none() && after.unwrap_or_default() == 0;
        return Ok(Response::json_text(200, empty_page(nothing)));
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
        Recovery::Complete(messages) => page_to_json(&channel, head, Some(&messages), now),
        Recovery::Lost => page_to_json(&channel, head, None, now),
    };
    Ok(Response::json_text(200, text))
}

fn bad(detail: &'static str) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// Decodes a channel's name, for clients that also escape `:`.
fn decoded(parameter: &str) -> String {
    parameter.replace("%3A", ":").replace("%3a", ":")
}

/// `{epoch, messages, recovered}`, as text: what publishers sent stays as they sent it.
fn page_to_json(channel: &Channel, head: Position, messages: Option<&[Recorded]>, now: Millis) -> String {
    let frames: Vec<String> = messages
        .unwrap_or_default()
        .iter()
        .map(|recorded| frame_to_json(&ServerFrame::recovered(channel, recorded, now)))
        .collect();
    // An epoch is base64url: nothing in it needs escaping.
    format!("{{\"epoch\":\"{}\",\"messages\":[{}],\"recovered\":{}}}", head.epoch, frames.join(","), messages.is_some())
}

/// The page of a channel that does not exist yet.
fn empty_page(recovered: bool) -> String {
    format!("{{\"epoch\":null,\"messages\":[],\"recovered\":{recovered}}}")
}

#[cfg(test)]
mod tests {
    use holdfast_push::data::Data;
    use holdfast_push::ids::{Epoch, MessageId};
    use holdfast_push::message::Message;

    use super::*;

    #[test]
    fn a_page_is_json_and_keeps_what_was_sent() {
        let head = Position { epoch: Epoch::from_bytes([7; 8]), offset: 1 };
        let message = Message {
            id: MessageId::from_bytes([1; 16]),
            kind: "n".into(),
            data: Data::compact("12345678901234567890123").unwrap(),
            sent_at: Millis::new(0),
            expires_at: Millis::new(10),
            ephemeral: false,
        };
        let recorded = [Recorded { at: head, message }];
        let text = page_to_json(&Channel::Broadcast, head, Some(&recorded), Millis::new(1));
        assert!(text.contains("\"data\":12345678901234567890123"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["recovered"], true);
        assert_eq!(value["messages"][0]["offset"], 1);
        let expired = page_to_json(&Channel::Broadcast, head, Some(&recorded), Millis::new(10));
        assert!(expired.contains("\"kind\":\"expired\",\"data\":null"), "{expired}");
        let lost = page_to_json(&Channel::Broadcast, head, None, Millis::new(1));
        assert!(lost.ends_with("\"messages\":[],\"recovered\":false}"), "{lost}");
    }
}
