//! The models hold in a small scope, and every mutant is caught as its stored counter-example says.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use holdfast_model::catalogue::{self, Size};
use holdfast_model::counter_example;

fn quiet(_: usize, _: Duration) {}

#[test]
fn every_model_holds_and_passes_every_landmark() {
    for claim in catalogue::claims(Size::Bounded) {
        let found = claim.prove(&quiet);
        if let Some((invariant, steps)) = found.broken {
            panic!("{}: {invariant} is broken:\n{}", claim.model, steps.join("\n"));
        }
        assert!(found.unreached.is_empty(), "{} never did: {:?}", claim.model, found.unreached);
    }
}

#[test]
fn every_mutant_is_caught_by_its_stored_shortest_counter_example() {
    for variant in catalogue::variants() {
        let Some((invariant, steps)) = variant.hunt(&quiet).broken else {
            panic!("{} ({}) was not caught", variant.name, variant.wrong);
        };
        let text = counter_example::text(variant.model, variant.name, variant.wrong, invariant, &steps);
        let stored = fs::read_to_string(counter_example::file(variant.name)).unwrap_or_default();
        assert_eq!(text, stored, "{}: `holdfast-model --record` rewrites what is stored", variant.name);
    }
}

#[test]
fn no_counter_example_is_without_its_mutant() {
    let stored: BTreeSet<_> = fs::read_dir(counter_example::folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let caught: BTreeSet<_> = catalogue::variants().iter().map(|variant| variant.name.to_owned()).collect();
    assert_eq!(stored, caught);
}
