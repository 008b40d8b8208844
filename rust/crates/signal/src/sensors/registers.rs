//! Registers over I2C and SPI, on any bus that has the `embedded-hal` traits.

use super::Measure;
use super::sample::Layout;
use edgeai_config::{Channel, Sensor};
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{I2cdev, SpidevDevice};

/// SPI clock where the description has none: every sensor can follow.
const DEFAULT_SPEED_HZ: u32 = 1_000_000;
/// No [`Layout`] of a register has more.
const MAX_BYTES: usize = 4;

/// The I2C sensor on the bus `/dev/i2c-*` of the description.
pub fn open_i2c(sensor: &Sensor) -> Result<I2cRegisters<I2cdev>, String> {
    let bus = I2cdev::new(&sensor.device).map_err(|error| error.to_string())?;
    I2cRegisters::new(bus, sensor)
}

/// The SPI sensor at `/dev/spidev*` of the description.
pub fn open_spi(sensor: &Sensor) -> Result<SpiRegisters<SpidevDevice>, String> {
    let mut device = SpidevDevice::open(&sensor.device).map_err(|error| error.to_string())?;
    let mode = match sensor.spi_mode {
        0 => SpiModeFlags::SPI_MODE_0,
        1 => SpiModeFlags::SPI_MODE_1,
        2 => SpiModeFlags::SPI_MODE_2,
        _ => SpiModeFlags::SPI_MODE_3,
    };
    let options = SpidevOptions::new()
        .bits_per_word(8)
        .max_speed_hz(sensor.speed_hz.unwrap_or(DEFAULT_SPEED_HZ))
        .mode(mode)
        .build();
    device
        .configure(&options)
        .map_err(|error| error.to_string())?;
    SpiRegisters::new(device, sensor)
}

/// What is asked for a channel and how the answer is understood.
struct Register {
    channel: String,
    ask: Vec<u8>,
    layout: Layout,
}

impl Register {
    fn all(channels: &[Channel]) -> Result<Vec<Self>, String> {
        channels
            .iter()
            .map(|channel| {
                let sample = channel.sample.ok_or("a register needs a type");
                let layout = sample
                    .map_err(String::from)
                    .and_then(|sample| Layout::of_register(sample, channel.shift))
                    .map_err(|reason| format!("channel {}: {reason}", channel.name))?;
                Ok(Self {
                    channel: channel.name.clone(),
                    ask: channel.register.clone(),
                    layout,
                })
            })
            .collect()
    }

    /// Reads by `transfer(ask, answer)`.
    fn read<E: std::fmt::Debug>(
        &self,
        transfer: impl FnOnce(&[u8], &mut [u8]) -> Result<(), E>,
    ) -> Result<f64, String> {
        let failed = |what: &dyn std::fmt::Debug| format!("channel {}: {what:?}", self.channel);
        let mut room = [0; MAX_BYTES];
        let answer = room
            .get_mut(..self.layout.bytes)
            .ok_or_else(|| failed(&self.layout))?;
        transfer(&self.ask, answer).map_err(|error| failed(&error))?;
        self.layout
            .decode(answer)
            .ok_or_else(|| failed(&self.layout))
    }
}

/// Raw values, one for each register in order.
fn read_all<E: std::fmt::Debug>(
    registers: &[Register],
    out: &mut [f64],
    mut transfer: impl FnMut(&[u8], &mut [u8]) -> Result<(), E>,
) -> Result<(), String> {
    for (register, value) in registers.iter().zip(out) {
        *value = register.read(&mut transfer)?;
    }
    Ok(())
}

/// A sensor with registers on an I2C bus.
pub struct I2cRegisters<I> {
    bus: I,
    address: u8,
    registers: Vec<Register>,
}

impl<I: I2c> I2cRegisters<I> {
    /// Writes the sensor's `setup` and is ready to read its channels.
    ///
    /// # Errors
    /// One line: what the description lacks, or what the bus answered.
    pub fn new(mut bus: I, sensor: &Sensor) -> Result<Self, String> {
        let address = sensor.address.ok_or("an I2C sensor needs an address")?;
        let address = u8::try_from(address).map_err(|_| "an address has 7 bits")?;
        let registers = Register::all(&sensor.channels)?;
        for bytes in &sensor.setup {
            bus.write(address, bytes).map_err(|error| {
                format!("address {address:#04x}: setup {bytes:02x?}: {error:?}")
            })?;
        }
        Ok(Self {
            bus,
            address,
            registers,
        })
    }
}

impl<I: I2c> Measure for I2cRegisters<I> {
    fn channels(&self) -> usize {
        self.registers.len()
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        let Self {
            bus,
            address,
            registers,
        } = self;
        read_all(registers, out, |ask, answer| {
            if ask.is_empty() {
                bus.read(*address, answer)
            } else {
                bus.write_read(*address, ask, answer)
            }
        })
        .map_err(|reason| format!("address {address:#04x}: {reason}"))
    }
}

/// A sensor with registers on an SPI bus.
pub struct SpiRegisters<S> {
    device: S,
    registers: Vec<Register>,
}

impl<S: SpiDevice> SpiRegisters<S> {
    /// Writes the sensor's `setup` and is ready to read its channels.
    ///
    /// # Errors
    /// One line: what the description lacks, or what the bus answered.
    pub fn new(mut device: S, sensor: &Sensor) -> Result<Self, String> {
        let registers = Register::all(&sensor.channels)?;
        for bytes in &sensor.setup {
            device
                .write(bytes)
                .map_err(|error| format!("setup {bytes:02x?}: {error:?}"))?;
        }
        Ok(Self { device, registers })
    }
}

impl<S: SpiDevice> Measure for SpiRegisters<S> {
    fn channels(&self) -> usize {
        self.registers.len()
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        let Self { device, registers } = self;
        read_all(registers, out, |ask, answer| {
            device.transaction(&mut [Operation::Write(ask), Operation::Read(answer)])
        })
    }
}

#[cfg(test)]
#[path = "registers_tests.rs"]
mod tests;
