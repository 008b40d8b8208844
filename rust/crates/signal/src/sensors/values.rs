//! What the sensors measured last, for the thread that decides.

use super::batch::{Head, Taken};
use super::latest::Viewer;
use edgeai_config::{Samples, Sensor};
use std::time::Duration;

/// Least time without a sample that is a fault, where the description has none.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);
/// Periods without a sample that are a fault, where the description has none.
const TIMEOUT_PERIODS: f64 = 10.0;

/// Time without a sample that is a fault of this sensor.
pub(super) fn timeout(sensor: &Sensor) -> Duration {
    match sensor.timeout_ms {
        Some(milliseconds) => Duration::from_millis(milliseconds.into()),
        None => Duration::from_secs_f64(TIMEOUT_PERIODS / sensor.rate_hz).max(LEAST_TIMEOUT),
    }
}

/// The newest values of all sensors, and all samples since they were read last. Reading them neither waits nor allocates nor calls the system.
pub struct SensorValues(Vec<Newest>);

struct Newest {
    viewer: Viewer,
    last: Taken,
    channels: usize,
    timeout: Duration,
    /// When the newest sample was taken; `None`: there is none to be believed.
    taken: Option<Duration>,
}

impl SensorValues {
    pub(super) fn new(sensors: impl Iterator<Item = (Sensor, Viewer)>) -> Self {
        Self(
            sensors
                .map(|(sensor, viewer)| Newest {
                    viewer,
                    last: Taken::default(),
                    channels: sensor.channels.len(),
                    timeout: timeout(&sensor),
                    taken: None,
                })
                .collect(),
        )
    }

    /// Channels of all sensors.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.0.iter().map(|newest| newest.channels).sum()
    }

    /// Fills `out` with every channel of every sensor, flat, in the description's order; `None`: not
    /// measured yet, the sensor has a fault, or its last sample is older than its timeout at `now`
    /// (monotonic). Bit i of the result: channel i has a sample that was not read before, for the
    /// first 64; `samples` has all samples of these that were not read before. Samples of other channels
    /// are left alone.
    pub fn read(
        &mut self,
        now: Duration,
        out: &mut [Option<f64>],
        mut samples: &mut [Samples],
    ) -> u64 {
        let mut out = out.iter_mut();
        let (mut fresh, mut bit) = (0, 1_u64);
        for newest in &mut self.0 {
            let new = newest.viewer.refresh();
            let mut words = newest.viewer.words();
            let head = Head::of(&mut words);
            if new {
                newest.taken = Some(head.taken);
            }
            let channels = newest.channels;
            let (own, others) = std::mem::take(&mut samples)
                .split_at_mut_checked(channels)
                .unwrap_or_default();
            samples = others;
            let in_time =
                (newest.taken).is_some_and(|taken| now.saturating_sub(taken) <= newest.timeout);
            let mut known = false;
            for word in words.by_ref().take(channels) {
                let value = Some(f64::from_bits(word)).filter(|value| in_time && !value.is_nan());
                known |= value.is_some();
                if new && value.is_some() {
                    fresh |= bit;
                }
                bit = bit.checked_shl(1).unwrap_or(0);
                if let Some(out) = out.next() {
                    *out = value;
                }
            }
            if new {
                newest.last.take(&head, words, own);
            }
            if !known {
                newest.taken = None;
            }
        }
        fresh
    }

    /// Bit i: sensor i had no value to be believed when last read.
    #[must_use]
    pub fn unknown(&self) -> u32 {
        self.0.iter().rev().fold(0, |bits, newest| {
            bits << 1 | u32::from(newest.taken.is_none())
        })
    }

    /// When the first of the values read last becomes too old (monotonic), if nothing new comes.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let expiry = |newest: &Newest| Some(newest.taken? + newest.timeout + LEAST_STEP);
        self.0.iter().filter_map(expiry).min()
    }
}

/// Past a timeout, not at it.
const LEAST_STEP: Duration = Duration::from_nanos(1);

#[cfg(test)]
mod tests {
    use super::super::batch::{Batch, words};
    use super::super::latest::mailbox;
    use super::*;
    use edgeai_config::{Channel, SensorKind};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn sensor(channels: usize, timeout_ms: Option<u32>, rate_hz: f64) -> Sensor {
        let channel = Channel {
            name: "x".into(),
            source: None,
            register: Vec::new(),
            sample: None,
            shift: 0,
            offset: 0.0,
            scale: 1.0,
            unit: String::new(),
            range: None,
        };
        Sensor {
            name: "s".into(),
            kind: SensorKind::I2c,
            device: String::new(),
            address: None,
            speed_hz: None,
            spi_mode: 0,
            rate_hz,
            buffered: false,
            setup: Vec::new(),
            timeout_ms,
            on_fault: edgeai_config::OnFault::Unknown,
            channels: vec![channel; channels],
        }
    }

    /// A sensor's side.
    struct Writer(Batch);

    impl Writer {
        fn publish(&mut self, taken: Duration, values: &[f64]) {
            if !values.iter().any(|value| value.is_nan()) {
                self.0.add(values);
            }
            self.0.publish(taken, values);
        }
    }

    fn two() -> (Writer, Writer, SensorValues) {
        let (first, first_view) = mailbox(words(2));
        let (second, second_view) = mailbox(words(1));
        let sensors = [
            (sensor(2, Some(100), 50.0), first_view),
            (sensor(1, None, 50.0), second_view),
        ];
        let values = SensorValues::new(sensors.into_iter());
        let writers = (Batch::new(first, 2), Batch::new(second, 1));
        (Writer(writers.0), Writer(writers.1), values)
    }

    #[test]
    fn all_samples_since_the_last_look_are_summed_up() {
        let (mut first, mut second, mut values) = two();
        let (mut out, mut samples) = ([None; 3], [Samples::NONE; 3]);
        for value in [1.0, 5.0, 3.0] {
            first.publish(ms(10), &[value, -value]);
        }
        assert_eq!(values.read(ms(11), &mut out, &mut samples), 0b011);
        assert_eq!(out, [Some(3.0), Some(-3.0), None]);
        let sums = samples.map(|sum| (sum.count, sum.min, sum.max));
        assert_eq!(sums[..2], [(3.0, 1.0, 5.0), (3.0, -5.0, -1.0)]);
        second.publish(ms(12), &[7.0]);
        first.publish(ms(12), &[2.0, 2.0]);
        assert_eq!(values.read(ms(13), &mut out, &mut samples), 0b111);
        let [a, b, c] = [2.0, 2.0, 7.0].map(Samples::of);
        assert_eq!(samples, [a, b, c]);
    }

    #[test]
    fn channels_are_flat_and_fresh_once() {
        let (mut first, mut second, mut values) = two();
        let mut out = [Some(9.0); 3];
        assert_eq!((values.channels(), values.due()), (3, None));
        assert_eq!(values.read(ms(0), &mut out, &mut []), 0);
        assert_eq!((out, values.unknown()), ([None; 3], 0b11));
        first.publish(ms(10), &[1.0, 2.0]);
        assert_eq!(values.read(ms(11), &mut out, &mut []), 0b011);
        assert_eq!(out, [Some(1.0), Some(2.0), None]);
        second.publish(ms(12), &[0.0]);
        assert_eq!(values.read(ms(13), &mut out, &mut []), 0b100);
        assert_eq!(out, [Some(1.0), Some(2.0), Some(0.0)]);
        assert_eq!(
            (values.unknown(), values.due()),
            (0, Some(ms(110) + LEAST_STEP))
        );
    }

    #[test]
    fn a_value_is_not_known_after_its_timeout() {
        let (mut first, _second, mut values) = two();
        let mut out = [None; 3];
        first.publish(ms(10), &[1.0, 2.0]);
        values.read(ms(110), &mut out, &mut []);
        assert_eq!(out[0], Some(1.0));
        assert_eq!(values.read(values.due().unwrap(), &mut out, &mut []), 0);
        assert_eq!((out[0], values.unknown(), values.due()), (None, 0b11, None));
        // A thread that was held up: its sample is too old when it comes.
        first.publish(ms(20), &[3.0, 4.0]);
        assert_eq!(values.read(ms(200), &mut out, &mut []), 0);
        assert_eq!(out[0], None);
    }

    #[test]
    fn a_fault_is_not_known_and_not_fresh() {
        let (mut first, _second, mut values) = two();
        let mut out = [None; 3];
        first.publish(ms(10), &[1.0, 2.0]);
        values.read(ms(10), &mut out, &mut []);
        first.publish(ms(11), &[f64::NAN; 2]);
        assert_eq!(values.read(ms(11), &mut out, &mut []), 0);
        assert_eq!((out, values.unknown()), ([None; 3], 0b11));
    }

    #[test]
    fn timeouts_without_a_description() {
        assert_eq!(timeout(&sensor(1, None, 100.0)), ms(1000));
        assert_eq!(timeout(&sensor(1, None, 0.5)), ms(20_000));
        assert_eq!(timeout(&sensor(1, Some(70), 0.5)), ms(70));
    }
}
