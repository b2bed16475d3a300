//! Lambda's Runtime API for one function in a process of its own. It delivers invocations one after another and keeps
//! what the function posts (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// An invocation that a function is given.
pub(crate) struct Invocation {
    pub(crate) payload: String,
    /// The time from its delivery to its deadline, in milliseconds; negative when the deadline has passed.
    pub(crate) time: i64,
}

/// What a function posted for an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Posted {
    /// `response` or `error`.
    pub(crate) kind: String,
    pub(crate) body: Value,
}

/// What became of a function.
#[derive(Debug)]
pub(crate) struct Finished {
    /// In the order of the invocations.
    pub(crate) posted: Vec<Posted>,
    /// Every line of standard output, as it was written.
    pub(crate) text: String,
    /// Those lines that are JSON.
    pub(crate) lines: Vec<Value>,
    /// The exit code of a function that was not killed.
    pub(crate) code: Option<i32>,
}

impl Finished {
    /// The log lines with this message.
    pub(crate) fn logged(&self, message: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["message"] == message).collect()
    }

    /// The total of a metric over all records.
    pub(crate) fn counted(&self, name: &str) -> f64 {
        self.lines.iter().filter(|line| line["_aws"].is_object()).filter_map(|line| line[name].as_f64()).sum()
    }
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut parts = line.split_whitespace();
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        match header.split_once(':')? {
            ("content-length", value) => length = value.trim().parse().ok()?,
            ("transfer-encoding", value) => chunked = value.trim() == "chunked",
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        body.resize(length, 0);
        stream.read_exact(&mut body).ok()?;
    }
    Some(Request { method, path, body })
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Serves one connection. A function asks for its next invocation when it is done with the one before.
fn serve(stream: TcpStream, queue: &mut VecDeque<Invocation>, posted: &mut Vec<Posted>) -> bool {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        if request.method == "GET" && request.path.ends_with("/invocation/next") {
            let Some(Invocation { payload, time }) = queue.pop_front() else { return true };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: invocation-{}\r\nlambda-runtime-deadline-ms: {}\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:r:1:function:f\r\nlambda-runtime-trace-id: t\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{payload}",
                posted.len(),
                (now() + time).max(0),
                payload.len(),
            );
            writer.write_all(answer.as_bytes()).unwrap();
        } else {
            let expected = format!("/invocation/invocation-{}/", posted.len());
            assert!(request.path.contains(&expected), "{} instead of {expected}", request.path);
            let kind = request.path.rsplit('/').next().unwrap().to_owned();
            let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            posted.push(Posted { kind, body });
            writer.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
    false
}

/// Runs the function `name` of this test binary with these variables, and gives it these invocations.
pub(crate) fn run(name: &str, variables: &[(&str, &str)], invocations: Vec<Invocation>) -> Finished {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_function_in_a_process_of_its_own", "--nocapture", "--test-threads", "1"])
        .env_clear()
        // What tools of this repository tell a test, they tell the function, too.
        .envs(std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")))
        .envs([
            ("HOLDFAST_TEST_FUNCTION", name),
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
        ])
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    // One of two events comes first: the function asks for another invocation, or its process has ended.
    let (sender, events) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    let is_over = ended.clone();
    let serving = std::thread::spawn(move || {
        let (mut queue, mut posted) = (VecDeque::from(invocations), Vec::new());
        for stream in listener.incoming() {
            if is_over.load(Ordering::SeqCst) || serve(stream.unwrap(), &mut queue, &mut posted) {
                break;
            }
        }
        posted
    });
    let child = Arc::new(Mutex::new(child));
    let waiting = child.clone();
    std::thread::spawn(move || {
        loop {
            if let Some(status) = waiting.lock().unwrap().try_wait().unwrap() {
                let _ = sender.send(status.code());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let mut code = None;
    let posted = loop {
        if serving.is_finished() {
            let _ = child.lock().unwrap().kill();
            break serving.join().unwrap();
        }
        if let Ok(status) = events.recv_timeout(Duration::from_millis(10)) {
            code = status;
            // A last connection wakes the server up.
            ended.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(&address);
            break serving.join().unwrap();
        }
    };
    let text = reading.join().unwrap();
    // The test harness begins the first line.
    let json = |line: &str| line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok());
    let lines = text.lines().filter_map(json).collect();
    Finished { posted, text, lines, code }
}
