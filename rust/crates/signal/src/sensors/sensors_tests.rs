use super::iio_buffer::tests::{Accelerometer, motor};
use super::sensors_fixture::{channel, sensor};
use super::*;
use crate::sysfs::Tree;
use edgeai_config::{Samples, SensorKind};
use edgeai_realtime::monotonic_now;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// What the threads said, but for samples.
type Told = Arc<Mutex<Vec<String>>>;

fn start(sensors: Sensors) -> (SensorValues, SensorThreads, Told) {
    let told = Told::default();
    let teller = Arc::clone(&told);
    let (values, threads) = sensors
        .start(move |notice| {
            let text = match notice {
                Notice::Started(index) => format!("{index} started"),
                Notice::Sample(_) => return,
                Notice::Fault(index, error) => format!("{index} {error}"),
                Notice::Recovered(index) => format!("{index} recovered"),
            };
            teller.lock().unwrap().push(text);
        })
        .unwrap();
    (values, threads, told)
}

/// Reads until the values are so; the limit is for those that never come, not for a slow machine.
fn become_known(values: &mut SensorValues, expected: &[Option<f64>]) {
    let end = Instant::now() + Duration::from_secs(60);
    let mut out = vec![None; values.channels()];
    loop {
        values.read(monotonic_now(), &mut out, &mut []);
        if out == expected {
            return;
        }
        assert!(Instant::now() < end, "{out:?} instead of {expected:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A driver whose value a test sets; 0 is an error.
struct Dial(Arc<AtomicU32>);

impl Measure for Dial {
    fn channels(&self) -> usize {
        1
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        match self.0.load(Ordering::Relaxed) {
            0 => Err("it does not answer".into()),
            value => {
                out.fill(value.into());
                Ok(())
            }
        }
    }
}

fn dial() -> (Sensors, Arc<AtomicU32>) {
    let mut dial = channel("pressure", "");
    (dial.offset, dial.scale, dial.range) = (-1.0, 0.5, Some([0.0, 10.0]));
    dial.unit = "bar".into();
    let value = Arc::new(AtomicU32::new(5));
    let mut sensors = Sensors::new(&[sensor(SensorKind::I2c, "/dev/i2c-1", vec![dial])]);
    let theirs = Arc::clone(&value);
    sensors.plug(0, move || Ok(Dial(Arc::clone(&theirs))));
    (sensors, value)
}

#[test]
fn a_driver_that_is_plugged_in_is_read_calibrated_and_tried_again() {
    let (sensors, value) = dial();
    let (mut values, threads, told) = start(sensors);
    become_known(&mut values, &[Some(2.0)]);
    value.store(0, Ordering::Relaxed);
    become_known(&mut values, &[None]);
    assert_eq!(values.unknown(), 1);
    value.store(7, Ordering::Relaxed);
    become_known(&mut values, &[Some(3.0)]);
    drop(threads);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "0 started",
            "0 sensor motor (/dev/i2c-1): it does not answer",
            "0 recovered"
        ]
    );
}

#[test]
fn a_value_beyond_its_range_is_a_fault_told_once() {
    let (sensors, value) = dial();
    let (mut values, threads, told) = start(sensors);
    become_known(&mut values, &[Some(2.0)]);
    value.store(22, Ordering::Relaxed);
    become_known(&mut values, &[None]);
    value.store(23, Ordering::Relaxed);
    // Longer than a period: it was measured again meanwhile.
    thread::sleep(Duration::from_millis(30));
    become_known(&mut values, &[None]);
    value.store(21, Ordering::Relaxed);
    become_known(&mut values, &[Some(10.0)]);
    drop(threads);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "0 started",
            "0 sensor motor (/dev/i2c-1): channel pressure: 10.5 bar is beyond 0 to 10 bar",
            "0 recovered"
        ]
    );
}

#[test]
fn a_driver_with_other_channels_than_described_is_refused() {
    let mut sensors = Sensors::new(&[sensor(SensorKind::I2c, "x", Vec::new())]);
    sensors.plug(0, || Ok(Dial(Arc::default())));
    let (_, threads, told) = start(sensors);
    let end = Instant::now() + Duration::from_secs(60);
    while told.lock().unwrap().len() < 2 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    drop(threads);
    assert_eq!(
        told.lock().unwrap()[1],
        "0 sensor motor (x): the driver has 1 channels instead of 0"
    );
}

#[test]
fn missing_devices_are_named_and_come_later() {
    let tree = Tree::new("sensors-late", &[]);
    let list = [
        sensor(SensorKind::Iio, "bme280", vec![channel("t", "temp")]),
        sensor(SensorKind::I2c, "/nonexistent/i2c-9", Vec::new()),
    ];
    let (mut values, threads, told) = start(Sensors::under(tree.0.clone(), &list));
    let end = Instant::now() + Duration::from_secs(60);
    while told.lock().unwrap().len() < 4 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let device = "sys/bus/iio/devices/iio:device0";
    tree.put(&format!("{device}/in_temp_input"), b"21\n");
    tree.put(&format!("{device}/name"), b"bme280\n");
    become_known(&mut values, &[Some(21.0)]);
    drop(threads);
    let told = told.lock().unwrap();
    let has = |text: &str| told.iter().any(|told| told.starts_with(text));
    assert!(
        has("0 sensor motor (bme280): no IIO device has this"),
        "{told:?}"
    );
    assert!(has("1 sensor motor (/nonexistent/i2c-9): "), "{told:?}");
    assert!(has("0 recovered"), "{told:?}");
}

#[test]
fn a_model_gets_windows_of_a_buffered_sensor_without_a_gap() {
    let device = Accelerometer::new("sensors-window");
    let sensors = Sensors::under(device.tree.0.clone(), &[motor()]);
    let mut source = sensors.window(0, 2, 2).unwrap();
    assert!(sensors.window(1, 2, 2).is_err());
    let (mut values, threads, _told) = start(sensors);
    let now = i64::try_from(monotonic_now().as_millis()).unwrap();
    // Of the first two, one is missing.
    for (x, time) in [(2, 0), (4, 2), (6, 3)] {
        device.sample(x, 0, now + time);
    }
    let window = source.next(Duration::from_secs(60)).unwrap();
    assert_eq!(window.samples, [0.0, 2.0, 0.0, 3.0]);
    assert_eq!(window.taken.as_millis(), u128::try_from(now + 3).unwrap());
    become_known(&mut values, &[Some(0.0), Some(3.0)]);
    drop(threads);
}

#[test]
fn windows_can_be_asked_for_while_the_sensor_runs() {
    let (sensors, value) = dial();
    let maker = sensors.windows(0).unwrap();
    assert!(sensors.windows(1).is_none());
    let (mut values, threads, _told) = start(sensors);
    become_known(&mut values, &[Some(2.0)]);
    let mut source = maker.open(2, 1).unwrap();
    assert!(source.next(Duration::from_secs(60)).is_some());
    // One that nobody takes any more is not filled for ever; another is.
    drop(source);
    value.store(8, Ordering::Relaxed);
    become_known(&mut values, &[Some(3.5)]);
    let window = |source: &mut WindowSource| {
        let window = source.next(Duration::from_secs(60)).unwrap();
        window.samples.to_vec()
    };
    assert_eq!(window(&mut maker.open(1, 1).unwrap()), [3.5]);
    drop(threads);
}

#[test]
fn every_sample_of_a_buffer_reaches_the_deciding_thread() {
    let device = Accelerometer::new("sensors-all");
    let sensors = Sensors::under(device.tree.0.clone(), &[motor()]);
    let (mut values, threads, _told) = start(sensors);
    let now = i64::try_from(monotonic_now().as_millis()).unwrap();
    for (x, time) in [(2, 0), (8, 1), (-4, 2), (6, 3)] {
        device.sample(x, 0, now + time);
    }
    let (mut out, mut all) = ([None; 2], Samples::NONE);
    let end = Instant::now() + Duration::from_secs(60);
    while all.count < 4.0 && Instant::now() < end {
        let mut samples = [Samples::NONE; 2];
        if values.read(monotonic_now(), &mut out, &mut samples) & 0b10 != 0 {
            all = all.merge(samples[1]);
        }
        thread::sleep(Duration::from_millis(1));
    }
    drop(threads);
    // Half a unit a step, as in the windows.
    assert_eq!((all.count, all.min, all.max), (4.0, -2.0, 4.0));
    assert_eq!(out[1], Some(3.0), "and the newest is the value");
}

#[test]
fn a_buffer_that_gives_nothing_is_a_fault() {
    let device = Accelerometer::new("sensors-silent");
    let silent = Sensor {
        timeout_ms: Some(20),
        ..motor()
    };
    let (_values, threads, told) = start(Sensors::under(device.tree.0.clone(), &[silent]));
    let end = Instant::now() + Duration::from_secs(60);
    while told.lock().unwrap().len() < 2 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    drop(threads);
    assert_eq!(
        told.lock().unwrap()[1],
        "0 sensor motor (adxl345): no sample for 20 ms"
    );
}
