//! Simulated lines: the kernel's gpio-sim through configfs and sysfs
//! (Documentation/admin-guide/gpio/gpio-sim.rst).

use anyhow::{Context, bail};
use edgeai_realtime::{fifo, ordinary};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DEVICE: &str = "/sys/kernel/config/gpio-sim/edgeai";
const LINE_COUNT: u8 = 8;
/// The highest priority of `SCHED_FIFO` (`sched(7)`).
const MOST_URGENT: u8 = 99;
/// By offset; the rest of the chip has no names.
const NAMES: [&str; 6] = ["stop", "lamp", "door", "reset", "horn", "valve"];

/// The chip.
pub struct Lines {
    /// sysfs directory with one `sim_gpioN` a line.
    chip: PathBuf,
}

impl Lines {
    /// Makes the chip, or takes the one an earlier run of the agent has left.
    pub fn create() -> anyhow::Result<Self> {
        let device = Path::new(DEVICE);
        let bank = device.join("bank0");
        if read(&device.join("live")).ok().as_deref() != Some("1") {
            make(device)?;
            make(&bank)?;
            put(&bank.join("num_lines"), &LINE_COUNT.to_string())?;
            for (offset, name) in NAMES.iter().enumerate() {
                let line = bank.join(format!("line{offset}"));
                make(&line)?;
                put(&line.join("name"), name)?;
            }
            put(&device.join("live"), "1")?;
        }
        let chip = Path::new("/sys/devices/platform")
            .join(read(&device.join("dev_name"))?)
            .join(read(&bank.join("chip_name"))?);
        Ok(Self { chip })
    }

    /// 0 or 1.
    pub fn level(&self, line: &str) -> anyhow::Result<u8> {
        Ok(read(&self.attribute(line, "value")?)?.parse()?)
    }

    /// What the world outside does to a line that nobody drives; several levels are over before
    /// anybody who is woken by the first can look.
    pub fn pull(&self, line: &str, levels: &[u8]) -> anyhow::Result<()> {
        let attribute = self.attribute(line, "pull")?;
        for level in levels {
            let pull = match level {
                0 => "pull-down",
                1 => "pull-up",
                _ => bail!("level {level}: 0 or 1"),
            };
            put(&attribute, pull)?;
        }
        Ok(())
    }

    /// `pull` before every other thread, as no thread of a board makes the world outside wait; milliseconds
    /// that it took.
    pub fn pull_urgently(&self, line: &str, levels: &[u8]) -> anyhow::Result<f64> {
        fifo(MOST_URGENT)?;
        let start = Instant::now();
        let pulled = self.pull(line, levels);
        let elapsed = start.elapsed();
        ordinary()?;
        pulled.map(|()| elapsed.as_secs_f64() * 1e3)
    }

    /// Waits until the line has the level; milliseconds waited.
    pub fn wait(&self, line: &str, level: u8, limit: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        loop {
            if self.level(line)? == level {
                return Ok(start.elapsed().as_secs_f64() * 1e3);
            }
            if start.elapsed() > limit {
                bail!("{line} was not {level} within {} ms", limit.as_millis());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn attribute(&self, line: &str, attribute: &str) -> anyhow::Result<PathBuf> {
        let offset = NAMES.iter().position(|name| *name == line);
        let offset = offset.with_context(|| format!("no line {line}; there are {NAMES:?}"))?;
        Ok(self.chip.join(format!("sim_gpio{offset}")).join(attribute))
    }
}

fn make(directory: &Path) -> anyhow::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| directory.display().to_string())
        }
        _ => Ok(()),
    }
}

fn put(attribute: &Path, value: &str) -> anyhow::Result<()> {
    fs::write(attribute, value).with_context(|| attribute.display().to_string())
}

fn read(attribute: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(attribute).with_context(|| attribute.display().to_string())?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_name() {
        let chip = std::env::temp_dir().join(format!("edgeai-agent-gpio-{}", std::process::id()));
        fs::create_dir_all(chip.join("sim_gpio2")).unwrap();
        fs::write(chip.join("sim_gpio2/value"), "1\n").unwrap();
        let lines = Lines { chip: chip.clone() };
        assert_eq!(lines.level("door").unwrap(), 1);
        lines.pull("door", &[1, 0]).unwrap();
        assert_eq!(fs::read(chip.join("sim_gpio2/pull")).unwrap(), b"pull-down");
        assert!(lines.pull("door", &[2]).is_err());
        assert!(lines.level("window").is_err());
        assert!(lines.wait("door", 0, Duration::ZERO).is_err());
        assert!(lines.wait("door", 1, Duration::ZERO).is_ok());
        fs::remove_dir_all(chip).unwrap();
    }
}
