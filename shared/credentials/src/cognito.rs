//! Amazon Cognito behind the [`CredentialVerifier`] port: the user pool knows the passwords, Holdfast keeps the sessions.
//!
//! The app client needs `ALLOW_USER_PASSWORD_AUTH`, no secret, and `PreventUserExistenceErrors = ENABLED`. Users are created
//! in the pool, and get an account in Holdfast at their first sign-in. The second factor is Holdfast's. A pool that
//! requires its own answers with a challenge. A challenge is not a result, so it becomes an error (503) and never admits a user.
//!
//! Cognito is reached over the internet: functions in a VPC without internet access cannot use it.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, AuthenticationResultType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_aws::Patience;
use holdfast_sessions::account::Identity;
use holdfast_sessions::email::Email;
use holdfast_sessions::ports::{CredentialVerifier, PasswordVerdict, StoreError, StoreResult, Vouched};
use serde_json::Value;

/// What an account keeps of a password that is not here.
const ELSEWHERE: &str = "cognito";

/// Cognito hashes a password before it answers, and that takes hundreds of milliseconds. All tries stay below the 10 s in which
/// a request of the HTTP API must be answered.
const PATIENCE: Patience = Patience::of_millis(1_000, 3_000, 7_000);

/// Errors that refuse the user. All other errors are failures.
const REFUSALS: [&str; 4] =
    ["NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException", "PasswordResetRequiredException"];

/// An app client of a user pool.
#[derive(Clone, Debug)]
pub struct Cognito {
    client: Client,
    app: String,
}

fn trouble<E: ProvideErrorMetadata, R>(operation: &str, error: &SdkError<E, R>) -> StoreError {
    let what = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "not reached".to_owned(),
        _ => "no readable answer".to_owned(),
    };
    StoreError::Unavailable(format!("cognito {operation}: {what}"))
}

impl Cognito {
    /// `app` is the client's id. Connections are opened by the first call.
    #[inline]
    pub fn new(config: &SdkConfig, app: String) -> Self {
        Self { client: Client::new(&holdfast_aws::at_least(config, PATIENCE)), app }
    }

    /// The tokens of the user with this password; `None` if the password is wrong.
    #[inline]
    async fn authenticate(&self, email: &Email, password: &str) -> StoreResult<Option<AuthenticationResultType>> {
        let answer = self
            .client
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(&self.app)
            .auth_parameters("USERNAME", email.written())
            .auth_parameters("PASSWORD", password)
            .send()
            .await;
        match answer {
            Ok(answer) => match answer.authentication_result {
                Some(tokens) => Ok(Some(tokens)),
                None => {
                    let asked = answer.challenge_name.map_or("nothing".to_owned(), |name| name.as_str().to_owned());
                    Err(StoreError::Unavailable(format!("cognito InitiateAuth: asks for {asked}")))
                }
            },
            Err(SdkError::ServiceError(service))
                if service.err().code().is_some_and(|code| REFUSALS.contains(&code)) =>
            {
                Ok(None)
            }
            Err(error) => Err(trouble("InitiateAuth", &error)),
        }
    }
}

/// The identity in an ID token: the pool (`iss`) and the pool's own name for the user (`sub`), which no other user
/// gets, even under the same e-mail. It comes from the pool itself over TLS, so its signature adds nothing.
fn vouched(id_token: &str, typed: &Email) -> Option<Vouched> {
    let payload = id_token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    let text = |name: &str| claims[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let identity = Identity { provider: text("iss")?, subject: text("sub")? };
    // A boolean, or its text; and of this very address: a pool may let people sign in by another name.
    let is_verified = claims["email_verified"] == true || claims["email_verified"] == "true";
    let verified = claims["email"].as_str().and_then(|text| Email::parse(text).ok()).filter(|_| is_verified);
    let email_is_verified = verified.is_some_and(|email| email.key() == typed.key());
    Some(Vouched { identity, email_is_verified })
}

impl CredentialVerifier for Cognito {
    /// One call, whether there is an account or not. `stored` says nothing here: the pool decides.
    #[inline]
    async fn verify(
        &self,
        email: &Email,
        password: &str,
        _stored: Option<&str>,
        _salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        let Some(tokens) = self.authenticate(email, password).await? else { return Ok(PasswordVerdict::Wrong) };
        let vouched = tokens.id_token().and_then(|token| vouched(token, email));
        vouched
            .map(PasswordVerdict::Vouched)
            .ok_or_else(|| StoreError::Unavailable("cognito: an id token without sub".into()))
    }

    /// The pool changes the password first. If the next step fails, the pool has the new password, and the old sessions live
    /// until the change is repeated or they are ended. One transaction cannot span both.
    #[inline]
    async fn change(&self, email: &Email, current: &str, new: &str, _salt: &[u8; 16]) -> StoreResult<String> {
        let tokens = self.authenticate(email, current).await?;
        let Some(token) = tokens.and_then(|tokens| tokens.access_token) else {
            return Err(StoreError::Conflict("cognito: the password has just changed".into()));
        };
        self.client
            .change_password()
            .access_token(token)
            .previous_password(current)
            .proposed_password(new)
            .send()
            .await
            .map_err(|error| trouble("ChangePassword", &error))?;
        Ok(self.adopted())
    }

    fn adopted(&self) -> String {
        ELSEWHERE.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_cognitoidentityprovider::operation::initiate_auth::InitiateAuthError;
    use holdfast_testkit::{CannedAws, SlowAws};

    use super::*;

    fn said(claims: &str) -> Option<(String, String, bool)> {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        let ada = Email::parse("ada@example.com").unwrap();
        vouched(&token, &ada).map(|v| (v.identity.provider, v.identity.subject, v.email_is_verified))
    }

    #[test]
    fn the_pools_own_name_decides_and_an_email_is_verified_only_where_it_says_so() {
        let claims = |rest: &str| format!(r#"{{"iss":"https://pool","sub":"s-1"{rest}}}"#);
        let expected = |verified| Some(("https://pool".to_owned(), "s-1".to_owned(), verified));
        assert_eq!(said(&claims("")), expected(false));
        assert_eq!(said(&claims(r#","email":"Ada@example.com","email_verified":true"#)), expected(true));
        assert_eq!(said(&claims(r#","email":"ada@example.com","email_verified":"true""#)), expected(true));
        assert_eq!(said(&claims(r#","email":"eve@example.com","email_verified":true"#)), expected(false));
        assert_eq!(said(&claims(r#","email_verified":true"#)), expected(false));
        assert_eq!(said(&claims(r#","email_verified":"false""#)), expected(false));
        for bad in ["{}", r#"{"iss":"x"}"#, r#"{"iss":"x","sub":""}"#, "x"] {
            assert_eq!(said(bad), None, "{bad}");
        }
        assert!(said("").is_none());
    }

    /// A client of a pool that gives these answers, one a request.
    fn answering(answers: &[(u16, &str)]) -> Cognito {
        Cognito::new(&CannedAws::new(answers).config(), "app".to_owned())
    }

    #[tokio::test]
    async fn a_trouble_says_what_the_pool_answered_or_why_there_is_no_answer() {
        let ada = Email::parse("ada@example.com").unwrap();
        for (answers, what) in [
            (&[(400, r#"{"__type":"TooManyRequestsException"}"#)][..], "TooManyRequestsException"),
            (&[(500, r#"{"__type":"InternalErrorException"}"#)], "InternalErrorException"),
            (&[(200, "no JSON")], "no readable answer"),
            (&[], "not reached"),
        ] {
            let verdict = answering(answers).verify(&ada, "password", None, &[0; 16]).await;
            assert_eq!(verdict, Err(StoreError::Unavailable(format!("cognito InitiateAuth: {what}"))));
        }
        let late = trouble::<InitiateAuthError, ()>("InitiateAuth", &SdkError::timeout_error("late"));
        assert_eq!(late, StoreError::Unavailable("cognito InitiateAuth: timed out".into()));
    }

    #[tokio::test]
    async fn an_account_keeps_of_a_changed_password_that_the_pool_has_it() {
        let ada = Email::parse("ada@example.com").unwrap();
        let pool = answering(&[(200, r#"{"AuthenticationResult":{"AccessToken":"t"}}"#), (200, "{}")]);
        assert_eq!(pool.change(&ada, "old", "new", &[0; 16]).await, Ok("cognito".to_owned()));
        assert_eq!(pool.adopted(), "cognito");
    }

    /// A try that is given up and repeated would be a second sign-in at the pool.
    #[tokio::test]
    async fn a_pool_that_answers_after_two_seconds_is_asked_once() {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"iss":"https://pool","sub":"s-1"}"#));
        let answer = format!(r#"{{"AuthenticationResult":{{"IdToken":"{token}"}}}}"#);
        let slow = SlowAws::start(Duration::from_secs(2), 200, &answer).await.unwrap();
        let pool = Cognito::new(&slow.config().await, "app".to_owned());
        let verdict = pool.verify(&Email::parse("ada@example.com").unwrap(), "password", None, &[0; 16]).await;
        assert!(matches!(verdict, Ok(PasswordVerdict::Vouched(_))), "{verdict:?}");
        assert_eq!(slow.requests().len(), 1);
    }
}
