//! Samples through the kernel's buffer of an IIO device
//! (`Documentation/driver-api/iio/buffers.rst`, `…/iio/triggers.rst`): none is missed between two
//! looks, and each has the time of its interrupt.

use super::iio::{Calibration, DEVICES, Device, number, sources};
use super::sample::Layout;
use crate::sysfs;
use edgeai_config::Sensor;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where software triggers are made (`Documentation/iio/iio_configfs.rst`).
const TIMER_TRIGGERS: &str = "sys/kernel/config/iio/triggers/hrtimer";
const TIMESTAMP: &str = "timestamp";
/// The buffer holds a second of samples, within these bounds.
const LENGTH: [f64; 2] = [64.0, 16384.0];
/// The reader wakes for this much of a second's samples.
const WAKES_PER_SECOND: f64 = 100.0;
/// The device may run this share beside the rate that was asked for.
const RATE_TOLERANCE: f64 = 0.01;
/// Samples this many periods apart have lost one between them.
const GAP_PERIODS: f64 = 1.75;

/// A running buffer. Dropping it stops the device's sampling.
pub struct ScanBuffer {
    file: File,
    enable: PathBuf,
    /// In the order of the description.
    elements: Vec<Element>,
    timestamp: Option<Element>,
    /// Bytes of one sample of all channels.
    size: usize,
    bytes: Box<[u8]>,
    values: Box<[f64]>,
    /// Longer between two samples is a gap.
    gap: Duration,
    newest: Option<Duration>,
}

/// Where a channel lies in a scan.
#[derive(Debug, Clone, Copy)]
struct Element {
    offset: usize,
    layout: Layout,
    calibration: Calibration,
}

/// One sample of all channels.
pub struct Scan<'a> {
    /// When it was taken, `CLOCK_MONOTONIC`.
    pub taken: Duration,
    pub values: &'a mut [f64],
    /// Samples between the one before and this are lost.
    pub after_gap: bool,
}

impl ScanBuffer {
    /// Sets a sensor's device under `root` (`/` but in tests) up and starts it.
    ///
    /// # Errors
    /// One line: what is missing or was refused.
    pub fn open(root: &Path, sensor: &Sensor) -> Result<Self, String> {
        let device = Device::find(root, &sensor.device)?;
        let enable = device.directory.join("buffer/enable");
        // Left running by a process that was killed, nothing could be changed.
        sysfs::write(&enable, "0")?;
        let sources = sources(sensor)?;
        let (elements, timestamp, size) = scan(&device, &sources)?;
        let rate = sensor.rate_hz;
        let trigger = choose_trigger(root, &device, &sensor.name)?;
        set_rate(&device, &sources, trigger.as_deref(), rate)?;
        let length = rate.clamp(LENGTH[0], LENGTH[1]).ceil();
        sysfs::write(&device.directory.join("buffer/length"), &length.to_string())?;
        let wake = (rate / WAKES_PER_SECOND).clamp(1.0, length / 2.0).floor();
        // Older than 4.2 or not, a buffer without it wakes for every sample.
        let _ = sysfs::write(
            &device.directory.join("buffer/watermark"),
            &wake.to_string(),
        );
        let node = root.join("dev").join(&device.id);
        let file = File::options()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&node)
            .map_err(|error| format!("{}: {error}", node.display()))?;
        sysfs::write(&enable, "1")?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within LENGTH"
        )]
        let bytes = size * length as usize;
        Ok(Self {
            file,
            enable,
            values: vec![0.0; elements.len()].into(),
            elements,
            timestamp,
            size,
            bytes: vec![0; bytes].into(),
            gap: Duration::from_secs_f64(GAP_PERIODS / rate),
            newest: None,
        })
    }

    /// Readable (`POLLIN`) when samples wait.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes the waiting samples, oldest first; `now` is the time of those without their own.
    ///
    /// # Errors
    /// One line saying why there are none any more.
    pub fn read(&mut self, now: Duration, mut each: impl FnMut(Scan<'_>)) -> Result<(), String> {
        let length = match self.file.read(&mut self.bytes) {
            Ok(0) => return Err("the device ended its buffer".into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(format!("buffer: {error}")),
        };
        for scan in self
            .bytes
            .get(..length)
            .unwrap_or(&[])
            .chunks_exact(self.size)
        {
            for (element, value) in self.elements.iter().zip(&mut self.values) {
                *value = element.decode(scan)?;
            }
            let taken = match &self.timestamp {
                Some(element) => from_nanoseconds(element.decode(scan)?),
                None => now,
            };
            let after_gap = self.timestamp.is_some()
                && (self.newest).is_some_and(|before| taken.saturating_sub(before) > self.gap);
            self.newest = Some(taken);
            each(Scan {
                taken,
                values: &mut self.values,
                after_gap,
            });
        }
        Ok(())
    }
}

impl Drop for ScanBuffer {
    fn drop(&mut self) {
        // The device may be gone.
        let _ = sysfs::write(&self.enable, "0");
    }
}

impl Element {
    fn decode(&self, scan: &[u8]) -> Result<f64, String> {
        scan.get(self.offset..)
            .and_then(|bytes| self.layout.decode(bytes))
            .map(|raw| self.calibration.apply(raw))
            .ok_or_else(|| "a sample is shorter than the driver said".into())
    }
}

/// A timestamp; exact up to 2^53 ns (104 days after start), then within 2 ns a year.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn from_nanoseconds(nanoseconds: f64) -> Duration {
    Duration::from_nanos(nanoseconds as u64)
}

/// Enables the channels `sources` and the timestamp, and no other. Returns where each lies, and
/// the bytes of a scan.
fn scan(
    device: &Device,
    sources: &[&str],
) -> Result<(Vec<Element>, Option<Element>, usize), String> {
    let directory = device.directory.join("scan_elements");
    let clock = device.directory.join("current_timestamp_clock");
    let timed = directory.join(format!("in_{TIMESTAMP}_en")).exists()
        && sysfs::write(&clock, "monotonic").is_ok();
    let mut wanted = sources.to_vec();
    wanted.extend(timed.then_some(TIMESTAMP));
    for name in sysfs::names(&directory) {
        let Some(channel) = name
            .strip_prefix("in_")
            .and_then(|it| it.strip_suffix("_en"))
        else {
            continue;
        };
        let enabled = wanted.contains(&channel);
        sysfs::write(&directory.join(&name), if enabled { "1" } else { "0" })?;
    }
    let mut order = Vec::with_capacity(wanted.len());
    for (place, source) in wanted.iter().enumerate() {
        let read = |what: &str| sysfs::read(&directory.join(format!("in_{source}_{what}")));
        let index: u32 = read("index")?
            .parse()
            .map_err(|_| format!("channel {source}: no index"))?;
        let layout = Layout::of_scan_element(&read("type")?)
            .map_err(|reason| format!("channel {source}: {reason}"))?;
        let calibration = match *source {
            TIMESTAMP => Calibration {
                offset: 0.0,
                scale: 1.0,
            },
            _ => device.calibration(source)?,
        };
        order.push((index, place, layout, calibration));
    }
    order.sort_by_key(|&(index, ..)| index);
    // iio_compute_scan_bytes of drivers/iio/industrialio-buffer.c: each element is aligned to its
    // own size, the whole to the largest.
    let (mut offset, mut largest) = (0_usize, 1);
    let mut places = Vec::with_capacity(order.len());
    for (_, place, layout, calibration) in order {
        offset = offset.next_multiple_of(layout.bytes);
        largest = largest.max(layout.bytes);
        places.push((
            place,
            Element {
                offset,
                layout,
                calibration,
            },
        ));
        offset += layout.bytes;
    }
    places.sort_by_key(|&(place, _)| place);
    let mut elements: Vec<Element> = places.into_iter().map(|(_, element)| element).collect();
    let timestamp = if timed { elements.pop() } else { None };
    Ok((elements, timestamp, offset.next_multiple_of(largest)))
}

/// The directory of the trigger that starts each sample: the one the device has, else its own
/// driver's, else a timer made for it. `None`: the device needs none, or its driver will say so.
fn choose_trigger(root: &Path, device: &Device, sensor: &str) -> Result<Option<PathBuf>, String> {
    let current = device.directory.join("trigger/current_trigger");
    let hardware_fifo = device.directory.join("buffer/hwfifo_watermark_max");
    if !current.exists() || hardware_fifo.exists() {
        return Ok(None);
    }
    let chosen = sysfs::read(&current)?;
    if !chosen.is_empty() {
        return Ok(trigger(root, |name| name == chosen).map(|(directory, _)| directory));
    }
    let own = format!("{}-dev", device.name);
    let mut found = trigger(root, |name| name.starts_with(&own));
    let timers = root.join(TIMER_TRIGGERS);
    if found.is_none() && timers.exists() {
        let timer = format!("edgeai-{sensor}");
        if let Err(error) = std::fs::create_dir(timers.join(&timer))
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(format!("{}/{timer}: {error}", timers.display()));
        }
        found = trigger(root, |name| name == timer);
    }
    let Some((directory, name)) = found else {
        return Err(format!(
            "{} needs a trigger, and neither its driver nor the kernel's timers have one",
            device.id
        ));
    };
    sysfs::write(&current, &name)?;
    Ok(Some(directory))
}

/// Directory and name of the first trigger whose name fits.
fn trigger(root: &Path, fits: impl Fn(&str) -> bool) -> Option<(PathBuf, String)> {
    let devices = root.join(DEVICES);
    sysfs::names(&devices)
        .into_iter()
        .filter(|id| id.starts_with("trigger"))
        .find_map(|id| {
            let directory = devices.join(id);
            let name = sysfs::read(&directory.join("name")).ok()?;
            fits(&name).then_some((directory, name))
        })
}

/// Sets the rate where it is made: at a trigger that is a timer, else at the device or its buffer.
fn set_rate(
    device: &Device,
    sources: &[&str],
    trigger: Option<&Path>,
    rate: f64,
) -> Result<(), String> {
    const RATE: &str = "sampling_frequency";
    let first = sources.first().copied().unwrap_or_default();
    let existing = |directory: &Path| Some(directory.join(RATE)).filter(|it| it.exists());
    let file = trigger
        .and_then(existing)
        .or_else(|| device.shared(first, RATE))
        .or_else(|| existing(&device.directory.join("buffer")))
        .ok_or_else(|| format!("{} has no {RATE} to set", device.id))?;
    let choice = || {
        let mut name = file.clone().into_os_string();
        name.push("_available");
        sysfs::read(Path::new(&name)).map_or(String::new(), |list| format!("; it has {list}"))
    };
    sysfs::write(&file, &rate.to_string()).map_err(|error| error + &choice())?;
    let taken = number(&file)?;
    if (taken - rate).abs() > rate * RATE_TOLERANCE {
        return Err(format!(
            "{} samples at {taken} Hz instead of {rate}{}",
            device.id,
            choice()
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "iio_buffer_tests.rs"]
pub mod tests;
