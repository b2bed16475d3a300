//! Why a sign-in ends without a session.

use holdfast_client::{Error, ErrorKind};
use serde_json::json;

use crate::http::Answer;

/// A sign-in ends without a session. The detail is for the log only.
#[derive(Clone, Debug)]
pub struct Refusal {
    kind: Kind,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    InvalidRequest,
    NotFound,
    StartAgain,
    Denied,
    AccountDisabled,
    Unavailable,
    Configuration,
}

impl Refusal {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, detail)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(Kind::NotFound, "There is no such route.")
    }

    /// This browser did not begin the sign-in, began it too long ago, or has ended it already.
    pub(crate) fn start_again(detail: impl Into<String>) -> Self {
        Self::new(Kind::StartAgain, detail)
    }

    /// The provider, or what it says about the user, does not sign the user in.
    pub(crate) fn denied(detail: impl Into<String>) -> Self {
        Self::new(Kind::Denied, detail)
    }

    /// The provider or Holdfast does not answer now. Nothing is known about the user.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    pub(crate) fn configuration(detail: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, detail)
    }

    /// The code and the status of the answer, and a sentence for the user.
    fn shown(&self) -> (u16, &'static str, &'static str) {
        match self.kind {
            Kind::InvalidRequest => (400, "INVALID_REQUEST", "The parameters of this address are not valid."),
            Kind::NotFound => (404, "NOT_FOUND", "There is no such route."),
            Kind::StartAgain => (400, "SIGN_IN_EXPIRED", "This sign-in has ended. Start again at /login."),
            Kind::Denied => (403, "SIGN_IN_REFUSED", "The identity provider did not sign you in."),
            Kind::AccountDisabled => (403, "ACCOUNT_DISABLED", "This account is disabled."),
            Kind::Unavailable => (503, "UNAVAILABLE", "The sign-in does not work at the moment. Try again."),
            Kind::Configuration => (500, "INTERNAL", "The sign-in is not set up correctly."),
        }
    }

    pub(crate) fn answer(&self, request_id: &str) -> Answer {
        let (status, code, detail) = self.shown();
        let document = json!({
            "type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, "requestId": request_id,
        });
        let answer = Answer::new(status).body("application/problem+json", document.to_string());
        if status == 503 { answer.header("retry-after", "5") } else { answer }
    }

    /// One line for the log. A caller's own mistakes are not worth one.
    pub(crate) fn log(&self, request_id: &str) {
        let (status, code, _) = self.shown();
        if status >= 403 && status != 404 {
            let level = if status >= 500 { "ERROR" } else { "WARN" };
            let detail: String = self.detail.chars().take(300).collect();
            let line =
                json!({"level": level, "message": detail, "code": code, "status": status, "requestId": request_id});
            println!("{line}");
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unavailable => Kind::Unavailable,
            ErrorKind::Refused if error.code() == "ACCOUNT_DISABLED" => Kind::AccountDisabled,
            _ => Kind::Configuration,
        };
        Self::new(kind, error.to_string())
    }
}
