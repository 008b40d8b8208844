//! What `[[input]]`, `[[output]]` and `[[sensor]]` can name.

use super::list;
use edgeai_signal::list::{
    GpioChip, I2cBus, IioDevice, PwmChip, SpiDevice, gpio, i2c, iio, pwm, spi,
};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
pub struct Signal {
    gpio: Vec<GpioChip>,
    pwm: Vec<PwmChip>,
    i2c: Vec<I2cBus>,
    spi: Vec<SpiDevice>,
    iio: Vec<IioDevice>,
}

impl Signal {
    pub fn find(root: &Path) -> Self {
        Self {
            gpio: gpio(),
            pwm: pwm(root),
            i2c: i2c(root),
            spi: spi(root),
            iio: iio(root),
        }
    }
}

pub fn print(signal: &Signal) {
    list("gpio", &signal.gpio, |chip| {
        println!(
            "gpio        {}: {} ({} lines)",
            chip.path,
            chip.label,
            chip.lines.len()
        );
        let shown =
            |line: &&edgeai_signal::list::GpioLine| line.name.is_some() || line.used_by.is_some();
        for line in chip.lines.iter().filter(shown) {
            println!(
                "            {:>3} {:<20} {} {}",
                line.offset,
                line.name.as_deref().unwrap_or("-"),
                line.direction,
                line.used_by
                    .as_deref()
                    .map(|user| format!("used by {user}"))
                    .unwrap_or_default()
            );
        }
        if let Some(error) = &chip.error {
            println!("            {error}");
        }
    });
    list("pwm", &signal.pwm, |chip| {
        println!("pwm         {}: {} channels", chip.name, chip.channels);
    });
    list("i2c", &signal.i2c, |bus| {
        let adapter = bus.adapter.as_deref().unwrap_or("?");
        println!("i2c         {}: {adapter}", bus.path);
    });
    list("spi", &signal.spi, |device| {
        let modalias = device.modalias.as_deref().unwrap_or("?");
        println!("spi         {}: {modalias}", device.path);
    });
    list("iio", &signal.iio, |device| {
        println!("iio         {}: {}", device.id, device.name);
        println!("            {}", device.channels.join(" "));
        if !device.buffered.is_empty() {
            println!("            buffered: {}", device.buffered.join(" "));
        }
    });
}
