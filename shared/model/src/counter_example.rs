//! Counter-examples as text, one file per mutant.

use std::path::{Path, PathBuf};

use crate::invariant::Invariant;

/// Where they are kept.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counter-examples")
}

/// Where that of `mutant` is kept.
pub fn file(mutant: &str) -> PathBuf {
    folder().join(format!("{mutant}.txt"))
}

/// The text of one.
pub fn text(model: &str, mutant: &str, wrong: &str, invariant: Invariant, steps: &[String]) -> String {
    let mut text = format!(
        "model     {model}\nmutant    {mutant}: {wrong}\nbreaks    {invariant}: {}\nsteps     {}\n\n",
        invariant.says(),
        steps.len()
    );
    for (number, step) in (1..).zip(steps) {
        text.push_str(&format!("{number:>3}  {step}\n"));
    }
    text
}
