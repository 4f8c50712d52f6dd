//! Splits the body of a reply into events, whatever form it has: server-sent events, one JSON document, JSON lines.
//!
//! The body decides, not its content type: gateways answer a request for a stream with a document, and write comments
//! and keep-alives in spellings of their own. Stores no more than the given number of bytes.

use serde_json::{Deserializer, Value};

#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// A comment or a keep-alive.
    Alive,
    Event(Value),
    /// An event that the server names an error; often JSON.
    Error(String),
    /// The end mark.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// Neither JSON nor events.
    Garbled,
    /// One event has more bytes than allowed.
    TooLarge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Only white space so far.
    Unknown,
    Events,
    Document,
    Page,
}

#[derive(Debug)]
pub(crate) struct Frames {
    form: Form,
    /// Bytes that are no complete line, or the document so far.
    rest: Vec<u8>,
    /// The last byte was a carriage return, whose line feed may follow.
    after_return: bool,
    /// The event so far.
    data: Vec<u8>,
    has_data: bool,
    is_error: bool,
    max_bytes: usize,
}

impl Frames {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            form: Form::Unknown,
            rest: Vec::new(),
            after_return: false,
            data: Vec::new(),
            has_data: false,
            is_error: false,
            max_bytes,
        }
    }

    /// A page, whose text is all that can be used of it.
    pub(crate) fn page(&self) -> Option<&[u8]> {
        (self.form == Form::Page).then_some(&self.rest)
    }

    /// The body is one document, which is complete when the body is.
    pub(crate) fn is_document(&self) -> bool {
        self.form == Form::Document
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameError> {
        if self.form == Form::Unknown {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
            let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
            bytes = &bytes[start..];
            self.form = match bytes.first() {
                None => {
                    out.push(Frame::Alive);
                    return Ok(());
                }
                Some(b'{' | b'[') => Form::Document,
                Some(b'<') => Form::Page,
                Some(_) => Form::Events,
            };
        }
        if self.form != Form::Events {
            out.push(Frame::Alive);
            self.rest.extend_from_slice(bytes);
            return if self.rest.len() > self.max_bytes { Err(FrameError::TooLarge) } else { Ok(()) };
        }
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, end) = match part.split_last() {
                Some((end @ (b'\n' | b'\r'), line)) => (line, Some(*end)),
                _ => (part, None),
            };
            if std::mem::take(&mut self.after_return) && end == Some(b'\n') && line.is_empty() {
                continue;
            }
            self.rest.extend_from_slice(line);
            if self.rest.len() + self.data.len() > self.max_bytes {
                return Err(FrameError::TooLarge);
            }
            if end.is_some() {
                self.after_return = end == Some(b'\r');
                let line = std::mem::take(&mut self.rest);
                self.line(&line, out)?;
            }
        }
        Ok(())
    }

    /// The rest of a body that has ended. A part of an event is dropped: the connection was lost.
    pub(crate) fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), FrameError> {
        match self.form {
            Form::Unknown | Form::Page => Ok(()),
            Form::Document => {
                let text =
                    String::from_utf8(std::mem::take(&mut self.rest)).map_err(|_| FrameError::Garbled)?;
                events_in(&text, out)
            }
            Form::Events => {
                let line = std::mem::take(&mut self.rest);
                let complete = out.len();
                if self.line(&line, out).and_then(|()| self.dispatch(out)).is_err() {
                    out.truncate(complete);
                }
                Ok(())
            }
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameError> {
        if line.is_empty() {
            return self.dispatch(out);
        }
        // JSON lines, without the name of a field.
        if line.starts_with(b"{") {
            self.add(line);
            return self.dispatch(out);
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        match name.trim_ascii() {
            b"" => out.push(Frame::Alive),
            // After events without blank lines between them.
            b"data" if self.has_data && value.trim_ascii() == b"[DONE]" => {
                self.dispatch(out)?;
                self.add(value);
            }
            b"data" => self.add(value.strip_prefix(b" ").unwrap_or(value)),
            b"event" => self.is_error = value.trim_ascii() == b"error",
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, data: &[u8]) {
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(data);
    }

    fn dispatch(&mut self, out: &mut Vec<Frame>) -> Result<(), FrameError> {
        let is_error = std::mem::take(&mut self.is_error);
        if !std::mem::take(&mut self.has_data) {
            out.push(Frame::Alive);
            return Ok(());
        }
        let data = String::from_utf8(std::mem::take(&mut self.data)).map_err(|_| FrameError::Garbled)?;
        let data = data.trim();
        if is_error {
            out.push(Frame::Error(data.to_owned()));
        } else if data.starts_with('{') || data.starts_with("[{") {
            events_in(data, out)?;
        } else if data.trim_matches(['[', ']', '"', ' ']).eq_ignore_ascii_case("done") {
            out.push(Frame::End);
        } else {
            // `: keepalive`, `ping` and the like: not JSON, so not for us.
            out.push(Frame::Alive);
        }
        Ok(())
    }
}

/// All JSON values of a text; those of an array one by one, as Google sends a stream without server-sent events.
fn events_in(text: &str, out: &mut Vec<Frame>) -> Result<(), FrameError> {
    for value in Deserializer::from_str(text).into_iter::<Value>() {
        match value.map_err(|_| FrameError::Garbled)? {
            Value::Array(items) => out.extend(items.into_iter().map(Frame::Event)),
            value => out.push(Frame::Event(value)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &[u8], piece: usize) -> Result<String, FrameError> {
        let (mut frames, mut out) = (Frames::new(1000), Vec::new());
        for piece in body.chunks(piece) {
            frames.push(piece, &mut out)?;
        }
        frames.finish(&mut out)?;
        let shown = out.iter().filter_map(|frame| match frame {
            Frame::Alive => None,
            Frame::Event(value) => Some(value.to_string()),
            Frame::Error(text) => Some(format!("error {text}")),
            Frame::End => Some("end".to_owned()),
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    /// The same in whole, and byte by byte.
    #[track_caller]
    fn check(body: &str, expected: &str) {
        for piece in [body.len().max(1), 1, 2, 3] {
            assert_eq!(split(body.as_bytes(), piece).as_deref(), Ok(expected), "{body:?} by {piece}");
        }
    }

    #[test]
    fn every_framing_gives_the_same_events() {
        for body in [
            "data: {\"é\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
            "data:{\"é\":1}\r\n\r\ndata:{\"b\":2}\r\n\r\ndata:[DONE]\r\n\r\n",
            "data: {\"é\":1}\r\rdata: {\"b\":2}\r\rdata: [DONE]\r\r",
            "\u{feff}data: {\"é\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]",
            ": X\n\nevent: message\nretry: 5\ndata: {\"é\":1}\n: ping\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
            "data: : alive\n\ndata: {\"é\":1}\n\ndata:\n\ndata: ping\n\n:\n\ndata: {\"b\":2}\n\ndata: \"[DONE]\"\n\n",
            "\n\ndata: {\"é\":\ndata: 1}\n\nkeep-alive\n\ndata: {\"b\":2}\n\ndata: [done]\n\n",
            "data: {\"é\":1}\ndata: {\"b\":2}\n\ndata: DONE\n\n",
            "data: {\"é\":1}\ndata: {\"b\":2}\ndata: [DONE]\n",
            "data: [{\"é\":1},{\"b\":2}]\n\ndata: [DONE]\n\n",
            ": x\n{\"é\":1}\n{\"b\":2}\ndata: [DONE]\n",
        ] {
            check(body, "{\"é\":1} {\"b\":2} end");
        }
        for body in ["  \n{\"é\":1}", "[{\"é\":1}]", "{\n\"é\": 1\n}\n\n"] {
            check(body, "{\"é\":1}");
        }
        check("{\"é\":1}\n{\"b\":2}\n", "{\"é\":1} {\"b\":2}");
        check("", "");
        check("event: error\ndata: {\"message\":\"x\"}\n\n", "error {\"message\":\"x\"}");
        check("event: error\ndata: out of memory\n\ndata: {\"b\":2}\n\n", "error out of memory {\"b\":2}");
        // A part of an event after a complete one.
        check("data: {\"b\":2}\n\ndata: {\"c\":", "{\"b\":2}");
        check("data: {\"b\":2}\n\ndata: [DO", "{\"b\":2}");
    }

    #[test]
    fn unreadable_bodies_are_errors_within_bounds() {
        for (body, expected) in [
            (&b"data: {\"a\n\n"[..], FrameError::Garbled),
            (b"data: \xff\xfe\n\n", FrameError::Garbled),
            (b"{\"a\":", FrameError::Garbled),
            (b"{\"a\":\"\xff\"}", FrameError::Garbled),
            (&[b'z'; 1001], FrameError::TooLarge),
            (&[b'{'; 1001], FrameError::TooLarge),
            (&b"data: x\n".repeat(501), FrameError::TooLarge),
        ] {
            assert_eq!(split(body, 7), Err(expected), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(split(&b": still working\n\n".repeat(1000), 7).as_deref(), Ok(""));
    }
}
