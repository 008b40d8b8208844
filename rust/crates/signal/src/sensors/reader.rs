//! The thread of one sensor.

use super::batch::Batch;
use super::iio::{Calibration, SingleSamples};
use super::iio_buffer::ScanBuffer;
use super::registers::{open_i2c, open_spi};
use super::windows::{WindowMaker, WindowSink};
use super::{Measure, Notice, values, wait_readable};
use crate::SignalError;
use edgeai_config::{Sensor, SensorKind};
use edgeai_realtime::monotonic_now;
use nix::sys::eventfd::EventFd;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before a sensor that failed is tried again.
pub const RETRY: Duration = Duration::from_millis(500);

/// Opens a driver that was plugged in.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Measure>, String> + Send>;

pub struct SensorReader<N> {
    index: usize,
    sensor: Sensor,
    root: PathBuf,
    plugged: Option<Opener>,
    output: Output<N>,
    stop: Arc<EventFd>,
}

/// Where samples go.
struct Output<N> {
    index: usize,
    channels: Vec<Channel>,
    batch: Batch,
    windows: Vec<WindowSink>,
    maker: WindowMaker,
    notice: Arc<N>,
    fault: Option<Fault>,
}

struct Channel {
    calibration: Calibration,
    range: Option<[f64; 2]>,
}

/// What was told last.
#[derive(PartialEq, Eq)]
enum Fault {
    Failed(String),
    /// A value beyond its range, of this channel.
    Implausible(usize),
}

enum Source {
    Single(Box<dyn Measure>),
    Buffered(ScanBuffer),
}

/// Why reading ended.
enum End {
    Stopped,
    Failed(String),
}

impl<N: Fn(Notice<'_>)> SensorReader<N> {
    pub fn new(
        (index, sensor): (usize, Sensor),
        (root, plugged): (PathBuf, Option<Opener>),
        batch: Batch,
        maker: WindowMaker,
        stop: Arc<EventFd>,
        notice: Arc<N>,
    ) -> Self {
        let channel = |channel: &edgeai_config::Channel| Channel {
            calibration: Calibration {
                offset: channel.offset,
                scale: channel.scale,
            },
            range: channel.range,
        };
        Self {
            index,
            root,
            plugged,
            output: Output {
                index,
                channels: sensor.channels.iter().map(channel).collect(),
                batch,
                windows: Vec::new(),
                maker,
                notice,
                fault: None,
            },
            sensor,
            stop,
        }
    }

    pub fn thread_name(&self) -> String {
        format!("sensor {}", self.sensor.name)
    }

    /// Until the stop.
    pub fn run(mut self) {
        (self.output.notice)(Notice::Started(self.index));
        loop {
            let end = match self.open() {
                Ok(Source::Single(measure)) => self.read_single(measure),
                Ok(Source::Buffered(buffer)) => self.read_buffer(buffer),
                Err(reason) => End::Failed(reason),
            };
            match end {
                End::Stopped => return,
                End::Failed(reason) => {
                    let text = reason.clone();
                    self.output.fault(&self.sensor, Fault::Failed(reason), text);
                }
            }
            if self.stopped_within(RETRY) {
                return;
            }
        }
    }

    fn open(&mut self) -> Result<Source, String> {
        if let Some(open) = &mut self.plugged {
            return open().map(Source::Single);
        }
        let sensor = &self.sensor;
        match sensor.kind {
            SensorKind::Iio if sensor.buffered => {
                ScanBuffer::open(&self.root, sensor).map(Source::Buffered)
            }
            SensorKind::Iio => Ok(single(SingleSamples::open(&self.root, sensor)?)),
            SensorKind::I2c => Ok(single(open_i2c(sensor)?)),
            SensorKind::Spi => Ok(single(open_spi(sensor)?)),
        }
    }

    fn read_single(&mut self, mut measure: Box<dyn Measure>) -> End {
        let channels = self.sensor.channels.len();
        if measure.channels() != channels {
            let has = measure.channels();
            return End::Failed(format!(
                "the driver has {has} channels instead of {channels}"
            ));
        }
        let period = Duration::from_secs_f64(1.0 / self.sensor.rate_hz);
        let mut sample = vec![0.0; channels];
        let mut due = monotonic_now();
        loop {
            // The time before, so that a value never looks younger than it is.
            let taken = monotonic_now();
            if let Err(reason) = measure.measure(&mut sample) {
                return End::Failed(reason);
            }
            self.output.sample(&self.sensor, taken, &mut sample);
            self.output.publish(taken, &sample);
            // A bus slower than the rate is read as fast as it can, without catching up.
            let now = monotonic_now();
            due = (due + period).max(now);
            if self.stopped_within(due.saturating_sub(now)) {
                return End::Stopped;
            }
        }
    }

    fn read_buffer(&mut self, mut buffer: ScanBuffer) -> End {
        let timeout = values::timeout(&self.sensor);
        let mut newest = vec![0.0; self.sensor.channels.len()];
        let mut heard = monotonic_now();
        self.output.restart_windows();
        loop {
            let left = (heard + timeout).saturating_sub(monotonic_now());
            let [stopped, _] = wait_readable([self.stop.as_fd(), buffer.fd()], left);
            if stopped {
                return End::Stopped;
            }
            let now = monotonic_now();
            let (mut last, mut plausible) = (None, true);
            let (output, sensor) = (&mut self.output, &self.sensor);
            let read = buffer.read(now, |scan| {
                if scan.after_gap {
                    output.restart_windows();
                }
                plausible &= output.sample(sensor, scan.taken, scan.values);
                newest.copy_from_slice(scan.values);
                last = Some(scan.taken);
            });
            if let Some(taken) = last {
                heard = now;
                if !plausible {
                    // Whatever came after it: these samples are not whole.
                    newest.fill(f64::NAN);
                    self.output.batch.discard();
                }
                self.output.publish(taken, &newest);
            }
            if let Err(reason) = read {
                return End::Failed(reason);
            }
            if now.saturating_sub(heard) >= timeout {
                return End::Failed(format!("no sample for {} ms", timeout.as_millis()));
            }
        }
    }

    fn stopped_within(&self, time: Duration) -> bool {
        let end = monotonic_now() + time;
        loop {
            let left = end.saturating_sub(monotonic_now());
            let [stopped] = wait_readable([self.stop.as_fd()], left);
            if stopped || left.is_zero() {
                return stopped;
            }
        }
    }
}

fn single(measure: impl Measure + 'static) -> Source {
    Source::Single(Box::new(measure))
}

impl<N: Fn(Notice<'_>)> Output<N> {
    /// Calibrates a sample in place and gives it to the windows; one that is not plausible becomes
    /// NaN and a fault. Whether it is.
    fn sample(&mut self, sensor: &Sensor, taken: Duration, sample: &mut [f64]) -> bool {
        for (channel, value) in self.channels.iter().zip(&mut *sample) {
            *value = channel.calibration.apply(*value);
        }
        let implausible = self
            .channels
            .iter()
            .zip(&*sample)
            .position(|(channel, &value)| {
                let [least, most] = channel.range.unwrap_or([f64::MIN, f64::MAX]);
                !(least..=most).contains(&value)
            });
        if let Some(index) = implausible {
            let text = implausible_text(sensor, index, sample);
            self.fault(sensor, Fault::Implausible(index), text);
            sample.fill(f64::NAN);
        } else {
            self.batch.add(sample);
            self.maker.admit(&mut self.windows);
            for window in &mut self.windows {
                window.push(taken, sample);
            }
        }
        implausible.is_none()
    }

    /// Makes the newest sample known.
    fn publish(&mut self, taken: Duration, sample: &[f64]) {
        self.batch.publish(taken, sample);
        if !sample.iter().any(|value| value.is_nan()) && self.fault.take().is_some() {
            (self.notice)(Notice::Recovered(self.index));
        }
        (self.notice)(Notice::Sample(self.index));
    }

    fn restart_windows(&mut self) {
        for window in &mut self.windows {
            window.restart();
        }
    }

    /// Nothing of the sensor is known from now on.
    fn fault(&mut self, sensor: &Sensor, fault: Fault, reason: String) {
        self.restart_windows();
        let unknown = vec![f64::NAN; self.channels.len()];
        self.batch.discard();
        self.batch.publish(monotonic_now(), &unknown);
        if self.fault.as_ref() == Some(&fault) {
            return;
        }
        self.fault = Some(fault);
        let error = SignalError {
            kind: "sensor",
            name: sensor.name.clone(),
            place: sensor.device.clone(),
            reason,
        };
        (self.notice)(Notice::Fault(self.index, &error));
    }
}

fn implausible_text(sensor: &Sensor, index: usize, sample: &[f64]) -> String {
    let value = sample.get(index).copied().unwrap_or(f64::NAN);
    let Some(channel) = sensor.channels.get(index) else {
        return format!("{value} is not plausible");
    };
    let unit = &channel.unit;
    match channel.range {
        Some([least, most]) => format!(
            "channel {}: {value} {unit} is beyond {least} to {most} {unit}",
            channel.name
        ),
        None => format!("channel {}: {value} is not a number", channel.name),
    }
}
