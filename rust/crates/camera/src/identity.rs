//! Which device a name means. Names that stay the same when a camera is plugged in elsewhere, or when
//! nodes are numbered in another order, are looked up among the nodes there are now.

use crate::format::Wanted;
use crate::frame::CameraError;
use crate::node::{Capability, Device};
use crate::offer;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The `device` of an appliance description that is a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A node or a link to one.
    Path(&'a str),
    /// The driver's name of it (`card` of `VIDIOC_QUERYCAP`).
    Card(&'a str),
    /// Where it is plugged in (`bus_info` of `VIDIOC_QUERYCAP`).
    Bus(&'a str),
    /// Serial number of a USB device (`iSerialNumber`).
    Serial(&'a str),
}

/// A capture node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub path: PathBuf,
    pub driver: String,
    pub card: String,
    pub bus: String,
    pub serial: Option<String>,
    /// Codes of its pixel formats.
    pub codes: Vec<u32>,
    /// Why the above is not known.
    pub error: Option<String>,
}

impl<'a> Identity<'a> {
    /// Reads a `device` key.
    pub fn parse(device: &'a str) -> Self {
        let of = |prefix| device.strip_prefix(prefix);
        if let Some(card) = of("card:") {
            Self::Card(card)
        } else if let Some(bus) = of("bus:") {
            Self::Bus(bus)
        } else if let Some(serial) = of("serial:") {
            Self::Serial(serial)
        } else {
            Self::Path(device)
        }
    }

    /// The node that is meant, as things are now.
    pub fn resolve(self, wanted: Wanted) -> Result<PathBuf, CameraError> {
        match self {
            Self::Path(path) => Ok(path.into()),
            _ => self.choose(&scan(), wanted).map(|found| found.path.clone()),
        }
    }

    /// Of several nodes of one device: the first that offers what is wanted. Several devices are an error: which of two equal cameras is meant is not for us to guess.
    fn choose(self, nodes: &'a [Found], wanted: Wanted) -> Result<&'a Found, CameraError> {
        let fitting: Vec<_> = nodes.iter().filter(|found| self.fits(found)).collect();
        let Some(&first) = fitting.first() else {
            let there_is = match nodes {
                [] => "there is no camera".to_owned(),
                _ => format!("there is {}", listing(nodes)),
            };
            return Err(CameraError::Missing(format!(
                "no camera {self}; {there_is}"
            )));
        };
        if fitting.iter().any(|found| found.bus != first.bus) {
            let several = listing(fitting);
            let reason = format!("{self} fits several cameras: {several}; name one by bus:");
            return Err(CameraError::Unusable(reason));
        }
        let offers = |found: &&&Found| found.codes.iter().any(|&code| wanted.fits(code));
        let usable = fitting.iter().find(offers);
        Ok(usable.unwrap_or(&first))
    }

    fn fits(self, found: &Found) -> bool {
        match self {
            Self::Path(path) => found.path == Path::new(path),
            Self::Card(card) => found.card == card,
            Self::Bus(bus) => found.bus == bus,
            Self::Serial(serial) => found.serial.as_deref() == Some(serial),
        }
    }
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Card(card) => write!(f, "card:{card}"),
            Self::Bus(bus) => write!(f, "bus:{bus}"),
            Self::Serial(serial) => write!(f, "serial:{serial}"),
        }
    }
}

fn listing<'a>(nodes: impl IntoIterator<Item = &'a Found>) -> String {
    let lines: Vec<_> = nodes.into_iter().map(Found::to_string).collect();
    lines.join(", ")
}

/// `/dev/video0 (card:HD Webcam bus:usb-0000:01:00.0-1.2 serial:A1B2)`
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.path.display())?;
        match &self.error {
            Some(error) => f.write_str(error)?,
            None => write!(f, "card:{} bus:{}", self.card, self.bus)?,
        }
        if let Some(serial) = &self.serial {
            write!(f, " serial:{serial}")?;
        }
        f.write_str(")")
    }
}

/// All nodes that capture video, by number.
pub fn scan() -> Vec<Found> {
    let found = |path: PathBuf| match ask(&path) {
        Ok(found) => found,
        Err(error) => Some(Found {
            error: Some(error.to_string()),
            serial: serial(Path::new("/sys"), &path),
            path,
            ..Found::default()
        }),
    };
    nodes(Path::new("/dev"))
        .into_iter()
        .filter_map(found)
        .collect()
}

/// `None`: an output, a codec, the metadata node of a USB camera, ….
fn ask(path: &Path) -> io::Result<Option<Found>> {
    let device = Device::open(path)?;
    let capability = Capability::of(&device)?;
    let Some(queue) = capability.queue else {
        return Ok(None);
    };
    let formats = offer::formats(&device, queue);
    Ok(Some(Found {
        driver: capability.driver,
        card: capability.card,
        bus: capability.bus,
        serial: serial(Path::new("/sys"), path),
        codes: formats.iter().map(|offer| offer.code).collect(),
        path: path.into(),
        error: None,
    }))
}

/// `videoN` in a directory, by number.
fn nodes(dev: &Path) -> Vec<PathBuf> {
    let mut nodes: Vec<(u32, PathBuf)> = fs::read_dir(dev)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Serial number of the USB device that a node belongs to: `device` leads to the USB interface,
/// whose parent is the USB device (kernel, `Documentation/ABI/stable/sysfs-bus-usb`).
fn serial(sys: &Path, node: &Path) -> Option<String> {
    let class = sys.join("class/video4linux").join(node.file_name()?);
    let interface = fs::canonicalize(class.join("device")).ok()?;
    let serial = fs::read(interface.parent()?.join("serial")).ok()?;
    let serial = String::from_utf8_lossy(&serial).trim().to_owned();
    (!serial.is_empty()).then_some(serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeai_config::PixelFormat;
    use std::os::unix::fs::symlink;

    fn found(path: &str, card: &str, bus: &str, codes: &[&[u8; 4]]) -> Found {
        Found {
            path: path.into(),
            card: card.into(),
            bus: bus.into(),
            codes: codes
                .iter()
                .map(|code| u32::from_le_bytes(**code))
                .collect(),
            ..Found::default()
        }
    }

    fn chosen(
        device: &str,
        nodes: &[Found],
        format: Option<PixelFormat>,
    ) -> Result<String, CameraError> {
        let found = Identity::parse(device).choose(
            nodes,
            Wanted {
                format,
                planes: None,
            },
        )?;
        Ok(found.path.display().to_string())
    }

    #[test]
    fn of_the_nodes_of_one_camera_the_first_that_can_deliver_is_taken() {
        let nodes = [
            found("/dev/video0", "Stereo", "usb-1", &[b"H264"]),
            found("/dev/video1", "Stereo", "usb-1", &[b"MJPG", b"YUYV"]),
            found("/dev/video2", "Stereo", "usb-1", &[b"NV12"]),
            found("/dev/video3", "Other", "usb-2", &[b"NV12"]),
        ];
        let chosen = |device, format| chosen(device, &nodes, format).unwrap();
        assert_eq!(chosen("card:Stereo", None), "/dev/video1");
        assert_eq!(chosen("bus:usb-1", Some(PixelFormat::Nv12)), "/dev/video2");
        // The negotiation then says what it offers.
        assert_eq!(chosen("bus:usb-1", Some(PixelFormat::Grey)), "/dev/video0");
        assert_eq!(chosen("card:Other", None), "/dev/video3");
    }

    #[test]
    fn equal_cameras_are_told_apart_by_serial_or_bus_only() {
        let mut nodes = [
            found("/dev/video0", "Webcam", "usb-1", &[b"YUYV"]),
            found("/dev/video2", "Webcam", "usb-2", &[b"YUYV"]),
        ];
        nodes[1].serial = Some("A1".into());
        let error = chosen("card:Webcam", &nodes, None).unwrap_err();
        assert_eq!(
            error,
            CameraError::Unusable(
                "card:Webcam fits several cameras: /dev/video0 (card:Webcam bus:usb-1), \
                 /dev/video2 (card:Webcam bus:usb-2 serial:A1); name one by bus:"
                    .into()
            )
        );
        assert_eq!(chosen("serial:A1", &nodes, None).unwrap(), "/dev/video2");
        assert_eq!(chosen("bus:usb-1", &nodes, None).unwrap(), "/dev/video0");
        nodes[0].serial = Some("A1".into());
        assert!(chosen("serial:A1", &nodes, None).is_err());
    }

    #[test]
    fn a_camera_that_is_not_there_may_come() {
        let broken = Found {
            path: "/dev/video0".into(),
            error: Some("Permission denied".into()),
            ..Found::default()
        };
        let error = chosen("serial:B2", &[broken], None).unwrap_err();
        assert_eq!(
            error,
            CameraError::Missing(
                "no camera serial:B2; there is /dev/video0 (Permission denied)".into()
            )
        );
        let error = chosen("card:X", &[], None).unwrap_err();
        assert_eq!(
            error,
            CameraError::Missing("no camera card:X; there is no camera".into())
        );
    }

    #[test]
    fn nodes_come_by_number_and_serials_from_the_usb_device() {
        let root = std::env::temp_dir().join(format!("edgeai-camera-{}", std::process::id()));
        let (dev, usb) = (root.join("dev"), root.join("devices/usb1/1-1"));
        fs::create_dir_all(&dev).unwrap();
        fs::create_dir_all(usb.join("1-1:1.0")).unwrap();
        fs::create_dir_all(root.join("class/video4linux/video2")).unwrap();
        for node in ["video10", "video2", "vbi0", "video", "videox"] {
            fs::write(dev.join(node), "").unwrap();
        }
        fs::write(usb.join("serial"), "A1B2\n").unwrap();
        symlink(
            usb.join("1-1:1.0"),
            root.join("class/video4linux/video2/device"),
        )
        .unwrap();
        let nodes = nodes(&dev);
        assert_eq!(nodes, [dev.join("video2"), dev.join("video10")]);
        assert_eq!(serial(&root, &nodes[0]).as_deref(), Some("A1B2"));
        assert_eq!(serial(&root, &nodes[1]), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
