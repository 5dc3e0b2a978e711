//! HTTP/1.1 as it is on the wire: bytes out, bytes in, nothing tidied up.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server said to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// 0: none came, or the connection ended without one.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// What has come of it, without its chunks.
    pub body: String,
    /// Whether it is whole: a watch may have more to say.
    pub ended: bool,
}

/// A connection that is opened when needed and kept alive.
#[derive(Debug)]
pub struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    received: Vec<u8>,
    /// The answer that is being received is to a HEAD: it has no body.
    head: bool,
    /// The server will send nothing more.
    closed: bool,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// A connection to a port of this machine.
    pub fn new(port: u16) -> Self {
        Self { port, stream: None, received: Vec::new(), head: false, closed: false }
    }

    /// Sends a request.
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.head = request.starts_with(b"HEAD ");
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        // A server may end the connection before it has read everything: what it
        // says, or that it says nothing, is the answer.
        match stream.write_all(request) {
            Err(error) if is_end(&error) => Ok(()),
            written => written,
        }
    }

    /// The whole answer to what was sent, or for a watch its head: the body
    /// follows while it is [pumped](Self::pump). None within [`PATIENCE`] is an
    /// answer, too.
    pub fn receive(&mut self, watch: bool) -> io::Result<Answer> {
        loop {
            match self.answer()? {
                Some((answer, used)) if answer.ended || watch && is_chunked(&answer.headers) => {
                    if !watch {
                        self.received.drain(..used);
                        self.forget_if_closed(&answer);
                    }
                    return Ok(answer);
                }
                _ if self.closed || !self.read(PATIENCE)? => {
                    let ended = self.closed;
                    *self = Self::new(self.port);
                    return Ok(Answer { ended, ..Answer::default() });
                }
                _ => {}
            }
        }
    }

    /// Takes in what comes of a watch within some time; the answer so far.
    pub fn pump(&mut self, time: Duration) -> io::Result<Answer> {
        if !self.closed {
            self.read(time)?;
        }
        Ok(self.answer()?.map_or_else(Answer::default, |(answer, _)| answer))
    }

    fn answer(&self) -> io::Result<Option<(Answer, usize)>> {
        let parsed = parse(&self.received, self.head, self.closed);
        parsed.map_err(|what| io::Error::new(ErrorKind::InvalidData, what))
    }

    /// Whether anything came, the end included.
    fn read(&mut self, time: Duration) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        stream.set_read_timeout(Some(time))?;
        let mut bytes = [0; 16 << 10];
        match stream.read(&mut bytes) {
            Ok(0) => self.closed = true,
            Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            Err(error) if is_end(&error) => self.closed = true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn forget_if_closed(&mut self, answer: &Answer) {
        if self.closed || answer.header("connection") == Some("close") {
            *self = Self::new(self.port);
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn is_chunked(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked")
}

/// What has come of an answer and how many bytes it took, once its head is whole.
/// `head`: it has no body, whatever its headers say.
///
/// # Errors
/// It is not HTTP.
pub fn parse(
    bytes: &[u8],
    head: bool,
    closed: bool,
) -> Result<Option<(Answer, usize)>, &'static str> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)).and_then(|status| status.parse().ok());
    let status = status.ok_or("no status line")?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: Option<Vec<_>> = lines.map(header).collect();
    let headers = headers.ok_or("a header without a colon")?;
    let rest = &bytes[end + 4..];
    let (body, used, ended) = body(rest, &headers, head || status == 204, closed)?;
    let body = String::from_utf8(body).map_err(|_| "a body that is not UTF-8")?;
    Ok(Some((Answer { status, headers, body, ended }, end + 4 + used)))
}

/// The body so far, how many bytes it took, and whether it is whole.
fn body(
    bytes: &[u8],
    headers: &[(String, String)],
    bodyless: bool,
    closed: bool,
) -> Result<(Vec<u8>, usize, bool), &'static str> {
    if bodyless {
        return Ok((Vec::new(), 0, true));
    }
    if is_chunked(headers) {
        return chunks(bytes);
    }
    match headers.iter().find(|(name, _)| name == "content-length") {
        Some((_, length)) => {
            let length: usize = length.parse().map_err(|_| "a length that is no number")?;
            let so_far = &bytes[..bytes.len().min(length)];
            Ok((so_far.to_vec(), so_far.len(), so_far.len() == length))
        }
        None => Ok((bytes.to_vec(), bytes.len(), closed)),
    }
}

/// The whole chunks; the last of an ended body is empty.
fn chunks(bytes: &[u8]) -> Result<(Vec<u8>, usize, bool), &'static str> {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = find(&bytes[at..], b"\r\n") {
        let size = std::str::from_utf8(&bytes[at..at + line]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or("a chunk without a size")?;
        let begin = at + line + 2;
        let Some(chunk) = bytes.get(begin..begin + size + 2) else { break };
        body.extend_from_slice(&chunk[..size]);
        at = begin + size + 2;
        if size == 0 {
            return Ok((body, at, true));
        }
    }
    Ok((body, at, false))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Answer, usize) {
        parse(text.as_bytes(), false, false).unwrap().unwrap()
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let text = "HTTP/1.1 200 OK\r\nX-A:  b \r\nContent-Length: 2\r\n\r\n{}HTTP/1.1";
        let (answer, used) = parsed(text);
        assert_eq!((answer.status, &*answer.body, answer.ended), (200, "{}", true));
        assert_eq!(answer.header("x-a"), Some("b"));
        assert_eq!(&text[used..], "HTTP/1.1");
        assert!(!parsed(&text[..text.len() - 9]).0.ended);
        assert_eq!(parse(&text.as_bytes()[..40], false, false), Ok(None));
        assert_eq!(parse(text.as_bytes(), true, false).unwrap().unwrap().0.body, "");
    }

    #[test]
    fn a_watch_is_read_chunk_by_chunk() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (chunks, body, ended) in [
            ("", "", false),
            ("3\r\n{}\n\r", "", false),
            ("3\r\n{}\n\r\n", "{}\n", false),
            ("3\r\n{}\n\r\na\r\n0123456789\r\n", "{}\n0123456789", false),
            ("3\r\n{}\n\r\n0\r\n\r\n", "{}\n", true),
        ] {
            let (answer, _) = parsed(&format!("{head}{chunks}"));
            assert_eq!((&*answer.body, answer.ended), (body, ended), "{chunks:?}");
        }
    }

    #[test]
    fn what_is_not_http_is_said_to_be() {
        for text in ["no\r\n\r\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n"] {
            assert!(parse(text.as_bytes(), false, true).is_err(), "{text:?}");
        }
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        assert!(parse(chunked.as_bytes(), false, true).is_err());
    }
}
