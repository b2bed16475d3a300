//! Creating accounts.

use crate::account::{Account, Status, check_new_password};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::ports::{Accounts, Host, Passwords, StoreError, Transacted};

use super::retry;

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

impl<S: Accounts, P: Passwords, H: Host> Registration<S, P, H> {
    /// A new account, or `EMAIL_TAKEN`.
    pub async fn register(&self, email: &str, password: &str) -> Result<Account, Failure> {
        if !self.open {
            return Err(Failure::new(Code::RegistrationClosed, "Accounts are created elsewhere in this environment."));
        }
        let email = Email::parse(email)?;
        check_new_password(password)?;
        let account = Account {
            user: UserId::from_bytes(self.host.random()),
            email: email.written().to_owned(),
            password: self.passwords.hash(password, &self.host.random())?,
            auth_epoch: 1,
            status: Status::Active,
            version: 1,
        };
        for attempt in 0..retry::MAX_TRIES {
            match self.store.register(&email.key(), &account, self.host.now()).await {
                Ok(Transacted::Done) => return Ok(account),
                Ok(Transacted::Refused) => {
                    return Err(Failure::new(Code::EmailTaken, "An account with this e-mail exists; sign in instead."));
                }
                Ok(Transacted::Busy) | Err(StoreError::Busy(_)) => retry::pause(&self.host, attempt).await,
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("register".into()).into())
    }
}
