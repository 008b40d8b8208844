//! USB cameras (UVC) in software, on the kernel's virtual host controller: its own driver `uvcvideo`
//! finds them as it would find real ones.

mod descriptors;
mod device;
mod requests;
mod usbip;

use anyhow::{Context, bail};
use descriptors::Format;
use device::Device;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait before looking again whether the kernel is done with a plug.
const TURN: Duration = Duration::from_millis(20);
/// How often to wait that long.
const TURNS: usize = 1000;

/// What is plugged in, by port.
#[derive(Default)]
pub struct Cameras(BTreeMap<u32, (String, Device)>);

impl Cameras {
    /// Plugs a camera with this serial number into a port (0 ..= 7); the node that it gets.
    pub fn plug(&mut self, port: u32, serial: &str) -> anyhow::Result<PathBuf> {
        if self.0.contains_key(&port) {
            bail!("there is something in port {port}");
        }
        wait(&format!("port {port} is not free"), || {
            usbip::is_free(port).map(|free| free.then_some(()))
        })?;
        let device = Device::run(usbip::attach(port)?, serial)?;
        self.0.insert(port, (serial.to_owned(), device));
        wait("no driver takes the camera", || Ok(node(serial)))
    }

    /// Pulls it.
    pub fn unplug(&mut self, port: u32) -> anyhow::Result<()> {
        let (serial, _) = self.0.remove(&port).context("nothing is plugged in")?;
        usbip::detach(port)?;
        wait("the driver keeps the camera", || {
            Ok(node(&serial).is_none().then_some(()))
        })
    }

    /// Frames that the camera delivers in a format, over and over, whatever they hold.
    pub fn show(&mut self, port: u32, format: &str, pictures: Vec<Vec<u8>>) -> anyhow::Result<()> {
        let format = match format {
            "MJPEG" => Format::Mjpeg,
            "YUYV" => Format::Yuyv,
            _ => bail!("no format {format}"),
        };
        self.device(port)?.show(format, pictures);
        Ok(())
    }

    /// What the camera has been told, and how many frames the host has fetched.
    pub fn describe(&mut self, port: u32) -> anyhow::Result<Value> {
        let device = self.device(port)?;
        Ok(json!({ "camera": device.describe(), "frames": device.frames() }))
    }

    fn device(&mut self, port: u32) -> anyhow::Result<&mut Device> {
        let plugged = self.0.get_mut(&port);
        let (_, device) = plugged.context("nothing is plugged in")?;
        Ok(device)
    }
}

/// Asks until there is an answer.
fn wait<T>(
    complaint: &str,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    for _ in 0..TURNS {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        std::thread::sleep(TURN);
    }
    bail!("{complaint}")
}

/// The node that captures from the USB camera with this serial number.
fn node(serial: &str) -> Option<PathBuf> {
    let nodes = fs::read_dir("/sys/class/video4linux").ok()?;
    let mut found = nodes.flatten().filter(|node| {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let interface = fs::canonicalize(node.path().join("device")).unwrap_or_default();
        let device = interface.parent().unwrap_or(&interface);
        // Its node of index 1 is for metadata.
        read(&device.join("serial")).trim() == serial
            && read(&node.path().join("index")).trim() == "0"
    });
    Some(Path::new("/dev").join(found.next()?.file_name()))
}
