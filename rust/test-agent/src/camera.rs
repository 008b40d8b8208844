//! The simulated camera: vivid's HDMI output looped into its HDMI input.
//!
//! vivid copies the output buffer byte for byte into the capture buffer when both ends have
//! the same size and pixel format; text and test pattern are off. It keeps the last output
//! buffer until another is queued behind it (`vivid_thread_vid_out_tick`), so a picture once
//! queued is shown at the full frame rate until the next one, without anybody feeding it.

use crate::v4l2::{Mapping, Node};
use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEVICE: &str = "vivid.0";
/// The one with an HDMI input and output.
const CAMERA: &str = "vivid-000";
const DRIVER: &str = "/sys/bus/platform/drivers/vivid";
/// One shown, one to fill, and one more so that neither waits for the other.
const BUFFERS: u32 = 3;
/// Several frames at the slowest rate.
const TURN: Duration = Duration::from_secs(1);
/// `edgeai run` may open the camera between plugging in and setting up; then again.
const ATTEMPTS: usize = 5;
/// A node's number is free again when the last one to have it open has closed it.
const CLOSING: Duration = Duration::from_millis(100);
/// How often to wait that long.
const CLOSING_ATTEMPTS: usize = 20;
/// Y, U, V = 128: grey.
const GREY: u8 = 128;

/// The camera as the agent sees it.
pub struct Camera {
    size: (u32, u32),
    /// The capture node that it had at boot and gets again each time it is plugged in.
    home: Option<PathBuf>,
    output: Option<Output>,
}

/// The running output.
struct Output {
    // Unmapped before the node is closed.
    mappings: Vec<Mapping>,
    free: Vec<u32>,
    bytes: usize,
    node: Node,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            size: (640, 480),
            home: None,
            output: None,
        }
    }
}

impl Camera {
    /// Sets up the loop at this size, showing grey. If somebody is capturing at another
    /// size, the camera is unplugged and plugged in again.
    pub fn start(&mut self, width: u32, height: u32) -> anyhow::Result<()> {
        self.output = None;
        self.size = (width, height);
        if !plugged() {
            self.plug()?;
        }
        if self.home.is_none() {
            self.home = Some(node("vid-cap")?);
        }
        for _ in 1..ATTEMPTS {
            match Output::start(width, height) {
                Err(error) if error.downcast_ref() == Some(&Errno::EBUSY) => {
                    unplug()?;
                    std::thread::sleep(CLOSING);
                    self.plug()?;
                }
                result => {
                    self.output = Some(result?);
                    return Ok(());
                }
            }
        }
        self.output = Some(Output::start(width, height)?);
        Ok(())
    }

    /// Shows a picture; when this returns, it is what the next captured frame holds.
    pub fn show(&mut self, picture: &[u8]) -> anyhow::Result<()> {
        connect(&Node::open(&node("vid-cap")?)?)?;
        self.output
            .as_mut()
            .context("the camera is not started")?
            .show(picture)
    }

    /// Pulls the plug.
    pub fn unbind(&mut self) -> anyhow::Result<()> {
        self.output = None;
        unplug()
    }

    /// Puts it back, with the loop.
    pub fn bind(&mut self) -> anyhow::Result<()> {
        if plugged() {
            bail!("the camera is plugged in already");
        }
        self.start(self.size.0, self.size.1)
    }

    /// Binds the driver until the capture node is the one it was at boot.
    fn plug(&self) -> anyhow::Result<()> {
        for _ in 0..CLOSING_ATTEMPTS {
            write(&Path::new(DRIVER).join("bind"), DEVICE)?;
            let found = node("vid-cap")?;
            if self.home.as_ref().is_none_or(|home| *home == found) {
                return Ok(());
            }
            unplug()?;
            std::thread::sleep(CLOSING);
        }
        bail!("somebody keeps the unplugged camera open")
    }

    /// Where the camera is to be found.
    pub fn describe(&self) -> Value {
        let node = |kind| node(kind).map(|path| path.display().to_string()).ok();
        json!({
            "capture": node("vid-cap"),
            "output": node("vid-out"),
            "size": [self.size.0, self.size.1],
        })
    }
}

impl Output {
    fn start(width: u32, height: u32) -> anyhow::Result<Self> {
        let capture = Node::open(&node("vid-cap")?)?;
        let node = Node::open(&node("vid-out")?)?;
        let timings = node.timings(width, height)?;
        capture.set_timings(timings).context("capture")?;
        node.set_timings(timings).context("output")?;
        capture.choose("OSD Text Mode", "None")?;
        connect(&capture)?;
        let bytes = node.set_output_format(width, height)?;
        let mappings = node.map_buffers(BUFFERS)?;
        let free = (0..u32::try_from(mappings.len())?).collect();
        let mut output = Self {
            mappings,
            free,
            bytes,
            node,
        };
        output.fill_and_queue(&vec![GREY; bytes])?;
        output.node.stream()?;
        Ok(output)
    }

    fn show(&mut self, picture: &[u8]) -> anyhow::Result<()> {
        if self.free.is_empty() {
            self.free.extend(self.node.dequeue(TURN)?);
        }
        self.fill_and_queue(picture)?;
        // The buffer that comes back is the one shown until now: from here on it is this one.
        let done = self
            .node
            .dequeue(TURN)?
            .context("the output does not run")?;
        self.free.push(done);
        Ok(())
    }

    fn fill_and_queue(&mut self, picture: &[u8]) -> anyhow::Result<()> {
        let (expected, found) = (self.bytes, picture.len());
        ensure!(
            found == expected,
            "the picture has {found} bytes, not {expected}"
        );
        let index = self.free.pop().context("no free buffer")?;
        let mapping = self
            .mappings
            .get_mut(usize::try_from(index)?)
            .context("buffer index")?;
        mapping
            .bytes()
            .get_mut(..found)
            .context("buffer too small")?
            .copy_from_slice(picture);
        self.node.queue(index, found)
    }
}

/// Connects the input to the output, if it is not: vivid updates the control's menu from a work
/// queue (`update_hdmi_ctrls_work_handler`), which now and then finds the new item taken, by this
/// very input, and falls back to the test pattern.
fn connect(capture: &Node) -> anyhow::Result<()> {
    let choose = || capture.choose("HDMI 000-0 Is Connected To", "Output HDMI 000-0");
    for _ in 1..ATTEMPTS {
        if choose().is_ok() {
            return Ok(());
        }
        // Until the work queue has given the item back.
        std::thread::sleep(CLOSING);
    }
    choose()
}

fn plugged() -> bool {
    Path::new(DRIVER).join(DEVICE).exists()
}

fn unplug() -> anyhow::Result<()> {
    write(&Path::new(DRIVER).join("unbind"), DEVICE)
}

/// The device node of the capture or output side of the first of vivid's cameras, which are all
/// one device.
fn node(kind: &str) -> anyhow::Result<PathBuf> {
    let directory = Path::new(DRIVER).join(DEVICE).join("video4linux");
    let entries = fs::read_dir(&directory).context("no vivid device")?;
    entries
        .flatten()
        .find(|entry| {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            name.trim() == format!("{CAMERA}-{kind}")
        })
        .map(|entry| Path::new("/dev").join(entry.file_name()))
        .with_context(|| format!("vivid has no {kind} node"))
}

fn write(attribute: &Path, value: &str) -> anyhow::Result<()> {
    fs::write(attribute, value).with_context(|| attribute.display().to_string())
}
