//! A client that costs little: one connection, one request after the other.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    /// What has come of the answer.
    buffer: Vec<u8>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Bytes it takes.
    bytes: usize,
    /// `Content-Length`; without it the body is chunked.
    length: Option<u64>,
    /// `X-Etcd-Index`, or 0.
    pub index: u64,
}

impl Connection {
    /// Connects to a port of this machine.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and reads the head of its answer, which must be a success.
    pub async fn begin(&mut self, request: &str) -> io::Result<Head> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let end = loop {
            self.more().await?;
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]);
        if !text.starts_with("HTTP/1.1 20") {
            return Err(io::Error::other(String::from_utf8_lossy(&self.buffer)));
        }
        let number =
            |name| text.split("\r\n").find_map(|line| line.strip_prefix(name)?.parse().ok());
        let (length, index) = (number("Content-Length: "), number("X-Etcd-Index: ").unwrap_or(0));
        Ok(Head { bytes: end + 4, length, index })
    }

    /// Sends a request and reads its whole answer: the body, as it came.
    pub async fn ask(&mut self, request: &str) -> io::Result<&[u8]> {
        let Head { bytes, length, .. } = self.begin(request).await?;
        let whole = |buffer: &[u8]| match length {
            Some(length) => (buffer.len() - bytes) as u64 >= length,
            None => buffer.ends_with(b"\r\n0\r\n\r\n"),
        };
        while !whole(&self.buffer) {
            self.more().await?;
        }
        Ok(&self.buffer[bytes..])
    }

    /// Waits for more of a stream of events and gives each whole line to `take`.
    /// Both servers send whole lines in a chunk.
    pub async fn lines(&mut self, mut take: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        self.more().await?;
        let mut begin = 0;
        while let Some(end) = self.buffer[begin..].iter().position(|&byte| byte == b'\n') {
            let line = &self.buffer[begin..begin + end];
            if line.starts_with(b"{") {
                take(std::str::from_utf8(line).map_err(io::Error::other)?)?;
            }
            begin += end + 1;
        }
        self.buffer.drain(..begin);
        Ok(())
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(self.buffer.len().max(4 << 10));
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::other("the server has closed a connection")),
            _ => Ok(()),
        }
    }
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET /v2/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
}

/// A PUT of a value of 128 bytes, with more of the form behind it.
pub fn put(key: &str, more: &str) -> String {
    let form = format!("value={:x<128}{more}", "");
    format!(
        "PUT /v2/keys/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

/// A chunked body without its chunks' sizes.
pub fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend(body.get(line + 2..line + 2 + size)?);
        body = body.get(line + 4 + size..)?;
    }
}
