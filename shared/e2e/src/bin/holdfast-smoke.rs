//! Runs the path through a deployed Holdfast and reports its steps.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use holdfast_e2e::path::{Plan, Step, Walker, play};
use holdfast_e2e::{Api, Deployment, Fault, Person};

const USAGE: &str = "usage: holdfast-smoke --outputs <file> [--repeat N] [--max-sessions N] [--verbose]
  --outputs       the outputs.json that `make deploy` wrote
  --repeat        play the path N times, one line for each
  --max-sessions  the deployment's max_sessions_per_user, 2 to 10 (default 5)
  --verbose       every request with its status; with --repeat, every step too
HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD name an account to use where registration is closed; all of its
sessions are ended.";

/// A network has 100 failed attempts in 15 minutes (docs/sign-in.md); repetitions use a tenth of them.
const WRONG_PASSWORDS: usize = 10;

struct Options {
    outputs: PathBuf,
    repeat: usize,
    max_sessions: usize,
    verbose: bool,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut outputs = None;
    let (mut repeat, mut max_sessions, mut verbose) = (1, 5, false);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--outputs" => outputs = Some(PathBuf::from(value()?)),
            "--repeat" => repeat = number(&value()?, 1..=10_000).ok_or("--repeat is a number from 1 to 10000")?,
            "--max-sessions" => {
                max_sessions = number(&value()?, 2..=10).ok_or("--max-sessions is a number from 2 to 10")?;
            }
            "--verbose" => verbose = true,
            other => return Err(format!("{other} is not an option")),
        }
    }
    Ok(Options { outputs: outputs.ok_or("--outputs is missing")?, repeat, max_sessions, verbose })
}

fn number(text: &str, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
    text.parse().ok().filter(|number| range.contains(number))
}

fn walker(deployment: &Deployment) -> Result<Walker, Fault> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("HOLDFAST_SMOKE_EMAIL"), variable("HOLDFAST_SMOKE_PASSWORD")) {
        // Locally registration is open, and the account of another environment does not exist.
        _ if deployment.is_local() => Ok(Walker::Newcomer),
        (Some(email), Some(password)) => Ok(Walker::Resident(Person { email, password })),
        (None, None) => Ok(Walker::Newcomer),
        _ => Err(Fault::new("HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD are set together or not at all")),
    }
}

async fn run(options: &Options) -> Result<(), String> {
    let deployment = Deployment::read(&options.outputs).map_err(|fault| fault.to_string())?;
    let walker = walker(&deployment).map_err(|fault| fault.to_string())?;
    let api = Api::new(&deployment).await.map_err(|fault| fault.to_string())?.verbose(options.verbose);
    println!("{} at {}", deployment.env, deployment.http_url);
    let began = Instant::now();
    let mut times = Vec::new();
    for round in 1..=options.repeat {
        let plan = Plan {
            walker: walker.clone(),
            max_sessions: options.max_sessions,
            wrong_password: round <= WRONG_PASSWORDS,
        };
        let show = options.repeat == 1 || options.verbose;
        let mut steps = 0;
        let started = Instant::now();
        let mut tell = |step: &Step| {
            steps += 1;
            if show {
                println!("{}", line(step));
            }
        };
        play(&deployment, &api, &plan, &mut tell).await.map_err(|failure| match options.repeat {
            1 => failure.to_string(),
            repeat => format!("round {round} of {repeat}, {failure}"),
        })?;
        times.push(started.elapsed());
        if options.repeat > 1 {
            println!("round {round:>4} of {}: {steps} steps {:>8} ms", options.repeat, started.elapsed().as_millis());
        }
    }
    println!("{}", conclusion(&mut times, began.elapsed()));
    Ok(())
}

fn line(step: &Step) -> String {
    match step.skipped {
        None => format!("ok   {:<70} {:>7} ms", step.name, step.took.as_millis()),
        Some(why) => format!("skip {:<70} {why}", step.name),
    }
}

fn conclusion(times: &mut [Duration], total: Duration) -> String {
    times.sort();
    match times {
        [only] => format!("passed in {} ms", only.as_millis()),
        _ => format!(
            "passed {} of {} rounds in {:.1} s; a round took {} ms in the median, {} ms at most",
            times.len(),
            times.len(),
            total.as_secs_f64(),
            times[times.len() / 2].as_millis(),
            times[times.len() - 1].as_millis()
        ),
    }
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("holdfast-smoke: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("holdfast-smoke: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast-smoke: failed: {error}");
            ExitCode::FAILURE
        }
    }
}
