//! A small blocking HTTP/1.1 client. It knows what checkers must know and libraries
//! hide: whether anything has been sent at all, and which connection an answer came
//! by. A request is never sent again by itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long anything may take unless something else is said.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line of a head, and the most lines.
const LINE_BYTES: u64 = 16 << 10;
const MOST_HEADERS: usize = 100;

/// The longest body.
const BODY_BYTES: usize = 64 << 20;

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// A header that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }
}

/// A client with one connection, opened when needed.
#[derive(Debug)]
pub struct Client {
    address: String,
    patience: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the server at `IP:port`.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), patience: PATIENCE, connection: None }
    }

    /// Waits so long for a connection and each part of an answer.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, from now on.
    ///
    /// # Errors
    /// If a connection that is there does not take it.
    pub fn wait_at_most(&mut self, patience: Duration) -> io::Result<()> {
        self.patience = patience;
        match &self.connection {
            Some(connection) => limit(connection.get_ref(), patience),
            None => Ok(()),
        }
    }

    /// Connects, if it is not connected. [`io::ErrorKind::ConnectionRefused`] comes
    /// from nowhere else: nothing has been sent then.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_none() {
            self.connection = Some(BufReader::new(connect(&self.address, self.patience)?));
        }
        Ok(())
    }

    /// Whether it has a connection, as far as it knows.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// PUT with a form.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn put(&mut self, path: &str, form: &str) -> io::Result<Answer> {
        self.request("PUT", path, Some(form))
    }

    /// GET.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, None)
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn delete(&mut self, path: &str) -> io::Result<Answer> {
        self.request("DELETE", path, None)
    }

    /// Any request; a body is a form.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn request(&mut self, method: &str, path: &str, form: Option<&str>) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n");
        if let Some(form) = form {
            head += "Content-Type: application/x-www-form-urlencoded\r\n";
            head += &format!("Content-Length: {}\r\n", form.len());
        }
        self.send(&format!("{head}\r\n{}", form.unwrap_or("")), method == "HEAD")
    }

    /// A request byte for byte; the answer to a `head` has no body.
    ///
    /// # Errors
    /// As the system gives them, or that what came is no answer. The connection is
    /// gone then.
    pub fn send(&mut self, request: &str, head: bool) -> io::Result<Answer> {
        self.connect()?;
        let Some(mut connection) = self.connection.take() else { return Err(ended()) };
        connection.get_mut().write_all(request.as_bytes())?;
        let mut answer = read_head(&mut connection)?;
        if !head {
            let body = read_body(&mut connection, &answer)?;
            answer.body = String::from_utf8(body).map_err(|_| wrong("a body not in UTF-8"))?;
        }
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// A watch, as its client sees it: headers at once, then a line an event.
#[derive(Debug)]
pub struct Watcher {
    /// Status and headers; the body stays empty.
    pub head: Answer,
    connection: BufReader<TcpStream>,
    /// What has come and is not a whole line yet.
    rest: Vec<u8>,
    /// Whether nothing more comes.
    ended: bool,
}

impl Watcher {
    /// Asks the server at `IP:port`, and returns as soon as the headers are there. It
    /// waits so long for them, and for each part of a line.
    ///
    /// # Errors
    /// As the system gives them, or that what came is no answer.
    pub fn open(address: &str, path: &str, patience: Duration) -> io::Result<Self> {
        let mut stream = connect(address, patience)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())?;
        let mut connection = BufReader::new(stream);
        let head = read_head(&mut connection)?;
        let ended = !is_chunked(&head);
        let rest = if ended { read_body(&mut connection, &head)? } else { Vec::new() };
        Ok(Self { head, connection, rest, ended })
    }

    /// The next line, without its end; none once the body has ended in good order.
    ///
    /// # Errors
    /// As the system gives them, or that the body ends within a line.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.ended {
                return if self.rest.is_empty() { Ok(None) } else { Err(ended()) };
            }
            let chunk = read_chunk(&mut self.connection, BODY_BYTES - self.rest.len())?;
            self.ended = chunk.is_empty();
            self.rest.extend_from_slice(&chunk);
        }
    }
}

fn connect(address: &str, patience: Duration) -> io::Result<TcpStream> {
    let address = address.parse().map_err(|_| wrong("an address that is not IP:port"))?;
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_nodelay(true)?;
    limit(&stream, patience)?;
    Ok(stream)
}

fn limit(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// A line without its end.
fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    connection.take(LINE_BYTES).read_line(&mut line)?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
        None if line.len() as u64 == LINE_BYTES => Err(wrong("a line without an end")),
        None => Err(ended()),
    }
}

/// An answer as far as its headers.
fn read_head(connection: &mut impl BufRead) -> io::Result<Answer> {
    let status = read_line(connection)?;
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| wrong("no status"))?;
    let mut headers = Vec::new();
    while headers.len() < MOST_HEADERS {
        let line = read_line(connection)?;
        if line.is_empty() {
            return Ok(Answer { status, headers, body: String::new() });
        }
        let header = line.split_once(':').ok_or_else(|| wrong("no header"))?;
        headers.push((header.0.to_lowercase(), header.1.trim().to_owned()));
    }
    Err(wrong("a head without an end"))
}

fn is_chunked(head: &Answer) -> bool {
    head.header("transfer-encoding") == Some("chunked")
}

fn read_body(connection: &mut impl BufRead, head: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if is_chunked(head) {
        loop {
            let chunk = read_chunk(connection, BODY_BYTES - body.len())?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend_from_slice(&chunk);
        }
    }
    let length = head.number("content-length").unwrap_or(0);
    if length > BODY_BYTES as u64 {
        return Err(wrong("a body without an end"));
    }
    if connection.take(length).read_to_end(&mut body)? as u64 == length {
        return Ok(body);
    }
    Err(ended())
}

/// The next chunk of a body; the last one is empty.
fn read_chunk(connection: &mut impl BufRead, most: usize) -> io::Result<Vec<u8>> {
    let size = usize::from_str_radix(read_line(connection)?.trim_end(), 16);
    let size = size.ok().filter(|&size| size <= most).ok_or_else(|| wrong("no chunk"))?;
    let mut chunk = vec![0; size];
    connection.read_exact(&mut chunk)?;
    match read_line(connection)?.as_str() {
        "" => Ok(chunk),
        _ => Err(wrong("a chunk that goes on")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> io::Result<Answer> {
        let head = read_head(&mut bytes)?;
        let body = read_body(&mut bytes, &head)?;
        Ok(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..head })
    }

    #[test]
    fn a_body_is_read_by_its_length_or_chunk_by_chunk() {
        let answer =
            read(b"HTTP/1.1 201 Created\r\nX-A: 7\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (201, "hi"));
        assert_eq!((answer.number("x-a"), answer.header("x-b")), (Some(7), None));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(read(chunks).unwrap().body, "hello");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(20_000));
        let many = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(200));
        let wrong = [
            "",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
            &long,
            &many,
        ];
        for wrong in wrong {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong:.100}");
        }
    }
}
