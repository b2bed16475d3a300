//! Between a client and a redis-server: RESP commands one at a time, each with its reply.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::plan::{Fault, Plan};

/// The longest command or reply that is taken.
const MAX_MESSAGE: usize = 1024 * 1024;

/// A proxy on its own port, which is closed when this is dropped.
#[derive(Debug)]
pub struct RedisProxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl RedisProxy {
    /// Starts before `upstream` (`127.0.0.1:6379`).
    pub async fn start(upstream: &str, plan: Plan) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let upstream = upstream.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, plan) = (upstream.clone(), plan.clone());
                tokio::spawn(async move {
                    let _ = serve(client, &upstream, &plan).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// The address, `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A stream and what was read of it beyond the last message.
struct Messages {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Messages {
    fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// The next whole message; `None` at the end of the stream.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = message(&self.rest, 0)? {
                let rest = self.rest.split_off(length);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            if self.rest.len() > MAX_MESSAGE {
                return Err(malformed());
            }
            if self.stream.read_buf(&mut self.rest).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not RESP")
}

fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let end = bytes.get(from..)?.windows(2).position(|part| part == b"\r\n")?;
    Some((&bytes[from..from + end], from + end + 2))
}

/// Where the message that begins at `from` ends; `None` if it is not all there yet.
fn message(bytes: &[u8], from: usize) -> io::Result<Option<usize>> {
    let Some((head, mut at)) = line(bytes, from) else { return Ok(None) };
    let Some((kind, rest)) = head.split_first() else { return Err(malformed()) };
    let number = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok()).ok_or_else(malformed);
    match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(Some(at)),
        b'$' | b'=' | b'!' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some(at)) };
            let end = at + length + 2;
            Ok((bytes.len() >= end).then_some(end))
        }
        b'*' | b'~' | b'>' | b'%' => {
            let Ok(parts) = usize::try_from(number()?) else { return Ok(Some(at)) };
            for _ in 0..parts * if *kind == b'%' { 2 } else { 1 } {
                match message(bytes, at)? {
                    Some(end) => at = end,
                    None => return Ok(None),
                }
            }
            Ok(Some(at))
        }
        _ => Err(malformed()),
    }
}

/// The command's name, in capitals.
fn operation(command: &[u8]) -> String {
    let name = line(command, 0).and_then(|(_, at)| line(command, at)).and_then(|(_, at)| line(command, at));
    name.map(|(name, _)| String::from_utf8_lossy(name).to_ascii_uppercase()).unwrap_or_default()
}

async fn serve(client: TcpStream, upstream: &str, plan: &Plan) -> io::Result<()> {
    let mut client = Messages::new(client);
    let mut server = Messages::new(TcpStream::connect(upstream).await?);
    while let Some(command) = client.next().await? {
        let fault = plan.next(&operation(&command));
        let refusal: Option<&[u8]> = match fault {
            Some(Fault::OutOfMemory) => Some(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
            Some(Fault::ReadOnly) => Some(b"-READONLY You can't write against a read only replica.\r\n"),
            Some(Fault::TryAgain) => Some(b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"),
            _ => None,
        };
        match (fault, refusal) {
            (_, Some(refusal)) => {
                client.stream.write_all(refusal).await?;
                continue;
            }
            (Some(Fault::LostRequest), _) => return Ok(()),
            (Some(Fault::Freeze), _) => std::future::pending().await,
            (Some(Fault::Delay(time)), _) => tokio::time::sleep(time).await,
            _ => {}
        }
        server.stream.write_all(&command).await?;
        let Some(reply) = server.next().await? else { return Ok(()) };
        if fault == Some(Fault::LostReply) {
            return Ok(());
        }
        client.stream.write_all(&reply).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        for whole in [
            "+OK\r\n",
            "-ERR x\r\n",
            ":12\r\n",
            "$5\r\nhello\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
            "*2\r\n*1\r\n:1\r\n$2\r\nab\r\n",
            "%1\r\n+a\r\n:1\r\n",
            "_\r\n",
        ] {
            let bytes = whole.as_bytes();
            assert_eq!(message(bytes, 0).unwrap(), Some(bytes.len()), "{whole:?}");
            for cut in 0..bytes.len() {
                assert_eq!(message(&bytes[..cut], 0).unwrap(), None, "{:?}", &whole[..cut]);
            }
        }
        assert!(message(b"GET k\r\n", 0).is_err());
    }

    #[test]
    fn a_command_is_known_by_its_name() {
        assert_eq!(operation(b"*2\r\n$7\r\nevalsha\r\n$1\r\nx\r\n"), "EVALSHA");
    }
}
