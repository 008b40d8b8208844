//! Devices of the kernel's Industrial I/O (`Documentation/ABI/testing/sysfs-bus-iio`): finding
//! them, their attributes, and single samples.

use super::Measure;
use crate::sysfs;
use edgeai_config::Sensor;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where the kernel lists devices and triggers.
pub const DEVICES: &str = "sys/bus/iio/devices";

/// A device: `iio:device<number>`.
#[derive(Debug)]
pub struct Device {
    /// `iio:device0`
    pub id: String,
    /// The driver's name for it; empty if it has none.
    pub name: String,
    /// Its attributes.
    pub directory: PathBuf,
}

impl Device {
    /// The device with this id, name or label.
    pub fn find(root: &Path, wanted: &str) -> Result<Self, String> {
        let mut found = all(root).into_iter().filter(|device| {
            let label = || sysfs::read(&device.directory.join("label"));
            device.id == wanted || device.name == wanted || label().is_ok_and(|it| it == wanted)
        });
        let first = found
            .next()
            .ok_or("no IIO device has this number, name or label")?;
        match found.next() {
            None => Ok(first),
            Some(second) => Err(format!(
                "two IIO devices are called so: {} and {}",
                first.id, second.id
            )),
        }
    }

    /// What turns raw samples of `channel` into the unit of the ABI.
    pub fn calibration(&self, channel: &str) -> Result<Calibration, String> {
        let read = |what| -> Result<Option<f64>, String> {
            self.shared(channel, what)
                .map(|path| number(&path))
                .transpose()
        };
        Ok(Calibration {
            offset: read("offset")?.unwrap_or(0.0),
            scale: read("scale")?.unwrap_or(1.0),
        })
    }

    /// The file of an attribute that a channel may have for itself, share with those of its type,
    /// or share with all: `in_accel_x_scale`, `in_accel_scale`, `in_scale`.
    pub fn shared(&self, channel: &str, attribute: &str) -> Option<PathBuf> {
        let kind = channel.split_once('_').map_or(channel, |(kind, _)| kind);
        // `voltage0-voltage1` is of the type `voltage-voltage`.
        let kind: String = kind.chars().filter(|c| !c.is_ascii_digit()).collect();
        [
            format!("in_{channel}_{attribute}"),
            format!("in_{kind}_{attribute}"),
            format!("in_{attribute}"),
            attribute.to_owned(),
        ]
        .into_iter()
        .map(|name| self.directory.join(name))
        .find(|path| path.exists())
    }
}

/// Every device, in the order of their numbers.
pub fn all(root: &Path) -> Vec<Device> {
    let devices = root.join(DEVICES);
    sysfs::names(&devices)
        .into_iter()
        .filter(|id| id.starts_with("iio:device"))
        .map(|id| {
            let directory = devices.join(&id);
            let name = sysfs::read(&directory.join("name")).unwrap_or_default();
            Device {
                id,
                name,
                directory,
            }
        })
        .collect()
}

/// The number in a file.
pub fn number(path: &Path) -> Result<f64, String> {
    let text = sysfs::read(path)?;
    text.trim()
        .parse()
        .map_err(|_| format!("{}: {text:?} is not a number", path.display()))
}

/// value = (raw + offset) × scale
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    pub offset: f64,
    pub scale: f64,
}

impl Calibration {
    pub fn apply(self, raw: f64) -> f64 {
        (raw + self.offset) * self.scale
    }
}

/// The name that the kernel has for each channel of the description.
pub fn sources(sensor: &Sensor) -> Result<Vec<&str>, String> {
    sensor
        .channels
        .iter()
        .map(|channel| {
            let source = channel.source.as_deref();
            source.ok_or_else(|| format!("channel {}: an IIO channel needs a source", channel.name))
        })
        .collect()
}

/// Single samples: every measurement asks the driver for each channel.
pub struct SingleSamples(Vec<Attribute>);

struct Attribute {
    source: String,
    /// Kept open: a read at its beginning is a new sample.
    file: File,
    calibration: Calibration,
}

impl SingleSamples {
    /// Opens the channels of an IIO sensor under `root` (`/` but in tests).
    pub fn open(root: &Path, sensor: &Sensor) -> Result<Self, String> {
        let device = Device::find(root, &sensor.device)?;
        let attributes = sources(sensor)?.into_iter().map(|source| {
            let path = |what| device.directory.join(format!("in_{source}_{what}"));
            // Some drivers calculate themselves and have no raw sample.
            let (path, calibration) = match path("raw") {
                raw if raw.exists() => (raw, device.calibration(source)?),
                _ => {
                    let (offset, scale) = (0.0, 1.0);
                    (path("input"), Calibration { offset, scale })
                }
            };
            let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Attribute {
                source: source.to_owned(),
                file,
                calibration,
            })
        });
        attributes.collect::<Result<_, String>>().map(Self)
    }
}

impl Measure for SingleSamples {
    fn channels(&self) -> usize {
        self.0.len()
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        for (attribute, value) in self.0.iter().zip(out) {
            let source = &attribute.source;
            let mut text = [0; 64];
            let length = attribute
                .file
                .read_at(&mut text, 0)
                .map_err(|error| format!("channel {source}: {error}"))?;
            let raw = text
                .get(..length)
                .and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok())
                .ok_or_else(|| format!("channel {source}: the driver gave no number"))?;
            *value = attribute.calibration.apply(raw);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "iio_tests.rs"]
mod tests;
