//! Looking at processes, starting and signalling them.

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Most that is kept of a program's output.
const MOST_OUTPUT: u64 = 4 << 20;

/// Process ids and arguments (joined by spaces) of the other processes that match.
fn matching(part: &str) -> anyhow::Result<Vec<(i32, String)>> {
    ensure!(
        !part.trim().is_empty(),
        "process: needs a part of the arguments"
    );
    let own = i32::try_from(std::process::id())?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let Ok(raw) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let arguments = String::from_utf8_lossy(&raw)
            .trim_end_matches('\0')
            .replace('\0', " ");
        if pid != own && arguments.contains(part) {
            found.push((pid, arguments));
        }
    }
    Ok(found)
}

/// Every thread of every process that matches.
pub fn threads(part: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for (pid, arguments) in matching(part)? {
        let directory = Path::new("/proc").join(pid.to_string());
        // It may have ended since.
        let Ok(status) = fs::read_to_string(directory.join("status")) else {
            continue;
        };
        let Ok(tasks) = fs::read_dir(directory.join("task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let Ok(stat) = fs::read_to_string(task.path().join("stat")) else {
                continue;
            };
            let Some((name, priority, policy)) = scheduling(&stat) else {
                continue;
            };
            found.push(json!({
                "pid": pid,
                "tid": task.file_name().to_string_lossy().parse::<i32>().unwrap_or_default(),
                "args": arguments,
                "name": name,
                "policy": policy,
                "priority": priority,
                "vm_rss_kb": kilobytes(&status, "VmRSS"),
                "vm_lck_kb": kilobytes(&status, "VmLck"),
                "vm_size_kb": kilobytes(&status, "VmSize"),
            }));
        }
    }
    Ok(found)
}

/// Name, real-time priority and policy out of /proc/…/stat; proc(5) fields 2, 40 and 41.
fn scheduling(stat: &str) -> Option<(&str, u32, &'static str)> {
    // The name is in brackets and may hold brackets and spaces itself.
    let (front, back) = stat.rsplit_once(") ")?;
    let (_, name) = front.split_once('(')?;
    let mut fields = back.split(' ').skip(40 - 3);
    let priority = fields.next()?.parse().ok()?;
    let policy = match fields.next()?.trim() {
        "0" => "SCHED_OTHER",
        "1" => "SCHED_FIFO",
        "2" => "SCHED_RR",
        "3" => "SCHED_BATCH",
        "5" => "SCHED_IDLE",
        "6" => "SCHED_DEADLINE",
        _ => "unknown",
    };
    Some((name, priority, policy))
}

fn kilobytes(status: &str, key: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Signals every process that matches; how many there were.
pub fn kill_matching(part: &str, signal: &str) -> anyhow::Result<usize> {
    let signal = parse_signal(signal)?;
    let found = matching(part)?;
    for (pid, _) in &found {
        ensure!(*pid != 1, "PID 1 matches too; be more precise");
    }
    for (pid, _) in &found {
        kill(Pid::from_raw(*pid), signal)?;
    }
    ensure!(!found.is_empty(), "no process matches {part:?}");
    Ok(found.len())
}

fn parse_signal(text: &str) -> anyhow::Result<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Ok(Signal::try_from(number)?);
    }
    let name = if text.starts_with("SIG") {
        text.to_owned()
    } else {
        format!("SIG{text}")
    };
    name.parse().with_context(|| format!("signal {text}"))
}

/// Runs a program to its end; `code` is negative for a signal.
pub fn execute(argv: &[String], limit: Duration) -> anyhow::Result<Value> {
    let (program, arguments) = argv.split_first().context("argv is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| program.clone())?;
    let collect = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = collect(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = collect(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            // The group: a grandchild would keep the pipes open.
            let _ = kill(Pid::from_raw(-i32::try_from(child.id())?), Signal::SIGKILL);
            let _ = child.wait();
            bail!("{program} did not end within {} ms", limit.as_millis());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(json!({
        "code": status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()),
        "stdout": stdout.join().unwrap_or_default(),
        "stderr": stderr.join().unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheduling_survives_strange_names() {
        let numbers: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) b (c) S {}", numbers.join(" "));
        assert_eq!(scheduling(&stat), Some(("a) b (c", 40, "unknown")));
        let fifo = format!(
            "7 (vision) S {}",
            numbers.join(" ").replacen(" 41 ", " 1 ", 1)
        );
        assert_eq!(scheduling(&fifo), Some(("vision", 40, "SCHED_FIFO")));
        assert_eq!(scheduling("7 (x) S 1"), None);
    }

    #[test]
    fn memory_is_read_by_key() {
        let status = "VmSize:\t  20 kB\nVmLck:\t       4 kB\n";
        assert_eq!(kilobytes(status, "VmLck"), Some(4));
        assert_eq!(kilobytes(status, "VmRSS"), None);
    }

    #[test]
    fn programs_answer_or_are_killed() {
        let shell = |script: &str, ms| {
            let argv = ["sh", "-c", script].map(str::to_owned);
            execute(&argv, Duration::from_millis(ms))
        };
        let reply = shell("echo out; echo err >&2; exit 3", 10_000).unwrap();
        assert_eq!(
            reply,
            json!({"code": 3, "stdout": "out\n", "stderr": "err\n"})
        );
        assert_eq!(shell("kill -9 $$", 10_000).unwrap()["code"], -9);
        assert!(shell("sleep 100", 10).is_err());
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(parse_signal("KILL").unwrap(), Signal::SIGKILL);
        assert_eq!(parse_signal("SIGSTOP").unwrap(), Signal::SIGSTOP);
        assert_eq!(parse_signal("15").unwrap(), Signal::SIGTERM);
        assert!(parse_signal("LUNCH").is_err());
    }
}
