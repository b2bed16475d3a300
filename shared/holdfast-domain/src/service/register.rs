//! Creating accounts.

use crate::account::{Account, Status, check_new_password};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::ports::{Accounts, Host, NewPasswords, StoreError, Transacted};

use super::retry;
use super::sign_in::FIRST_EPOCH;

/// Registration, open or closed.
#[derive(Clone, Debug)]
pub struct Registration<S, P, H> {
    /// Where accounts are.
    pub store: S,
    /// How passwords are hashed.
    pub passwords: P,
    /// Clock and randomness.
    pub host: H,
    /// `REGISTRATION_ENABLED`.
    pub open: bool,
}

impl<S: Accounts, P: NewPasswords, H: Host> Registration<S, P, H> {
    /// A new account, or `EMAIL_TAKEN`.
    pub async fn register(&self, email: &str, password: &str) -> Result<Account, Failure> {
        if !self.open {
            return Err(Failure::new(Code::RegistrationClosed, "Accounts are created elsewhere in this environment."));
        }
        let email = Email::parse(email)?;
        check_new_password("password", password)?;
        let account = Account {
            user: UserId::from_bytes(self.host.random()),
            email: email.written().to_owned(),
            password: self.passwords.keep(password, &self.host.random())?,
            auth_epoch: FIRST_EPOCH,
            status: Status::Active,
            version: 1,
            mfa: crate::mfa::Mfa::default(),
        };
        if claim(&self.store, &self.host, &email, &account).await? {
            return Ok(account);
        }
        Err(Failure::new(Code::EmailTaken, "An account with this e-mail exists; sign in instead."))
    }
}

/// Writes the account if nobody has the e-mail; whether it did.
pub(super) async fn claim<S: Accounts, H: Host>(
    store: &S,
    host: &H,
    email: &Email,
    account: &Account,
) -> Result<bool, Failure> {
    for attempt in 0..retry::MAX_TRIES {
        match store.register(&email.key(), account, host.now()).await {
            Ok(Transacted::Done) => return Ok(true),
            Ok(Transacted::Refused) => return Ok(false),
            Ok(Transacted::Busy) | Err(StoreError::Busy(_)) => retry::pause(host, attempt).await,
            Err(other) => return Err(other.into()),
        }
    }
    Err(StoreError::Busy("register".into()).into())
}
