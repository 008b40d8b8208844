//! Rules' changes for whoever listens on this machine.

use serde::Serialize;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Sends records as JSON, one a datagram, to the socket at a path: a bridge to MQTT or a cloud binds
/// it. What nobody listens to, or too slowly, is dropped and counted.
pub struct Telemetry {
    socket: Option<UnixDatagram>,
    path: PathBuf,
    dropped: u64,
}

impl Telemetry {
    /// To whoever has bound `path` by the time of a record.
    #[must_use]
    pub fn to(path: &Path) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        Self {
            socket: socket
                .inspect_err(|error| log::warn!("telemetry: {error}"))
                .ok(),
            path: path.to_owned(),
            dropped: 0,
        }
    }

    /// Sends one record; never waits.
    pub fn send(&mut self, record: &impl Serialize) {
        let sent = match (&self.socket, serde_json::to_vec(record)) {
            (Some(socket), Ok(bytes)) => socket.send_to(&bytes, &self.path).is_ok(),
            _ => false,
        };
        if !sent {
            self.dropped += 1;
        }
    }

    /// Records dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_to_whoever_listens_and_are_counted_if_nobody_does() {
        let name = format!("edgeai-telemetry-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut telemetry = Telemetry::to(&path);
        telemetry.send(&serde_json::json!({"rule": "a"}));
        assert_eq!(telemetry.dropped(), 1);
        let listener = UnixDatagram::bind(&path).unwrap();
        telemetry.send(&serde_json::json!({"rule": "b"}));
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], br#"{"rule":"b"}"#);
        assert_eq!(telemetry.dropped(), 1);
        std::fs::remove_file(path).unwrap();
    }
}
