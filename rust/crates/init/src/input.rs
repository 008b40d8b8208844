//! The power key.

use log::info;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, SystemTime};

// linux/input-event-codes.h
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
const KEY_MAX: usize = 0x2ff;
const EVENT: usize = size_of::<libc::input_event>();
const DIRECTORY: &str = "/dev/input";
/// Devices may come late (USB); looking costs one `stat` while nothing has changed.
const RESCAN: Duration = Duration::from_secs(2);

// EVIOCGBIT(EV_KEY, …): which keys a device has.
nix::ioctl_read_buf!(eviocgbit_key, b'E', 0x20 + EV_KEY, u8);

/// Every input device that has a power key.
#[derive(Default)]
pub struct PowerKeys {
    devices: BTreeMap<OsString, File>,
    changed: Option<SystemTime>,
    next_scan: Duration,
}

impl PowerKeys {
    /// When to scan again.
    pub fn due(&self) -> Duration {
        self.next_scan
    }

    /// Opens devices that are new and have a power key.
    pub fn scan(&mut self, now: Duration) {
        if now < self.next_scan {
            return;
        }
        self.next_scan = now + RESCAN;
        let changed = std::fs::metadata(DIRECTORY).and_then(|m| m.modified()).ok();
        if changed.is_none() || changed == self.changed {
            return;
        }
        self.changed = changed;
        let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
            return;
        };
        for name in entries.flatten().map(|e| e.file_name()) {
            if !name.as_encoded_bytes().starts_with(b"event") || self.devices.contains_key(&name) {
                continue;
            }
            let path = std::path::Path::new(DIRECTORY).join(&name);
            let opened = File::options()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path);
            if let Ok(device) = opened
                && has_power_key(&device)
            {
                info!("power key: {}", path.display());
                self.devices.insert(name, device);
            }
        }
    }

    /// To poll, in the order of the names.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.values().map(AsFd::as_fd)
    }

    /// Reads all that waits; whether a power key went down. Devices that are gone are dropped.
    pub fn pressed(&mut self) -> bool {
        let mut pressed = false;
        self.devices.retain(|_, device| {
            let mut events = [0; 16 * EVENT];
            loop {
                match device.read(&mut events) {
                    Ok(0) => return false,
                    Ok(length) => pressed |= power_down(events.get(..length).unwrap_or_default()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
        });
        pressed
    }
}

fn has_power_key(device: &File) -> bool {
    let mut keys = [0; KEY_MAX / 8 + 1];
    // SAFETY: the kernel writes at most the length of the slice, which the request carries.
    let read = unsafe { eviocgbit_key(device.as_raw_fd(), &mut keys) };
    let byte = keys
        .get(usize::from(KEY_POWER / 8))
        .copied()
        .unwrap_or_default();
    read.is_ok() && byte >> (KEY_POWER % 8) & 1 == 1
}

/// Whether these `struct input_event`s contain a power key going down. Type, code and
/// value are the last eight bytes of each, whatever the size of the time in front.
fn power_down(events: &[u8]) -> bool {
    events.chunks_exact(EVENT).any(|event| {
        let [.., t0, t1, c0, c1, v0, v1, v2, v3] = *event else {
            return false;
        };
        u16::from_ne_bytes([t0, t1]) == EV_KEY
            && u16::from_ne_bytes([c0, c1]) == KEY_POWER
            && i32::from_ne_bytes([v0, v1, v2, v3]) == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0xA5; EVENT - 8];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_the_power_key_going_down_counts() {
        assert!(power_down(
            &[event(1, 30, 1), event(1, 116, 1), event(0, 0, 0)].concat()
        ));
        assert!(!power_down(&event(1, 116, 0)), "release");
        assert!(!power_down(&event(1, 116, 2)), "repeat");
        assert!(!power_down(&event(2, 116, 1)), "not a key");
        assert!(!power_down(&event(1, 116, 1)[..EVENT - 1]), "cut short");
    }
}
