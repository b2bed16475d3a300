//! A REQUEST authorizer's event and answer. Read by hand: an event that is not understood is refused, and must not fail.

use holdfast_push::service::Admission;
use serde_json::{Value, json};

/// A header, whatever its case.
pub(crate) fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let headers = event.get("headers")?.as_object()?;
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
}

/// A query parameter.
pub(crate) fn query<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
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

/// Go on; every later frame of the socket carries the context.
pub(crate) fn allow(event: &Value, admission: &Admission) -> Value {
    let (user, slot) = (admission.at.user.to_string(), admission.at.slot.to_string());
    let context = json!({"userId": user, "slot": slot, "sid": admission.sid.to_string()});
    answer(event, &user, "Allow", context)
}

/// API Gateway answers 403.
pub(crate) fn deny(event: &Value) -> Value {
    answer(event, "anonymous", "Deny", json!({}))
}

#[cfg(test)]
mod tests {
    use holdfast_domain::token::Address;
    use holdfast_domain::{SessionId, SlotNo, UserId};

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

    #[test]
    fn an_event_that_is_not_understood_is_refused() {
        for event in [json!(null), json!({}), json!({"headers": null, "queryStringParameters": null})] {
            assert_eq!((header(&event, "origin"), query(&event, "ticket")), (None, None));
            assert_eq!(deny(&event)["policyDocument"]["Statement"][0]["Effect"], "Deny");
        }
    }
}
