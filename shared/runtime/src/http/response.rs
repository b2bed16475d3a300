//! What a handler answers: a response, or a failure that becomes a problem document (RFC 9457).

use std::borrow::Cow;

use holdfast_sessions::{Code, Failure};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::problem;

/// The response of a handler, before it is written as an event.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    cookies: Vec<String>,
    body: String,
}

/// What a function returns to API Gateway, in its payload format 2.0.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiGatewayResponse {
    status_code: u16,
    #[serde(serialize_with = "as_object")]
    headers: Vec<(&'static str, Cow<'static, str>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

fn as_object<S: Serializer>(headers: &[(&'static str, Cow<'static, str>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

impl Response {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, headers: Vec::new(), cookies: Vec::new(), body }
    }

    /// JSON with a status.
    ///
    /// # Errors
    /// Fails when the value cannot be written as JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Failure> {
        let unwritten = || Failure::new(Code::Internal, "The answer could not be written.");
        // A session fits in, so its text does not grow step by step.
        let mut text = Vec::with_capacity(1_024);
        serde_json::to_writer(&mut text, body).map_err(|_| unwritten())?;
        Ok(Self::json_text(status, String::from_utf8(text).map_err(|_| unwritten())?))
    }

    /// JSON that is text already: a client's own numbers and field order, which a tree would not keep.
    pub fn json_text(status: u16, text: String) -> Self {
        Self::new(status, "application/json", text)
    }

    /// The status 204, with headers and without a body.
    pub fn no_content() -> Self {
        Self::new(204, "", String::new())
    }

    /// The same response with another status.
    #[must_use]
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Sets a header. A later value replaces an earlier one.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(earlier, _)| *earlier != name);
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

    /// A problem document (RFC 9457).
    pub fn problem(failure: &Failure, request_id: &str) -> Self {
        let mut body = Map::new();
        body.insert("type".into(), format!("urn:holdfast:problem:{}", failure.code.as_str()).into());
        body.insert("title".into(), problem::title(failure.code).into());
        body.insert("status".into(), problem::status(failure.code).into());
        body.insert("code".into(), failure.code.as_str().into());
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
        let body = Value::Object(body).to_string();
        Self { headers, ..Self::new(problem::status(failure.code), "application/problem+json", body) }
    }

    /// The status of the response.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, for tests.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// The same answer without its body, as `HEAD` gets it (RFC 9110 §9.3.2).
    #[must_use]
    pub(crate) fn without_body(self) -> Self {
        Self { body: String::new(), ..self }
    }

    /// API Gateway's payload format 2.0.
    pub(crate) fn into_event(self, request_id: &str) -> ApiGatewayResponse {
        let mut headers = Vec::with_capacity(4 + self.headers.len());
        if !self.content_type.is_empty() {
            headers.push(("content-type", self.content_type.into()));
        }
        headers.push(("cache-control", "no-store".into()));
        headers.push(("x-request-id", request_id.to_owned().into()));
        headers.push(("x-content-type-options", "nosniff".into()));
        headers.extend(self.headers.into_iter().map(|(name, value)| (name, value.into())));
        ApiGatewayResponse {
            status_code: self.status,
            headers,
            cookies: self.cookies,
            body: self.body,
            is_base64_encoded: false,
        }
    }
}

/// A failure as an HTTP response: what failed, and what the response carries besides the problem document.
///
/// Handlers that need neither headers nor cookies on their failures return [`Failure`] itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The failure that is answered.
    pub failure: Failure,
    pub(crate) expire_tokens: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Self { failure, expire_tokens: false, headers: Vec::new() }
    }
}

impl Rejection {
    /// Also expires the cookies of the access and the refresh token in the browser. The cookie of a trusted device stays.
    ///
    /// Requests from a foreign `Origin` do not get these cookies: otherwise a form on another site could sign the
    /// visitor out.
    #[must_use]
    pub fn expiring_tokens(mut self) -> Self {
        self.expire_tokens = true;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
impl Response {
    /// The body as its text.
    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    /// The body, which must be JSON.
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The answer as API Gateway reads it.
    fn sent(response: Response) -> Value {
        serde_json::to_value(response.into_event("r-1")).unwrap()
    }

    #[test]
    fn a_response_says_what_it_was_made_of() {
        let response = Response::json(201, &json!({"a": 1})).unwrap();
        let response = response.with_header("etag", "\"7\"").with_header("location", "/x").with_cookie("a=b".into());
        assert_eq!(
            (response.status(), response.body(), response.cookies()),
            (201, json!({"a": 1}), &["a=b".to_owned()][..])
        );
        assert_eq!((response.header("location"), response.header("allow")), (Some("/x"), None));
        let event = sent(response);
        assert_eq!((&event["statusCode"], &event["body"]), (&json!(201), &json!("{\"a\":1}")));
        assert_eq!((&event["headers"]["etag"], &event["cookies"]), (&json!("\"7\""), &json!(["a=b"])));
        let text = sent(Response::json_text(200, "{\"b\":1.0,\"a\":2}".into()));
        assert_eq!(text["body"], "{\"b\":1.0,\"a\":2}");
        assert_eq!((&text["headers"]["content-type"], text.get("cookies")), (&json!("application/json"), None));
        let nothing = sent(Response::no_content());
        assert_eq!((&nothing["statusCode"], &nothing["body"]), (&json!(204), &json!("")));
        assert_eq!(nothing["headers"].get("content-type"), None);
    }

    #[test]
    fn a_header_is_sent_once_with_its_last_value() {
        let response =
            Response::no_content().with_header("etag", "1").with_header("allow", "GET").with_header("etag", "2");
        let text = serde_json::to_string(&response.into_event("r-1")).unwrap();
        assert_eq!(text.matches("etag").count(), 1, "{text}");
        assert!(text.contains(r#""etag":"2""#) && text.contains(r#""allow":"GET""#), "{text}");
    }

    /// Only `UNAUTHENTICATED` asks the client for a token (RFC 6750 §3).
    #[test]
    fn only_a_missing_token_is_asked_for() {
        for code in Code::ALL {
            let response = Response::problem(&Failure::new(*code, "x"), "r");
            let asked = (*code == Code::Unauthenticated).then_some("Bearer");
            assert_eq!(response.header("www-authenticate"), asked, "{code:?}");
            assert_eq!(
                response.header("retry-after").is_some(),
                matches!(problem::status(*code), 429 | 503),
                "{code:?}"
            );
        }
        let failure = Failure { attempts_remaining: Some(3), ..Failure::new(Code::InvalidMfaCode, "x") };
        assert_eq!(Response::problem(&failure, "r").body()["attemptsRemaining"], 3);
    }

    #[test]
    fn problems_are_rfc_9457() {
        let failure = Failure::new(Code::TooManyAttempts, "wait").retry_after(9);
        let event = sent(Response::problem(&failure, "r-1"));
        assert_eq!(event["statusCode"], 429);
        assert_eq!(event["headers"]["content-type"], "application/problem+json");
        assert_eq!(event["headers"]["cache-control"], "no-store");
        assert_eq!(event["headers"]["x-content-type-options"], "nosniff");
        assert_eq!(event["headers"]["retry-after"], "9");
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            body,
            json!({"type":"urn:holdfast:problem:TOO_MANY_ATTEMPTS","title":"Too many attempts","status":429,
                   "code":"TOO_MANY_ATTEMPTS","detail":"wait","requestId":"r-1","retryAfterSeconds":9})
        );
    }
}
