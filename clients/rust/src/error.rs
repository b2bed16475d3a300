//! The errors of this kit. Each kind needs another reaction.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// The reaction that an [`Error`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request has no access token of a live session. The user has to sign in.
    NoSession,
    /// Another site may have caused this request by cookie. The session was not looked up.
    CrossSiteRequest,
    /// The session is live, and a [`SessionLayer`](crate::SessionLayer) requires a second factor or a more recent authentication.
    ReauthenticationRequired,
    /// The application cannot call Holdfast as it is configured: address, Region, credentials or IAM rights. A retry does not help.
    Configuration,
    /// Holdfast cannot answer now, so nothing is known about the session. It is never the same as signed out.
    Unavailable,
    /// Holdfast refuses the call itself. The code and the detail say why.
    Refused,
}

/// Holdfast, or this kit, refuses a call. No error holds a token, a credential or a body.
#[derive(Clone)]
pub struct Error(Box<Fields>);

#[derive(Clone, Debug)]
struct Fields {
    kind: ErrorKind,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    status: Option<StatusCode>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    idempotency_key: Option<String>,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self(Box::new(Fields {
            kind,
            code,
            detail,
            status: None,
            request_id: None,
            retry_after: None,
            idempotency_key: None,
        }))
    }

    pub(crate) fn no_session() -> Self {
        Self::new(ErrorKind::NoSession, "UNAUTHENTICATED", "The request has no access token of a live session.")
    }

    pub(crate) fn configuration(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Configuration, code, detail)
    }

    pub(crate) fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, code, detail)
    }

    /// An answer of another form is no statement about the session.
    pub(crate) fn unexpected(path: &str) -> Self {
        Self::unavailable(
            "UNEXPECTED_ANSWER",
            format!("The answer to POST {path} does not have the form of docs/api.md."),
        )
    }

    pub(crate) fn answered(
        mut self,
        status: StatusCode,
        request_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        self.0.status = Some(status);
        self.0.request_id = request_id;
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_idempotency_key(mut self, key: &str) -> Self {
        self.0.idempotency_key = Some(key.to_owned());
        self
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The status for the application's own answer: 401, 403, 500 or 503.
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        match self.0.kind {
            ErrorKind::NoSession => StatusCode::UNAUTHORIZED,
            ErrorKind::CrossSiteRequest | ErrorKind::ReauthenticationRequired => StatusCode::FORBIDDEN,
            ErrorKind::Configuration | ErrorKind::Refused => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A code of docs/api.md, a code of this kit, or `HTTP_<status>` if the answer is not Holdfast's own.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What failed, for people and logs.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The status of Holdfast's answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The id of the request in the logs of Holdfast, if an answer came.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The time that Holdfast asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The key of a `publish` that failed. Repeat the call with this key.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.detail, self.0.code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}
