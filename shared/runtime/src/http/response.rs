//! What a handler answers: a response, or a failure that becomes a problem document (RFC 9457).

use holdfast_sessions::{Code, Failure};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::problem;

/// The response of a handler, before it is written as an event.
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
    fn new(status: u16, content_type: &'static str, body: Value, text: Option<String>) -> Self {
        Self { status, content_type, headers: Vec::new(), cookies: Vec::new(), body, text }
    }

    /// JSON with a status.
    ///
    /// # Errors
    /// Fails when the value cannot be written as JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Failure> {
        let body =
            serde_json::to_value(body).map_err(|_| Failure::new(Code::Internal, "The answer could not be written."))?;
        Ok(Self::new(status, "application/json", body, None))
    }

    /// JSON that is text already: a client's own numbers and field order, which a tree would not keep.
    pub fn json_text(status: u16, text: String) -> Self {
        Self::new(status, "application/json", Value::Null, Some(text))
    }

    /// The status 204, with headers and without a body.
    pub fn no_content() -> Self {
        Self::new(204, "", Value::Null, Some(String::new()))
    }

    /// The same response with another status.
    #[must_use]
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
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
        let body = Value::Object(body);
        Self { headers, ..Self::new(problem::status(failure.code), "application/problem+json", body, None) }
    }

    /// The status of the response.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body of the response.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// A header, for tests.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// The same answer without its body, as `HEAD` gets it (RFC 9110 §9.3.2).
    #[must_use]
    pub(crate) fn without_body(self) -> Self {
        Self { text: Some(String::new()), ..self }
    }

    /// API Gateway's payload format 2.0.
    pub fn into_event(self, request_id: &str) -> Value {
        let mut headers = Map::new();
        if !self.content_type.is_empty() {
            headers.insert("content-type".into(), self.content_type.into());
        }
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
mod tests {
    use super::*;

    #[test]
    fn a_response_says_what_it_was_made_of() {
        let response = Response::json(201, &json!({"a": 1})).unwrap();
        let response = response.with_header("etag", "\"7\"").with_header("location", "/x").with_cookie("a=b".into());
        assert_eq!(
            (response.status(), response.body(), response.cookies()),
            (201, &json!({"a": 1}), &["a=b".to_owned()][..])
        );
        assert_eq!((response.header("location"), response.header("allow")), (Some("/x"), None));
        let event = response.into_event("r");
        assert_eq!((&event["statusCode"], &event["body"]), (&json!(201), &json!("{\"a\":1}")));
        assert_eq!((&event["headers"]["etag"], &event["cookies"]), (&json!("\"7\""), &json!(["a=b"])));
        let text = Response::json_text(200, "{\"b\":1.0,\"a\":2}".into()).into_event("r");
        assert_eq!(text["body"], "{\"b\":1.0,\"a\":2}");
        assert_eq!((&text["headers"]["content-type"], text.get("cookies")), (&json!("application/json"), None));
        let nothing = Response::no_content().into_event("r");
        assert_eq!((&nothing["statusCode"], &nothing["body"]), (&json!(204), &json!("")));
        assert_eq!(nothing["headers"].get("content-type"), None);
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
        let event = Response::problem(&failure, "r-1").into_event("r-1");
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
