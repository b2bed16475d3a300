//! Every way a request can fail. How a protocol shows a code (status, title) is a table of that protocol's adapter.

use std::borrow::Cow;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// The `code` of a failure: what a client branches on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),* }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The text that clients see, and the name of the metric that counts it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// The request is not of the route's form.
    InvalidRequest = "INVALID_REQUEST";
    /// No access token, or one that opens nothing.
    Unauthenticated = "UNAUTHENTICATED";
    /// Unknown e-mail, wrong password, inactive account: the same for all.
    InvalidCredentials = "INVALID_CREDENTIALS";
    /// The refresh token opens nothing.
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN";
    /// An older generation of a live session's refresh token: that session has been ended.
    RefreshTokenReused = "REFRESH_TOKEN_REUSED";
    /// The second factor did not match.
    InvalidMfaCode = "INVALID_MFA_CODE";
    /// The second step was not taken in time, or was taken already.
    MfaExpired = "MFA_EXPIRED";
    /// The session is too old for this change.
    ReauthenticationRequired = "REAUTHENTICATION_REQUIRED";
    /// Accounts are not created here.
    RegistrationClosed = "REGISTRATION_CLOSED";
    /// The account of the identity may not be used.
    AccountDisabled = "ACCOUNT_DISABLED";
    /// Known who, but not allowed.
    Forbidden = "FORBIDDEN";
    /// No such thing for this caller.
    NotFound = "NOT_FOUND";
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED";
    /// The e-mail has an account.
    EmailTaken = "EMAIL_TAKEN";
    /// MFA is on already.
    MfaAlreadyEnabled = "MFA_ALREADY_ENABLED";
    /// The session is at another version than the one that was named.
    PreconditionFailed = "PRECONDITION_FAILED";
    /// Body or data over the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE";
    /// The attempt budget is spent.
    TooManyAttempts = "TOO_MANY_ATTEMPTS";
    /// A defect of ours.
    Internal = "INTERNAL";
    /// A store cannot be reached: never a guess.
    Unavailable = "UNAVAILABLE";
    /// One channel is written faster than it can be ordered.
    ChannelBusy = "CHANNEL_BUSY";
}

/// A failed request. It holds only what the client may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to branch on.
    pub code: Code,
    /// What happened this time and what to do about it. Never holds a secret.
    pub detail: Cow<'static, str>,
    /// When to try again, for a temporary failure.
    pub retry_after_seconds: Option<u32>,
    /// Tries left at this second factor.
    pub attempts_remaining: Option<u8>,
}

impl Code {
    /// Whether the same request may succeed later.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Code::TooManyAttempts | Code::Unavailable | Code::ChannelBusy)
    }
}

impl Failure {
    /// A failure with its explanation.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_seconds = code.is_temporary().then_some(1);
        Self { code, detail: detail.into(), retry_after_seconds, attempts_remaining: None }
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The one answer to a missing, malformed, unknown, ended or expired access token.
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Send the access token of a live session, or sign in again.")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_text() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn what_may_be_retried_says_when() {
        let retried: Vec<_> =
            Code::ALL.iter().filter(|code| Failure::new(**code, "").retry_after_seconds == Some(1)).collect();
        assert_eq!(retried, [&Code::TooManyAttempts, &Code::Unavailable, &Code::ChannelBusy]);
    }

    #[test]
    fn a_failure_is_told_by_its_code_and_its_detail() {
        assert_eq!(Failure::new(Code::NotFound, "No such thing.").to_string(), "NOT_FOUND: No such thing.");
    }
}
