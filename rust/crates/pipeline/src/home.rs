//! Where hand-overs happen: a thread with a model and the signal thread on one CPU, so that a hand-over
//! is a preemption there and not an interrupt to a CPU that sleeps.

use edgeai_realtime::Affinity;
use std::io;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

/// The kernel stops real-time threads for 50 ms of a second that they have taken whole
/// (`sched_rt_runtime_us`, fair server). Who takes a CPU for longer than this without a pause is not to share it
/// with the signal thread.
const LONGEST: Duration = Duration::from_millis(500);
/// Of [`Home::cpu`]: no CPU.
const NOWHERE: usize = usize::MAX;

/// The CPU that the signal thread shares with one thread that has a model.
pub struct Home {
    /// A thread with a model has it.
    taken: AtomicBool,
    cpu: AtomicUsize,
}

impl Default for Home {
    fn default() -> Self {
        Self {
            taken: AtomicBool::new(false),
            cpu: AtomicUsize::new(NOWHERE),
        }
    }
}

/// The side of a thread with a model. It is bound to the last of its CPUs, off CPU 0 and among the
/// fast ones of most chips that have two kinds, while it is the one that shares with the signal thread.
///
/// To be made when the model is loaded: threads that a runtime starts inherit the CPUs of their parent.
pub struct Host<'h> {
    home: &'h Home,
    /// Of a thread that may be bound.
    affinity: Option<Affinity>,
    bound: bool,
}

impl<'h> Host<'h> {
    /// Of the calling thread; it is bound only if it is a real-time thread.
    #[must_use]
    pub fn new(home: &'h Home, real_time: bool) -> Self {
        Self {
            home,
            affinity: real_time
                .then(Affinity::of_this_thread)
                .and_then(Result::ok),
            bound: false,
        }
    }

    /// A frame took the thread so long. The first thread that asks shares its CPU; the others hand over from
    /// where they are.
    pub fn worked(&mut self, time: Duration) {
        let share = time <= LONGEST;
        if share == self.bound {
            return;
        }
        if !share {
            return self.leave();
        }
        let Some(affinity) = &self.affinity else {
            return;
        };
        if self.home.taken.load(Relaxed) || self.home.taken.swap(true, Acquire) {
            return;
        }
        self.bound = true;
        let last = affinity.cpus().next_back();
        if let Some(cpu) = last.filter(|cpu| affinity.bind(*cpu).is_ok()) {
            self.home.cpu.store(cpu, Relaxed);
        } else {
            // Not allowed: as without.
            self.leave();
            self.affinity = None;
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.bound) {
            self.home.cpu.store(NOWHERE, Relaxed);
            if let Some(affinity) = &self.affinity {
                // It had these CPUs; without them it stays where it is.
                let _ = affinity.release();
            }
            self.home.taken.store(false, Release);
        }
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The signal thread's side.
pub struct Guest {
    affinity: Option<Affinity>,
    at: usize,
}

impl Guest {
    /// Of the calling thread; it moves only if it is a real-time thread, which has its way against others on
    /// the same CPU.
    #[must_use]
    pub fn new(real_time: bool) -> Self {
        Self {
            affinity: real_time
                .then(Affinity::of_this_thread)
                .and_then(Result::ok),
            at: NOWHERE,
        }
    }

    /// Goes where the host is now, or is free again without one. Calls the system only if that has
    /// changed.
    ///
    /// # Errors
    /// It may not run there; it stays, and is told once.
    pub fn follow(&mut self, home: &Home) -> io::Result<()> {
        let cpu = home.cpu.load(Relaxed);
        if cpu == self.at {
            return Ok(());
        }
        self.at = cpu;
        match &self.affinity {
            None => Ok(()),
            Some(affinity) if cpu == NOWHERE => affinity.release(),
            Some(affinity) => affinity.bind(cpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    const SHORT: Duration = Duration::from_millis(5);

    fn cpus() -> Vec<usize> {
        Affinity::of_this_thread().unwrap().cpus().collect()
    }

    /// The CPUs of a signal thread that follows.
    fn followed(guest: &mut Guest, home: &Home) -> Vec<usize> {
        guest.follow(home).unwrap();
        cpus()
    }

    #[test]
    fn the_guest_is_where_the_host_is_and_free_when_it_has_left() {
        let home = Home::default();
        let all = cpus();
        let last = [*all.last().unwrap()];
        let mut guest = Guest::new(true);
        thread::scope(|scope| {
            // Bound as long as this lives; it lives on another thread.
            let (step, steps) = std::sync::mpsc::channel();
            let (done, dones) = std::sync::mpsc::channel();
            let home = &home;
            scope.spawn(move || {
                let mut host = Host::new(home, true);
                while let Ok(time) = steps.recv() {
                    host.worked(time);
                    done.send(cpus()).unwrap();
                }
            });
            let host = |time| {
                step.send(time).unwrap();
                dones.recv().unwrap()
            };
            assert_eq!(host(SHORT), last);
            assert_eq!(followed(&mut guest, home), last);
            assert_eq!(host(LONGEST * 2), all, "it leaves nothing to share");
            assert_eq!(followed(&mut guest, home), all);
            assert_eq!(host(SHORT), last);
            assert_eq!(followed(&mut guest, home), last);
            drop(step);
        });
        assert_eq!(followed(&mut guest, &home), all, "the host has ended");
    }

    #[test]
    fn one_thread_at_a_time_is_the_host() {
        let home = Home::default();
        let all = cpus();
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                let mut first = Host::new(&home, true);
                first.worked(SHORT);
                let second = thread::scope(|scope| {
                    let second = scope.spawn(|| {
                        let mut second = Host::new(&home, true);
                        second.worked(SHORT);
                        second.bound
                    });
                    second.join().unwrap()
                });
                (first.bound, second)
            });
            assert_eq!(first.join().unwrap(), (true, false));
        });
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut third = Host::new(&home, true);
            third.worked(SHORT);
            assert!(third.bound);
            panic!("a panic in a thread with a model");
        }));
        assert!(ended.is_err());
        assert_eq!((cpus(), home.cpu.load(Relaxed)), (all, NOWHERE));
        assert!(!home.taken.load(Relaxed));
    }

    #[test]
    fn ordinary_threads_are_left_alone() {
        let home = Home::default();
        let all = cpus();
        let mut host = Host::new(&home, false);
        host.worked(SHORT);
        assert_eq!((host.bound, cpus()), (false, all.clone()));
        home.cpu.store(*all.last().unwrap(), Relaxed);
        assert_eq!(followed(&mut Guest::new(false), &home), all);
    }
}
