//! Messages over standard input and output, one a line.
//!
//! Unlike the transport of rmcp, input that is not a message is answered.

use std::{io, sync::Arc};

use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use rmcp::{
    RoleServer,
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, Stdin, Stdout},
    sync::Mutex,
};
use tokio_util::codec::{AnyDelimiterCodec, FramedRead};

use super::unreadable;

/// The limit of a line, so that input without line ends does not fill the memory.
const MAX_LINE_BYTES: usize = 16 << 20;

/// A transport over a reader and a writer.
pub struct Lines<R, W> {
    input: FramedRead<R, AnyDelimiterCodec>,
    output: Arc<Mutex<W>>,
    /// The answer to a line that was not a message. It is kept here because `receive` may be dropped while it waits.
    answering: Option<BoxFuture<'static, io::Result<()>>>,
    /// The reader ends once after an error, and continues then.
    after_error: bool,
}

impl<R: AsyncRead, W> Lines<R, W> {
    pub fn new(input: R, output: W) -> Self {
        let lines = AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), b"\n".to_vec(), MAX_LINE_BYTES);
        Lines {
            input: FramedRead::new(input, lines),
            output: Arc::new(Mutex::new(output)),
            answering: None,
            after_error: false,
        }
    }
}

/// Over the standard input and output of this process.
pub fn stdio() -> Lines<Stdin, Stdout> {
    Lines::new(tokio::io::stdin(), tokio::io::stdout())
}

async fn write<W: AsyncWrite + Unpin>(output: Arc<Mutex<W>>, message: impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(&message)?;
    line.push(b'\n');
    let mut output = output.lock().await;
    output.write_all(&line).await?;
    output.flush().await
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        write(Arc::clone(&self.output), message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(answering) = &mut self.answering {
                let answered = answering.await;
                self.answering = None;
                answered.ok()?;
            }
            let line = match self.input.next().await {
                Some(Ok(line)) => line,
                Some(Err(_)) => {
                    tracing::warn!("An MCP message was longer than {MAX_LINE_BYTES} bytes and was dropped");
                    self.after_error = true;
                    continue;
                }
                None if std::mem::take(&mut self.after_error) => continue,
                None => return None,
            };
            // JSON allows blanks around a message, and a reader may ignore a byte order mark.
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(message) => return Some(message),
                Err(_) if unreadable::is_notification(line) => {
                    tracing::debug!("An MCP notification could not be read and was ignored");
                }
                Err(_) => {
                    let answer = unreadable::explain(line);
                    self.answering = Some(write(Arc::clone(&self.output), answer).boxed());
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.output.lock().await.flush().await
    }
}
