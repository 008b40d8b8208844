//! Which device runs which operator.

use crate::delegate::Taken;
use serde::Serialize;
use std::fmt;

/// Device name of the CPU.
pub const CPU: &str = "cpu";

/// Where the operators of a model's first subgraph run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delegation {
    /// In the order of the model file.
    pub operators: Vec<Operator>,
    /// The accelerator, if operators run there, and the CPU, always last.
    pub devices: Vec<Device>,
    /// Why the accelerator asked for is not used at all.
    pub fallback: Option<String>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operator {
    /// Position in the subgraph.
    pub index: usize,
    /// Name in TFLite's schema (`CONV_2D`), or of the custom operator.
    pub name: String,
    /// [`CPU`], or the accelerator's name.
    pub device: String,
    /// Why it runs on the CPU although an accelerator was to be used.
    pub reason: Option<String>,
    /// Its share of an invocation, 0 ..= 1. `None`: not measured, or run as a part of a
    /// larger kernel (XNNPACK and accelerators fuse operators).
    pub share_of_time: Option<f32>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Device {
    /// [`CPU`], or the accelerator's name.
    pub name: String,
    /// Operators that run there.
    pub operators: usize,
    /// Their part of all operators, 0 ..= 1.
    pub share_of_operators: f32,
    /// Its part of the time of the operators, 0 ..= 1; `None` if not measured.
    pub share_of_time: Option<f32>,
}

/// Time of one node of the graph in use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeTime {
    /// Operators have their index; kernels that replaced some are numbered after the last one, and steps
    /// of a kernel that times them itself are `usize::MAX`.
    pub node: usize,
    /// Name of the kernel.
    pub kernel: String,
    pub microseconds: u64,
}

impl Delegation {
    /// The same, with why the accelerator asked for is not used at all.
    pub(crate) fn without_accelerator(mut self, reason: &str) -> Self {
        for operator in &mut self.operators {
            operator.reason = Some(reason.to_owned());
        }
        self.fallback = Some(reason.to_owned());
        self
    }

    /// `delegate`: name of the accelerator, and what it took. `times`: as measured, or empty.
    pub(crate) fn new(
        operators: &[String],
        delegate: Option<(&str, &Taken)>,
        times: &[NodeTime],
    ) -> Self {
        let total: u64 = times.iter().map(|time| time.microseconds).sum();
        let share_of_time = |mine: &dyn Fn(&NodeTime) -> bool| {
            let sum: u64 = times
                .iter()
                .filter(|t| mine(t))
                .map(|t| t.microseconds)
                .sum();
            (total > 0).then(|| ratio(sum, total))
        };
        let accelerated =
            |index: usize| delegate.filter(|(_, taken)| taken.operators.contains(&index));
        let described: Vec<Operator> = operators
            .iter()
            .enumerate()
            .map(|(index, name)| Operator {
                index,
                name: name.clone(),
                device: accelerated(index)
                    .map_or(CPU, |(device, _)| device)
                    .to_owned(),
                reason: delegate
                    .filter(|_| accelerated(index).is_none())
                    .map(|(device, _)| format!("not taken by {device}")),
                share_of_time: times
                    .iter()
                    .any(|time| time.node == index)
                    .then(|| share_of_time(&|time| time.node == index))
                    .flatten(),
            })
            .collect();
        // A kernel that replaced operators is the accelerator's if it carries its name; all
        // others (XNNPACK) run on the CPU.
        let is_accelerator = |time: &NodeTime| {
            time.node >= operators.len()
                && delegate.is_some_and(|(_, taken)| taken.kernels.contains(&time.kernel))
        };
        let device = |name: &str, share_of_time| {
            let count = described.iter().filter(|o| o.device == name).count();
            Device {
                name: name.to_owned(),
                operators: count,
                share_of_operators: ratio(count as u64, described.len().max(1) as u64),
                share_of_time,
            }
        };
        let devices = delegate
            .map(|(name, _)| device(name, share_of_time(&is_accelerator)))
            .into_iter()
            .chain([device(CPU, share_of_time(&|time| !is_accelerator(time)))])
            .collect();
        Self {
            devices,
            operators: described,
            fallback: None,
        }
    }

    /// Part of the operators that `device` runs, 0 ..= 1.
    #[must_use]
    pub fn share_on(&self, device: &str) -> f32 {
        let found = self.devices.iter().find(|known| known.name == device);
        found.map_or(0.0, |device| device.share_of_operators)
    }

    /// Operators that were to run on an accelerator and do not.
    pub fn fallen_back(&self) -> impl Iterator<Item = &Operator> {
        self.operators.iter().filter(|op| op.reason.is_some())
    }

    /// Operators that have name, device and reason in common, with their number.
    fn groups(&self) -> Vec<(&Operator, usize)> {
        let mut groups: Vec<(&Operator, usize)> = Vec::new();
        for operator in &self.operators {
            let same = |known: &Operator| {
                (&known.name, &known.device, &known.reason)
                    == (&operator.name, &operator.device, &operator.reason)
            };
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((_, count)) => *count += 1,
                None => groups.push((operator, 1)),
            }
        }
        groups
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs two digits")]
fn ratio(part: u64, whole: u64) -> f32 {
    part as f32 / whole as f32
}

/// Two tables: a line for each device, and a line for each kind of operator on it.
impl fmt::Display for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.fallback {
            writeln!(f, "accelerator not used: {reason}")?;
        }
        writeln!(
            f,
            "{:<16} {:>9} {:>6} {:>6}",
            "device", "operators", "share", "time"
        )?;
        for device in &self.devices {
            let time = device
                .share_of_time
                .map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share));
            writeln!(
                f,
                "{:<16} {:>9} {:>6} {:>6}",
                device.name,
                device.operators,
                format!("{:.0} %", 100.0 * device.share_of_operators),
                time
            )?;
        }
        write!(f, "{:<32} {:>5}  device", "operator", "count")?;
        for (operator, count) in self.groups() {
            write!(f, "\n{:<32} {count:>5}  {}", operator.name, operator.device)?;
            // The reason that holds for all of them stands above.
            if let (Some(reason), None) = (&operator.reason, &self.fallback) {
                write!(f, " ({reason})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn time(node: usize, kernel: &str, microseconds: u64) -> NodeTime {
        NodeTime {
            node,
            kernel: kernel.into(),
            microseconds,
        }
    }

    #[test]
    fn operators_devices_and_reasons() {
        let operators = names(&["CONV_2D", "CONV_2D", "RESHAPE", "SOFTMAX"]);
        let taken = Taken {
            operators: vec![0, 1],
            kernels: names(&["Teflon Delegate"]),
        };
        let times = [
            time(2, "RESHAPE", 10),
            time(4, "Teflon Delegate", 60),
            time(5, "TfLiteXNNPackDelegate", 30),
        ];
        let report = Delegation::new(&operators, Some(("teflon", &taken)), &times);
        assert_eq!(
            report.devices,
            [
                Device {
                    name: "teflon".into(),
                    operators: 2,
                    share_of_operators: 0.5,
                    share_of_time: Some(0.6)
                },
                Device {
                    name: CPU.into(),
                    operators: 2,
                    share_of_operators: 0.5,
                    share_of_time: Some(0.4)
                },
            ]
        );
        let shares: Vec<_> = report.operators.iter().map(|o| o.share_of_time).collect();
        assert_eq!(shares, [None, None, Some(0.1), None]);
        let fallen: Vec<_> = report.fallen_back().map(|o| o.index).collect();
        assert_eq!(fallen, [2, 3]);
        assert!((report.share_on("teflon") - 0.5).abs() < 1e-6);
        let text = report.to_string();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["teflon", "2", "50", "%", "60", "%"]);
        assert_eq!(lines[4], ["CONV_2D", "2", "teflon"]);
        assert_eq!(
            lines[5],
            ["RESHAPE", "1", "cpu", "(not", "taken", "by", "teflon)"]
        );
    }

    #[test]
    fn a_refusing_accelerator_is_the_reason_of_every_operator() {
        let plain = Delegation::new(&names(&["ADD"]), None, &[]);
        assert_eq!(plain.fallen_back().count(), 0);
        assert!((plain.share_on(CPU) - 1.0).abs() < 1e-6);
        let report = plain.without_accelerator("no such hardware");
        assert_eq!(report.fallen_back().count(), 1);
        assert!(
            report
                .to_string()
                .starts_with("accelerator not used: no such hardware\n")
        );
        assert_eq!(report.devices.len(), 1);
    }
}
