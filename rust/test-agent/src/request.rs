//! What can be asked.

use serde::Deserialize;
use std::path::PathBuf;

/// One request line. `process` is a part of a process's arguments joined by spaces.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Who is there.
    Hello,
    /// Sets up the loop from vivid's output to its capture node, showing grey.
    CameraStart { width: u32, height: u32 },
    /// Shows a picture: base64 of width x height YUYV.
    CameraShow { data: String },
    /// Pulls the camera's plug.
    CameraUnbind,
    /// Puts it back, with the loop.
    CameraBind,
    /// Plugs a USB camera with this serial number into a port (0 ..= 7).
    UsbCameraPlug { port: u32, serial: String },
    /// Pulls it; the uptime before.
    UsbCameraUnplug { port: u32 },
    /// What it delivers in a format (MJPEG, YUYV), over and over: base64 of each frame.
    UsbCameraShow {
        port: u32,
        format: String,
        frames: Vec<String>,
    },
    /// What it has been told, and how many frames were fetched.
    UsbCameraState { port: u32 },
    /// The value of a camera's control, by the driver's name of it.
    ControlGet { path: PathBuf, name: String },
    /// Sets it; a button is pressed by any value.
    ControlSet {
        path: PathBuf,
        name: String,
        value: i32,
    },
    /// Level of a line.
    GpioGet { line: String },
    /// Pulls a line up (1) or down (0), as the world outside would; to several levels without a pause, and how
    /// long that took (ms).
    GpioSet { line: String, levels: Vec<u8> },
    /// Waits for a level.
    WaitGpio {
        line: String,
        level: u8,
        timeout_ms: u64,
    },
    /// Threads of the processes that match.
    Threads { process: String },
    /// Runs a program.
    Exec { argv: Vec<String>, timeout_ms: u64 },
    /// Signals the processes that match; by name (`KILL`, `SIGKILL`) or number.
    Kill { process: String, signal: String },
    /// Contents of a file, base64.
    Read { path: PathBuf },
    /// Replaces a file's contents with base64 data; makes the folders it needs.
    Write { path: PathBuf, data: String },
    /// Makes a folder: in configfs, a device.
    MakeFolder { path: PathBuf },
    /// Removes a file, or an empty folder.
    Remove { path: PathBuf },
    /// Puts a file in the place of another, which may be on a read-only file system.
    Cover { path: PathBuf, with: PathBuf },
    /// Takes it away again.
    Uncover { path: PathBuf },
    /// Size of a file.
    Stat { path: PathBuf },
    /// Writes a file until its file system is full.
    Fill { path: PathBuf },
    /// Space of a file system.
    Statfs { path: PathBuf },
}
