//! Test agent of the test image: the hands and eyes of tests-qemu inside the machine.
//!
//! JSON lines over the virtio-serial port `org.edgeai.test`: one request, one reply. It is
//! in no product image. Nothing a request asks for may end it: an error is a reply.

mod camera;
mod files;
mod gpio;
mod processes;
mod request;
mod usb;
mod v4l2;

use camera::Camera;
use gpio::Lines;
use nix::time::{ClockId, clock_gettime};
use request::Request;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;
use v4l2::Node;

/// Name of the virtio-serial port, given to QEMU as `-device virtserialport,name=…`.
const PORT: &str = "org.edgeai.test";
/// Longest request: a 1920x1080 picture in base64 has 5.6 MB.
const LONGEST: u64 = 16 << 20;

/// What the agent keeps between requests.
struct Agent {
    camera: Camera,
    usb: usb::Cameras,
    lines: Result<Lines, String>,
}

fn main() {
    // Before anything else: the pins and the camera are what `edgeai run` looks for.
    let mut agent = Agent {
        camera: Camera::default(),
        usb: usb::Cameras::default(),
        lines: lines(),
    };
    if let Err(error) = catch_unwind(AssertUnwindSafe(|| agent.camera.start(640, 480)))
        .unwrap_or_else(|_| Err(anyhow::anyhow!("internal error")))
    {
        eprintln!("edgeai-test-agent: camera: {error:#}");
    }
    if let Err(error) = &agent.lines {
        eprintln!("edgeai-test-agent: gpio: {error}");
    }
    let mut told = String::new();
    loop {
        if let Err(error) = serve(&mut agent) {
            let text = format!("edgeai-test-agent: {PORT}: {error}");
            // Said once, not ten times a second.
            if text != told {
                eprintln!("{text}");
                told = text;
            }
        }
        // The port is not there yet, or the other side has hung up.
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn lines() -> Result<Lines, String> {
    Lines::create().map_err(|error| format!("{error:#}"))
}

/// Answers requests until the other side hangs up.
fn serve(agent: &mut Agent) -> io::Result<()> {
    let Some(path) = port() else { return Ok(()) };
    let mut port = File::options().read(true).write(true).open(path)?;
    let mut requests = BufReader::new(port.try_clone()?);
    loop {
        let mut line = Vec::new();
        if io::Read::take(&mut requests, LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let reply = catch_unwind(AssertUnwindSafe(|| answer(agent, &line)))
            .unwrap_or_else(|_| json!({"ok": false, "error": "internal error"}));
        let mut reply = reply.to_string();
        reply.push('\n');
        port.write_all(reply.as_bytes())?;
    }
}

fn port() -> Option<PathBuf> {
    fs::read_dir("/sys/class/virtio-ports")
        .ok()?
        .flatten()
        .find_map(|entry| {
            let name = fs::read_to_string(entry.path().join("name")).ok()?;
            (name.trim() == PORT).then(|| PathBuf::from("/dev").join(entry.file_name()))
        })
}

fn answer(agent: &mut Agent, line: &[u8]) -> Value {
    let done = serde_json::from_slice(line)
        .map_err(anyhow::Error::from)
        .and_then(|request| perform(agent, request));
    match done {
        Ok(mut reply) => {
            reply.insert("ok".to_owned(), true.into());
            Value::Object(reply)
        }
        Err(error) => {
            let mut reply = json!({"ok": false, "error": format!("{error:#}")});
            if let Some(errno) = errno(&error) {
                reply["errno"] = errno.into();
            }
            reply
        }
    }
}

/// The operating system's number for the innermost error that has one.
fn errno(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        let number = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error);
        number.or_else(|| {
            cause
                .downcast_ref::<nix::errno::Errno>()
                .map(|errno| *errno as i32)
        })
    })
}

fn perform(agent: &mut Agent, request: Request) -> anyhow::Result<Map<String, Value>> {
    let reply = match request {
        Request::Hello => json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kernel": fs::read_to_string("/proc/sys/kernel/version")?.trim(),
            "uptime_ms": uptime_ms(),
        }),
        Request::CameraStart { width, height } => {
            agent.camera.start(width, height)?;
            agent.camera.describe()
        }
        Request::CameraShow { data } => {
            agent.camera.show(&files::decode(&data)?)?;
            json!({})
        }
        Request::CameraUnbind => {
            agent.camera.unbind()?;
            json!({})
        }
        Request::CameraBind => {
            agent.camera.bind()?;
            agent.camera.describe()
        }
        Request::UsbCameraPlug { port, serial } => {
            json!({"capture": agent.usb.plug(port, &serial)?})
        }
        Request::UsbCameraUnplug { port } => {
            let uptime_ms = uptime_ms();
            agent.usb.unplug(port)?;
            json!({"uptime_ms": uptime_ms})
        }
        Request::UsbCameraShow {
            port,
            format,
            frames,
        } => {
            let frames: anyhow::Result<_> =
                frames.iter().map(|frame| files::decode(frame)).collect();
            agent.usb.show(port, &format, frames?)?;
            json!({})
        }
        Request::UsbCameraState { port } => agent.usb.describe(port)?,
        Request::ControlGet { path, name } => {
            json!({"value": Node::open(&path)?.value(&name)?})
        }
        Request::ControlSet { path, name, value } => {
            Node::open(&path)?.set(&name, value)?;
            json!({})
        }
        Request::GpioGet { line } => json!({"level": pins(agent)?.level(&line)?}),
        Request::GpioSet { line, levels } => {
            json!({"elapsed_ms": pins(agent)?.pull_urgently(&line, &levels)?})
        }
        Request::WaitGpio {
            line,
            level,
            timeout_ms,
        } => {
            let limit = Duration::from_millis(timeout_ms);
            json!({"elapsed_ms": pins(agent)?.wait(&line, level, limit)?})
        }
        Request::Threads { process } => json!({"threads": processes::threads(&process)?}),
        Request::Exec { argv, timeout_ms } => {
            processes::execute(&argv, Duration::from_millis(timeout_ms))?
        }
        Request::Kill { process, signal } => {
            json!({"killed": processes::kill_matching(&process, &signal)?})
        }
        Request::Read { path } => json!({"data": files::read(&path)?}),
        Request::Write { path, data } => {
            files::write(&path, &data)?;
            json!({})
        }
        Request::MakeFolder { path } => {
            fs::create_dir(&path)?;
            json!({})
        }
        Request::Remove { path } => {
            files::remove(&path)?;
            json!({})
        }
        Request::Cover { path, with } => {
            files::cover(&path, &with)?;
            json!({})
        }
        Request::Uncover { path } => {
            files::uncover(&path)?;
            json!({})
        }
        Request::Stat { path } => json!({"bytes": fs::metadata(&path)?.len()}),
        Request::Fill { path } => json!({"bytes": files::fill(&path)?}),
        Request::Statfs { path } => files::statfs(&path)?,
    };
    match reply {
        Value::Object(map) => Ok(map),
        other => anyhow::bail!("reply is not an object: {other}"),
    }
}

/// The simulated lines; tries again if they could not be made at the start.
fn pins(agent: &mut Agent) -> anyhow::Result<&Lines> {
    if agent.lines.is_err() {
        agent.lines = lines();
    }
    agent
        .lines
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Milliseconds since boot.
fn uptime_ms() -> u64 {
    let uptime = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .unwrap_or_default();
    u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Value {
        let mut agent = Agent {
            camera: Camera::default(),
            usb: usb::Cameras::default(),
            lines: Err("none here".into()),
        };
        answer(&mut agent, line.as_bytes())
    }

    #[test]
    fn hello_says_who_and_since_when() {
        let reply = ask(r#"{"do":"hello"}"#);
        assert_eq!(reply["ok"], true);
        assert!(
            reply["kernel"]
                .as_str()
                .is_some_and(|kernel| kernel.contains('#'))
        );
        assert!(reply["uptime_ms"].as_u64().is_some_and(|ms| ms > 0));
    }

    #[test]
    fn whatever_is_wrong_is_a_reply() {
        for line in [
            "",
            "nonsense",
            "{}",
            r#"{"do":"fly"}"#,
            r#"{"do":"camera-show","data":"!"}"#,
            r#"{"do":"camera-show","data":"AAAA"}"#,
            r#"{"do":"exec","argv":[],"timeout_ms":1}"#,
            r#"{"do":"kill","process":"","signal":"KILL"}"#,
            r#"{"do":"cover","path":"/does/not/exist","with":"/does/not/exist"}"#,
            r#"{"do":"uncover","path":"/does/not/exist"}"#,
            r#"{"do":"remove","path":"/does/not/exist"}"#,
            r#"{"do":"control-get","path":"/dev/null","name":"Gain"}"#,
        ] {
            let reply = ask(line);
            assert_eq!(reply["ok"], false, "{line}");
            assert!(reply["error"].is_string(), "{line}");
        }
    }

    #[test]
    fn errors_carry_errno() {
        let reply = ask(r#"{"do":"read","path":"/does/not/exist"}"#);
        assert_eq!(reply["errno"], libc::ENOENT);
    }
}
