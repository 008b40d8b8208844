//! On which CPUs a thread may run.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::io;

/// The calling thread, as `sched_setaffinity(2)` names it.
const THIS: Pid = Pid::from_raw(0);

/// The CPUs of one thread. Only that thread may use it: the system calls mean whoever calls.
pub struct Affinity {
    all: CpuSet,
}

impl Affinity {
    /// Of the calling thread as it is now.
    ///
    /// # Errors
    /// When the affinity cannot be read.
    pub fn of_this_thread() -> io::Result<Self> {
        Ok(Self {
            all: sched_getaffinity(THIS)?,
        })
    }

    /// Numbers of its CPUs, ascending.
    #[must_use]
    pub fn cpus(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..CpuSet::count()).filter(|&cpu| self.all.is_set(cpu).unwrap_or(false))
    }

    /// Binds the thread to one CPU.
    ///
    /// # Errors
    /// `EINVAL` if there is no such CPU, or the thread may not run on it.
    pub fn bind(&self, cpu: usize) -> io::Result<()> {
        let mut one = CpuSet::new();
        one.set(cpu)?;
        Ok(sched_setaffinity(THIS, &one)?)
    }

    /// Gives the thread back the CPUs it had.
    ///
    /// # Errors
    /// `EINVAL` if none of them is left.
    pub fn release(&self) -> io::Result<()> {
        Ok(sched_setaffinity(THIS, &self.all)?)
    }
}

/// Keeps the calling thread, and threads it starts afterwards, off CPU 0 where `threads` of them
/// fit on the others: a model that always runs would else leave the kernel's own work there (interrupts,
/// the power key's debounce) only what real-time throttling leaves. True if so.
///
/// # Errors
/// When the affinity cannot be read or set.
pub fn leave_cpu_0(threads: u32) -> io::Result<bool> {
    let mut affinity = Affinity::of_this_thread()?;
    if !affinity.all.is_set(0)? || affinity.cpus().count() <= threads as usize {
        return Ok(false);
    }
    affinity.all.unset(0)?;
    affinity.release()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn cpus() -> Vec<usize> {
        Affinity::of_this_thread().unwrap().cpus().collect()
    }

    #[test]
    fn cpu_0_is_left_only_where_the_threads_fit_on_the_others() {
        let on_cpu_0 = |threads| {
            thread::spawn(move || (leave_cpu_0(threads).unwrap(), cpus().contains(&0)))
                .join()
                .unwrap()
        };
        let before = on_cpu_0(u32::MAX);
        assert!(!before.0);
        let (left, still) = on_cpu_0(1);
        assert_eq!(still, before.1 && !left);
    }

    #[test]
    fn a_thread_is_bound_to_one_cpu_and_gets_all_back() {
        let bound = thread::spawn(|| {
            let affinity = Affinity::of_this_thread().unwrap();
            let before = cpus();
            let last = affinity.cpus().next_back().unwrap();
            affinity.bind(last).unwrap();
            assert_eq!(cpus(), [last]);
            affinity.release().unwrap();
            assert_eq!(cpus(), before);
            affinity.bind(usize::MAX).is_err()
        });
        assert!(bound.join().unwrap());
    }
}
