//! A function as a process of this machine, and what the kernel and callgrind say about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use super::Done;
use super::runtime_api::RuntimeApi;

/// The environment of a function.
pub(super) type Variables = Vec<(String, String)>;

/// A function that has asked for an event.
pub(super) struct Function {
    child: Child,
    api: RuntimeApi,
    /// From the start of the process until it asked for its first event.
    pub(super) start: Duration,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Function {
    /// Starts a program with its arguments, and nothing of this process's environment but its path.
    pub(super) fn start(command: &[String], variables: &Variables) -> Done<Self> {
        let api = RuntimeApi::start()?;
        let (program, arguments) = command.split_first().ok_or("no program")?;
        let began = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let start = match api.first_poll() {
            Ok(at) => at - began,
            Err(error) => return Err(format!("{program}: {error}")),
        };
        Ok(Self { child, api, start })
    }

    /// Gives it an event; its answer and how long it took.
    pub(super) fn invoke(&self, event: &Bytes) -> Done<(Duration, Bytes)> {
        self.api.invoke(event)
    }

    /// Gives it an event while it is stopped. The answer comes when it runs again.
    pub(super) fn give(&self, event: &Bytes) -> Done {
        self.api.give(event)
    }

    /// Its answer to the event that it was given.
    pub(super) fn answer(&self) -> Done<Bytes> {
        self.api.answer().map(|(_, answer)| answer)
    }

    /// Time on a processor since the start, of all its threads.
    pub(super) fn processor_time(&self) -> Done<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).map_err(super::text)?;
        let mut total = 0;
        for task in tasks {
            let file = task.map_err(super::text)?.path().join("schedstat");
            let line = fs::read_to_string(file).unwrap_or_default();
            total += line.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0_u64);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Memory that it has in use, in bytes.
    pub(super) fn resident(&self) -> Done<u64> {
        resident(self.child.id())
    }

    /// Keeps it where [`together`] keeps what it talks to.
    pub(super) fn keep_together(&self) {
        warn_unless(keep(self.child.id()));
    }

    /// Sends it a signal, by the signal's name.
    pub(super) fn signal(&self, name: &str) -> Done {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        if sent.map_err(super::text)?.success() { Ok(()) } else { Err(format!("the process did not take SIG{name}")) }
    }

    /// Asks it to end, and waits for that.
    fn terminate(mut self) -> Done {
        self.signal("TERM")?;
        self.child.wait().map(drop).map_err(super::text)
    }
}

/// Memory that a process has in use, in bytes.
pub(crate) fn resident(process: u32) -> Done<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(super::text)?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| "the kernel does not say how much memory a process has".into())
}

/// The processor of the machine that requests are measured on.
const PROCESSOR: &str = "1";

/// Keeps this process and a redis-server on one processor. Those who ask and those who answer wait for each other, so a second one would seldom
/// work at the same time. Waking it took longer than half of a request on the virtual machine of docs/performance.md.
pub(crate) async fn together(redis: &str) -> Done {
    let client = redis::Client::open(redis).map_err(super::text)?;
    let mut server = client.get_multiplexed_async_connection().await.map_err(super::text)?;
    let told: String = redis::cmd("INFO").arg("server").query_async(&mut server).await.map_err(super::text)?;
    let server = told.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
    warn_unless([Some(std::process::id()), server].into_iter().all(|process| process.is_some_and(keep)));
    Ok(())
}

fn warn_unless(kept: bool) {
    if !kept {
        eprintln!("A process is not kept on processor {PROCESSOR} (taskset), so times may be longer and vary more.");
    }
}

/// Keeps all threads of a process on [`PROCESSOR`], with the program taskset of Linux. Returns whether that worked.
fn keep(process: u32) -> bool {
    let arguments = ["--all-tasks", "--cpu-list", "--pid", PROCESSOR, &process.to_string()];
    let kept = Command::new("taskset").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    kept.is_ok_and(|status| status.success())
}

/// Keeps [`PROCESSOR`] awake with work that gives way to all other work. A processor that sleeps takes longer to begin than most requests take.
pub(super) struct Awake(Child);

impl Awake {
    /// `None` without the programs chrt and taskset of Linux.
    pub(super) fn keep() -> Option<Self> {
        let work = ["--idle", "0", "taskset", "--cpu-list", PROCESSOR, "sh", "-c", "while :; do :; done"];
        let child = Command::new("chrt").args(work).stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let mut awake = Self(child);
        // It would have ended by then if it had been refused.
        std::thread::sleep(Duration::from_millis(50));
        matches!(awake.0.try_wait(), Ok(None)).then_some(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two runs under callgrind with these numbers of invocations; the difference is free of the start.
const FEW: u64 = 100;
const MANY: u64 = 300;

/// Instructions of one invocation with `event`, in the mean. Callgrind must be installed.
pub(super) fn instructions(command: &[String], variables: &Variables, event: &Bytes, folder: &Path) -> Done<u64> {
    let few = counted(command, variables, Some((event, FEW)), folder)?;
    let many = counted(command, variables, Some((event, MANY)), folder)?;
    Ok((many - few) / (MANY - FEW))
}

/// Instructions from the start of the process until it asks for its first event. Callgrind must be installed.
pub(super) fn start_instructions(command: &[String], variables: &Variables, folder: &Path) -> Done<u64> {
    counted(command, variables, None, folder)
}

/// Instructions of a whole run with so many invocations of an event.
fn counted(command: &[String], variables: &Variables, events: Option<(&Bytes, u64)>, folder: &Path) -> Done<u64> {
    let file = folder.join("callgrind.out");
    let out = format!("--callgrind-out-file={}", file.display());
    let valgrind = ["valgrind", "--tool=callgrind", "--quiet", &out].map(str::to_owned);
    let function = Function::start(&[&valgrind[..], command].concat(), variables)?;
    if let Some((event, invocations)) = events {
        for _ in 0..invocations {
            function.invoke(event)?;
        }
    }
    function.terminate()?;
    total(&file)
}

/// The instructions that callgrind has written into this file.
pub(crate) fn total(file: &Path) -> Done<u64> {
    let profile = fs::read_to_string(file).map_err(super::text)?;
    let total = profile.lines().rev().find_map(|line| line.strip_prefix("totals:")?.trim().parse().ok());
    total.ok_or_else(|| "callgrind counted nothing".into())
}

/// Whether callgrind is installed.
pub(crate) fn has_callgrind() -> bool {
    let tried = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The size of an executable, in bytes.
pub(super) fn size(path: &Path) -> Done<u64> {
    fs::metadata(path).map(|found| found.len()).map_err(|error| format!("{}: {error}", path.display()))
}

/// The executable of this name beside that of the benchmarks.
pub(super) fn beside(name: &str) -> Done<PathBuf> {
    let own = std::env::current_exe().map_err(super::text)?;
    Ok(own.with_file_name(name))
}
