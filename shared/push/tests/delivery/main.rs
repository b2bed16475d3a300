//! Many messages run through the real use cases. The queues repeat and reorder records, and one gateway answer in
//! twenty is a fault. Clients disconnect and reconnect, and publishers stop between two calls.
//!
//! In the end every client has every message of its channels exactly once and in order. Every post is accounted for,
//! and the dead letters are exactly the messages that could not be delivered.
//!
//! `HOLDFAST_MESSAGES` is the number of messages (3 000 if it is not set), and `HOLDFAST_SEED` replays a run.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod client;
mod gateway;
mod queue;
mod world;

use world::Sim;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn everything_acknowledged_arrives_exactly_once_and_in_order_and_every_post_is_accounted_for() {
    let messages = number("HOLDFAST_MESSAGES", 3_000);
    let seed = number("HOLDFAST_SEED", 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut sim = Sim::new(seed).await;
        sim.run(messages).await;
        sim.settle().await;
        sim.every_client_has_everything_once_and_in_order();
        sim.every_post_is_accounted_for();
        sim.the_dead_letters_are_what_could_not_be_delivered();
        eprintln!("{}", sim.report(seed));
    });
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let tell = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut sim = Sim::new(7).await;
            sim.run(200).await;
            sim.settle().await;
            sim.report(7)
        })
    };
    assert_eq!(tell(), tell());
}
