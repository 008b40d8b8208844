//! Measuring devices: one ordinary thread for each reads, since I2C, SPI and many drivers block for
//! milliseconds, and a bus that hangs must hold nobody up but its own sensor. What they measure goes
//! to the deciding thread ([`SensorValues`]) and to models ([`WindowSource`]) without locks.

mod batch;
mod iio;
mod iio_buffer;
mod latest;
mod reader;
mod registers;
mod sample;
mod values;
mod windows;

pub(crate) use iio::{DEVICES, all as iio_devices};
pub use reader::RETRY;
pub use registers::{I2cRegisters, SpiRegisters};
pub use values::SensorValues;
pub use windows::{Window, WindowMaker, WindowSource};

use crate::SignalError;
use edgeai_config::Sensor;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use reader::{Opener, SensorReader};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Twice what a real-time thread touches in advance, should one be made of a sensor's.
const STACK: usize = 2 * edgeai_realtime::PREFAULT_BYTES;

/// A measuring device that is asked for each sample. Implemented for registers on any bus of
/// `embedded-hal`; a driver crate plugs in by this and [`Sensors::plug`].
pub trait Measure {
    /// How many values a measurement has.
    fn channels(&self) -> usize;

    /// Measures once and fills `out`, as long as [`Measure::channels`]. May block.
    ///
    /// # Errors
    /// One line saying why there is no sample.
    fn measure(&mut self, out: &mut [f64]) -> Result<(), String>;
}

/// What a sensor's thread says, by the number of the sensor. Told on that thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// First of all: the thread runs.
    Started(usize),
    /// New values are there.
    Sample(usize),
    /// The sensor is not to be believed from now on; told once for each reason.
    Fault(usize, &'a SignalError),
    /// It is, again.
    Recovered(usize),
}

/// The sensors of an appliance before their threads run.
pub struct Sensors {
    root: PathBuf,
    list: Vec<Planned>,
}

struct Planned {
    sensor: Sensor,
    plugged: Option<Opener>,
    windows: WindowMaker,
}

impl Sensors {
    /// Knows the sensors but opens none yet.
    #[must_use]
    pub fn new(sensors: &[Sensor]) -> Self {
        Self::under("/".into(), sensors)
    }

    /// With another root of `sys` and `dev`; for tests.
    fn under(root: PathBuf, sensors: &[Sensor]) -> Self {
        let planned = |sensor: &Sensor| Planned {
            sensor: sensor.clone(),
            plugged: None,
            windows: WindowMaker::new(sensor.channels.len()),
        };
        let list = sensors.iter().map(planned).collect();
        Self { root, list }
    }

    /// Reads sensor number `sensor` through what `open` returns, instead of as its description says;
    /// offset, scale and range of the description's channels are applied all the same. `open` is
    /// called again after each error.
    pub fn plug<M, F>(&mut self, sensor: usize, mut open: F)
    where
        M: Measure + 'static,
        F: FnMut() -> Result<M, String> + Send + 'static,
    {
        if let Some(planned) = self.list.get_mut(sensor) {
            planned.plugged = Some(Box::new(move || {
                open().map(|measure| -> Box<dyn Measure> { Box::new(measure) })
            }));
        }
    }

    /// Windows of `samples` samples of sensor number `sensor`, one every `hop` samples.
    ///
    /// # Errors
    /// When there is no such sensor, or no descriptor for its wake-up.
    pub fn window(&self, sensor: usize, samples: usize, hop: usize) -> io::Result<WindowSource> {
        let windows = self.windows(sensor).ok_or(io::ErrorKind::NotFound)?;
        windows.open(samples, hop)
    }

    /// What makes windows of sensor number `sensor`, also once its thread runs; `None`: there is no such
    /// sensor.
    #[must_use]
    pub fn windows(&self, sensor: usize) -> Option<WindowMaker> {
        let planned = self.list.get(sensor);
        planned.map(|planned| planned.windows.clone())
    }

    /// Starts a thread for each sensor. It opens its sensor, reads it at its rate, and tries again
    /// [`RETRY`] after an error; `notice` is called on it.
    ///
    /// # Errors
    /// When a thread or its descriptor cannot be had.
    pub fn start(
        self,
        notice: impl Fn(Notice<'_>) + Send + Sync + 'static,
    ) -> io::Result<(SensorValues, SensorThreads)> {
        let stop = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let mut threads = SensorThreads {
            stop: Arc::new(stop),
            threads: Vec::new(),
        };
        let notice = Arc::new(notice);
        let mut views = Vec::new();
        for (index, planned) in self.list.into_iter().enumerate() {
            let channels = planned.sensor.channels.len();
            let (publisher, viewer) = latest::mailbox(batch::words(channels));
            views.push((planned.sensor.clone(), viewer));
            let reader = SensorReader::new(
                (index, planned.sensor),
                (self.root.clone(), planned.plugged),
                batch::Batch::new(publisher, channels),
                planned.windows,
                Arc::clone(&threads.stop),
                Arc::clone(&notice),
            );
            let thread = thread::Builder::new()
                .name(reader.thread_name())
                .stack_size(STACK)
                .spawn(move || reader.run())?;
            threads.threads.push(thread);
        }
        Ok((SensorValues::new(views.into_iter()), threads))
    }
}

/// The running threads. Dropping it ends them; one that hangs in a driver is waited for.
pub struct SensorThreads {
    stop: Arc<EventFd>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for SensorThreads {
    fn drop(&mut self) {
        // Never read, so it stays readable for all.
        let _ = self.stop.write(1);
        for thread in self.threads.drain(..) {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

/// Waits until one of the descriptors is readable or has failed, or for `timeout`; which are.
fn wait_readable<const N: usize>(fds: [BorrowedFd<'_>; N], timeout: Duration) -> [bool; N] {
    let mut polls = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    // A signal ends the wait early; every caller looks at the clock itself.
    let _ = ppoll(&mut polls, Some(TimeSpec::from_duration(timeout)), None);
    polls.map(|poll| poll.any().unwrap_or(false))
}

#[cfg(test)]
mod sensors_fixture;
#[cfg(test)]
#[path = "sensors_tests.rs"]
mod tests;
