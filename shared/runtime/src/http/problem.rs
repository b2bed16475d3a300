//! How each code of a failure is shown over HTTP: its status and its title. The table of docs/api.md says the same.

use holdfast_sessions::Code;

/// The status and title of a code.
const fn row(code: Code) -> (u16, &'static str) {
    match code {
        Code::InvalidRequest => (400, "The request is not valid"),
        Code::Unauthenticated => (401, "A valid access token is required"),
        Code::InvalidCredentials => (401, "The e-mail or the password is wrong"),
        Code::InvalidRefreshToken => (401, "The refresh token is not valid"),
        Code::RefreshTokenReused => (401, "The refresh token was used before; its session has been ended"),
        Code::InvalidMfaCode => (401, "The code is not valid"),
        Code::MfaExpired => (401, "The sign-in has expired; start again"),
        Code::ReauthenticationRequired => (403, "Sign in again to make this change"),
        Code::RegistrationClosed => (403, "Registration is closed"),
        Code::AccountDisabled => (403, "The account is disabled"),
        Code::Forbidden => (403, "Not allowed"),
        Code::NotFound => (404, "Not found"),
        Code::MethodNotAllowed => (405, "Method not allowed"),
        Code::EmailTaken => (409, "The e-mail is already registered"),
        Code::MfaAlreadyEnabled => (409, "MFA is already enabled"),
        Code::PreconditionFailed => (412, "The session has changed since it was read"),
        Code::PayloadTooLarge => (413, "The request is too large"),
        Code::TooManyAttempts => (429, "Too many attempts"),
        Code::Internal => (500, "Something went wrong on our side"),
        Code::Unavailable => (503, "Temporarily unavailable"),
        Code::ChannelBusy => (503, "The channel is written too fast"),
    }
}

/// The HTTP status that a code answers with.
pub const fn status(code: Code) -> u16 {
    row(code).0
}

/// One short sentence for people. It is the same for every occurrence of a code.
pub const fn title(code: Code) -> &'static str {
    row(code).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients are written from that page: its table has every code with its status, and no other.
    #[test]
    fn the_codes_and_statuses_are_those_of_the_page() {
        let page = include_str!("../../../../docs/api.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| status | code |")).skip(2);
        let documented: Vec<(u16, &str)> = rows
            .take_while(|line| line.starts_with('|'))
            .map(|row| {
                let cells: Vec<_> = row.split('|').map(str::trim).collect();
                (cells[1].parse().unwrap(), cells[2].trim_matches('`'))
            })
            .collect();
        let coded: Vec<(u16, &str)> = Code::ALL.iter().map(|code| (status(*code), code.as_str())).collect();
        assert_eq!(coded, documented);
    }

    #[test]
    fn every_code_has_a_title_of_its_own() {
        let mut titles: Vec<_> = Code::ALL.iter().map(|code| title(*code)).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Code::ALL.len());
        assert!(titles.iter().all(|title| title.len() > 8 && !title.ends_with('.')), "{titles:?}");
    }

    #[test]
    fn a_failure_may_be_retried_where_its_status_says_so() {
        for code in Code::ALL {
            assert_eq!(code.is_temporary(), matches!(status(*code), 429 | 503), "{code:?}");
        }
    }
}
