//! Explores every model and every mutant and prints what came of it; fails on any surprise.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use holdfast_model::catalogue::{self, Claim, Size, Variant};
use holdfast_model::counter_example;

const USAGE: &str = "holdfast-model [--bounded] [--record]\n\
    --bounded  small scope, seconds instead of minutes\n\
    --record   rewrite the stored counter-examples";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a != "--bounded" && a != "--record") {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let size = if arguments.iter().any(|a| a == "--bounded") { Size::Bounded } else { Size::Full };
    let record = arguments.iter().any(|a| a == "--record");

    let (mut surprises, mut states, mut models, mut mutants) = (Vec::new(), 0, 0, 0);
    println!("{:<19}{:<74}{:>10}{:>10}{:>7}{:>8}  verdict", "model", "scope", "states", "unique", "depth", "seconds");
    for claim in catalogue::claims(size) {
        let (unique, surprise) = prove(&claim);
        surprises.extend(surprise);
        states += unique;
        models += 1;
    }
    println!("\n{:<11}{:<28}{:<11}{:>6}{:>10}{:>9}", "mutant of", "name", "caught by", "steps", "unique", "seconds");
    for variant in catalogue::variants() {
        surprises.extend(hunt(&variant, record));
        mutants += 1;
    }
    for surprise in &surprises {
        println!("\nSURPRISE: {surprise}");
    }
    if surprises.is_empty() {
        println!("\n{models} scopes of models hold over {states} states, {mutants} of {mutants} mutants caught");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn progress(unique: usize, took: Duration) {
    eprintln!("    {unique} states, {} s so far", took.as_secs());
}

/// How many different states there are, and what was not as claimed.
fn prove(claim: &Claim) -> (usize, Option<String>) {
    let found = claim.prove(&progress);
    let verdict = match (&found.broken, found.unreached.is_empty()) {
        (Some((invariant, _)), _) => format!("{invariant} BROKEN"),
        (None, false) => "NOT REACHED".to_owned(),
        (None, true) => format!("holds: {}", claim.invariants),
    };
    println!(
        "{:<19}{:<74}{:>10}{:>10}{:>7}{:>8.1}  {verdict}",
        claim.model,
        claim.scope,
        found.states,
        found.unique,
        found.depth,
        found.took.as_secs_f64()
    );
    if let Some((invariant, steps)) = found.broken {
        let text = counter_example::text(claim.model, "none", "the model itself", invariant, &steps);
        return (found.unique, Some(format!("the model does not hold\n{text}")));
    }
    let unreached = format!("{}: never happened: {}", claim.model, found.unreached.join("; "));
    (found.unique, (!found.unreached.is_empty()).then_some(unreached))
}

fn hunt(variant: &Variant, record: bool) -> Option<String> {
    let found = variant.hunt(&progress);
    let (by, steps) = match &found.broken {
        Some((invariant, steps)) => (invariant.name(), steps.len()),
        None => ("SURVIVED", found.depth),
    };
    println!(
        "{:<11}{:<28}{by:<11}{steps:>6}{:>10}{:>9.1}",
        variant.model,
        variant.name,
        found.unique,
        found.took.as_secs_f64()
    );
    let Some((invariant, steps)) = found.broken else {
        return Some(format!("{} ({}) was not caught", variant.name, variant.wrong));
    };
    let text = counter_example::text(variant.model, variant.name, variant.wrong, invariant, &steps);
    let file = counter_example::file(variant.name);
    if record {
        return fs::write(&file, text).err().map(|error| format!("{}: {error}", file.display()));
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    (stored != text).then(|| format!("{} is not what is stored (--record rewrites it):\n{text}", variant.name))
}
