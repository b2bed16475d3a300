//! The executable against real OpenID providers, which `infra/examples/own-identity/tests/sign_in.py` starts.

use std::path::Path;
use std::process::Command;

#[test]
fn users_sign_in_at_real_providers() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = example.join("provider/node_modules").is_dir();
    assert!(installed, "install the provider: run `npm ci --ignore-scripts` in infra/examples/own-identity/provider");
    let mut script = Command::new("python3");
    script.arg("-B").arg(example.join("tests/sign_in.py")).arg(env!("CARGO_BIN_EXE_example-own-identity"));
    assert!(script.status().unwrap().success());
}
