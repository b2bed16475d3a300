//! The memory of functions after many requests.

use std::time::Duration;

use serde_json::json;

use super::process::Function;
use super::{Contestant, Done, posted, shown, world};
use crate::figures::figure;

/// Requests after which the memory is read.
const AFTER: [usize; 3] = [100, 1_000, 10_000];

/// `functions` is the folder of the release executables. The table answers at once, because memory does not depend on that.
pub(crate) async fn run(redis: &str, functions: &str) -> Done {
    let world = world(redis, functions, ["", ""], Duration::ZERO).await?;
    // For an email that has no account, the function computes a hash, too.
    let unknown = json!({"email": "nobody@example.com", "password": "correct horse battery staple"});
    let login = Contestant {
        name: "a sign-in with an unknown email",
        command: vec![shown(&world.functions.join("auth-login"))],
        variables: world.without_cache(),
        event: posted("/v1/auth/login", &unknown),
        is_right: |answer| answer["statusCode"] == 401,
    };
    let mut contestants = world.contestants().await?;
    contestants.retain(|contestant| !contestant.name.starts_with("bare"));
    contestants.push(login);
    for contestant in &contestants {
        measure(contestant)?;
    }
    let _ = std::fs::remove_dir_all(&world.folder);
    Ok(())
}

fn measure(contestant: &Contestant) -> Done {
    let function = Function::start(&contestant.command, &contestant.variables)?;
    let show = |when: &str| -> Done {
        #[allow(clippy::cast_precision_loss)]
        figure(contestant.name, when, function.resident()? as f64 / 1e6, "MB");
        Ok(())
    };
    show("memory at its first question for an event")?;
    let mut invoked = 0;
    for after in AFTER {
        eprintln!("{}: {after} requests", contestant.name);
        while invoked < after {
            let (_, answer) = function.invoke(&contestant.event)?;
            contestant.check(&answer)?;
            invoked += 1;
        }
        show(&format!("memory after {after} requests"))?;
    }
    Ok(())
}
