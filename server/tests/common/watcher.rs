//! A watch, as its client sees it: headers at once, then a line an event.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Answer, PATIENCE, read_head};

/// An answer whose body has not ended yet.
#[derive(Debug)]
pub struct Watcher {
    /// Status and headers; the body stays empty.
    pub head: Answer,
    connection: BufReader<TcpStream>,
    /// What has come and is not a whole line yet.
    rest: Vec<u8>,
}

impl Watcher {
    /// Asks, and returns as soon as the headers are there.
    pub fn open(address: &str, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())?;
        let mut connection = BufReader::new(stream);
        let head = read_head(&mut connection)?;
        Ok(Self { head, connection, rest: Vec::new() })
    }

    /// The next line, without its end; none once the body has ended in good order.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if !self.chunk()? {
                assert!(self.rest.is_empty(), "half a line at the end");
                return Ok(None);
            }
        }
    }

    fn chunk(&mut self) -> io::Result<bool> {
        let mut size = String::new();
        if self.connection.read_line(&mut size)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim_end(), 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no chunk"))?;
        let mut chunk = vec![0; size + 2];
        self.connection.read_exact(&mut chunk)?;
        self.rest.extend_from_slice(&chunk[..size]);
        Ok(size > 0)
    }
}
