//! Amazon Cognito behind the [`CredentialVerifier`] port: the user pool knows the passwords, Holdfast keeps the sessions.
//!
//! The app client needs `ALLOW_USER_PASSWORD_AUTH`, no secret, and `PreventUserExistenceErrors = ENABLED`. Users are made
//! in the pool; whoever signs in for the first time gets an account here. The second factor is Holdfast's: a pool that
//! asks for one of its own answers with a challenge, which is no verdict and therefore trouble (503), never a pass.
//!
//! Cognito is reached over the internet: functions in a VPC without a way out cannot use it.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use holdfast_domain::email::Email;
use holdfast_domain::ports::{CredentialVerifier, StoreError, Stored, Verdict};

/// What an account keeps of a password that is not here.
const ELSEWHERE: &str = "cognito";

/// Who is simply not let in; everything else is trouble.
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
    pub fn new(config: &SdkConfig, app: String) -> Self {
        Self { client: Client::new(config), app }
    }

    /// The access token of whoever has this password; `None` if nobody does.
    async fn authenticate(&self, email: &Email, password: &str) -> Stored<Option<String>> {
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
            Ok(answer) => match answer.authentication_result.and_then(|result| result.access_token) {
                Some(token) => Ok(Some(token)),
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

impl CredentialVerifier for Cognito {
    /// One call, whether there is an account or not. `stored` says nothing here: the pool decides.
    async fn verify(&self, email: &Email, password: &str, _stored: Option<&str>, _salt: &[u8; 16]) -> Stored<Verdict> {
        Ok(if self.authenticate(email, password).await?.is_some() { Verdict::Right } else { Verdict::Wrong })
    }

    /// The pool changes it first. If what follows here fails, the pool has the new password and the old sessions live
    /// on until the change is repeated or they are ended: one transaction cannot span both.
    async fn change(&self, email: &Email, current: &str, new: &str, _salt: &[u8; 16]) -> Stored<String> {
        let Some(token) = self.authenticate(email, current).await? else {
            return Err(StoreError::Busy("cognito: the password has just changed".into()));
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
