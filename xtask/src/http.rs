//! HTTP to a server on loopback, as measurements need it: a connection that is kept, and as little work as possible.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// A connection that is kept.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Connection { reader: BufReader::new(stream), host: address.to_owned() })
    }

    /// One request with a JSON body, and headers that each end with a line break.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<Answer, String> {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             {headers}content-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.reader.get_mut().write_all(text.as_bytes()).map_err(|error| error.to_string())?;
        let (mut status, mut length) = (0, 0);
        let mut line = String::new();
        loop {
            line.clear();
            self.reader.read_line(&mut line).map_err(|error| error.to_string())?;
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or("no status")?;
            } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| "no length")?;
            }
            if line == "\r\n" {
                break;
            }
            if line.is_empty() {
                return Err("the server closed the connection".to_owned());
            }
        }
        let mut answer = vec![0; length];
        self.reader.read_exact(&mut answer).map_err(|error| error.to_string())?;
        Ok(Answer { status, body: String::from_utf8_lossy(&answer).into_owned() })
    }
}
