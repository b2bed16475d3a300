//! The cost of a request before any store is read, which is reading its token, and the cost of a sign-in without its store.

use std::hint::black_box;
use std::time::{Duration, Instant};

use holdfast_credentials::Argon2id;
use holdfast_sessions::Secret;
use holdfast_sessions::email::Email;
use holdfast_sessions::ports::{CredentialVerifier, NewPasswords};
use holdfast_sessions::secret::{Domain, TokenHash};
use holdfast_sessions::token::{AccessToken, Address, RefreshToken};
use holdfast_sessions::{SlotNo, UserId};

use crate::figures::{Times, figure, ratio};

/// Calls between two reads of the clock, and the number of such batches.
const BATCH: u32 = 20_000;
const ROUNDS: usize = 41;
const PASSWORDS: usize = 15;

/// Something that is done over and over, and how long one call took in each batch, in nanoseconds.
struct Case<'a> {
    name: &'static str,
    work: Box<dyn Fn() -> bool + 'a>,
    took: Vec<f64>,
}

impl<'a> Case<'a> {
    /// `work` says whether it did what it should.
    fn new(name: &'static str, work: impl Fn() -> bool + 'a) -> Self {
        Self { name, work: Box::new(work), took: Vec::new() }
    }

    fn batch(&mut self, counts: bool) -> Result<(), String> {
        let began = Instant::now();
        if !(0..BATCH).all(|_| (self.work)()) {
            return Err(format!("{}: it did something else", self.name));
        }
        if counts {
            self.took.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
        }
        Ok(())
    }

    /// Prints the median and the fastest batch; the fastest, which nothing else on the machine has slowed down.
    fn print(mut self) -> f64 {
        self.took.sort_by(f64::total_cmp);
        let median = self.took[self.took.len() / 2];
        figure(self.name, "median", median, "ns");
        figure(self.name, "fastest", self.took[0], "ns");
        self.took[0]
    }
}

pub(crate) async fn run() -> Result<(), String> {
    let at = Address { user: UserId::from_bytes([7; 16]), slot: SlotNo::new(3).ok_or("no slot 3")? };
    let text = AccessToken::of(&RefreshToken::first(at, &Secret::new([9; 32]), &[1; 32])).text();
    let damaged = format!("{}A", &text[..text.len() - 1]);
    if AccessToken::parse(&text).is_err() || AccessToken::parse(&damaged).is_ok() {
        return Err("the tokens are not what they should be".into());
    }
    let secret = [5_u8; 32];
    let known = AccessToken::of(&RefreshToken::first(at, &Secret::new([9; 32]), &[1; 32])).hash();
    let mut cases = [
        Case::new("read a token", || AccessToken::parse(black_box(&text)).is_ok()),
        Case::new("read a token and hash its secret", || {
            AccessToken::parse(black_box(&text)).is_ok_and(|token| black_box(token.hash()) == known)
        }),
        Case::new("the hash alone (SHA-256)", || black_box(TokenHash::of(Domain::Access, black_box(&secret))) != known),
        Case::new("refuse a damaged token", || AccessToken::parse(black_box(&damaged)).is_err()),
    ];
    // In turns: whatever else the machine does meets all of them alike. The first round warms up.
    for round in 0..=ROUNDS {
        for case in &mut cases {
            case.batch(round > 0)?;
        }
    }
    let fastest = cases.map(Case::print);
    ratio("read and hash", "hash alone", fastest[1], fastest[2]);
    passwords().await
}

async fn passwords() -> Result<(), String> {
    let verifier = Argon2id::default();
    let kept = verifier.keep("correct horse battery", &[4; 16]).map_err(|error| error.to_string())?;
    let email = Email::parse("bench@holdfast.test").map_err(|error| format!("{error:?}"))?;
    let (mut known, mut unknown) = (Times::default(), Times::default());
    for _ in 0..PASSWORDS {
        for (stored, times) in [(Some(kept.as_str()), &mut known), (None, &mut unknown)] {
            times.push(verified(&verifier, &email, stored).await?);
        }
    }
    known.print("check a password (argon2id)");
    unknown.print("the same for an unknown account");
    ratio("unknown account", "known account", unknown.quantile_ms(0.5), known.quantile_ms(0.5));
    Ok(())
}

async fn verified(verifier: &Argon2id, email: &Email, stored: Option<&str>) -> Result<Duration, String> {
    let began = Instant::now();
    verifier.verify(email, "correct horse battery", stored, &[4; 16]).await.map_err(|error| error.to_string())?;
    Ok(began.elapsed())
}
