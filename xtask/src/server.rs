//! A server of the product on loopback, for commands that measure or verify it; stopped when dropped.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// Where it serves, as `127.0.0.1:8000`.
    pub(crate) address: String,
    log: Option<JoinHandle<Vec<String>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts it, and returns when its log names its address.
    pub(crate) fn start(command: &mut Command) -> Result<Server, String> {
        let process = command.stderr(Stdio::piped()).spawn();
        let process = process.map_err(|error| format!("{command:?} could not be started: {error}"))?;
        let mut server = Server { process, address: String::new(), log: None };
        let log = server.process.stderr.take().ok_or("the server has no log")?;
        let mut lines = BufReader::new(log).lines();
        server.address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("http://")?;
                let is_of_address = |c: char| c == '.' || c == ':' || c.is_ascii_digit();
                Some(rest.split(|c| !is_of_address(c)).next()?.to_owned())
            })
            .ok_or("the log of the server names no address")?;
        // The log is read to its end, or the server would wait for a reader.
        server.log = Some(std::thread::spawn(move || lines.map_while(Result::ok).collect()));
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its address for those who ask over HTTP.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it with a signal (`-TERM`, `-KILL`) and returns its log.
    pub(crate) fn end(mut self, signal: &str) -> Result<Vec<String>, String> {
        let _ = Command::new("kill").args([signal, &self.id().to_string()]).status();
        self.process.wait().map_err(|error| error.to_string())?;
        let log = self.log.take().map(JoinHandle::join).transpose();
        Ok(log.map_err(|_| "a thread panicked")?.unwrap_or_default())
    }
}
