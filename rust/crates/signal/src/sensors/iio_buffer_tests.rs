use super::*;
use crate::sensors::sensors_fixture::{channel, sensor};
use crate::sysfs::Tree;
use edgeai_config::SensorKind;
use std::io::Write;

const DEVICE: &str = "sys/bus/iio/devices/iio:device0";

/// An accelerometer with a buffer, and the other end of its device node.
pub struct Accelerometer {
    pub tree: Tree,
    node: File,
}

impl Accelerometer {
    pub fn new(name: &str) -> Self {
        let tree = Tree::new(name, &[("dev/null", "")]);
        for (file, text) in [
            ("name", "adxl345"),
            ("in_accel_scale", "0.5"),
            ("in_accel_sampling_frequency", "3200"),
            ("current_timestamp_clock", "realtime"),
            ("buffer/enable", "1"),
            ("buffer/length", "2"),
            ("buffer/watermark", "1"),
            ("scan_elements/in_accel_x_en", "0"),
            ("scan_elements/in_accel_x_index", "0"),
            ("scan_elements/in_accel_x_type", "le:s13/16>>0"),
            ("scan_elements/in_accel_y_en", "0"),
            ("scan_elements/in_accel_y_index", "1"),
            ("scan_elements/in_accel_y_type", "be:s12/16>>4"),
            ("scan_elements/in_accel_z_en", "1"),
            ("scan_elements/in_accel_z_index", "2"),
            ("scan_elements/in_accel_z_type", "le:s13/16>>0"),
            ("scan_elements/in_timestamp_en", "0"),
            ("scan_elements/in_timestamp_index", "3"),
            ("scan_elements/in_timestamp_type", "le:s64/64>>0"),
        ] {
            tree.put(&format!("{DEVICE}/{file}"), text.as_bytes());
        }
        let path = tree.0.join("dev/iio:device0");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Both ends, so that it opens at once and does not end.
        let node = File::options().read(true).write(true).open(path).unwrap();
        Self { tree, node }
    }

    /// What the kernel would put into its buffer for x, y and the time.
    pub fn sample(&self, x: i16, y: i16, milliseconds: i64) {
        let mut scan = [0xAA; 16];
        scan[..2].copy_from_slice(&x.to_le_bytes());
        scan[2..4].copy_from_slice(&(y << 4).to_be_bytes());
        scan[8..].copy_from_slice(&(milliseconds * 1_000_000).to_le_bytes());
        (&self.node).write_all(&scan).unwrap();
    }

    fn set(&self, file: &str) -> String {
        self.tree.line(&format!("{DEVICE}/{file}"))
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.tree.0.join(DEVICE).join(file)).unwrap();
    }
}

/// y before x, unlike the device's order.
pub fn motor() -> Sensor {
    Sensor {
        buffered: true,
        rate_hz: 1000.0,
        ..sensor(
            SensorKind::Iio,
            "adxl345",
            vec![channel("y", "accel_y"), channel("x", "accel_x")],
        )
    }
}

fn read(buffer: &mut ScanBuffer) -> Vec<(u128, Vec<f64>, bool)> {
    let mut scans = Vec::new();
    let now = Duration::from_millis(7);
    let scan = |scan: Scan<'_>| {
        scans.push((scan.taken.as_millis(), scan.values.to_vec(), scan.after_gap));
    };
    buffer.read(now, scan).unwrap();
    scans
}

#[test]
fn samples_have_the_order_of_the_description_and_their_own_time() {
    let device = Accelerometer::new("buffer-scan");
    let mut buffer = ScanBuffer::open(&device.tree.0, &motor()).unwrap();
    let enabled =
        ["x", "y", "z"].map(|axis| device.set(&format!("scan_elements/in_accel_{axis}_en")));
    assert_eq!(enabled, ["1", "1", "0"]);
    assert_eq!(device.set("scan_elements/in_timestamp_en"), "1");
    assert_eq!(device.set("current_timestamp_clock"), "monotonic");
    assert_eq!(device.set("in_accel_sampling_frequency"), "1000");
    assert_eq!(device.set("buffer/length"), "1000");
    assert_eq!(device.set("buffer/watermark"), "10");
    assert_eq!(device.set("buffer/enable"), "1");
    assert_eq!(read(&mut buffer), []);
    device.sample(-2, 5, 100);
    device.sample(4, -6, 101);
    assert_eq!(
        read(&mut buffer),
        [(100, vec![2.5, -1.0], false), (101, vec![-3.0, 2.0], false)]
    );
    drop(buffer);
    assert_eq!(device.set("buffer/enable"), "0");
}

#[test]
fn a_lost_sample_is_a_gap() {
    let device = Accelerometer::new("buffer-gap");
    let mut buffer = ScanBuffer::open(&device.tree.0, &motor()).unwrap();
    for time in [100, 101, 103, 104] {
        device.sample(0, 0, time);
    }
    let gaps: Vec<bool> = read(&mut buffer).into_iter().map(|(.., gap)| gap).collect();
    assert_eq!(gaps, [false, false, true, false]);
}

#[test]
fn without_a_monotonic_clock_the_time_is_that_of_the_look() {
    let device = Accelerometer::new("buffer-clock");
    device.remove("current_timestamp_clock");
    let x = format!("{DEVICE}/scan_elements/in_accel_x_type");
    device.tree.put(&x, b"le:s20/32>>4");
    let mut buffer = ScanBuffer::open(&device.tree.0, &motor()).unwrap();
    assert_eq!(device.set("scan_elements/in_timestamp_en"), "0");
    // x, y, and what makes the next x aligned.
    let scan = [0x2F, 0, 0, 0, 0x00, 0x1F, 0xAA, 0xAA];
    (&device.node).write_all(&[scan, scan].concat()).unwrap();
    let sample = (7, vec![0.5, 1.0], false);
    assert_eq!(read(&mut buffer), [sample.clone(), sample]);
}

#[test]
fn a_device_without_a_clock_of_its_own_gets_a_timer_which_makes_the_rate() {
    let device = Accelerometer::new("buffer-timer");
    device
        .tree
        .put(&format!("{DEVICE}/trigger/current_trigger"), b"\n");
    let open = || ScanBuffer::open(&device.tree.0, &motor());
    let reason = open().err().unwrap();
    assert!(
        reason.starts_with("iio:device0 needs a trigger"),
        "{reason}"
    );
    let timers = device.tree.0.join(TIMER_TRIGGERS);
    std::fs::create_dir_all(&timers).unwrap();
    // The kernel makes these for the directory that is made.
    let trigger = "sys/bus/iio/devices/trigger3";
    device
        .tree
        .put(&format!("{trigger}/name"), b"edgeai-motor\n");
    device
        .tree
        .put(&format!("{trigger}/sampling_frequency"), b"100.000\n");
    for _again in 0..2 {
        open().unwrap();
        assert!(timers.join("edgeai-motor").is_dir());
        assert_eq!(device.set("trigger/current_trigger"), "edgeai-motor");
        assert_eq!(
            device.tree.line(&format!("{trigger}/sampling_frequency")),
            "1000"
        );
    }
    assert_eq!(
        device.set("in_accel_sampling_frequency"),
        "3200",
        "as it was"
    );
}

#[test]
fn a_driver_with_a_trigger_of_its_own_gets_that() {
    let device = Accelerometer::new("buffer-trigger");
    device
        .tree
        .put(&format!("{DEVICE}/trigger/current_trigger"), b"\n");
    device
        .tree
        .put("sys/bus/iio/devices/trigger0/name", b"other-dev1\n");
    device
        .tree
        .put("sys/bus/iio/devices/trigger1/name", b"adxl345-dev0\n");
    ScanBuffer::open(&device.tree.0, &motor()).unwrap();
    assert_eq!(device.set("trigger/current_trigger"), "adxl345-dev0");
}

#[test]
fn what_is_missing_is_named() {
    let device = Accelerometer::new("buffer-missing");
    let mut other = motor();
    other.channels[0].source = Some("anglvel_x".into());
    let reason = ScanBuffer::open(&device.tree.0, &other).err().unwrap();
    assert!(reason.contains("in_anglvel_x_index: "), "{reason}");
    device.remove("in_accel_sampling_frequency");
    let reason = ScanBuffer::open(&device.tree.0, &motor()).err().unwrap();
    assert_eq!(reason, "iio:device0 has no sampling_frequency to set");
}
