#![expect(clippy::float_cmp, reason = "the samples are whole numbers or halves")]

use super::*;
use edgeai_config::{SampleType, SensorKind};
use embedded_hal::i2c::ErrorKind;
use embedded_hal_mock::eh1::i2c::{Mock as I2cMock, Transaction as I2cTransaction};
use embedded_hal_mock::eh1::spi::{Mock as SpiMock, Transaction as SpiTransaction};

fn channel(name: &str, register: &[u8], sample: SampleType, shift: u8) -> Channel {
    Channel {
        name: name.into(),
        source: None,
        register: register.to_vec(),
        sample: Some(sample),
        shift,
        offset: 0.0,
        scale: 1.0,
        unit: String::new(),
        range: None,
    }
}

fn sensor(kind: SensorKind, setup: &[&[u8]], channels: Vec<Channel>) -> Sensor {
    Sensor {
        name: "tank".into(),
        kind,
        device: String::new(),
        address: Some(0x48),
        speed_hz: None,
        spi_mode: 0,
        rate_hz: 1.0,
        buffered: false,
        setup: setup.iter().map(|bytes| bytes.to_vec()).collect(),
        timeout_ms: None,
        on_fault: edgeai_config::OnFault::Unknown,
        channels,
    }
}

#[test]
fn i2c_registers_are_set_up_and_read() {
    let mut bus = I2cMock::new(&[
        I2cTransaction::write(0x48, vec![0x2D, 0x08]),
        I2cTransaction::write_read(0x48, vec![0x32], vec![0xFF, 0xF0]),
        I2cTransaction::read(0x48, vec![7]),
    ]);
    let channels = vec![
        channel("x", &[0x32], SampleType::S16be, 4),
        channel("state", &[], SampleType::U8, 0),
    ];
    let tank = sensor(SensorKind::I2c, &[&[0x2D, 0x08]], channels);
    let mut tank = I2cRegisters::new(bus.clone(), &tank).unwrap();
    let mut out = [0.0; 2];
    tank.measure(&mut out).unwrap();
    assert_eq!((tank.channels(), out), (2, [-1.0, 7.0]));
    bus.done();
}

#[test]
fn a_bus_without_an_answer_names_address_and_channel() {
    let nobody = I2cTransaction::write_read(0x48, vec![0], vec![0]).with_error(
        ErrorKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Address),
    );
    let mut bus = I2cMock::new(&[nobody]);
    let tank = sensor(
        SensorKind::I2c,
        &[],
        vec![channel("level", &[0], SampleType::U8, 0)],
    );
    let mut tank = I2cRegisters::new(bus.clone(), &tank).unwrap();
    let reason = tank.measure(&mut [0.0]).unwrap_err();
    assert_eq!(
        reason,
        "address 0x48: channel level: NoAcknowledge(Address)"
    );
    bus.done();
}

#[test]
fn spi_keeps_the_device_chosen_between_question_and_answer() {
    let mut device = SpiMock::new(&[
        SpiTransaction::transaction_start(),
        SpiTransaction::write_vec(vec![0x20, 0x57]),
        SpiTransaction::transaction_end(),
        SpiTransaction::transaction_start(),
        SpiTransaction::write_vec(vec![0xE8]),
        SpiTransaction::read_vec(vec![0x01, 0x02, 0x03]),
        SpiTransaction::transaction_end(),
    ]);
    let channels = vec![channel("pressure", &[0xE8], SampleType::U24be, 0)];
    let tank = sensor(SensorKind::Spi, &[&[0x20, 0x57]], channels);
    let mut tank = SpiRegisters::new(device.clone(), &tank).unwrap();
    let mut out = [0.0];
    tank.measure(&mut out).unwrap();
    assert_eq!(out, [66051.0]);
    device.done();
}

#[test]
fn a_register_without_a_type_is_named() {
    let mut channel = channel("level", &[0], SampleType::U8, 0);
    channel.sample = None;
    let tank = sensor(SensorKind::Spi, &[], vec![channel]);
    let mut device = SpiMock::<u8>::new(&[]);
    let reason = SpiRegisters::new(device.clone(), &tank).err().unwrap();
    assert_eq!(reason, "channel level: a register needs a type");
    device.done();
}

/// An existing driver crate plugs in: this is all that one takes.
struct Thermometer<I>(lm75::Lm75<I, lm75::ic::Lm75>);

impl<I: I2c> Measure for Thermometer<I> {
    fn channels(&self) -> usize {
        1
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        let celsius = self
            .0
            .read_temperature()
            .map_err(|error| format!("{error:?}"))?;
        out.fill(celsius.into());
        Ok(())
    }
}

#[test]
fn a_driver_crate_plugs_in() {
    // LM75 data sheet: register 0, 9 bits, 0.5 °C each, left-justified.
    let mut bus = I2cMock::new(&[I2cTransaction::write_read(0x48, vec![0], vec![0xE7, 0x00])]);
    let mut thermometer = Thermometer(lm75::Lm75::new(bus.clone(), lm75::Address::default()));
    let mut out = [0.0];
    thermometer.measure(&mut out).unwrap();
    assert_eq!(out, [-25.0]);
    bus.done();
}
