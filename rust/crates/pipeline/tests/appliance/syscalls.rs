//! In steady state a frame costs the system calls that wake and wait, and no others: the frames of a traced process
//! are counted by ptrace(2).

use crate::rig::{GREY, Grey, appliance, inference, names};
use edgeai_config::Level;
use edgeai_pipeline::{
    Eye, Handover, Host, Link, Pace, Paced, Roster, Signals, Step, lane, spawn_signal, step,
};
use edgeai_signal::simulated::Bench;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rtrb::RingBuffer;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Frames in each of the two measured parts.
const FRAMES: u64 = 200;
/// Says to the traced process that it is one.
const TRACED: &str = "EDGEAI_TEST_TRACED";

/// The part of the traced process: frames on a thread "vision", decisions on the thread "signal". It does
/// nothing unless it is traced.
#[test]
fn traced() {
    if std::env::var_os(TRACED).is_none() {
        return;
    }
    let vision = thread::Builder::new().name("vision".into()).spawn(frames);
    vision.unwrap().join().unwrap();
}

/// A system call that nothing else makes: here a part of the measurement begins or ends.
fn mark() {
    // SAFETY: without arguments, and it cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

fn frames() {
    let appliance = appliance(60_000, "safe");
    let bench = Bench::new(&["door", "stop", "lamp"]);
    let link = Arc::new(Link::new(&appliance).unwrap());
    let (mut lane, inbox) = lane(0);
    let (events, mut queue) = RingBuffer::new(1024);
    let (own_events, _own_queue) = RingBuffer::new(8);
    let signals = Signals::new(
        &appliance,
        || bench.clone(),
        vec![inbox],
        None,
        events,
        Arc::clone(&link),
    );
    // Without the privilege it runs without.
    let priority = appliance.realtime.signal_priority;
    let signal = spawn_signal(signals, own_events, Some(priority)).unwrap();
    let rules = Roster::new(Arc::new(appliance)).enter(0, &names());
    lane.insist(Handover::Rules(rules.unwrap().unwrap()), &link);
    let mut inference = inference(false);
    let mut camera = Paced {
        source: &mut Grey::new(Duration::ZERO),
        // These frames are never waited for, as those of a camera would be.
        pace: Pace::new(false),
    };
    let mut host = Host::new(&link.home, true);
    let mut eyes = [Eye {
        sight: inference.look_through(&GREY, None, None).unwrap(),
        lane: &mut lane,
    }];
    let mut frame = |door: Level| {
        bench.pull("door", door);
        let seen = step(&mut camera, &mut eyes, None, &link, Duration::from_secs(1));
        assert_eq!(seen, Ok(Step::Seen));
        host.worked(camera.pace.working());
        // Waiting must not be counted, so it is done without the system.
        while eyes[0].lane.returned().is_none() {
            std::hint::spin_loop();
        }
    };
    for _ in 0..20 {
        frame(Level::Low);
    }
    mark();
    for _ in 0..FRAMES {
        frame(Level::Low);
    }
    mark();
    for number in 0..FRAMES {
        frame(if number % 2 == 0 {
            Level::High
        } else {
            Level::Low
        });
    }
    mark();
    assert_eq!(bench.history("lamp").len() as u64, FRAMES + 2);
    while queue.pop().is_ok() {}
    link.stop.store(true, Ordering::Release);
    link.signal.write(1).unwrap();
    signal.join().unwrap();
}

/// Calls of each thread, by number, in each part.
type Counts = BTreeMap<(String, i64), u64>;

/// Runs [`traced`] and counts its system calls; none where tracing is not allowed.
fn trace() -> Option<Vec<Counts>> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "syscalls::traced", "--test-threads", "1"])
        .env(TRACED, "1")
        .stdout(std::process::Stdio::null());
    // SAFETY: between fork and exec only one system call is made.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let mut child = match command.spawn() {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => return None,
        child => child.unwrap(),
    };
    let main = Pid::from_raw(i32::try_from(child.id()).unwrap());
    // It stops at its exec.
    waitpid(main, None).unwrap();
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD
        | ptrace::Options::PTRACE_O_TRACECLONE
        | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(main, options).unwrap();
    ptrace::syscall(main, None).unwrap();
    let mut parts = vec![Counts::new()];
    let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    loop {
        let (thread, signal) = match waitpid(None, Some(flags)) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                let info = ptrace::syscall_info(thread).unwrap();
                if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
                    // SAFETY: `op` says that this is the member in use.
                    let number = unsafe { info.u.entry.nr }.cast_signed();
                    if number == libc::SYS_getppid {
                        parts.push(Counts::new());
                    } else {
                        let name = format!("/proc/{main}/task/{thread}/comm");
                        let name = std::fs::read_to_string(name).unwrap_or_default();
                        let part = parts.last_mut().unwrap();
                        *part.entry((name.trim().to_owned(), number)).or_default() += 1;
                    }
                }
                (thread, None)
            }
            Ok(WaitStatus::Exited(pid, code)) if pid == main => {
                assert_eq!(code, 0, "the traced process failed");
                break;
            }
            // A new thread begins with a stop of its own; it is traced already.
            Ok(
                WaitStatus::Stopped(thread, Signal::SIGSTOP) | WaitStatus::PtraceEvent(thread, ..),
            ) => (thread, None),
            Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
            Ok(_) => continue,
            Err(error) => panic!("waiting for the traced process: {error}"),
        };
        // It may be gone by now.
        let _ = ptrace::syscall(thread, signal);
    }
    let _ = child.wait();
    Some(parts)
}

fn of<'a>(counts: &'a Counts, thread: &'a str) -> BTreeMap<i64, u64> {
    let of_thread = counts.iter().filter(|((name, _), _)| name == thread);
    of_thread
        .map(|((_, number), count)| (*number, *count))
        .collect()
}

#[test]
fn a_frame_costs_a_wake_up_a_wait_and_nothing_else() {
    let Some(parts) = trace() else {
        eprintln!("skipped: this process may not trace its children");
        return;
    };
    let [_, still, moving, _] = &parts[..] else {
        panic!("{} marks, expected 3", parts.len() - 1);
    };
    for (part, wakes_of_reporter) in [(still, 0), (moving, FRAMES)] {
        assert_eq!(
            of(part, "vision"),
            BTreeMap::from([(libc::SYS_write, FRAMES)]),
            "one wake-up of the signal thread a frame"
        );
        let mut signal = of(part, "signal");
        let told = signal.remove(&libc::SYS_write).unwrap_or(0);
        assert_eq!(
            told, wakes_of_reporter,
            "the reporter is woken once for each change"
        );
        for (number, count) in signal {
            let known = [libc::SYS_ppoll, libc::SYS_read].contains(&number);
            assert!(known, "system call {number}, {count} times");
            // A wait may end because its time has come, and the end of a part may cut one in two.
            assert!(count <= FRAMES + FRAMES / 4, "{number}: {count} times");
        }
    }
}
