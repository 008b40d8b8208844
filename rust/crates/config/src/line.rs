//! How a GPIO line and a PWM channel are named.

/// A GPIO line, as an `[[input]]` or `[[output]]` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// `gpiochip0:17`: the line at `offset` of `/dev/gpiochip<chip>`.
    Offset {
        /// Number of the chip.
        chip: u32,
        /// Number of the line on the chip.
        offset: u32,
    },
    /// The line's name in the device tree; searched on all chips.
    Name(&'a str),
}

/// `GPIO_MAX_NAME_SIZE` of `linux/gpio.h`, less the final 0.
const MAX_NAME: usize = 31;

impl<'a> Line<'a> {
    /// Reads the `line` key of an input or output.
    ///
    /// # Errors
    /// What was expected, as half a sentence.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        if let Some((chip, offset)) = text.split_once(':') {
            let chip = chip.strip_prefix("gpiochip").and_then(number);
            return match (chip, number(offset)) {
                (Some(chip), Some(offset)) => Ok(Self::Offset { chip, offset }),
                _ => Err("expected a chip and the line's number on it, like \"gpiochip0:17\""),
            };
        }
        let printable = |byte| matches!(byte, b' '..=b'~');
        if (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(printable) {
            Ok(Self::Name(text))
        } else {
            Err("expected \"gpiochip<number>:<line>\" or a line's name of 1 to 31 ASCII characters")
        }
    }
}

/// A PWM channel, as `output.pwm.channel` names it: `/sys/class/pwm/pwmchip<chip>/pwm<channel>`
/// (kernel, `Documentation/driver-api/pwm.rst`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PwmChannel {
    /// Number of the chip.
    pub chip: u32,
    /// Number of the channel on the chip.
    pub channel: u32,
}

impl PwmChannel {
    /// Reads `pwmchip<number>:<channel>`.
    ///
    /// # Errors
    /// What was expected, as half a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parts = text.split_once(':').and_then(|(chip, channel)| {
            let chip = number(chip.strip_prefix("pwmchip")?)?;
            let channel = number(channel)?;
            Some(Self { chip, channel })
        });
        parts.ok_or("expected a chip and the channel's number on it, like \"pwmchip0:1\"")
    }
}

/// Decimal digits only: `u32::from_str` would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert_eq!(
            Line::parse("gpiochip0:17"),
            Ok(Line::Offset {
                chip: 0,
                offset: 17
            })
        );
        assert_eq!(
            Line::parse("gpiochip12:07"),
            Ok(Line::Offset {
                chip: 12,
                offset: 7
            })
        );
        assert_eq!(Line::parse("stop"), Ok(Line::Name("stop")));
        assert_eq!(
            Line::parse("GPIO 17 (pin 11)"),
            Ok(Line::Name("GPIO 17 (pin 11)"))
        );
    }

    #[test]
    fn neither() {
        for text in [
            "",
            "gpiochip0:",
            ":17",
            "gpiochip:17",
            "chip0:17",
            "gpiochip0:+1",
            "gpiochip0:-1",
            "gpiochip0:17:1",
            "gpiochip0:99999999999",
            "gpiochip0: 1",
            "stöp",
            "a\nb",
            "0123456789012345678901234567890_",
        ] {
            assert!(Line::parse(text).is_err(), "{text}");
        }
    }
}
