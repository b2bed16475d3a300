//! What every store of sessions must do. Each check makes a user of its own, so that all can run against one store.

mod bench;
mod bounds;
mod claims;
mod lifetimes;
mod mfa;
mod recorded;
mod service;
mod store;
mod vouched;

use std::future::Future;

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng};

use crate::ManualHost;

pub use bench::{Bench, PASSWORD, PlainPasswords, Store, UserBox};
pub use bounds::*;
pub use claims::*;
pub use lifetimes::*;
pub use mfa::*;
pub use recorded::*;
pub use service::*;
pub use store::*;
pub use vouched::*;

/// Runs every check of this suite, each on a store of its own making.
pub async fn all<S, H, M, F>(make: M)
where
    S: Store,
    H: Clock + Rng + Clone + 'static,
    M: Fn() -> F,
    F: Future<Output = (S, H)>,
{
    macro_rules! run {
        ($($check:ident $(($($argument:expr),*))?),* $(,)?) => {
            $({
                let (store, host) = make().await;
                eprintln!("  {}", stringify!($check));
                // Boxed: each of these holds whole requests of the SDK in flight.
                Box::pin($check(store, host $($(, $argument)*)?)).await;
            })*
        };
    }
    run!(
        an_email_is_claimed_once,
        a_sign_in_is_consumed_once,
        a_dead_sign_in_makes_no_session,
        a_sign_in_of_an_old_epoch_is_refused,
        only_the_seen_victim_is_replaced,
        a_refresh_token_rotates_once,
        an_end_is_final,
        a_touch_only_moves_forward,
        end_all_is_all_or_nothing,
        attempts_never_exceed_their_budget,
        distinct_answers_count_once,
        a_long_run_of_failures_waits,
        a_success_counts_after_its_window,
        answers_are_admitted_until_the_sign_in_ends,
        an_identity_belongs_to_one_account,
        a_deleted_user_leaves_nothing_behind,
        an_address_that_is_refused_now_is_deleted_with_its_account,
        trust_is_edited_at_the_version_read,
        twenty_refreshes_of_one_token_make_one_generation,
        concurrent_sign_ins_never_exceed_the_limit(12),
        a_lowered_limit_is_enforced_by_the_next_sign_in,
        what_lies_above_a_lowered_limit_is_ended_and_not_counted,
        one_if_match_lets_one_edit_through,
        a_second_factor_is_switched_on_shown_and_switched_off,
        thirty_two_submits_of_one_code_make_one_session,
        a_code_is_refused_in_another_sign_in,
        a_burst_of_codes_never_verifies_more_than_the_budget,
        new_sign_ins_bring_no_new_budget,
        a_recovery_code_works_once,
        an_operator_switches_a_lost_second_factor_off,
        a_trusted_device_skips_the_second_factor_and_its_secret_rotates,
        a_trusted_device_is_forgotten_with_the_password_or_the_factor,
        a_pending_seed_belongs_to_the_session_that_asked,
        a_stolen_session_guesses_no_more_from_more_networks,
        a_session_by_device_is_not_verified,
        a_revoked_session_leaves_no_trusted_device,
        a_plain_seed_is_sealed_at_its_next_use,
        an_account_of_before_has_every_spelling_of_its_address,
        a_sign_in_that_waits_dies_with_the_account_it_began_with,
        an_old_password_never_outlives_its_change(4),
        a_stranger_elsewhere_locks_nobody_out,
        claims_are_the_same_in_every_session,
        a_sign_in_never_commits_with_old_claims,
        sign_ins_and_claims_never_disagree,
        only_users_who_exist_have_claims,
        an_identity_is_the_only_key_of_its_account,
        parallel_first_calls_make_one_account,
        an_identity_reaches_no_account_with_a_password,
        a_label_opens_and_clears_no_budget_of_the_owner_of_the_address,
        an_account_of_an_identity_has_no_password_and_no_second_factor,
        the_rules_of_sessions_hold_for_an_identity,
        a_user_who_is_made_again_gets_nothing_of_the_first,
        a_service_sets_claims_with_a_session,
    );
}

/// Runs every check of what is kept while time goes by. `make` also says how rows past their TTL are deleted.
pub async fn lifetimes<S, E, M, F>(make: M)
where
    S: Store,
    E: AsyncFn(),
    M: Fn() -> F,
    F: Future<Output = (S, ManualHost, E)>,
{
    let (store, host, expire) = make().await;
    Box::pin(an_ended_session_stays_ended(store, host, expire)).await;
    let (store, host, expire) = make().await;
    Box::pin(a_session_works_until_it_expires(store, host, expire)).await;
    let (store, host, expire) = make().await;
    Box::pin(attempts_are_remembered_as_long_as_they_count(store, host, expire)).await;
    let (store, host, expire) = make().await;
    Box::pin(a_code_and_a_device_work_until_they_expire(store, host, expire)).await;
}

/// The moment tests against the emulator begin at: its own now, because it deletes what is past its TTL.
pub fn real_now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis::new(i64::try_from(since.as_millis()).unwrap_or(0))
}
