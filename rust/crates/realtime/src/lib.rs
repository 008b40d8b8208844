//! What a thread needs to keep a deadline: `SCHED_FIFO`, memory that is never paged out,
//! one monotonic clock, and histograms that record without allocating or locking.

mod histogram;

pub use histogram::{Histogram, Snapshot};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
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

/// Keeps the calling thread, and threads it starts afterwards, off CPU 0 where `threads` of them
/// fit on the others: a model that always runs would else leave the kernel's own work there (interrupts,
/// the power key's debounce) only what real-time throttling leaves. True if so.
///
/// # Errors
/// When the affinity cannot be read or set.
pub fn leave_cpu_0(threads: u32) -> io::Result<bool> {
    let this = Pid::from_raw(0);
    let mut cpus = sched_getaffinity(this)?;
    let count = (0..CpuSet::count())
        .filter(|&cpu| cpus.is_set(cpu).unwrap_or(false))
        .count();
    if !cpus.is_set(0)? || count <= threads as usize {
        return Ok(false);
    }
    cpus.unset(0)?;
    sched_setaffinity(this, &cpus)?;
    Ok(true)
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
    fn cpu_0_is_left_only_where_the_threads_fit_on_the_others() {
        let on_cpu_0 = |threads| {
            std::thread::spawn(move || {
                let left = leave_cpu_0(threads).unwrap();
                let cpus = sched_getaffinity(Pid::from_raw(0)).unwrap();
                (left, cpus.is_set(0).unwrap())
            })
            .join()
            .unwrap()
        };
        let before = on_cpu_0(u32::MAX);
        assert!(!before.0);
        let (left, still) = on_cpu_0(1);
        assert_eq!(still, before.1 && !left);
    }

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
