//! PWM channels through the kernel's `/sys/class/pwm` (`Documentation/driver-api/pwm.rst`,
//! `Documentation/ABI/testing/sysfs-class-pwm`).

use crate::sysfs;
use edgeai_config::Pwm;
use embedded_hal::pwm::{Error, ErrorKind, ErrorType, SetDutyCycle};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

const NANOSECONDS: f64 = 1e9;
/// Digits of any `u64` and a line's end.
const DUTY_TEXT: usize = 21;

/// A PWM channel that runs. It stays exported and running when this is dropped.
#[derive(Debug)]
pub struct PwmChannel {
    /// `duty_cycle`, in ns; kept open so that a change is one write.
    duty: File,
    /// ns
    period: u64,
}

impl PwmChannel {
    /// Exports the channel under `root` (`/` but in tests) and runs it with `duty` of 65535.
    ///
    /// A channel that runs already, as after a restart, goes from its old duty to the new one
    /// without a stop.
    ///
    /// # Errors
    /// The file that failed and why.
    pub fn claim(root: &Path, pwm: &Pwm, duty: u16) -> Result<Self, String> {
        let (chip, channel) = parts(&pwm.channel)
            .ok_or("expected a chip and the channel's number on it, like \"pwmchip0:1\"")?;
        let chip = root.join("sys/class/pwm").join(chip);
        let directory = chip.join(format!("pwm{channel}"));
        if !directory.exists() {
            sysfs::write(&chip.join("export"), channel)?;
        }
        let read = |name: &str| sysfs::read(&directory.join(name));
        let set = |name: &str, value: &str| sysfs::write(&directory.join(name), value);
        let path = directory.join("duty_cycle");
        let failed = |error: io::Error| format!("{}: {error}", path.display());

        // Left inverted by a boot loader, a safe 0 would be fully on. It cannot change while running.
        if read("polarity").is_ok_and(|polarity| polarity == "inversed") {
            set("enable", "0")?;
            set("polarity", "normal")?;
        }
        let channel = Self {
            duty: File::options().write(true).open(&path).map_err(failed)?,
            period: period(pwm.frequency_hz),
        };
        // The kernel refuses a duty longer than the period at any moment: so this order, or that.
        let before: u64 = read("period")?.parse().unwrap_or(0);
        if before > 0 && channel.nanoseconds(duty) <= before {
            channel.write(duty).map_err(failed)?;
            set("period", &channel.period.to_string())?;
        } else {
            set("period", &channel.period.to_string())?;
            channel.write(duty).map_err(failed)?;
        }
        if read("enable")? != "1" {
            set("enable", "1")?;
        }
        Ok(channel)
    }

    fn nanoseconds(&self, duty: u16) -> u64 {
        self.period * u64::from(duty) / u64::from(u16::MAX)
    }

    /// One system call, no allocation.
    fn write(&self, duty: u16) -> io::Result<()> {
        let mut text = [0; DUTY_TEXT];
        let mut left = &mut text[..];
        writeln!(left, "{}", self.nanoseconds(duty))?;
        let length = DUTY_TEXT - left.len();
        let written = self.duty.write_at(text.get(..length).unwrap_or(&[]), 0)?;
        if written == length {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }
}

/// Period of a frequency in Hz, ns, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates; 1 MHz to 0.1 Hz are 1e3 to 1e10 ns"
)]
fn period(frequency_hz: f64) -> u64 {
    ((NANOSECONDS / frequency_hz).round() as u64).max(1)
}

/// `pwmchip0:1` into its parts.
fn parts(channel: &str) -> Option<(&str, &str)> {
    let (chip, channel) = channel.split_once(':')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(chip.strip_prefix("pwmchip")?) && digits(channel)).then_some((chip, channel))
}

/// What the kernel answered to a new duty.
pub struct PwmError(io::Error);

impl fmt::Debug for PwmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for PwmError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for PwmChannel {
    type Error = PwmError;
}

impl SetDutyCycle for PwmChannel {
    fn max_duty_cycle(&self) -> u16 {
        u16::MAX
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), PwmError> {
        self.write(duty).map_err(PwmError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysfs::Tree;

    const CHANNEL: &str = "sys/class/pwm/pwmchip0/pwm1";

    fn fan() -> Pwm {
        Pwm {
            channel: "pwmchip0:1".into(),
            frequency_hz: 25_000.0,
            low: 0.0,
            high: 1.0,
        }
    }

    fn tree(name: &str, period: &str, duty: &str, enable: &str, polarity: &str) -> Tree {
        let tree = Tree::new(name, &[("sys/class/pwm/pwmchip0/export", "")]);
        for (file, text) in [
            ("period", period),
            ("duty_cycle", duty),
            ("enable", enable),
            ("polarity", polarity),
        ] {
            tree.put(&format!("{CHANNEL}/{file}"), text.as_bytes());
        }
        tree
    }

    fn state(tree: &Tree) -> [String; 4] {
        ["period", "duty_cycle", "enable", "polarity"]
            .map(|file| tree.line(&format!("{CHANNEL}/{file}")))
    }

    #[test]
    fn a_claimed_channel_runs_with_its_duty() {
        let tree = tree("pwm-new", "0\n", "0\n", "0\n", "normal\n");
        let mut channel = PwmChannel::claim(&tree.0, &fan(), u16::MAX / 2).unwrap();
        assert_eq!(state(&tree), ["40000", "19999", "1", "normal"]);
        channel.set_duty_cycle_fully_on().unwrap();
        assert_eq!(tree.line(&format!("{CHANNEL}/duty_cycle")), "40000");
        channel.set_duty_cycle_fully_off().unwrap();
        assert_eq!(tree.line(&format!("{CHANNEL}/duty_cycle")), "0");
        assert_eq!(
            tree.line("sys/class/pwm/pwmchip0/export"),
            "",
            "it was there"
        );
    }

    #[test]
    fn an_inverted_channel_is_turned_round() {
        let tree = tree("pwm-inverse", "50000\n", "50000\n", "1\n", "inversed\n");
        PwmChannel::claim(&tree.0, &fan(), 0).unwrap();
        assert_eq!(state(&tree), ["40000", "0", "1", "normal"]);
    }

    #[test]
    fn a_channel_that_is_not_there_is_a_reason() {
        let tree = Tree::new("pwm-none", &[("sys/class/pwm/pwmchip0/export", "")]);
        let reason = PwmChannel::claim(&tree.0, &fan(), 0).unwrap_err();
        assert!(reason.contains("pwm1/duty_cycle: "), "{reason}");
        assert_eq!(tree.line("sys/class/pwm/pwmchip0/export"), "1");
        for channel in [
            "pwmchip9:0",
            "pwmchip0",
            "pwm0:1",
            "pwmchip0:../1",
            "pwmchip:1",
        ] {
            let pwm = Pwm {
                channel: channel.into(),
                ..fan()
            };
            assert!(PwmChannel::claim(&tree.0, &pwm, 0).is_err(), "{channel}");
        }
    }

    #[test]
    fn a_frequency_is_a_period_in_nanoseconds() {
        assert_eq!(period(0.1), 10_000_000_000);
        assert_eq!(period(50.0), 20_000_000);
        assert_eq!(period(1e6), 1000);
    }
}
