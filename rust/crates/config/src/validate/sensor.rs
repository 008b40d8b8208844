//! `[[sensor]]`

use super::{Check, list};
use crate::place::Path;
use crate::{Channel, Sensor, SensorKind};

const MAX_SENSORS: usize = 8;
const MAX_CHANNELS: usize = 16;
/// Channels of all sensors: one bit of a word each.
const MAX_ALL_CHANNELS: usize = 64;
/// Above this a device is not asked for every single sample.
const MAX_POLLED_HZ: f64 = 200.0;

impl Check<'_> {
    pub(super) fn sensors(&mut self) {
        let sensors = &self.appliance.sensors;
        self.names("sensor", MAX_SENSORS, sensors.iter().map(|s| &*s.name));
        let mut channels = 0;
        for (index, sensor) in sensors.iter().enumerate() {
            let path = Path::entry("sensor", index);
            if self.appliance.models.iter().any(|m| m.name == sensor.name) {
                let message = format!(
                    "a [[model]] has the name \"{}\"; choose another, because both stand before the dot of a value",
                    sensor.name
                );
                self.object(&path.key("name"), message);
            }
            self.sensor(&path, sensor);
            let path = path.key("channel");
            let names = sensor.channels.iter().map(|channel| &*channel.name);
            self.names_in(&path, "channel of this sensor", MAX_CHANNELS, names);
            if sensor.channels.is_empty() {
                self.object(&path, "a sensor needs a channel");
            }
            for (index, channel) in sensor.channels.iter().enumerate() {
                self.channel(&path.index(index), sensor.kind, channel);
            }
            if channels <= MAX_ALL_CHANNELS && channels + sensor.channels.len() > MAX_ALL_CHANNELS {
                let message = format!(
                    "too many channels; all sensors have at most {MAX_ALL_CHANNELS} together"
                );
                self.object(&path.index(MAX_ALL_CHANNELS - channels), message);
            }
            channels += sensor.channels.len();
        }
    }

    fn sensor(&mut self, path: &Path, sensor: &Sensor) {
        let (device, form) = match sensor.kind {
            SensorKind::Iio => (
                !sensor.device.is_empty() && !sensor.device.contains('/'),
                "\"iio:device0\" or a device's name, like \"adxl345\"",
            ),
            SensorKind::I2c => (
                sensor.device.starts_with('/'),
                "the bus, like \"/dev/i2c-1\"",
            ),
            SensorKind::Spi => (
                sensor.device.starts_with('/'),
                "the device, like \"/dev/spidev0.0\"",
            ),
        };
        if !device {
            self.object(&path.key("device"), format!("expected {form}"));
        }
        let absent = |key: &str| format!("kind = \"{}\" needs {key}; add it", name(sensor.kind));
        match (sensor.kind, sensor.address) {
            (SensorKind::I2c, Some(address)) => {
                self.range(&path.key("address"), "", address, 3..=119);
            }
            (SensorKind::I2c, None) => self.object(path, absent("address")),
            _ => self.foreign(path, &["address"], "kind = \"i2c\""),
        }
        match (sensor.kind, sensor.speed_hz) {
            (SensorKind::Spi, Some(speed)) => {
                self.range(&path.key("speed_hz"), " Hz", speed, 1..=100_000_000);
                self.range(&path.key("spi_mode"), "", sensor.spi_mode, 0..=3);
            }
            (SensorKind::Spi, None) => self.object(path, absent("speed_hz")),
            _ => self.foreign(path, &["speed_hz", "spi_mode"], "kind = \"spi\""),
        }
        if sensor.kind == SensorKind::Iio {
            self.foreign(path, &["setup"], "kind = \"i2c\" or \"spi\"");
        } else {
            self.foreign(path, &["buffered"], "kind = \"iio\"");
        }
        for (index, bytes) in sensor.setup.iter().enumerate() {
            if bytes.is_empty() {
                let message = "expected the bytes of one transfer, like [0x2D, 0x08]";
                self.object(&path.key("setup").index(index), message);
            }
        }
        let rate = path.key("rate_hz");
        self.range(&rate, " samples per second", sensor.rate_hz, 0.01..=1e5);
        if sensor.rate_hz > MAX_POLLED_HZ && !sensor.buffered {
            let message = match sensor.kind {
                SensorKind::Iio => "above 200 samples per second it needs buffered = true",
                _ => {
                    "above 200 samples per second only a sensor of kind = \"iio\" with buffered = true can be read"
                }
            };
            self.object(&rate, message);
        }
        let timeout = sensor.timeout_ms.unwrap_or(1);
        self.range(&path.key("timeout_ms"), " ms", timeout, 1..=60_000);
    }

    fn channel(&mut self, path: &Path, kind: SensorKind, channel: &Channel) {
        if kind == SensorKind::Iio {
            match &channel.source {
                Some(source) if is_channel(source) => {}
                Some(_) => {
                    let message = "expected the name of an IIO channel, like \"accel_x\"";
                    self.object(&path.key("source"), message);
                }
                None => self.object(path, "kind = \"iio\" needs source; add it"),
            }
            let keys = ["register", "type", "shift"];
            self.foreign(path, &keys, "kind = \"i2c\" or \"spi\"");
        } else {
            self.foreign(path, &["source"], "kind = \"iio\"");
            if let Some(sample) = channel.sample {
                let most = sample.bits() - 1;
                self.range(&path.key("shift"), " bits", channel.shift, 0..=most);
            } else {
                let message = format!("kind = \"{}\" needs type; add it", name(kind));
                self.object(path, message);
            }
        }
        if !channel.offset.is_finite() {
            self.object(&path.key("offset"), "expected a finite number");
        }
        if !channel.scale.is_normal() {
            self.object(&path.key("scale"), "expected a number that is not 0");
        }
        if channel.unit.chars().count() > 16 || channel.unit.chars().any(char::is_control) {
            self.object(
                &path.key("unit"),
                "expected at most 16 characters, like \"m/s²\"",
            );
        }
        if let Some([least, most]) = channel.range
            && !(least.is_finite() && most.is_finite() && least < most)
        {
            let message = "expected the least and the greatest plausible value, like [-40, 125]";
            self.object(&path.key("range"), message);
        }
    }

    /// Objects to a `value` that is not `sensor.channel` or `model.…`.
    pub(super) fn value(&mut self, path: &Path, value: &str) {
        let Some((owner, name)) = value.split_once('.').filter(|(_, name)| !name.is_empty()) else {
            let message = "expected a channel of a sensor, like \"motor.vibration\", or a value of a model, like \"model.anomaly\"";
            return self.object(path, message);
        };
        // What values a model has is not in this file.
        if self
            .appliance
            .models
            .iter()
            .any(|model| model.name == owner)
        {
            return;
        }
        let sensors = &self.appliance.sensors;
        let Some(sensor) = sensors.iter().find(|sensor| sensor.name == owner) else {
            let sensors = sensors.iter().map(|sensor| &*sensor.name);
            let models = self.appliance.models.iter().map(|model| &*model.name);
            let known = list(&sensors.chain(models).collect::<Vec<_>>());
            let message =
                format!("there is no [[sensor]] or [[model]] \"{owner}\"; there is {known}");
            return self.object(path, message);
        };
        let channels: Vec<_> = sensor.channels.iter().map(|c| &*c.name).collect();
        if !channels.contains(&name) {
            let known = list(&channels);
            let message = format!("sensor \"{owner}\" has no channel \"{name}\"; it has {known}");
            self.object(path, message);
        }
    }
}

/// A file name of `/sys/bus/iio/devices/*` without its prefix and suffix.
fn is_channel(source: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !source.is_empty() && source.bytes().all(allowed)
}

const fn name(kind: SensorKind) -> &'static str {
    match kind {
        SensorKind::Iio => "iio",
        SensorKind::I2c => "i2c",
        SensorKind::Spi => "spi",
    }
}
