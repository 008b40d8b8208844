//! What a thread needs to keep a deadline: `SCHED_FIFO`, memory that is never paged out,
//! one monotonic clock, and histograms that record without allocating or locking.

mod affinity;
mod histogram;

pub use affinity::{Affinity, leave_cpu_0};
pub use histogram::{Histogram, Snapshot};

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;

/// Bytes of stack that [`prefault_stack`] touches; real-time threads get at least twice as much.
pub const PREFAULT_BYTES: usize = 128 * 1024;

/// Now on `CLOCK_MONOTONIC`, the clock of V4L2 buffer timestamps.
#[must_use]
pub fn monotonic_now() -> Duration {
    read_clock(ClockId::CLOCK_MONOTONIC)
}

/// Time since the kernel started, suspends included (`CLOCK_BOOTTIME`).
#[must_use]
pub fn uptime() -> Duration {
    read_clock(ClockId::CLOCK_BOOTTIME)
}

fn read_clock(clock: ClockId) -> Duration {
    // Both clocks exist on every Linux this can run on (2.6.39 and later).
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// Gives the calling thread `SCHED_FIFO` with `priority` (1 ..= 99). Threads it starts afterwards
/// inherit both.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or a sufficient `RLIMIT_RTPRIO`, `EINVAL` for a priority out of range.
pub fn fifo(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: i32::from(priority),
    };
    // SAFETY: pid 0 is the calling thread; `parameters` is a valid sched_param for the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Takes [`fifo`] back: the ordinary policy of the system, for a process started from a real-time thread.
///
/// # Errors
/// What the system says; there is no reason known for which it would refuse.
pub fn ordinary() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: pid 0 is the calling thread; `parameters` is a valid sched_param for the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Locks all present and future memory of the process, so that no page fault stops a frame.
///
/// # Errors
/// When the locked-memory limit is finite and cannot be lifted, nothing is locked: with
/// `MCL_FUTURE` under a finite limit a later allocation would fail instead of being slow.
pub fn lock_memory() -> io::Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if soft != RLIM_INFINITY {
        // Needs CAP_SYS_RESOURCE, unless the hard limit is unlimited already.
        setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?;
    }
    Ok(mlockall(
        MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE,
    )?)
}

/// Touches [`PREFAULT_BYTES`] of the calling thread's stack so that its pages exist before the first frame.
#[inline(never)]
#[allow(clippy::large_stack_arrays)] // to be large on the stack is what it is for
pub fn prefault_stack() {
    let mut pages = [0_u8; PREFAULT_BYTES];
    std::hint::black_box(&mut pages);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_and_is_not_the_wall_clock() {
        let first = monotonic_now();
        let second = monotonic_now();
        assert!(first <= second);
        assert!(first > Duration::ZERO);
        // Suspended time counts in uptime only.
        assert!(uptime() >= first);
    }

    #[test]
    fn a_priority_out_of_range_is_refused() {
        assert_eq!(fifo(100).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
