//! `[[input]]` and `[[output]]`

use super::Check;
use crate::place::Path;
use crate::{Bias, Drive, GpioBackend, Line, Output, PwmChannel};

/// Lines of either direction: what a single request of the GPIO character device would hold twice.
const MAX_LINES: usize = 32;

impl Check<'_> {
    pub(super) fn lines(&mut self) {
        let (inputs, outputs) = (&self.appliance.inputs, &self.appliance.outputs);
        self.names("input", MAX_LINES, inputs.iter().map(|i| &*i.name));
        self.names("output", MAX_LINES, outputs.iter().map(|o| &*o.name));
        let mut taken = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let path = Path::entry("input", index);
            self.line(
                &path,
                format!("input \"{}\"", input.name),
                &input.line,
                &mut taken,
            );
            if self.rppal() && input.bias == Bias::AsIs {
                let message = "backend = \"rppal\" always sets a bias; expected pull-up, pull-down or disabled";
                self.object(&path.key("bias"), message);
            }
            let path = path.key("debounce_ms");
            self.range(&path, " ms", input.debounce_ms, 0..=10_000);
        }
        let mut channels = Vec::new();
        for (index, output) in outputs.iter().enumerate() {
            let path = Path::entry("output", index);
            match (&output.line, &output.pwm) {
                (Some(line), None) => {
                    self.line(
                        &path,
                        format!("output \"{}\"", output.name),
                        line,
                        &mut taken,
                    );
                }
                (None, Some(_)) => {
                    self.foreign(&path, &["active_low", "drive"], "line");
                    self.pwm(&path.key("pwm"), output, &mut channels);
                }
                (Some(_), Some(_)) => self.object(
                    &path.key("pwm"),
                    "an output is either a line or a pwm; remove one",
                ),
                (None, None) => {
                    self.object(&path, "an output needs a line or a pwm; add one here");
                }
            }
            if self.rppal() && output.drive != Drive::PushPull {
                let message =
                    "backend = \"rppal\" drives push-pull only; backend = \"cdev\" has this";
                self.object(&path.key("drive"), message);
            }
            let path = path.key("min_interval_ms");
            self.range(&path, " ms", output.min_interval_ms, 0..=60_000);
        }
    }

    fn rppal(&self) -> bool {
        self.appliance.gpio.backend == GpioBackend::Rppal
    }

    fn line<'l>(
        &mut self,
        path: &Path,
        owner: String,
        text: &'l str,
        taken: &mut Vec<(Line<'l>, String)>,
    ) {
        let path = path.key("line");
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(expected) => return self.object(&path, expected),
        };
        if self.rppal() && !matches!(line, Line::Offset { chip: 0, .. }) {
            let message = "with backend = \"rppal\" a line is \"gpiochip0:<BCM number>\"";
            self.object(&path, message);
        }
        match taken.iter().find(|(other, _)| *other == line) {
            None => taken.push((line, owner)),
            Some((_, owner)) => {
                let message = format!("{owner} has this line already; a line has one owner");
                self.object(&path, message);
            }
        }
    }

    fn pwm<'o>(&mut self, path: &Path, output: &'o Output, taken: &mut Vec<(PwmChannel, &'o str)>) {
        let Some(pwm) = &output.pwm else { return };
        match PwmChannel::parse(&pwm.channel) {
            Err(expected) => self.object(&path.key("channel"), expected),
            Ok(channel) => match taken.iter().find(|(other, _)| *other == channel) {
                None => taken.push((channel, &output.name)),
                Some((_, owner)) => {
                    let message = format!(
                        "output \"{owner}\" has this channel already; a channel has one owner"
                    );
                    self.object(&path.key("channel"), message);
                }
            },
        }
        let frequency = path.key("frequency_hz");
        self.range(&frequency, " Hz", pwm.frequency_hz, 0.1..=1e6);
        self.range(&path.key("low"), "", pwm.low, 0.0..=1.0);
        self.range(&path.key("high"), "", pwm.high, 0.0..=1.0);
        if (pwm.low - pwm.high).abs() < f64::EPSILON {
            let message = "low and high are the same duty cycle; expected different ones";
            self.object(path, message);
        }
    }
}
