//! The `sd_notify` protocol: one datagram of `KEY=VALUE` lines to the socket in `NOTIFY_SOCKET`.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells the supervisor that we are ready and alive. Without a supervisor it does nothing.
pub struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// To the supervisor that started this process, if it asked for notifications.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(address) = env::var_os("NOTIFY_SOCKET") else {
            return Self(None);
        };
        Self::to(address.as_bytes()).unwrap_or_else(|error| {
            log::warn!("NOTIFY_SOCKET: {error}; the supervisor will hear nothing");
            Self(None)
        })
    }

    /// To the socket at `address`: a path, or a name in the abstract space behind `@`.
    fn to(address: &[u8]) -> io::Result<Self> {
        let address = match address.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(address))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self(Some((socket, address))))
    }

    /// The appliance works: start-up is over.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The appliance is alive; due at least every 2 s.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// One line for people.
    pub fn status(&self, line: &str) {
        self.send(&format!("STATUS={line}"));
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.0 {
            // A supervisor that does not listen notices by itself that nothing comes.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_datagrams() {
        let name = format!("edgeai-notifier-test-{}", std::process::id());
        let supervisor =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap())
                .unwrap();
        let notifier = Notifier::to(format!("@{name}").as_bytes()).unwrap();
        let mut buffer = [0; 64];
        for (send, expected) in [
            (&(|| notifier.ready()) as &dyn Fn(), "READY=1"),
            (&|| notifier.watchdog(), "WATCHDOG=1"),
            (
                &|| notifier.status("camera missing"),
                "STATUS=camera missing",
            ),
        ] {
            send();
            let length = supervisor.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
    }

    #[test]
    fn a_supervisor_that_is_gone_is_no_error() {
        Notifier::to(b"/nonexistent/socket").unwrap().watchdog();
    }
}
