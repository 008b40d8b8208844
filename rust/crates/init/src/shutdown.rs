//! The orderly end: outputs safe, data on disk, power off.

use crate::process::reap;
use log::{error, info, warn};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, sync};
use std::time::{Duration, Instant};

/// Time for `edgeai run` and the services to end by themselves.
const GRACE: Duration = Duration::from_secs(1);
/// Time for the kernel to end what was killed.
const AFTER_KILL: Duration = Duration::from_millis(200);

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Power off.
    PowerOff,
    /// Restart.
    Reboot,
    /// Stop, power on.
    Halt,
}

/// Ends everything. Does not return.
pub fn end(how: End) -> ! {
    let (name, mode) = match how {
        End::PowerOff => ("power-off", RebootMode::RB_POWER_OFF),
        End::Reboot => ("reboot", RebootMode::RB_AUTOBOOT),
        End::Halt => ("halt", RebootMode::RB_HALT_SYSTEM),
    };
    let start = Instant::now();
    info!("{name}");
    // To every process but this one; on SIGTERM `edgeai run` takes its outputs to safe.
    let everything = Pid::from_raw(-1);
    let _ = kill(everything, Signal::SIGTERM);
    if !childless_within(GRACE) {
        warn!("{name}: killing what is left");
        let _ = kill(everything, Signal::SIGKILL);
        childless_within(AFTER_KILL);
    }
    sync();
    if let Err(error) = umount2("/data", MntFlags::empty())
        && !matches!(error, Errno::EINVAL | Errno::ENOENT)
    {
        warn!("/data: {error}; remounting read-only");
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let _ = mount(None::<&str>, "/data", None::<&str>, read_only, None::<&str>);
        sync();
    }
    info!("{name} after {} ms", start.elapsed().as_millis());
    let Err(error) = reboot(mode);
    error!("{name}: {error}");
    loop {
        // The watchdog is no longer fed: it ends what reboot(2) could not.
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Reaps until there are no children left.
fn childless_within(limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        while reap().is_some() {}
        let any = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        if waitid(Id::All, any) == Err(Errno::ECHILD) {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
