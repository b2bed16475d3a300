//! A real redis-server for one test, with its own process, port and directory. Dropping it removes it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ports::free_port;

/// How long a server may take to listen after its start (it takes some milliseconds).
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts a server without persistence; `arguments` as on its command line (`--maxmemory 2mb`).
    ///
    /// # Panics
    /// When there is no redis-server or it does not come up: a test that needs it cannot pass without.
    pub fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("holdfast-redis-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a temporary directory");
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let process = spawn(&directory, port, &arguments);
        let server = Self { process, directory, port, arguments };
        server.wait_until_it_answers();
        server
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts the server again, after [`RedisServer::kill`], on the same port and directory.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.directory, self.port, &self.arguments);
        self.wait_until_it_answers();
    }

    /// Sends one command whose words have no spaces, and returns the first line of the answer.
    ///
    /// # Panics
    /// Panics if the server does not answer.
    pub fn command(&self, command: &str) -> String {
        let ask = || -> io::Result<String> {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.write_all(format!("{command}\r\n").as_bytes())?;
            let mut answer = String::new();
            BufReader::new(connection).read_line(&mut answer)?;
            Ok(answer.trim_end().to_owned())
        };
        ask().unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Freezes the server: connections stay open, and nothing answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Resumes the server after [`RedisServer::freeze`].
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} works");
    }

    /// A server that listens may still read its data, and refuses commands meanwhile.
    fn answers(&self) -> io::Result<bool> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer)?;
        Ok(!answer.starts_with(b"-LOAD"))
    }

    fn wait_until_it_answers(&self) {
        let started = Instant::now();
        while !self.answers().unwrap_or(false) {
            assert!(started.elapsed() < PATIENCE, "redis-server did not come up on port {}", self.port);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn spawn(directory: &PathBuf, port: u16, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed and starts")
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
