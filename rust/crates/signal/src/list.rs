//! What this machine has, for `edgeai probe`. `root` is `/` but in tests.

use crate::sensors::{DEVICES, iio_devices};
use crate::sysfs;
use serde::Serialize;
use std::path::Path;

/// A GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpioChip {
    /// `/dev/gpiochip0`
    pub path: String,
    /// Its driver's name for it.
    pub label: String,
    /// Every line.
    pub lines: Vec<GpioLine>,
    /// Why the above is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A line of a [`GpioChip`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpioLine {
    /// Its number on the chip.
    pub offset: u32,
    /// Its name on this board.
    pub name: Option<String>,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Active is electrically low, as its user asked for it.
    pub active_low: bool,
    /// Who holds the line.
    pub used_by: Option<String>,
}

/// GPIO chips of the character device.
#[must_use]
pub fn gpio() -> Vec<GpioChip> {
    let mut chips = gpiocdev::chip::chips().unwrap_or_default();
    chips.sort_by(|a, b| gpiocdev::chip::path_compare(a, b));
    chips
        .into_iter()
        .map(|path| {
            let mut chip = GpioChip {
                path: path.display().to_string(),
                label: String::new(),
                lines: Vec::new(),
                error: None,
            };
            if let Err(error) = describe(&path, &mut chip) {
                chip.error = Some(error.to_string());
            }
            chip
        })
        .collect()
}

fn describe(path: &Path, chip: &mut GpioChip) -> gpiocdev::Result<()> {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let open = gpiocdev::Chip::from_path(path)?;
    chip.label = open.info()?.label;
    for line in open.line_info_iter()? {
        let line = line?;
        chip.lines.push(GpioLine {
            offset: line.offset,
            name: text(line.name),
            direction: match line.direction {
                gpiocdev::line::Direction::Input => "in",
                gpiocdev::line::Direction::Output => "out",
            },
            active_low: line.active_low,
            used_by: text(line.consumer),
        });
    }
    Ok(())
}

/// A PWM chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PwmChip {
    /// `pwmchip0`; its channels are `pwmchip0:0` and so on.
    pub name: String,
    /// How many channels it has.
    pub channels: u32,
}

/// PWM chips.
#[must_use]
pub fn pwm(root: &Path) -> Vec<PwmChip> {
    let class = root.join("sys/class/pwm");
    sysfs::names(&class)
        .into_iter()
        .filter(|name| name.starts_with("pwmchip"))
        .map(|name| {
            let channels = sysfs::read(&class.join(&name).join("npwm"));
            let channels = channels
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            PwmChip { name, channels }
        })
        .collect()
}

/// An I2C bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct I2cBus {
    /// `/dev/i2c-1`
    pub path: String,
    /// Its adapter's name.
    pub adapter: Option<String>,
}

/// I2C buses. Nothing is asked of the devices on them.
#[must_use]
pub fn i2c(root: &Path) -> Vec<I2cBus> {
    let class = root.join("sys/class/i2c-dev");
    sysfs::names(&root.join("dev"))
        .into_iter()
        .filter(|name| name.starts_with("i2c-"))
        .map(|name| I2cBus {
            adapter: sysfs::read(&class.join(&name).join("name")).ok(),
            path: format!("/dev/{name}"),
        })
        .collect()
}

/// An SPI device that programs may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpiDevice {
    /// `/dev/spidev0.0`
    pub path: String,
    /// What the device tree or the board calls it.
    pub modalias: Option<String>,
}

/// SPI devices.
#[must_use]
pub fn spi(root: &Path) -> Vec<SpiDevice> {
    let class = root.join("sys/class/spidev");
    sysfs::names(&root.join("dev"))
        .into_iter()
        .filter(|name| name.starts_with("spidev"))
        .map(|name| SpiDevice {
            modalias: sysfs::read(&class.join(&name).join("device/modalias")).ok(),
            path: format!("/dev/{name}"),
        })
        .collect()
}

/// A device of the kernel's Industrial I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IioDevice {
    /// `iio:device0`
    pub id: String,
    /// Its driver's name for it.
    pub name: String,
    /// What `source` of a channel may be.
    pub channels: Vec<String>,
    /// Of these, what `buffered` can have.
    pub buffered: Vec<String>,
}

/// IIO devices.
#[must_use]
pub fn iio(root: &Path) -> Vec<IioDevice> {
    let between = |directory: &Path, suffixes: &[&str]| -> Vec<String> {
        let mut channels: Vec<String> = sysfs::names(directory)
            .iter()
            .filter_map(|name| {
                let channel = name.strip_prefix("in_")?;
                suffixes
                    .iter()
                    .find_map(|suffix| channel.strip_suffix(suffix))
            })
            .filter(|channel| *channel != "timestamp")
            .map(str::to_owned)
            .collect();
        channels.sort();
        channels.dedup();
        channels
    };
    iio_devices(root)
        .into_iter()
        .map(|device| {
            let directory = root.join(DEVICES).join(&device.id);
            IioDevice {
                channels: between(&directory, &["_raw", "_input"]),
                buffered: between(&directory.join("scan_elements"), &["_en"]),
                id: device.id,
                name: device.name,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysfs::Tree;

    #[test]
    fn a_machine_is_listed() {
        let tree = Tree::new(
            "list",
            &[
                ("sys/class/pwm/pwmchip0/npwm", "4\n"),
                ("dev/i2c-10", ""),
                ("dev/i2c-2", ""),
                ("sys/class/i2c-dev/i2c-2/name", "bcm2835 (i2c@7e804000)\n"),
                ("dev/spidev0.0", ""),
                (
                    "sys/class/spidev/spidev0.0/device/modalias",
                    "spi:dh2228fv\n",
                ),
                ("sys/bus/iio/devices/iio:device0/name", "adxl345\n"),
                ("sys/bus/iio/devices/iio:device0/in_accel_x_raw", "1\n"),
                ("sys/bus/iio/devices/iio:device0/in_accel_scale", "1\n"),
                (
                    "sys/bus/iio/devices/iio:device0/scan_elements/in_accel_x_en",
                    "0\n",
                ),
                (
                    "sys/bus/iio/devices/iio:device0/scan_elements/in_timestamp_en",
                    "0\n",
                ),
                ("sys/bus/iio/devices/trigger0/name", "adxl345-dev0\n"),
            ],
        );
        let pwm = pwm(&tree.0);
        assert_eq!((pwm[0].name.as_str(), pwm[0].channels), ("pwmchip0", 4));
        let i2c: Vec<_> = i2c(&tree.0)
            .into_iter()
            .map(|bus| (bus.path, bus.adapter))
            .collect();
        assert_eq!(
            i2c,
            [
                ("/dev/i2c-2".into(), Some("bcm2835 (i2c@7e804000)".into())),
                ("/dev/i2c-10".into(), None)
            ]
        );
        assert_eq!(spi(&tree.0)[0].modalias.as_deref(), Some("spi:dh2228fv"));
        let iio = iio(&tree.0);
        assert_eq!(
            iio,
            [IioDevice {
                id: "iio:device0".into(),
                name: "adxl345".into(),
                channels: vec!["accel_x".into()],
                buffered: vec!["accel_x".into()],
            }]
        );
    }
}
