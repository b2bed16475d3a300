//! AWS KMS behind the [`SecretBox`] port: what must be kept but cannot be hashed is encrypted by a key that only the
//! functions of the second factor may use.
//!
//! The user's id is the encryption context, so a ciphertext that is copied to another account does not open there, and
//! CloudTrail says whose secret was opened. One call each way; 20 bytes become about 170.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use holdfast_aws::Patience;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{SecretBox, StoreError, StoreResult};

/// The name of the user's id in the encryption context. Roles and the key's policy allow no other.
pub const CONTEXT: &str = "userId";

/// What a ciphertext says that was not sealed for this user, by this key, or at all.
const UNREADABLE: [&str; 2] = ["InvalidCiphertextException", "IncorrectKeyException"];

/// A key that seals secrets.
#[derive(Clone, Debug)]
pub struct KmsBox {
    client: Client,
    key: String,
}

impl KmsBox {
    /// `key` is the key's ARN, id or alias. Connections are opened by the first call.
    #[inline]
    pub fn new(config: &SdkConfig, key: impl Into<String>) -> Self {
        Self { client: Client::new(&holdfast_aws::at_least(config, Patience::SERVICE)), key: key.into() }
    }
}

fn trouble<E: ProvideErrorMetadata, R>(operation: &str, error: &SdkError<E, R>) -> StoreError {
    let what = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "not reached".to_owned(),
        _ => "no readable answer".to_owned(),
    };
    if UNREADABLE.contains(&what.as_str()) {
        return StoreError::Corrupt(format!("kms {operation}: {what}"));
    }
    StoreError::Unavailable(format!("kms {operation}: {what}"))
}

impl SecretBox for KmsBox {
    #[inline]
    async fn seal(&self, user: UserId, plain: &[u8]) -> StoreResult<Vec<u8>> {
        let sealed = self
            .client
            .encrypt()
            .key_id(&self.key)
            .plaintext(Blob::new(plain))
            .encryption_context(CONTEXT, user.to_string())
            .send()
            .await
            .map_err(|error| trouble("Encrypt", &error))?;
        sealed.ciphertext_blob.map(Blob::into_inner).ok_or_else(|| StoreError::Corrupt("kms Encrypt: no answer".into()))
    }

    #[inline]
    async fn open(&self, user: UserId, sealed: &[u8]) -> StoreResult<Vec<u8>> {
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(sealed))
            .encryption_context(CONTEXT, user.to_string())
            .send()
            .await
            .map_err(|error| trouble("Decrypt", &error))?;
        opened.plaintext.map(Blob::into_inner).ok_or_else(|| StoreError::Corrupt("kms Decrypt: no answer".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use aws_sdk_kms::operation::decrypt::DecryptError;
    use holdfast_testkit::{CannedAws, SlowAws};

    /// A box whose KMS gives this answer, and what it was asked.
    fn answering(status: u16, body: &str) -> (KmsBox, CannedAws) {
        let aws = CannedAws::new(&[(status, body)]);
        (KmsBox::new(&aws.config(), "alias/mfa"), aws)
    }

    fn user() -> UserId {
        UserId::from_bytes([1; 16])
    }

    #[tokio::test]
    async fn every_call_is_bound_to_the_user() {
        let (kms, aws) = answering(200, r#"{"CiphertextBlob":"c2VhbGVk","KeyId":"k"}"#);
        assert_eq!(kms.seal(user(), b"seed").await, Ok(b"sealed".to_vec()));
        let asked_to_seal = aws.requests().concat();
        assert!(
            asked_to_seal.contains(&format!(r#""EncryptionContext":{{"userId":"{}"}}"#, user())),
            "{asked_to_seal}"
        );
        let (kms, aws) = answering(200, r#"{"Plaintext":"c2VlZA==","KeyId":"k"}"#);
        assert_eq!(kms.open(user(), b"sealed").await, Ok(b"seed".to_vec()));
        let asked_to_open = aws.requests().concat();
        assert!(asked_to_open.contains(&format!(r#""EncryptionContext":{{"userId":"{}"}}"#, user())));
        assert!(asked_to_open.contains("alias/mfa"), "only this key");
    }

    #[tokio::test]
    async fn another_users_ciphertext_is_corrupt_and_every_other_trouble_is_trouble() {
        let (kms, _) = answering(400, r#"{"__type":"InvalidCiphertextException"}"#);
        assert!(matches!(kms.open(user(), b"sealed").await, Err(StoreError::Corrupt(_))));
        for code in ["AccessDeniedException", "DisabledException", "KMSInternalException", "ThrottlingException"] {
            let (kms, _) = answering(400, &format!(r#"{{"__type":"{code}"}}"#));
            assert!(matches!(kms.open(user(), b"sealed").await, Err(StoreError::Unavailable(_))), "{code}");
        }
    }

    #[tokio::test]
    async fn a_key_that_does_not_answer_is_unavailable_and_the_error_says_why() {
        let unavailable = |what: &str| StoreError::Unavailable(format!("kms Decrypt: {what}"));
        let nobody = KmsBox::new(&CannedAws::new(&[]).config(), "alias/mfa");
        assert_eq!(nobody.open(user(), b"sealed").await, Err(unavailable("not reached")));
        let (odd, _) = answering(200, "no JSON");
        assert_eq!(odd.open(user(), b"sealed").await, Err(unavailable("unknown")), "the SDK names no code");
        let late = trouble::<DecryptError, ()>("Decrypt", &SdkError::timeout_error("late"));
        assert_eq!(late, unavailable("timed out"));
    }

    #[tokio::test]
    async fn a_key_that_answers_after_700_milliseconds_is_used_once() {
        let answer = r#"{"CiphertextBlob":"c2VhbGVk","KeyId":"k"}"#;
        let slow = SlowAws::start(Duration::from_millis(700), 200, answer).await.unwrap();
        assert_eq!(KmsBox::new(&slow.config().await, "k").seal(user(), b"seed").await, Ok(b"sealed".to_vec()));
        assert_eq!(slow.requests().len(), 1);
    }
}
