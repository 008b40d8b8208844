//! Lines on the console.

use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// `CLOCK_MONOTONIC` since boot; zero if the kernel cannot tell.
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(Duration::from)
        .unwrap_or_default()
}

struct Console;

/// Sends everything logged in this process to the console.
pub fn install() {
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Makes /dev/console standard input, output and error; the kernel can only do so itself
/// if /dev was there before PID 1.
pub fn open() {
    let console = OpenOptions::new()
        .read(true)
        .write(true)
        // Never the controlling terminal: a break on the line must not signal PID 1.
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/console");
    let Ok(console) = console else { return };
    let _ = nix::unistd::dup2_stdin(&console);
    let _ = nix::unistd::dup2_stdout(&console);
    let _ = nix::unistd::dup2_stderr(&console);
}

impl Log for Console {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(monotonic(), record.level(), &record.args().to_string());
        // One write a line, so that lines of the children do not mix with it.
        if std::io::stderr().write_all(line.as_bytes()).is_err()
            && let Ok(mut kmsg) = File::options().write(true).open("/dev/kmsg")
        {
            let _ = kmsg.write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn line(now: Duration, level: Level, message: &str) -> String {
    let prefix = match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        _ => "",
    };
    format!(
        "[{:5}.{:03}] edgeai-init: {prefix}{message}\n",
        now.as_secs(),
        now.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_and_name() {
        let now = Duration::from_millis(1_234);
        assert_eq!(
            line(now, Level::Info, "power-off"),
            "[    1.234] edgeai-init: power-off\n"
        );
        assert_eq!(
            line(now, Level::Warn, "x"),
            "[    1.234] edgeai-init: warning: x\n"
        );
    }
}
