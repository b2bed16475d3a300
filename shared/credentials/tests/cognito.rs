//! Signing in with passwords that a user pool knows, against the local cloud's Cognito.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{ExplicitAuthFlowsType, PreventUserExistenceErrorTypes};
use holdfast_credentials::Cognito;
use holdfast_sessions::Code;
use holdfast_sessions::account::PasswordStrength;
use holdfast_sessions::email::Email;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{Accounts, CredentialVerifier, PasswordVerdict, StoreError, StoreResult};
use holdfast_sessions::service::{PasswordRequest, Sessions, SignIn, SignInRequest, StrongReads};
use holdfast_testkit::{LocalCloud, ManualHost, MemoryStore};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "Correct-horse-battery-1";
const NEW_PASSWORD: &str = "Another-horse-battery-2";

/// The pool's passwords, and no opinion about new ones: the pool has a policy of its own.
struct Pool(Cognito);

impl PasswordStrength for Pool {
    fn weakness(&self, _password: &str, _context: &[&str]) -> Option<String> {
        None
    }
}

impl CredentialVerifier for Pool {
    async fn verify(
        &self,
        email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        self.0.verify(email, password, stored, salt).await
    }

    async fn change(&self, email: &Email, current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        self.0.change(email, current, new, salt).await
    }

    fn adopted(&self) -> String {
        self.0.adopted()
    }
}

/// A pool with one user, and the id of an app client of it.
async fn pool(cloud: &LocalCloud) -> String {
    let client = Client::new(cloud.sdk_config());
    let made = client.create_user_pool().pool_name("people").send().await.expect("a pool");
    let pool = made.user_pool.and_then(|pool| pool.id).expect("its id");
    let made = client
        .create_user_pool_client()
        .user_pool_id(&pool)
        .client_name("holdfast")
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
        .prevent_user_existence_errors(PreventUserExistenceErrorTypes::Enabled)
        .send()
        .await
        .expect("a client");
    let app = made.user_pool_client.and_then(|client| client.client_id).expect("its id");
    client.admin_create_user().user_pool_id(&pool).username(EMAIL).send().await.expect("a user");
    client
        .admin_set_user_password()
        .user_pool_id(&pool)
        .username(EMAIL)
        .password(PASSWORD)
        .permanent(true)
        .send()
        .await
        .expect("a password");
    app
}

#[tokio::test]
async fn whoever_the_pool_knows_signs_in_and_gets_an_account() {
    let cloud = LocalCloud::start().await;
    let verifier = Cognito::new(cloud.sdk_config(), pool(&cloud).await);
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let clock = host.clone();
    let service = SignIn {
        store: store.clone(),
        cache: StrongReads(store.clone()),
        verifier: verifier.clone(),
        host: host.clone(),
        policy: Policy::default(),
        limits: SignInLimits::default(),
    };
    let request = |email: &str, password: &str| SignInRequest {
        email: email.into(),
        password: password.into(),
        ip: "192.0.2.1".into(),
        ..SignInRequest::default()
    };
    for (email, password) in [(EMAIL, "not the password"), ("nobody@example.com", PASSWORD)] {
        let refused = Box::pin(service.sign_in(&request(email, password))).await.expect_err("refused");
        assert_eq!(refused.code, Code::InvalidCredentials);
    }
    let key = Email::parse(EMAIL).expect("an e-mail").key();
    assert_eq!(store.user_of(&key).await, Ok(None), "a refusal makes no account");
    let first =
        Box::pin(service.sign_in(&request(EMAIL, PASSWORD))).await.expect("signed in").session().expect("a session");
    let second =
        Box::pin(service.sign_in(&request(EMAIL, PASSWORD))).await.expect("signed in").session().expect("a session");
    assert_eq!(first.slot.at.user, second.slot.at.user, "one account");
    assert_eq!(store.user_of(&key).await, Ok(None), "its e-mail is a label, and finds nothing");
    let identity = first.slot.identity.clone().expect("the pool's own name for the user");
    assert_eq!(store.user_of_identity(&identity.key()).await, Ok(Some(first.slot.at.user)));

    // The pool changes the password, Holdfast ends the sessions.
    let sessions =
        Sessions { cache: StrongReads(store.clone()), store: store.clone(), host, policy: Policy::default() };
    let current = sessions.identify(Some(&second.tokens.access.text())).await.expect("live");
    let change = PasswordRequest { current: PASSWORD.into(), new: NEW_PASSWORD.into(), ip: "192.0.2.1".into() };
    let revoked = sessions
        .change_password(&Pool(verifier.clone()), &SignInLimits::default(), &current, &change)
        .await
        .expect("changed");
    assert_eq!(revoked.count, 1);
    assert!(sessions.identify(Some(&first.tokens.access.text())).await.is_err());
    let old = Box::pin(service.sign_in(&request(EMAIL, PASSWORD))).await.expect_err("refused");
    assert_eq!(old.code, Code::InvalidCredentials);
    // Within the same millisecond nobody can say which came first: refused.
    let together = Box::pin(service.sign_in(&request(EMAIL, NEW_PASSWORD))).await.expect_err("refused");
    assert_eq!(together.code, Code::InvalidCredentials);
    clock.advance_seconds(1);
    let new = Box::pin(service.sign_in(&request(EMAIL, NEW_PASSWORD))).await;
    assert!(new.is_ok(), "{:?}", new.err());
}

#[tokio::test]
async fn trouble_is_trouble_and_never_a_verdict() {
    let cloud = LocalCloud::start().await;
    let app = pool(&cloud).await;
    let email = Email::parse(EMAIL).expect("an e-mail");
    let verifier = Cognito::new(cloud.sdk_config(), "no-such-client".into());
    let verdict = verifier.verify(&email, PASSWORD, None, &[0; 16]).await;
    assert!(matches!(verdict, Err(StoreError::Unavailable(_))), "{verdict:?}");
    let verifier = Cognito::new(cloud.sdk_config(), app);
    let verdict = verifier.verify(&email, PASSWORD, None, &[0; 16]).await;
    assert!(matches!(verdict, Ok(PasswordVerdict::Vouched(_))), "{verdict:?}");
    drop(cloud);
    let verdict = verifier.verify(&email, PASSWORD, None, &[0; 16]).await;
    assert!(matches!(verdict, Err(StoreError::Unavailable(_))), "{verdict:?}");
}
