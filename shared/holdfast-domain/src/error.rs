//! Every way a request can fail: one table of code, status, title and metric.

use std::borrow::Cow;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// The `code` of a problem: what a client branches on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),* }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The text in the problem document, and the name of the metric that counts it.
            pub const fn text(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }

            /// The HTTP status it answers with.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status),* }
            }

            /// One short sentence for people; the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title),* }
            }
        }
    };
}

codes! {
    /// The request is not of the route's form.
    InvalidRequest = "INVALID_REQUEST", 400, "The request is not valid";
    /// No access token, or one that opens nothing.
    Unauthenticated = "UNAUTHENTICATED", 401, "A valid access token is required";
    /// Unknown e-mail, wrong password, inactive account: the same for all.
    InvalidCredentials = "INVALID_CREDENTIALS", 401, "The e-mail or the password is wrong";
    /// The refresh token opens nothing.
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", 401, "The refresh token is not valid";
    /// An older generation of a live session's refresh token: that session has been ended.
    RefreshTokenReused = "REFRESH_TOKEN_REUSED", 401, "The refresh token was used before; its session has been ended";
    /// The second factor did not match.
    InvalidMfaCode = "INVALID_MFA_CODE", 401, "The code is not valid";
    /// The second step was not taken in time, or was taken already.
    MfaExpired = "MFA_EXPIRED", 401, "The sign-in has expired; start again";
    /// The session is too old for this change.
    ReauthenticationRequired = "REAUTHENTICATION_REQUIRED", 403, "Sign in again to make this change";
    /// Accounts are not created here.
    RegistrationClosed = "REGISTRATION_CLOSED", 403, "Registration is closed";
    /// Known who, but not allowed.
    Forbidden = "FORBIDDEN", 403, "Not allowed";
    /// No such thing for this caller.
    NotFound = "NOT_FOUND", 404, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, "Method not allowed";
    /// The e-mail has an account.
    EmailTaken = "EMAIL_TAKEN", 409, "The e-mail is already registered";
    /// MFA is on already.
    MfaAlreadyEnabled = "MFA_ALREADY_ENABLED", 409, "MFA is already enabled";
    /// `If-Match` names another version.
    PreconditionFailed = "PRECONDITION_FAILED", 412, "The session has changed since it was read";
    /// Body or data over the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413, "The request is too large";
    /// The attempt budget is spent.
    TooManyAttempts = "TOO_MANY_ATTEMPTS", 429, "Too many attempts";
    /// A defect of ours.
    Internal = "INTERNAL", 500, "Something went wrong on our side";
    /// A store cannot be reached: never a guess.
    Unavailable = "UNAVAILABLE", 503, "Temporarily unavailable";
    /// One channel is written faster than it can be ordered.
    ChannelBusy = "CHANNEL_BUSY", 503, "The channel is written too fast";
}

/// A failed request: what the client is told, and nothing it must not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to branch on.
    pub code: Code,
    /// What happened this time and what to do about it. Never holds a secret.
    pub detail: Cow<'static, str>,
    /// When to try again, for 429 and 503.
    pub retry_after_seconds: Option<u32>,
    /// Tries left at this second factor.
    pub attempts_remaining: Option<u8>,
}

impl Failure {
    /// A failure with its explanation.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_seconds = matches!(code.status(), 429 | 503).then_some(1);
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
        Self::new(Code::Unauthenticated, "Send a live access token as `Authorization: Bearer …`, or sign in again.")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.text(), self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_text_and_an_error_status() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.text()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|c| (400..600).contains(&c.status())));
    }

    /// The page that clients are written from: its table has every code with its status, and no other.
    #[test]
    fn the_codes_and_statuses_are_those_of_the_page() {
        let page = include_str!("../../../docs/api.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| status | code |")).skip(2);
        let documented: Vec<(u16, &str)> = rows
            .take_while(|line| line.starts_with('|'))
            .map(|row| {
                let cells: Vec<_> = row.split('|').map(str::trim).collect();
                (cells[1].parse().unwrap(), cells[2].trim_matches('`'))
            })
            .collect();
        let coded: Vec<(u16, &str)> = Code::ALL.iter().map(|code| (code.status(), code.text())).collect();
        assert_eq!(coded, documented);
    }

    #[test]
    fn every_code_has_a_title_of_its_own() {
        let mut titles: Vec<_> = Code::ALL.iter().map(|code| code.title()).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Code::ALL.len());
        assert!(titles.iter().all(|title| title.len() > 8 && !title.ends_with('.')), "{titles:?}");
    }

    #[test]
    fn what_may_be_retried_says_when() {
        for code in Code::ALL {
            let says = Failure::new(*code, "").retry_after_seconds.is_some();
            assert_eq!(says, matches!(code.status(), 429 | 503), "{code:?}");
        }
    }
}
