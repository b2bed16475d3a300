//! The use case of creating accounts.

use crate::account::{Account, PasswordStrength, Status, accept_new_password};
use crate::attempts;
use crate::change::Origin;
use crate::claims::Claims;
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::ports::{Accounts, Attempts, Clock, NewPasswords, Rng, StoreError, StoreResult, Transacted};

use super::sign_in::FIRST_EPOCH;
use super::{budget, retry};

/// Registration, open or closed.
#[derive(Clone, Debug)]
pub struct Registration<S, P, H> {
    /// Where accounts are.
    pub store: S,
    /// How passwords are hashed.
    pub passwords: P,
    /// Clock and randomness.
    pub host: H,
    /// Whether registration is open (`REGISTRATION_ENABLED`).
    pub open: bool,
    /// `MAX_REGISTRATIONS_PER_NETWORK`, in an hour.
    pub per_network: u32,
}

impl<S: Accounts + Attempts, P: NewPasswords + PasswordStrength, H: Clock + Rng> Registration<S, P, H> {
    /// A new account, or `EMAIL_TAKEN`. Each try counts against the network's budget: where registration is open, the answer
    /// tells who has an account.
    pub async fn register(&self, email: &str, password: &str, ip: &str) -> Result<Account, Failure> {
        if !self.open {
            return Err(Failure::new(Code::RegistrationClosed, "Accounts are created elsewhere in this environment."));
        }
        let email = Email::parse(email)?;
        accept_new_password("password", password, &[email.written()], &self.passwords)?;
        let scopes = [attempts::registrations(ip, self.per_network)];
        let counters = self.store.counters(&scopes).await?;
        budget::draw(&self.store, &self.host, &scopes, &counters, self.host.now()).await?;
        self.create(&email, password, &Origin::client(ip)).await
    }
}

impl<S: Accounts, P: NewPasswords + PasswordStrength, H: Clock + Rng> Registration<S, P, H> {
    /// Creates an account for a caller that needs no budget.
    pub async fn create(&self, email: &Email, password: &str, origin: &Origin) -> Result<Account, Failure> {
        accept_new_password("password", password, &[email.written()], &self.passwords)?;
        let account = Account {
            user: UserId::from_bytes(self.host.random()),
            email: email.written().to_owned(),
            password: self.passwords.keep(password, &self.host.random())?,
            auth_epoch: FIRST_EPOCH,
            status: Status::Active,
            version: 1,
            mfa: crate::mfa::Mfa::default(),
            epoch_moved_at: None,
            identity: None,
            claims: Claims::default(),
        };
        let is_free = match email.legacy_key() {
            Some(legacy) => self.store.user_of(&legacy).await?.is_none(),
            None => true,
        };
        if is_free && claim(&self.store, &self.host, Some(email), &account, origin).await? {
            return Ok(account);
        }
        Err(Failure::new(Code::EmailTaken, "An account with this e-mail exists; sign in instead."))
    }
}

/// Returns the user who has this e-mail. An account of version 0.1.0 is found under the key of that version first.
/// Otherwise another person could register a second spelling of its address, and its owner would reach that person's
/// account.
pub(super) async fn user_of<S: Accounts>(store: &S, email: &Email) -> StoreResult<Option<UserId>> {
    if let Some(legacy) = email.legacy_key()
        && let Some(user) = store.user_of(&legacy).await?
    {
        return Ok(Some(user));
    }
    store.user_of(&email.key()).await
}

/// Writes the account if no account has the e-mail that it claims or its identity. Returns whether it did.
pub(super) async fn claim<S: Accounts, H: Clock + Rng>(
    store: &S,
    host: &H,
    email: Option<&Email>,
    account: &Account,
    origin: &Origin,
) -> Result<bool, Failure> {
    let key = email.map(Email::key);
    for attempt in 0..retry::MAX_TRIES {
        match store.register(key.as_ref(), account, origin, host.now()).await {
            Ok(Transacted::Done) => return Ok(true),
            Ok(Transacted::Refused) => return Ok(false),
            Ok(Transacted::Busy) | Err(StoreError::Conflict(_)) => retry::pause(host, attempt).await,
            Err(other) => return Err(other.into()),
        }
    }
    Err(StoreError::Conflict("register".into()).into())
}
