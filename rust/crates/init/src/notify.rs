//! The `sd_notify` protocol: `edgeai run` says that it is ready and still alive.

use log::warn;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;

/// Path of the socket, given to `edgeai run` as `NOTIFY_SOCKET`.
pub const PATH: &str = "/run/edgeai/notify";

/// What one datagram said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `READY=1`
    pub ready: bool,
    /// `WATCHDOG=1`
    pub alive: bool,
    /// `STATUS=…`
    pub status: Option<String>,
}

/// Reads one datagram: lines of `NAME=value`; unknown names are allowed by the protocol.
pub fn parse(datagram: &[u8]) -> Message {
    let mut message = Message::default();
    for line in String::from_utf8_lossy(datagram).lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => message.ready = true,
            Some(("WATCHDOG", "1")) => message.alive = true,
            Some(("STATUS", text)) => message.status = Some(text.to_owned()),
            _ => {}
        }
    }
    message
}

/// The receiving end.
pub struct Socket(Option<UnixDatagram>);

impl Socket {
    /// Binds it; without it a hung `edgeai run` cannot be told from a working one.
    pub fn bind() -> Self {
        let bound = std::fs::create_dir_all("/run/edgeai").and_then(|()| {
            let _ = std::fs::remove_file(PATH);
            let socket = UnixDatagram::bind(PATH)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        match bound {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                warn!("{PATH}: {error}; edgeai run is not watched for hanging");
                Self(None)
            }
        }
    }

    /// No socket.
    pub fn absent() -> Self {
        Self(None)
    }

    /// To poll.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// The next datagram waiting, if any.
    pub fn receive(&self) -> Option<Message> {
        let mut datagram = [0; 1024];
        match self.0.as_ref()?.recv(&mut datagram) {
            Ok(length) => Some(parse(datagram.get(..length)?)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Some(Message::default()),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_knows_and_passes_over_the_rest() {
        let message = parse(b"READY=1\nSTATUS=camera lost\nMAINPID=3\nWATCHDOG=1");
        assert!(message.ready && message.alive);
        assert_eq!(message.status.as_deref(), Some("camera lost"));
        assert_eq!(parse(b"READY=0\nWATCHDOG\n\xff\xfe="), Message::default());
    }
}
