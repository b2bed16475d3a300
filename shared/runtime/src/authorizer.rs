//! The events of Lambda authorizers, in the three forms in which API Gateway sends them, and their answers.
//!
//! HTTP APIs send payload format 2.0 and take a simple response. REST APIs (and HTTP APIs with payload format 1.0) send a
//! `REQUEST` event with the ARN of the method and take an IAM policy. WebSocket APIs do the same once, at the handshake.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::http::Request;
use crate::http::event::{Context, Event, Http};
use crate::http::lenient::{Fields, Text, Texts, Values};

/// The kind of API that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An HTTP API with payload format 2.0 and simple responses.
    Http,
    /// A REST API with an authorizer of the type `REQUEST`.
    Rest,
    /// The handshake of a WebSocket API.
    Socket,
}

/// A request that an API asks about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The kind of API that asks.
    pub form: Form,
    /// The parts of the request that identify its caller.
    pub request: Request,
    /// What a policy is about: every method of the API's stage.
    resource: String,
}

impl Asked {
    /// Reads the event of an authorizer. Browsers may call from `origins`. Nothing for an event of another kind.
    pub fn read(event: &RawValue, origins: Arc<[String]>) -> Option<Self> {
        Event::with(event.get(), |event| Self::of(event, origins))?
    }

    fn of(event: Event<'_>, origins: Arc<[String]>) -> Option<Self> {
        let form = match (event.version.0.as_deref(), &event.method_arn.0, event.kind.0.as_deref()) {
            (Some("2.0"), _, Some("REQUEST")) => Form::Http,
            (_, Some(_), Some("REQUEST")) if event.context.connection_id.0.is_some() => Form::Socket,
            (_, Some(_), Some("REQUEST")) => Form::Rest,
            _ => return None,
        };
        let resource = stage_of(event.method_arn.0.as_deref().unwrap_or_default());
        let event = if form == Form::Http { event } else { as_of_http_api(event, form) };
        Some(Self { form, request: Request::from_payload(event, "", &[]).allowing(origins), resource })
    }

    /// The answer that lets the request through. All values of `context` are texts, which every form of API takes.
    pub fn allowed(&self, principal: &str, context: Map<String, Value>) -> Value {
        self.answer(true, principal, context)
    }

    /// The answer that refuses the request, which API Gateway turns into 403. `code` says why to the API's access log.
    pub fn refused(&self, code: &str) -> Value {
        let context = Map::from_iter([("code".to_owned(), Value::from(code))]);
        self.answer(false, "anonymous", context)
    }

    fn answer(&self, is_allowed: bool, principal: &str, context: Map<String, Value>) -> Value {
        if self.form == Form::Http {
            return json!({"isAuthorized": is_allowed, "context": context});
        }
        let effect = if is_allowed { "Allow" } else { "Deny" };
        json!({
            "principalId": principal,
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": self.resource}],
            },
            "context": context,
        })
    }
}

/// An event of a REST or WebSocket API as an HTTP API sends it.
fn as_of_http_api(event: Event<'_>, form: Form) -> Event<'_> {
    // A handshake is a GET.
    let method = if form == Form::Socket { Text(Some("GET".into())) } else { event.http_method };
    // `headers` has the last value of each header only.
    let all = if event.multi_value_headers.0.is_empty() { event.headers } else { event.multi_value_headers };
    let (mut headers, mut cookies) = (Vec::with_capacity(all.0.len()), Vec::new());
    for (name, value) in all.0 {
        match value {
            value if !name.eq_ignore_ascii_case("cookie") => headers.push((name, value)),
            Values::None => {}
            Values::One(cookie) => cookies.push(cookie),
            Values::Several(all) => cookies.extend(all),
        }
    }
    let Context { request_id, identity_ip, .. } = event.context;
    let http = Http { method, path: event.path, source_ip: identity_ip };
    Event {
        has_context: true,
        headers: Fields(headers),
        cookies: Texts(cookies),
        context: Context { request_id, http, ..Context::default() },
        ..Event::default()
    }
}

/// `arn:aws:execute-api:<region>:<account>:<api>/<stage>/*` of the ARN of one of its methods. API Gateway applies a policy
/// that it caches to other methods, too (Developer Guide, "Output from an API Gateway Lambda authorizer"). Nothing is a
/// resource of an ARN of another form.
fn stage_of(method_arn: &str) -> String {
    let mut parts = method_arn.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(api), Some(stage), Some(_)) if api.contains(":execute-api:") && !stage.contains('*') => {
            format!("{api}/{stage}/*")
        }
        _ => method_arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(event: &Value) -> Option<Asked> {
        let raw = RawValue::from_string(event.to_string()).unwrap();
        Asked::read(&raw, ["https://app.example.com".to_owned()].into())
    }

    const ARN: &str = "arn:aws:execute-api:eu-central-1:111111111111:abc/prod/GET/orders/7";

    #[test]
    fn the_form_follows_from_the_event_and_no_other_event_is_read() {
        let http = json!({"version": "2.0", "type": "REQUEST", "routeArn": ARN, "requestContext": {"http": {"method": "GET"}}});
        let rest = json!({"type": "REQUEST", "methodArn": ARN, "httpMethod": "POST", "requestContext": {}});
        let first =
            json!({"version": "1.0", "type": "REQUEST", "methodArn": ARN, "httpMethod": "GET", "requestContext": {}});
        let socket = json!({"type": "REQUEST", "methodArn": ARN, "requestContext": {"connectionId": "c", "eventType": "CONNECT"}});
        for (event, form) in [(&http, Form::Http), (&rest, Form::Rest), (&first, Form::Rest), (&socket, Form::Socket)] {
            assert_eq!(asked(event).map(|asked| asked.form), Some(form), "{event}");
        }
        assert_eq!(asked(&rest).unwrap().request.method(), "POST");
        assert_eq!(asked(&socket).unwrap().request.method(), "GET");
        for event in [
            json!(null),
            json!({}),
            json!([]),
            json!({"type": "TOKEN", "methodArn": ARN, "authorizationToken": "Bearer x"}),
            json!({"version": "2.0", "routeKey": "GET /", "requestContext": {"http": {"method": "GET"}}}),
        ] {
            assert!(asked(&event).is_none(), "{event}");
        }
    }

    #[test]
    fn every_value_of_a_header_counts() {
        let event = json!({
            "type": "REQUEST", "methodArn": ARN, "httpMethod": "GET", "requestContext": {},
            "headers": {"Authorization": "Bearer b", "Cookie": "c=3"},
            "multiValueHeaders": {"Authorization": ["Bearer a", "Bearer b"], "cookie": ["a=1; b=2", "c=3"], "Origin": ["https://x"]},
        });
        let request = asked(&event).unwrap().request;
        assert_eq!(request.bearer(), None, "two credentials are none");
        assert_eq!((request.cookie("a"), request.cookie("b"), request.cookie("c")), (Some("1"), Some("2"), Some("3")));
        assert_eq!(request.header("origin"), Some("https://x"));
        let one = json!({"type": "REQUEST", "methodArn": ARN, "requestContext": {}, "headers": {"cookie": "a=1; b=2", "AUTHORIZATION": "Bearer t"}});
        let request = asked(&one).unwrap().request;
        assert_eq!((request.cookie("b"), request.bearer()), (Some("2"), Some("t")));
    }

    #[test]
    fn an_http_api_gets_a_simple_response_and_the_others_a_policy_for_their_stage() {
        let http = asked(&json!({"version": "2.0", "type": "REQUEST", "requestContext": {}})).unwrap();
        let context = Map::from_iter([("userId".to_owned(), json!("u"))]);
        assert_eq!(http.allowed("u", context.clone()), json!({"isAuthorized": true, "context": {"userId": "u"}}));
        assert_eq!(http.refused("FORBIDDEN"), json!({"isAuthorized": false, "context": {"code": "FORBIDDEN"}}));
        let rest = asked(&json!({"type": "REQUEST", "methodArn": ARN, "requestContext": {}})).unwrap();
        let allowed = rest.allowed("u", context);
        let statement = json!({
            "Action": "execute-api:Invoke", "Effect": "Allow",
            "Resource": "arn:aws:execute-api:eu-central-1:111111111111:abc/prod/*",
        });
        assert_eq!(
            (&allowed["principalId"], &allowed["policyDocument"]["Statement"]),
            (&json!("u"), &json!([statement]))
        );
        assert_eq!(allowed["context"], json!({"userId": "u"}));
        let denied = rest.refused("UNAUTHENTICATED");
        assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
    }

    #[test]
    fn a_policy_is_never_wider_than_the_stage() {
        for (arn, resource) in [
            ("arn:aws:execute-api:r:1:abc/v1/$connect", "arn:aws:execute-api:r:1:abc/v1/*"),
            ("arn:aws:execute-api:r:1:abc/v1/GET/", "arn:aws:execute-api:r:1:abc/v1/*"),
            ("arn:aws:execute-api:r:1:abc/*/GET/x", "arn:aws:execute-api:r:1:abc/*/GET/x"),
            ("arn:aws:execute-api:r:1:abc", "arn:aws:execute-api:r:1:abc"),
            ("a/b/c", "a/b/c"),
            ("", ""),
        ] {
            assert_eq!(stage_of(arn), resource, "{arn}");
        }
    }
}
