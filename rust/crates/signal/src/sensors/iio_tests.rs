#![expect(clippy::float_cmp, reason = "the samples are whole numbers or halves")]

use super::*;
use crate::sensors::sensors_fixture::{channel, sensor};
use crate::sysfs::Tree;
use edgeai_config::SensorKind;

fn tree(name: &str) -> Tree {
    Tree::new(
        name,
        &[
            ("sys/bus/iio/devices/iio:device0/name", "bme280\n"),
            ("sys/bus/iio/devices/iio:device0/in_temp_input", "21560\n"),
            ("sys/bus/iio/devices/iio:device1/name", "adc\n"),
            ("sys/bus/iio/devices/iio:device1/label", "tank\n"),
            ("sys/bus/iio/devices/iio:device1/in_voltage0_raw", "100\n"),
            ("sys/bus/iio/devices/iio:device1/in_voltage1_raw", "-3\n"),
            ("sys/bus/iio/devices/iio:device1/in_voltage_scale", "0.5\n"),
            ("sys/bus/iio/devices/iio:device1/in_voltage1_scale", "2\n"),
            (
                "sys/bus/iio/devices/iio:device1/in_voltage0_offset",
                "-20\n",
            ),
            ("sys/bus/iio/devices/iio:device2/name", "adc\n"),
            ("sys/bus/iio/devices/trigger0/name", "adc-dev1\n"),
        ],
    )
}

#[test]
fn a_device_is_found_by_number_name_or_label_if_it_is_the_only_one() {
    let tree = tree("iio-find");
    let find = |name| Device::find(&tree.0, name).map(|device| device.id);
    assert_eq!(find("iio:device1").unwrap(), "iio:device1");
    assert_eq!(find("bme280").unwrap(), "iio:device0");
    assert_eq!(find("tank").unwrap(), "iio:device1");
    assert_eq!(
        find("adc").unwrap_err(),
        "two IIO devices are called so: iio:device1 and iio:device2"
    );
    assert!(find("adc-dev1").is_err(), "a trigger is no device");
}

#[test]
fn samples_are_calibrated_by_the_channel_or_its_type() {
    let tree = tree("iio-single");
    let channels = vec![channel("level", "voltage0"), channel("flow", "voltage1")];
    let tank = sensor(SensorKind::Iio, "tank", channels);
    let mut samples = SingleSamples::open(&tree.0, &tank).unwrap();
    let mut out = [0.0; 2];
    samples.measure(&mut out).unwrap();
    assert_eq!((samples.channels(), out), (2, [40.0, -6.0]));
    tree.put("sys/bus/iio/devices/iio:device1/in_voltage0_raw", b"24\n");
    samples.measure(&mut out).unwrap();
    assert_eq!(out, [2.0, -6.0], "a new sample");
    tree.put("sys/bus/iio/devices/iio:device1/in_voltage1_raw", b"\n");
    assert_eq!(
        samples.measure(&mut out).unwrap_err(),
        "channel voltage1: the driver gave no number"
    );
}

#[test]
fn the_scale_of_a_difference_is_shared_by_its_type() {
    let tree = tree("iio-difference");
    let device = "sys/bus/iio/devices/iio:device1";
    tree.put(&format!("{device}/in_voltage1-voltage2_raw"), b"-34\n");
    tree.put(&format!("{device}/in_voltage-voltage_scale"), b"0.5\n");
    let tank = sensor(
        SensorKind::Iio,
        "tank",
        vec![channel("d", "voltage1-voltage2")],
    );
    let mut out = [0.0];
    let mut samples = SingleSamples::open(&tree.0, &tank).unwrap();
    samples.measure(&mut out).unwrap();
    assert_eq!(out, [-17.0]);
}

#[test]
fn a_driver_that_calculates_itself_is_taken_as_it_is() {
    let tree = tree("iio-input");
    let room = sensor(SensorKind::Iio, "bme280", vec![channel("t", "temp")]);
    let mut out = [0.0];
    let mut samples = SingleSamples::open(&tree.0, &room).unwrap();
    samples.measure(&mut out).unwrap();
    assert_eq!(out, [21560.0]);
}

#[test]
fn what_is_missing_is_named() {
    let tree = tree("iio-missing");
    let open = |device, channels| {
        let sensor = sensor(SensorKind::Iio, device, channels);
        SingleSamples::open(&tree.0, &sensor).err().unwrap()
    };
    let reason = open("bme280", vec![channel("p", "pressure")]);
    assert!(reason.contains("in_pressure_input: "), "{reason}");
    let mut unnamed = channel("t", "temp");
    unnamed.source = None;
    let reason = open("bme280", vec![unnamed]);
    assert_eq!(reason, "channel t: an IIO channel needs a source");
}
