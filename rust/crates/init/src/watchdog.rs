//! The hardware watchdog: if PID 1 stops turning its loop, the machine resets.

use log::{info, warn};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Time without a sign of life after which the hardware resets the machine.
const TIMEOUT_SECONDS: libc::c_int = 30;
/// Between two signs of life.
const PERIOD: Duration = Duration::from_secs(5);

// linux/watchdog.h
nix::ioctl_read!(wdioc_keepalive, b'W', 5, libc::c_int);
nix::ioctl_readwrite!(wdioc_settimeout, b'W', 6, libc::c_int);

/// An open watchdog, or none. It is never closed in the orderly way (writing `V`): during
/// power-off and reboot it goes on guarding against a machine that hangs on its way down.
pub struct Watchdog {
    device: Option<File>,
    last: Duration,
}

impl Watchdog {
    /// Opens /dev/watchdog0, which starts it.
    pub fn open() -> Self {
        let device = match File::options().write(true).open("/dev/watchdog0") {
            Ok(device) => device,
            Err(error) => {
                info!("no watchdog: {error}");
                return Self::absent();
            }
        };
        let mut timeout = TIMEOUT_SECONDS;
        // SAFETY: the ioctl reads and writes one int.
        if let Err(error) = unsafe { wdioc_settimeout(device.as_raw_fd(), &raw mut timeout) } {
            warn!("watchdog: timeout stays at the driver's: {error}");
        }
        Self {
            device: Some(device),
            last: Duration::ZERO,
        }
    }

    /// A machine without one.
    pub fn absent() -> Self {
        Self {
            device: None,
            last: Duration::ZERO,
        }
    }

    /// When the next sign of life is due.
    pub fn due(&self) -> Option<Duration> {
        self.device.as_ref().map(|_| self.last + PERIOD)
    }

    /// Gives a sign of life if one is due.
    pub fn keep_alive(&mut self, now: Duration) {
        if let Some(device) = &self.device
            && (self.last.is_zero() || now >= self.last + PERIOD)
        {
            let mut unused = 0;
            // SAFETY: the ioctl's argument is one int, which drivers ignore.
            let _ = unsafe { wdioc_keepalive(device.as_raw_fd(), &raw mut unused) };
            self.last = now;
        }
    }
}
