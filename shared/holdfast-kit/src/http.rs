//! The HTTP edge: API Gateway's event in, `application/json` or `application/problem+json` out.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_domain::{Code, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Bodies of every route but the publisher's (contract §2).
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A request, with only what handlers may look at.
#[derive(Clone, Debug, Default)]
pub struct Request {
    id: String,
    method: String,
    path: String,
    route: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    path_parameters: Vec<(String, String)>,
    source_ip: String,
    body: Vec<u8>,
    body_is_readable: bool,
    /// ARN of the caller whom API Gateway authenticated by IAM.
    iam_caller: Option<String>,
    /// `ALLOWED_ORIGINS`.
    origins: Arc<[String]>,
}

impl Request {
    /// Reads API Gateway's event (payload format 2.0).
    pub fn from_event(event: ApiGatewayV2httpRequest) -> Self {
        let context = event.request_context;
        let (body, body_is_readable) = match (event.body, event.is_base64_encoded) {
            (None, _) => (Vec::new(), true),
            (Some(text), false) => (text.into_bytes(), true),
            (Some(text), true) => match STANDARD.decode(text) {
                Ok(bytes) => (bytes, true),
                Err(_) => (Vec::new(), false),
            },
        };
        let mut headers: Vec<_> = event
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_ascii_lowercase(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        // API Gateway takes cookies out of the headers; the local cloud leaves them there.
        if let Some(cookies) = event.cookies.filter(|cookies| !cookies.is_empty()) {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        let iam_caller = context.authorizer.and_then(|a| a.iam).and_then(|iam| iam.user_arn);
        Self {
            id: context.request_id.unwrap_or_default(),
            method: context.http.method.to_string(),
            path: event.raw_path.or(context.http.path).unwrap_or_default(),
            route: event.route_key.unwrap_or_default(),
            headers,
            query: event.query_string_parameters.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            path_parameters: event.path_parameters.into_iter().collect(),
            source_ip: context.http.source_ip.unwrap_or_default(),
            body,
            body_is_readable,
            iam_caller,
            origins: Arc::default(),
        }
    }

    /// The origins that browsers may call from.
    #[must_use]
    pub fn allowing(mut self, origins: Arc<[String]>) -> Self {
        self.origins = origins;
        self
    }

    /// The origins that browsers may call from.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The request's id, also in `X-Request-Id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `GET`, `POST`, …
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path as requested.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The route's template: a path may hold what must not be logged, its template cannot.
    pub(crate) fn path_for_log(&self) -> String {
        self.route.clone()
    }

    /// A header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A path parameter.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    /// A query parameter. A repeated one arrives joined by commas and so fails whatever it is parsed as.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// `true`, `false` or absent.
    pub fn query_flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.query(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => {
                Err(Failure::new(Code::InvalidRequest, format!("Query parameter `{name}` must be true or false.")))
            }
        }
    }

    /// Source address as API Gateway saw it; forwarded headers are what the client wants us to believe.
    pub fn source_ip(&self) -> &str {
        &self.source_ip
    }

    /// The caller whom API Gateway authenticated by IAM.
    pub fn iam_caller(&self) -> Option<&str> {
        self.iam_caller.as_deref()
    }

    /// The access token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// The `ETag` version of `If-Match`; `*` is any. Anything else is refused.
    pub fn if_match(&self) -> Result<Option<u64>, Failure> {
        match self.header("if-match").map(str::trim) {
            None | Some("*") => Ok(None),
            Some(tag) => match tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map(str::parse) {
                Some(Ok(version)) => Ok(Some(version)),
                // A tag we never gave out matches nothing.
                _ => Err(Failure::new(Code::PreconditionFailed, "`If-Match` is not an `ETag` of this session.")),
            },
        }
    }

    /// The body as `T`: at most [`MAX_BODY_BYTES`], no unknown and no repeated fields.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.json_up_to(MAX_BODY_BYTES)
    }

    /// The body as `T` with a limit of its own.
    pub fn json_up_to<T: DeserializeOwned>(&self, max_bytes: usize) -> Result<T, Failure> {
        if self.body.len() > max_bytes {
            return Err(Failure::new(
                Code::PayloadTooLarge,
                format!("The body has {} bytes; {max_bytes} are accepted.", self.body.len()),
            ));
        }
        if !self.body_is_readable {
            return Err(Failure::new(Code::InvalidRequest, "The body is not readable."));
        }
        if !self.has_body() {
            return Err(Failure::new(Code::InvalidRequest, "A JSON body is required."));
        }
        serde_json::from_slice(&self.body).map_err(|error| Failure::new(Code::InvalidRequest, explain(&error)))
    }

    /// Whether anything was sent.
    pub fn has_body(&self) -> bool {
        !self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// For routes that take no body: none, or an empty object.
    pub fn no_body(&self) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        if !self.has_body() {
            return Ok(());
        }
        self.json::<Nothing>().map(|_| ())
    }
}

/// What serde says about a body, without the values in it: they may be passwords.
fn explain(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let at = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let field = |prefix: &str| {
                text.strip_prefix(prefix)
                    .and_then(|rest| rest.split('`').next())
                    .filter(|name| name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            };
            if let Some(name) = field("unknown field `") {
                return format!("Unknown field `{name}` at {at}.");
            }
            if let Some(name) = field("duplicate field `") {
                return format!("Field `{name}` is repeated at {at}.");
            }
            if let Some(name) = field("missing field `") {
                return format!("Field `{name}` is missing.");
            }
            format!("The body is JSON, but a value at {at} is not of the expected type.")
        }
        Category::Syntax | Category::Eof | Category::Io => format!("The body is not JSON ({at})."),
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    cookies: Vec<String>,
    body: Value,
    /// Sent instead of `body` where there is one.
    text: Option<String>,
}

impl Response {
    /// JSON with a status.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Failure> {
        let body =
            serde_json::to_value(body).map_err(|_| Failure::new(Code::Internal, "The answer could not be written."))?;
        Ok(Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            cookies: Vec::new(),
            body,
            text: None,
        })
    }

    /// JSON that is text already: a client's own numbers and field order, which a tree would not keep.
    pub fn json_text(status: u16, text: String) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            cookies: Vec::new(),
            body: Value::Null,
            text: Some(text),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a cookie: the value of one `Set-Cookie`.
    #[must_use]
    pub fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// The cookies, for tests.
    pub fn cookies(&self) -> &[String] {
        &self.cookies
    }

    /// RFC 9457.
    pub fn problem(failure: &Failure, request_id: &str) -> Self {
        let mut body = Map::new();
        body.insert("type".into(), format!("urn:holdfast:problem:{}", failure.code.text()).into());
        body.insert("title".into(), failure.code.title().into());
        body.insert("status".into(), failure.code.status().into());
        body.insert("code".into(), failure.code.text().into());
        body.insert("detail".into(), failure.detail.as_ref().into());
        body.insert("requestId".into(), request_id.into());
        let mut headers = Vec::new();
        if let Some(seconds) = failure.retry_after_seconds {
            body.insert("retryAfterSeconds".into(), seconds.into());
            headers.push(("retry-after", seconds.to_string()));
        }
        if let Some(left) = failure.attempts_remaining {
            body.insert("attemptsRemaining".into(), left.into());
        }
        if failure.code == Code::Unauthenticated {
            headers.push(("www-authenticate", "Bearer".to_owned()));
        }
        let body = Value::Object(body);
        Self {
            status: failure.code.status(),
            content_type: "application/problem+json",
            headers,
            cookies: Vec::new(),
            body,
            text: None,
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// A header, for tests.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// API Gateway's payload format 2.0.
    pub fn into_event(self, request_id: &str) -> Value {
        let mut headers = Map::new();
        headers.insert("content-type".into(), self.content_type.into());
        headers.insert("cache-control".into(), "no-store".into());
        headers.insert("x-request-id".into(), request_id.into());
        headers.insert("x-content-type-options".into(), "nosniff".into());
        for (name, value) in self.headers {
            headers.insert(name.into(), value.into());
        }
        let mut event = json!({
            "statusCode": self.status,
            "headers": headers,
            "body": self.text.unwrap_or_else(|| self.body.to_string()),
            "isBase64Encoded": false,
        });
        if !self.cookies.is_empty() {
            event["cookies"] = self.cookies.into();
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Login {
        email: String,
        #[serde(default)]
        stay_signed_in: Option<bool>,
    }

    fn request(event: &Value) -> Request {
        Request::from_event(serde_json::from_value(event.clone()).unwrap())
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
        assert_eq!(refusal(r#"{"email":"a","password":"hunter2"}"#), "Unknown field `password` at line 1, column 23.");
        assert_eq!(refusal(r#"{"email":"a","email":"b"}"#), "Field `email` is repeated at line 1, column 20.");
        assert_eq!(refusal("{}"), "Field `email` is missing.");
        assert!(refusal(r#"{"email":"a","staySignedIn":"hunter2"}"#).contains("not of the expected type"));
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
    fn bodies_are_bounded() {
        let body = format!(r#"{{"email":"{}"}}"#, "a".repeat(MAX_BODY_BYTES));
        assert_eq!(request(&event(&body)).json::<Login>().unwrap_err().code, Code::PayloadTooLarge);
    }

    #[test]
    fn a_deep_body_is_refused_and_never_followed() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = format!(r#"{{"email":{}1{}}}"#, open.repeat(2_000), close.repeat(2_000));
            assert!(refusal(&deep).contains("not"), "{open}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_body_holds_it_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut encoded = event(&STANDARD.encode(&bytes));
            encoded["isBase64Encoded"] = true.into();
            if let Err(failure) = request(&encoded).json::<Login>() {
                proptest::prop_assert_eq!(failure.code, Code::InvalidRequest);
            }
        }
    }

    #[test]
    fn base64_that_is_none_is_refused() {
        let mut event = event("%%%");
        event["isBase64Encoded"] = true.into();
        assert_eq!(request(&event).json::<Login>().unwrap_err().code, Code::InvalidRequest);
    }

    #[test]
    fn the_source_address_is_the_gateways_and_the_scheme_is_any_case() {
        let request = request(&event("{}"));
        assert_eq!(request.source_ip(), "192.0.2.1");
        assert_eq!(request.bearer(), Some("hf1.x"));
    }

    #[test]
    fn problems_are_rfc_9457() {
        let failure = Failure::new(Code::TooManyAttempts, "wait").retry_after(9);
        let event = Response::problem(&failure, "r-1").into_event("r-1");
        assert_eq!(event["statusCode"], 429);
        assert_eq!(event["headers"]["content-type"], "application/problem+json");
        assert_eq!(event["headers"]["cache-control"], "no-store");
        assert_eq!(event["headers"]["retry-after"], "9");
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            body,
            json!({"type":"urn:holdfast:problem:TOO_MANY_ATTEMPTS","title":"Too many attempts","status":429,
                   "code":"TOO_MANY_ATTEMPTS","detail":"wait","requestId":"r-1","retryAfterSeconds":9})
        );
    }

    #[test]
    fn an_etag_we_never_gave_matches_nothing() {
        let mut event = event("{}");
        for (value, expected) in [("\"7\"", Ok(Some(7))), ("*", Ok(None)), ("W/\"7\"", Err(())), ("7", Err(()))] {
            event["headers"]["If-Match"] = value.into();
            assert_eq!(request(&event).if_match().map_err(|f| assert_eq!(f.code, Code::PreconditionFailed)), expected);
        }
    }
}
