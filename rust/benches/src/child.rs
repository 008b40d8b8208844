//! A peer in another process: a line in, nanoseconds out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A peer that measures itself.
pub struct ChildPeer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it said first: its version.
    pub version: String,
}

impl ChildPeer {
    /// Starts the peer and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started or says nothing.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output")?;
        let mut peer = Self {
            child,
            input,
            output: BufReader::new(output),
            version: String::new(),
        };
        peer.version = peer.line()?;
        Ok(peer)
    }

    /// Lets it do its work once.
    ///
    /// # Errors
    /// It has died or does not answer with a number.
    pub fn once(&mut self) -> Result<Duration, String> {
        let input = self.input.as_mut().ok_or("no input")?;
        input.write_all(b"\n").map_err(|error| error.to_string())?;
        let line = self.line()?;
        let nanoseconds = line.parse().map_err(|_| format!("said {line:?}"))?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it has ended".into()),
            Ok(_) => Ok(line.trim().into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for ChildPeer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
