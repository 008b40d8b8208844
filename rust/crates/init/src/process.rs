//! Child processes.

use anyhow::{Context, bail};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Everything of the image lives here.
const SEARCH_PATH: &str = "/usr/bin:/usr/sbin";

/// What supervision needs of the operating system.
pub trait Processes {
    /// Starts a program in a process group of its own and answers its process id.
    fn spawn(&mut self, exec: &[String], environment: &[(&str, &str)]) -> io::Result<i32>;
    /// Signals a program and all it has started.
    fn signal(&mut self, pid: i32, signal: Signal);
}

/// The real thing.
pub struct System;

impl Processes for System {
    fn spawn(&mut self, exec: &[String], environment: &[(&str, &str)]) -> io::Result<i32> {
        let (program, arguments) = exec
            .split_first()
            .ok_or_else(|| io::Error::other("no program given"))?;
        let child = command(program, arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()?;
        i32::try_from(child.id()).map_err(io::Error::other)
    }

    fn signal(&mut self, pid: i32, signal: Signal) {
        // Negative: the whole process group.
        let _ = kill(Pid::from_raw(-pid), signal);
    }
}

fn command(program: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("HOME", "/")
        .current_dir("/");
    // PID 1 blocks the signals it reads from a descriptor; a child would inherit that and
    // never see SIGTERM.
    // SAFETY: between fork and exec only sigprocmask(2) is called, which is allowed there.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
    command
}

/// The next child that has ended: its id and how it ended. `None` when there is none.
pub fn reap() -> Option<(i32, String)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
            WaitStatus::Exited(pid, code) => return Some((pid.as_raw(), format!("exit {code}"))),
            WaitStatus::Signaled(pid, signal, _) => {
                return Some((pid.as_raw(), format!("signal {signal}")));
            }
            WaitStatus::StillAlive => return None,
            _ => {}
        }
    }
}

/// Runs a program to its end, killing it after `limit`; `tick` is called while waiting.
/// Answers the exit code and the last line it printed.
///
/// # Errors
/// It could not be started, was killed, or ran into the limit.
pub fn run_to_end(
    program: &str,
    arguments: &[String],
    limit: Duration,
    tick: &mut dyn FnMut(),
) -> anyhow::Result<(i32, String)> {
    // Into a file and not a pipe: nobody reads while we wait.
    let log = "/run/edgeai-child.log";
    let output = File::create(log).context(log)?;
    let mut child = command(program, arguments)
        .stdin(Stdio::null())
        .stderr(output.try_clone().context(log)?)
        .stdout(output)
        .spawn()
        .context(program.to_owned())?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context(program.to_owned())? {
            break status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{program} did not end within {} s", limit.as_secs());
        }
        tick();
        std::thread::sleep(Duration::from_millis(2));
    };
    let Some(code) = status.code() else {
        bail!("{program}: {status}")
    };
    let mut text = String::new();
    let _ = File::open(log).and_then(|file| file.take(64 * 1024).read_to_string(&mut text));
    Ok((
        code,
        text.lines()
            .rfind(|l| !l.trim().is_empty())
            .unwrap_or_default()
            .trim()
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_see_the_signals_that_pid_1_blocks() {
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTERM);
        blocked.thread_block().unwrap();
        let status = command("sh", &["-c", "kill -TERM $$; exit 0"])
            .status()
            .unwrap();
        blocked.thread_unblock().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(15)
        );
    }
}
