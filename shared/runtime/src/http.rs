//! The HTTP edge: API Gateway's event in, `application/json` or `application/problem+json` out.

mod body;
mod etag;
pub(crate) mod event;
mod headers;
pub(crate) mod lenient;
pub(crate) mod payload;
pub mod problem;
pub(crate) mod proxy;
mod query;
mod response;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_sessions::{Code, Failure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use event::{Body, Event};
use headers::Headers;
use lenient::Text;
pub(crate) use response::ApiGatewayResponse;
pub use response::{Rejection, Response};

/// Room for the headers of a request. More is allocated where they need it.
const HEADER_BYTES: usize = 1_024;

/// The largest body of every route but the publisher's, in bytes (docs/api.md).
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A request, with only what handlers may read. Clones share it.
///
/// A handler identifies the caller first and then calls [`Request::json`] or [`Request::no_body`]: both also refuse a
/// query that the route does not take. So the caller is always checked before the form of the request.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Request(Arc<Parts>);

#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
struct Parts {
    id: String,
    method: String,
    path: String,
    route: String,
    headers: Headers,
    query: Result<Vec<(String, String)>, Failure>,
    path_parameters: Vec<(String, String)>,
    source_ip: String,
    /// Absent where it cannot be decoded.
    body: Option<Vec<u8>>,
    /// ARN of the caller whom API Gateway authenticated by IAM.
    iam_caller: Option<String>,
    is_direct: bool,
    /// The payload of an invocation without API Gateway, for routes that can be invoked directly.
    payload: Option<Vec<u8>>,
    /// The allowed origins (`ALLOWED_ORIGINS`).
    origins: Arc<[String]>,
}

/// Headers and body hold secrets; a debug print shows neither.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("id", &self.0.id).field("route", &self.0.route).finish_non_exhaustive()
    }
}

impl Request {
    /// Reads API Gateway's event (payload format 2.0). `invocation_id` is the request's id where the event has none, and
    /// `parameters` are the names of the query parameters that the route takes.
    pub(crate) fn from_payload(event: Event<'_>, invocation_id: &str, parameters: &[&str]) -> Self {
        let owned = |text: Text<'_>| text.0.map(Cow::into_owned);
        let body = match event.body {
            Body::None => Some(Vec::new()),
            Body::Text(encoded) if event.is_base64.0 => STANDARD.decode(&*encoded).ok(),
            Body::Text(text) => Some(text.into_owned().into_bytes()),
            Body::Other => None,
        };
        let mut headers = Headers::with_capacity(event.headers.0.len() + event.cookies.0.len(), HEADER_BYTES);
        for (name, values) in event.headers.0 {
            if let Some(value) = values.joined() {
                headers.push(&name, &value);
            }
        }
        // API Gateway takes cookies out of the headers; the local cloud leaves them there.
        for cookie in event.cookies.0 {
            headers.push("cookie", &cookie);
        }
        let query = match event.raw_query.0 {
            Some(raw) => query::parse(&raw, parameters),
            None => query::check(event.query.texts().collect(), parameters),
        };
        let context = event.context;
        let id = context.request_id.0.filter(|id| is_usable_id(id));
        Self(Arc::new(Parts {
            id: id.map_or_else(|| invocation_id.to_owned(), Cow::into_owned),
            method: owned(context.http.method).unwrap_or_default(),
            path: owned(event.raw_path).or_else(|| owned(context.http.path)).unwrap_or_default(),
            route: owned(event.route_key).unwrap_or_default(),
            headers,
            query,
            path_parameters: event.path_parameters.texts().collect(),
            source_ip: owned(context.http.source_ip).unwrap_or_default(),
            body,
            iam_caller: owned(context.user_arn),
            is_direct: !event.has_context,
            payload: None,
            origins: Arc::default(),
        }))
    }

    /// A request of a route that takes no query, as a test builds it.
    pub fn from_event(event: &Value) -> Self {
        Self::from_text(&event.to_string(), "invocation", &[])
    }

    /// The same from the text of an event. What is not JSON is as an event without fields.
    pub(crate) fn from_text(text: &str, invocation_id: &str, parameters: &[&str]) -> Self {
        Event::with(text, |event| Self::from_payload(event, invocation_id, parameters))
            .unwrap_or_else(|| Self::from_payload(Event::default(), invocation_id, parameters))
    }

    /// The same request with other parts.
    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The origins that browsers may call from.
    #[must_use]
    pub(crate) fn allowing(self, origins: Arc<[String]>) -> Self {
        self.with(|parts| parts.origins = origins)
    }

    /// The text of the event. It is the body of a request that comes without API Gateway.
    #[must_use]
    pub(crate) fn invoked_with(self, payload: &str) -> Self {
        self.with(|parts| parts.payload = parts.is_direct.then(|| payload.as_bytes().to_vec()))
    }

    /// The client's address, where a trusted proxy says it.
    #[must_use]
    pub(crate) fn seen_from(self, address: Option<String>) -> Self {
        match address {
            Some(address) => self.with(|parts| parts.source_ip = address),
            None => self,
        }
    }

    /// The origins that browsers may call from.
    pub(crate) fn origins(&self) -> &[String] {
        &self.0.origins
    }

    /// The request's id, also in `X-Request-Id`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// `GET`, `POST`, …
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// The path as requested.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The route's template: a path may hold what must not be logged, its template cannot.
    pub(crate) fn route(&self) -> &str {
        &self.0.route
    }

    /// Whether the function was invoked without API Gateway. IAM decides who may do that.
    pub fn is_direct(&self) -> bool {
        self.0.is_direct
    }

    /// A header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of a lower-case name.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.headers.of(name)
    }

    /// A path parameter.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.0.path_parameters.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    /// A query parameter that the route takes (`boot::http_with_query`).
    pub fn query(&self, name: &str) -> Option<&str> {
        self.0.query.as_ref().ok()?.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// `true`, `false` or absent.
    ///
    /// # Errors
    /// Refuses any other value, and any query that the route does not take.
    pub fn query_flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.only_known_query()?;
        match self.query(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(invalid(format!("Query parameter `{name}` must be true or false."))),
        }
    }

    /// Refuses a query with parameters that the route does not take, or takes once.
    pub(crate) fn only_known_query(&self) -> Result<(), Failure> {
        self.0.query.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// The client's address: what API Gateway saw, or with `TRUSTED_PROXY` what the content delivery network saw.
    /// `X-Forwarded-For` is never read.
    pub fn source_ip(&self) -> &str {
        &self.0.source_ip
    }

    /// The caller whom API Gateway authenticated by IAM.
    pub fn iam_caller(&self) -> Option<&str> {
        self.0.iam_caller.as_deref()
    }

    /// The access token of `Authorization: Bearer …` (RFC 6750 §2.1).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, rest) = self.header("authorization")?.trim_matches([' ', '\t']).split_once(' ')?;
        let token = rest.trim_start_matches(' ');
        // Two credentials in one header have a comma or a space between them, which no token has.
        let (text, padding) = token.split_at(token.find('=').unwrap_or(token.len()));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let well_formed = !text.is_empty() && text.chars().all(plain) && padding.chars().all(|c| c == '=');
        (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
    }

    /// The versions that `If-Match` (RFC 9110 §13.1.1) names. Nothing means that any version will do: the header is
    /// absent or `*`. An empty list means that no version can match.
    ///
    /// # Errors
    /// Refuses a header that is not a list of entity tags.
    pub fn if_match(&self) -> Result<Option<Vec<u64>>, Failure> {
        let lines: Vec<_> = self.headers("if-match").collect();
        if lines.is_empty() { Ok(None) } else { etag::versions(&lines.join(",")) }
    }

    /// The body as `T`: at most [`MAX_BODY_BYTES`], no unknown and no repeated fields. A `null` is as if left out.
    ///
    /// # Errors
    /// Names the field that is wrong, and never repeats its value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.json_up_to(MAX_BODY_BYTES)
    }

    /// The body as `T`, for a route that IAM callers may also invoke directly: then the payload of the invocation is the
    /// body.
    ///
    /// # Errors
    /// As [`Request::json`].
    pub fn json_or_payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        match &self.0.payload {
            Some(payload) => self.clone().with(|parts| parts.body = Some(payload.clone())).json(),
            None => self.json(),
        }
    }

    /// The body as `T` with a limit of its own.
    ///
    /// # Errors
    /// As [`Request::json`].
    pub fn json_up_to<T: DeserializeOwned>(&self, max_bytes: usize) -> Result<T, Failure> {
        self.only_known_query()?;
        let body = self.0.body.as_deref().ok_or_else(|| invalid("The body cannot be decoded."))?;
        only_up_to(max_bytes, body)?;
        if !self.has_body() {
            return Err(invalid("A JSON body is required."));
        }
        body::read(body)
    }

    /// The body as `T`, where no body at all counts as `{}`.
    ///
    /// # Errors
    /// As [`Request::json`].
    pub fn json_or_empty<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.has_body() {
            return self.json();
        }
        self.only_known_query()?;
        body::read(b"{}")
    }

    /// Whether anything was sent.
    pub fn has_body(&self) -> bool {
        self.0.body.as_deref().is_none_or(|body| !body.iter().all(u8::is_ascii_whitespace))
    }

    /// For routes that take no body: none, or an empty object.
    ///
    /// # Errors
    /// As [`Request::json`].
    pub fn no_body(&self) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        if self.has_body() { self.json::<Nothing>().map(|_| ()) } else { self.only_known_query() }
    }
}

/// The payload of an invocation that takes no HTTP request, such as a command of an operator. It is read as strictly as a
/// body, and as its text: a parsed [`Value`] no longer shows that a field was repeated.
///
/// # Errors
/// As [`Request::json`].
pub fn read_payload<T: DeserializeOwned>(payload: &RawValue) -> Result<T, Failure> {
    let text = payload.get().as_bytes();
    only_up_to(MAX_BODY_BYTES, text)?;
    body::read(text)
}

fn only_up_to(max_bytes: usize, body: &[u8]) -> Result<(), Failure> {
    if body.len() <= max_bytes {
        return Ok(());
    }
    let detail = format!("The body has {} bytes; {max_bytes} are accepted.", body.len());
    Err(Failure::new(Code::PayloadTooLarge, detail))
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// Whether an id may be used in a header and in a log line.
fn is_usable_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
pub(crate) mod by_tree;

#[cfg(test)]
impl Request {
    /// Everything that was read, also what a log must not show.
    pub(crate) fn parts(&self) -> &impl fmt::Debug {
        &*self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Login {
        email: String,
        #[serde(default)]
        stay_signed_in: Option<bool>,
    }

    fn request(event: &Value) -> Request {
        Request::from_event(event)
    }

    fn event(body: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "POST /v1/auth/login", "rawPath": "/v1/auth/login", "rawQueryString": "",
            "headers": {"Authorization": "Bearer hf1.x", "X-Forwarded-For": "6.6.6.6"},
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": "$default", "requestId": "r-1",
                "http": {"method": "POST", "path": "/v1/auth/login", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
                "time": "", "timeEpoch": 0
            },
            "body": body, "isBase64Encoded": false
        })
    }

    fn refusal(body: &str) -> String {
        let failure = request(&event(body)).json::<Login>().unwrap_err();
        assert_eq!(failure.code, Code::InvalidRequest);
        failure.detail.into_owned()
    }

    #[test]
    fn bad_bodies_are_told_apart_without_repeating_their_values() {
        assert_eq!(refusal(r#"{"email":"a","password":"hunter2"}"#), "Unknown field `password`.");
        assert_eq!(refusal(r#"{"email":"a","email":"b"}"#), "Field `email` is repeated.");
        assert_eq!(refusal("{}"), "Field `email` is missing.");
        assert_eq!(refusal(r#"{"email":"a","staySignedIn":"hunter2"}"#), "`staySignedIn` must be a boolean.");
        assert!(refusal(r#"{"email":"#).contains("not JSON"));
        assert!(refusal("").contains("required"));
        assert!(refusal(r#"{"email":"a"} x"#).contains("not JSON"));
    }

    #[test]
    fn a_good_body_is_read() {
        let login: Login = request(&event(r#"{"email":"a","staySignedIn":true}"#)).json().unwrap();
        assert_eq!((login.email.as_str(), login.stay_signed_in), ("a", Some(true)));
    }

    #[test]
    fn an_empty_object_counts_as_no_body() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Refresh {
            #[serde(default)]
            token: Option<String>,
        }
        for body in ["", "  ", "{}", r#"{"token":null}"#] {
            assert_eq!(request(&event(body)).json_or_empty::<Refresh>().unwrap().token, None, "{body}");
        }
        assert_eq!(request(&event(r#"{"token":"t"}"#)).json_or_empty::<Refresh>().unwrap().token.as_deref(), Some("t"));
        for body in ["", " {} "] {
            assert_eq!(request(&event(body)).no_body(), Ok(()));
        }
        for body in ["[]", "x", r#"{"x":1}"#, r#"{"x":null}"#] {
            assert_eq!(request(&event(body)).no_body().map_err(|f| f.code), Err(Code::InvalidRequest), "{body}");
        }
    }

    #[test]
    fn a_request_says_where_it_goes_and_prints_no_secret() {
        let mut event = event("{}");
        event["pathParameters"] = json!({"sessionId": "abc", "channel": "broadcast"});
        event["headers"]["Cookie"] = "a=b; c=d".into();
        let read = request(&event);
        assert_eq!((read.method(), read.path(), read.route()), ("POST", "/v1/auth/login", "POST /v1/auth/login"));
        assert_eq!((read.path_parameter("sessionId"), read.path_parameter("channel")), ("abc", "broadcast"));
        assert_eq!(read.path_parameter("deviceId"), "");
        assert_eq!((read.cookie("c"), read.cookie("x")), (Some("d"), None));
        assert!(!read.is_direct() && request(&json!({})).is_direct());
        let printed = format!("{read:?}");
        assert!(printed.contains("r-1") && printed.contains("POST /v1/auth/login"), "{printed}");
        assert!(!printed.contains("hf1.x") && !printed.contains("a=b"), "{printed}");
    }

    #[test]
    fn bodies_are_bounded() {
        assert_eq!(MAX_BODY_BYTES, 16_384, "docs/api.md");
        let fits = format!(r#"{{"email":"{}"}}"#, "a".repeat(MAX_BODY_BYTES - 12));
        assert_eq!(fits.len(), MAX_BODY_BYTES);
        assert!(request(&event(&fits)).json::<Login>().is_ok());
        let body = format!(r#"{{"email":"{}"}}"#, "a".repeat(MAX_BODY_BYTES));
        assert_eq!(request(&event(&body)).json::<Login>().unwrap_err().code, Code::PayloadTooLarge);
        assert_eq!(request(&event(&body)).no_body().unwrap_err().code, Code::PayloadTooLarge);
    }

    #[test]
    fn the_payload_of_a_direct_invocation_is_the_body_where_a_route_allows_it() {
        let payload = r#"{"email":"a"}"#;
        let direct = request(&serde_json::from_str(payload).unwrap()).invoked_with(payload);
        assert_eq!(direct.json_or_payload::<Login>().unwrap().email, "a");
        assert_eq!(direct.json::<Login>().unwrap_err().code, Code::InvalidRequest, "only where a route allows it");
        for bad in [r#"{"email":"a","email":"b"}"#, r#"{"email":"a","x":1}"#, "[]", "null"] {
            let refused = request(&json!({})).invoked_with(bad).json_or_payload::<Login>().unwrap_err();
            assert_eq!(refused.code, Code::InvalidRequest, "{bad}");
        }
        let long = format!(r#"{{"email":"{}"}}"#, "a".repeat(MAX_BODY_BYTES));
        let refused = request(&json!({})).invoked_with(&long).json_or_payload::<Login>().unwrap_err();
        assert_eq!(refused.code, Code::PayloadTooLarge);
        // A request through API Gateway never reads its own event as a body.
        let through = request(&event(r#"{"email":"b"}"#)).invoked_with(payload);
        assert_eq!(through.json_or_payload::<Login>().unwrap().email, "b");
    }

    #[test]
    fn a_payload_is_read_as_strictly_as_a_body() {
        let read = |text: &str| read_payload::<Login>(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(read(r#"{"email":"a"}"#).unwrap().email, "a");
        for (bad, says) in [
            (r#"{"email":"a","email":"b"}"#, "Field `email` is repeated."),
            (r#"{"email":"a","x":1}"#, "Unknown field `x`."),
            ("[]", "The body must be a JSON object."),
        ] {
            let refused = read(bad).unwrap_err();
            assert_eq!((refused.code, &*refused.detail), (Code::InvalidRequest, says), "{bad}");
        }
        let sized = |bytes: usize| read(&format!(r#"{{"email":"{}"}}"#, "a".repeat(bytes - 12)));
        assert!(sized(MAX_BODY_BYTES).is_ok());
        assert_eq!(sized(MAX_BODY_BYTES + 1).unwrap_err().code, Code::PayloadTooLarge);
    }

    #[test]
    fn a_body_that_cannot_be_decoded_is_refused() {
        let mut event = event("%%%");
        event["isBase64Encoded"] = true.into();
        assert_eq!(request(&event).json::<Login>().unwrap_err().code, Code::InvalidRequest);
        event["body"] = json!({"email": "a"});
        assert_eq!(request(&event).no_body().unwrap_err().code, Code::InvalidRequest);
        event["body"] = STANDARD.encode(r#"{"email":"a"}"#).into();
        assert_eq!(request(&event).json::<Login>().unwrap().email, "a");
    }

    #[test]
    fn a_query_that_the_route_does_not_take_is_refused_wherever_the_form_is_read() {
        let mut event = event(r#"{"email":"a"}"#);
        event["rawQueryString"] = "x=1".into();
        let unknown = Request::from_event(&event);
        assert_eq!(unknown.json::<Login>().unwrap_err().code, Code::InvalidRequest);
        event["body"] = Value::Null;
        assert_eq!(Request::from_event(&event).no_body().unwrap_err().code, Code::InvalidRequest);
        let taken = Request::from_text(&event.to_string(), "i", &["x"]);
        assert_eq!((taken.no_body(), taken.query("x")), (Ok(()), Some("1")));
        assert_eq!(taken.query_flag("x").unwrap_err().detail, "Query parameter `x` must be true or false.");
        event["rawQueryString"] = "x=true".into();
        assert_eq!(Request::from_text(&event.to_string(), "i", &["x"]).query_flag("x"), Ok(Some(true)));
        event["rawQueryString"] = "x=false&x=true".into();
        assert!(Request::from_text(&event.to_string(), "i", &["x"]).query_flag("x").is_err());
    }

    #[test]
    fn an_event_with_odd_bytes_or_missing_parts_is_read_as_far_as_it_goes() {
        let mut odd = event("{}");
        odd["headers"] = json!({
            "user-agent": "\u{0}\u{1f}\u{7f}ÿ\n", "accept\u{7f}": "x", "": "", "x-number": 5, "x-null": null,
            "content-length": {"a": 1}, "if-match": "\"7\""
        });
        odd["cookies"] = json!([null, 5, {"a": 1}, "__Host-holdfast-access=t"]);
        odd["pathParameters"] = json!({"sessionId": ["a"], "channel": null});
        odd["stageVariables"] = Value::Null;
        let read = request(&odd);
        assert_eq!((read.if_match(), read.access_token()), (Ok(Some(vec![7])), Err(read.own_origin().unwrap_err())));
        assert_eq!(read.no_body(), Ok(()));
        for bare in [json!({}), json!([]), json!(null), json!("x"), json!({"requestContext": 5, "headers": "x"})] {
            let read = request(&bare);
            assert_eq!((read.id(), read.method(), read.has_body()), ("invocation", "", false), "{bare}");
        }
    }

    #[test]
    fn an_id_that_may_not_stand_in_a_header_is_replaced() {
        for id in [json!(""), json!("a b"), json!("a\r\nx: y"), json!("é"), json!("x".repeat(129)), json!(5)] {
            let mut event = event("{}");
            event["requestContext"]["requestId"] = id;
            assert_eq!(request(&event).id(), "invocation");
        }
        assert_eq!(request(&event("{}")).id(), "r-1");
    }

    #[test]
    fn the_source_address_is_the_gateways() {
        assert_eq!(request(&event("{}")).source_ip(), "192.0.2.1");
    }

    #[test]
    fn a_bearer_token_is_one_token() {
        let mut event = event("{}");
        for (value, expected) in [
            ("Bearer hf1.x", Some("hf1.x")),
            ("bEARER hf1.x", Some("hf1.x")),
            (" \tBearer   hf1.x\t ", Some("hf1.x")),
            ("Bearer a-b_c~d+e/f==", Some("a-b_c~d+e/f==")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer =", None),
            ("Bearer\thf1.x", None),
            ("Bearer \thf1.x", None),
            ("Bearer\u{a0}hf1.x", None),
            ("Bearer hf1.x, Bearer hf1.y", None),
            ("Bearer hf1.x,Bearer hf1.y", None),
            ("Bearer hf1.x hf1.y", None),
            ("Bearer hf1.x\u{0}", None),
            ("Bearer \"hf1.x\"", None),
            ("Bearer a=b", None),
            ("Basic hf1.x", None),
            ("hf1.x", None),
            ("", None),
        ] {
            event["headers"]["Authorization"] = value.into();
            assert_eq!(request(&event).bearer(), expected, "{value:?}");
        }
    }

    #[test]
    fn several_if_match_headers_are_one_list() {
        let mut event = event("{}");
        event["headers"]["If-Match"] = json!(["\"7\"", "\"8\""]);
        assert_eq!(request(&event).if_match(), Ok(Some(vec![7, 8])));
        event["headers"]["If-Match"] = "7".into();
        assert_eq!(request(&event).if_match().unwrap_err().code, Code::InvalidRequest);
    }
}
