//! Who knows whether a password is right: `CREDENTIAL_VERIFIER`.

use aws_config::SdkConfig;
use holdfast_credentials::{Argon2id, Cognito, Zxcvbn};
use holdfast_runtime::{ConfigError, Env};
use holdfast_sessions::account::PasswordStrength;
use holdfast_sessions::email::Email;
use holdfast_sessions::ports::{CredentialVerifier, PasswordVerdict, StoreResult};

/// Hashes in the sessions table, or a user pool.
#[derive(Clone, Debug)]
pub enum LiveVerifier {
    /// `password`, the default: argon2id.
    Password(Argon2id),
    /// `cognito`: Amazon Cognito, by `USER_PASSWORD_AUTH`.
    Cognito(Cognito),
}

impl LiveVerifier {
    #[inline]
    pub(crate) fn from_env(env: &Env, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        match env.optional("CREDENTIAL_VERIFIER") {
            None | Some("password") => Ok(Self::Password(Argon2id::default())),
            Some("cognito") => Ok(Self::Cognito(Cognito::new(sdk, env.text("COGNITO_CLIENT_ID")?))),
            Some(_) => Err(ConfigError {
                variable: "CREDENTIAL_VERIFIER".into(),
                problem: "must be password or cognito".into(),
            }),
        }
    }
}

impl PasswordStrength for LiveVerifier {
    fn weakness(&self, password: &str, context: &[&str]) -> Option<String> {
        Zxcvbn.weakness(password, context)
    }
}

impl CredentialVerifier for LiveVerifier {
    #[inline]
    async fn verify(
        &self,
        email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        match self {
            Self::Password(verifier) => verifier.verify(email, password, stored, salt).await,
            Self::Cognito(verifier) => verifier.verify(email, password, stored, salt).await,
        }
    }

    #[inline]
    async fn change(&self, email: &Email, current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        match self {
            Self::Password(verifier) => verifier.change(email, current, new, salt).await,
            Self::Cognito(verifier) => verifier.change(email, current, new, salt).await,
        }
    }

    fn adopted(&self) -> String {
        match self {
            Self::Password(verifier) => verifier.adopted(),
            Self::Cognito(verifier) => verifier.adopted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifiers() -> [LiveVerifier; 2] {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::v2026_01_12()).build();
        let cognito = [("CREDENTIAL_VERIFIER", "cognito"), ("COGNITO_CLIENT_ID", "app")];
        [Env::of([]), Env::of(cognito)].map(|env| LiveVerifier::from_env(&env, &sdk).unwrap())
    }

    #[test]
    fn a_weak_password_is_weak_whoever_keeps_it() {
        for verifier in verifiers() {
            for password in ["password", "quartz umbrella 9 tundra"] {
                let found = verifier.weakness(password, &[]);
                assert_eq!(found, Zxcvbn.weakness(password, &[]));
                assert_eq!(found.is_some(), password == "password");
            }
        }
    }

    #[test]
    fn an_adopted_account_keeps_what_its_verifier_says() {
        let [password, cognito] = verifiers().map(|verifier| verifier.adopted());
        assert!(password.starts_with("$argon2id$"), "{password}");
        assert_eq!(cognito, "cognito");
    }
}
