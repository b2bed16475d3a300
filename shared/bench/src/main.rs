//! Benchmarks of sessions and of push, one a run. Each prints lines of JSON (see [`figures`]); `make bench` writes a report.

mod fanout;
mod figures;
mod flood;
mod functions;
mod growth;
mod http;
mod scripts;
mod sockets;
mod tokens;

use std::process::ExitCode;

const USAGE: &str = "usage: holdfast-bench tokens | scripts REDIS_URL | http NAME=OUTPUTS.json NAME=OUTPUTS.json | fanout NODE_PEER | flood | functions REDIS_URL FOLDER NODE_PEER RUST_PEER | memory REDIS_URL FOLDER | build REDIS_URL FOLDER NAME | growth REDIS_URL | sockets OUTPUTS.json";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tokens"] => runtime.block_on(tokens::run()),
        ["scripts", server] => runtime.block_on(scripts::run(server)),
        ["fanout", node] => fanout::run(node),
        ["fanout", contestant, endpoint, sockets, rounds] => fanout::post_rounds(contestant, endpoint, sockets, rounds),
        ["flood"] => runtime.block_on(flood::run()),
        ["functions", redis, folder, node, rust] => runtime.block_on(functions::run(redis, folder, node, rust)),
        ["memory", redis, folder] => runtime.block_on(functions::memory::run(redis, folder)),
        ["build", redis, folder, name] => runtime.block_on(functions::run_build(redis, folder, name)),
        ["growth", server] => runtime.block_on(growth::run(server)),
        ["sockets", outputs] => runtime.block_on(sockets::run(outputs)),
        ["http", places @ ..] if places.len() >= 2 => runtime.block_on(http::run(places)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(why: &str) -> ExitCode {
    eprintln!("holdfast-bench: {why}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod budgets;
