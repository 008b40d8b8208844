//! `[[sensor]]`

use serde::Deserialize;

/// `[[sensor]]`: a measuring device with named channels.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Name used in rules (`name.channel`) and for `model.sensor`.
    pub name: String,
    /// How it is read.
    pub kind: SensorKind,
    /// IIO: `iio:device0` or the device's name (`adxl345`); I2C: `/dev/i2c-1`; SPI: `/dev/spidev0.0`.
    pub device: String,
    /// I2C: 7-bit address, 3 ..= 119.
    pub address: Option<u16>,
    /// SPI: clock in Hz, 1 ..= 100000000.
    pub speed_hz: Option<u32>,
    /// SPI: mode, 0 ..= 3.
    #[serde(default)]
    pub spi_mode: u8,
    /// Samples per second, 0.01 ..= 100000. Above 200 only with `buffered`.
    pub rate_hz: f64,
    /// IIO: samples come through the kernel's buffer, none is missed.
    #[serde(default)]
    pub buffered: bool,
    /// I2C and SPI: bytes written one after the other when the device is opened.
    #[serde(default)]
    pub setup: Vec<Vec<u8>>,
    /// No sample for so long is a fault, ms, 1 ..= 60000. Absent: ten periods, at least 1 s.
    pub timeout_ms: Option<u32>,
    /// What a fault means for the outputs.
    #[serde(default)]
    pub on_fault: OnFault,
    /// What it measures, 1 ..= 16; all sensors together at most 64.
    #[serde(rename = "channel")]
    pub channels: Vec<Channel>,
}

/// Values of `on_fault`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// Its channels are unknown; an output is safe if one of its rules cannot be decided without.
    #[default]
    Unknown,
    /// All outputs are safe, as without a camera, whatever their rules need.
    Safe,
}

/// Values of `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SensorKind {
    /// A driver of the kernel's Industrial I/O.
    Iio,
    /// Registers over I2C.
    I2c,
    /// Registers over SPI.
    Spi,
}

/// `sensor.channel`: value = (raw + offset) × scale, for IIO after the driver's own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Name used in rules.
    pub name: String,
    /// IIO: the channel (`accel_x`, `voltage0`).
    pub source: Option<String>,
    /// I2C and SPI: bytes written before reading, most often the register's number.
    #[serde(default)]
    pub register: Vec<u8>,
    /// I2C and SPI: what is read.
    #[serde(rename = "type")]
    pub sample: Option<SampleType>,
    /// I2C and SPI: bits shifted out to the right, fewer than `type` has.
    #[serde(default)]
    pub shift: u8,
    /// Added to the raw value.
    #[serde(default)]
    pub offset: f64,
    /// What one step is worth, not 0.
    #[serde(default = "default_scale")]
    pub scale: f64,
    /// For the log: `m/s²`, `°C`; at most 16 characters.
    #[serde(default)]
    pub unit: String,
    /// Least and greatest plausible value; beyond is a fault of the sensor.
    pub range: Option<[f64; 2]>,
}

/// Values of `type`: sign, bits, byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum SampleType {
    U8,
    S8,
    U16le,
    U16be,
    S16le,
    S16be,
    U24be,
    S24be,
    U32le,
    U32be,
    S32le,
    S32be,
}

impl SampleType {
    /// Width, 8 to 32.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::U8 | Self::S8 => 8,
            Self::U16le | Self::U16be | Self::S16le | Self::S16be => 16,
            Self::U24be | Self::S24be => 24,
            Self::U32le | Self::U32be | Self::S32le | Self::S32be => 32,
        }
    }
}

fn default_scale() -> f64 {
    1.0
}
