//! Decides about a handshake by reading only: `Origin`, ticket, session. The ticket is spent by `$connect`.

use std::time::Duration;

use holdfast_push::ports::{Sockets, Tickets};
use holdfast_push::service::{Admission, ConnectRefusal, Connector};
use holdfast_push::ticket::{origin_allowed, presented};
use holdfast_push_wiring::{self as providers, LiveConnections, LiveSessionsTable};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{Clock, Rng, SessionReads};
use serde_json::{Value, json};

/// The dependencies of `push-authorizer`.
pub struct Deps<R, T, H> {
    pub(crate) door: Connector<R, T, (), (), H>,
    pub(crate) origins: Vec<String>,
}

impl Deps<LiveSessionsTable, LiveConnections, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let origins = env.list("ALLOWED_ORIGINS");
        let sdk = providers::sdk(env);
        Ok(Self { door: providers::admission(env, &sdk).await?, origins })
    }
}

/// Decides whether a handshake may continue.
pub async fn handle<R, T, H>(deps: &Deps<R, T, H>, event: Value, _budget: Duration) -> Result<Value, InvocationError>
where
    R: SessionReads,
    T: Tickets + Sockets,
    H: Clock + Rng,
{
    if !origin_allowed(header(&event, "origin"), &deps.origins) {
        metrics::count("SOCKET_REFUSED");
        tracing::info!(reason = "origin", "handshake refused");
        return Ok(deny(&event));
    }
    let ticket = presented(query(&event, "ticket"), header(&event, "sec-websocket-protocol"));
    match deps.door.admit(ticket).await {
        Ok(Ok(admission)) => Ok(allow(&event, &admission)),
        Ok(Err(refusal)) => {
            metrics::count("SOCKET_REFUSED");
            tracing::info!(reason = reason(refusal), "handshake refused");
            Ok(deny(&event))
        }
        // Not a refusal: nothing was decided. The client gets 500 and comes back, with the same ticket if it is quick.
        Err(error) => {
            tracing::error!(%error, "the handshake could not be judged");
            Err(InvocationError("a store cannot be reached"))
        }
    }
}

fn reason(refusal: ConnectRefusal) -> &'static str {
    match refusal {
        ConnectRefusal::Ticket => "ticket",
        ConnectRefusal::SessionOver => "session over",
        ConnectRefusal::HungUp => "hung up",
    }
}

/// Finds a header by its name in any case.
fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let headers = event.get("headers")?.as_object()?;
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
}

/// A query parameter.
fn query<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get("queryStringParameters")?.get(name)?.as_str()
}

fn answer(event: &Value, principal: &str, effect: &str, context: Value) -> Value {
    let arn = event.get("methodArn").and_then(Value::as_str).unwrap_or("*");
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}],
        },
        "context": context,
    })
}

/// The answer that allows the handshake. Every later frame of the socket carries its context.
fn allow(event: &Value, admission: &Admission) -> Value {
    let (user, slot) = (admission.at.user.to_string(), admission.at.slot.to_string());
    let context = json!({"userId": user, "slot": slot, "sid": admission.sid.to_string()});
    answer(event, &user, "Allow", context)
}

/// API Gateway answers 403.
fn deny(event: &Value) -> Value {
    answer(event, "anonymous", "Deny", json!({}))
}

#[cfg(test)]
mod tests {
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{SessionId, SlotNo, UserId};

    use super::*;

    #[test]
    fn the_context_is_made_of_strings() {
        let event = json!({"methodArn": "arn:aws:execute-api:r:a:api/v1/$connect"});
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(3).unwrap() };
        let answer = allow(&event, &Admission { at, sid: SessionId::from_bytes([2; 16]) });
        assert_eq!(answer["context"]["slot"], "3");
        assert!(answer["context"].as_object().unwrap().values().all(Value::is_string));
        assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
        assert_eq!(answer["policyDocument"]["Statement"][0]["Resource"], event["methodArn"]);
    }

    /// Runbooks search the log for these.
    #[test]
    fn each_refusal_has_a_reason_in_the_log() {
        let refusals = [ConnectRefusal::Ticket, ConnectRefusal::SessionOver, ConnectRefusal::HungUp];
        assert_eq!(refusals.map(reason), ["ticket", "session over", "hung up"]);
    }

    #[test]
    fn an_event_that_is_not_understood_is_refused() {
        for event in [json!(null), json!({}), json!({"headers": null, "queryStringParameters": null})] {
            assert_eq!((header(&event, "origin"), query(&event, "ticket")), (None, None));
            assert_eq!(deny(&event)["policyDocument"]["Statement"][0]["Effect"], "Deny");
        }
    }
}
