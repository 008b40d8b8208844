//! What the types alone cannot say.

mod action;
mod camera;
mod condition;
mod model;
mod sensor;
mod signal;

use crate::Appliance;
use crate::place::Path;
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use toml::de::DeTable;

const MAX_RULES: usize = 64;
const MAX_SERVICES: usize = 32;
/// Most of what is given as a delay or a time to hold.
const MAX_DELAY_MS: u32 = 3_600_000;

/// A mistake and the byte where it stands.
pub(crate) struct Objection {
    pub offset: usize,
    pub message: String,
}

/// Everything that does not make sense, in no order.
pub(crate) fn objections(appliance: &Appliance, document: &DeTable<'_>) -> Vec<Objection> {
    let mut check = Check {
        appliance,
        document,
        objections: Vec::new(),
    };
    check.purpose();
    check.cameras();
    check.models();
    check.timing();
    check.lines();
    check.sensors();
    check.recording();
    check.services();
    check.names("rule", MAX_RULES, appliance.rules.iter().map(|r| &*r.name));
    for (index, rule) in appliance.rules.iter().enumerate() {
        let path = Path::entry("rule", index);
        check.conditions(&path.key("when"), &rule.when);
        check.action(index, rule);
    }
    check.objections
}

struct Check<'a> {
    appliance: &'a Appliance,
    document: &'a DeTable<'a>,
    objections: Vec<Objection>,
}

impl Check<'_> {
    fn object(&mut self, path: &Path, message: impl Into<String>) {
        self.objections.push(Objection {
            offset: path.offset(self.document),
            message: message.into(),
        });
    }

    fn range<T>(&mut self, path: &Path, unit: &str, value: T, range: RangeInclusive<T>)
    where
        T: Copy + PartialOrd + Display + Debug,
    {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            self.object(
                path,
                format!("{value} is out of range; expected {least:?} to {most:?}{unit}"),
            );
        }
    }

    /// Points and sizes in a frame.
    fn unit_range(&mut self, path: &Path, values: &[f32]) {
        for (index, &value) in values.iter().enumerate() {
            self.range(&path.index(index), "", value, 0.0..=1.0);
        }
    }

    /// Objects to those of `keys` that stand in the table at `path`.
    fn foreign(&mut self, path: &Path, keys: &[&'static str], belongs_to: &str) {
        for key in keys {
            let path = path.key(key);
            if path.exists(self.document) {
                self.object(
                    &path,
                    format!("{key} goes with {belongs_to} only; remove it"),
                );
            }
        }
    }

    /// Objects to what is no name and to names given twice in `table`.
    fn names<'n>(
        &mut self,
        table: &'static str,
        most: usize,
        names: impl Iterator<Item = &'n str>,
    ) {
        self.names_in(&Path::table(table), &format!("[[{table}]]"), most, names);
    }

    fn names_in<'n>(
        &mut self,
        path: &Path,
        kind: &str,
        most: usize,
        names: impl Iterator<Item = &'n str>,
    ) {
        let mut before = Vec::new();
        for (index, name) in names.enumerate() {
            let entry = path.index(index);
            if index == most {
                let message = format!("one {kind} too many; at most {most} are possible");
                self.object(&entry, message);
            }
            let path = entry.key("name");
            self.name(&path, name);
            if before.contains(&name) {
                let message = format!("another {kind} has the name \"{name}\"; choose another");
                self.object(&path, message);
            }
            before.push(name);
        }
    }

    fn name(&mut self, path: &Path, name: &str) {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=32).contains(&name.len()) || !name.bytes().all(allowed) {
            let message = "a name has 1 to 32 characters out of a-z, 0-9 and '-'";
            self.object(path, message);
        }
    }

    /// Objects to a `name` that no `[[kind]]` has; whether one has.
    fn known<'n>(
        &mut self,
        path: &Path,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> bool {
        let known: Vec<_> = known.collect();
        let found = known.contains(&name);
        if !found {
            let known = list(&known);
            let message = format!("there is no [[{kind}]] \"{name}\"; there is {known}");
            self.object(path, message);
        }
        found
    }

    /// An appliance that could never see anything is a mistake.
    fn purpose(&mut self) {
        let Appliance {
            cameras,
            models,
            sensors,
            rules,
            recording,
            ..
        } = self.appliance;
        let used = !models.is_empty() || recording.is_some();
        let seen = !cameras.is_empty() && used;
        let measured = !sensors.is_empty() && (used || !rules.is_empty());
        if !seen && !measured {
            let message =
                "nothing to do; expected a [camera] and a [model], or a [[sensor]] and a [[rule]]";
            self.object(&Path::DOCUMENT, message);
        }
    }

    fn timing(&mut self) {
        let Appliance {
            deadline, realtime, ..
        } = self.appliance;
        let path = Path::table("deadline").key("frame_to_action_ms");
        self.range(&path, " ms", deadline.frame_to_action_ms, 1..=60_000);
        let table = Path::table("realtime");
        let (vision, signal) = (table.key("vision_priority"), table.key("signal_priority"));
        self.range(&vision, "", realtime.vision_priority, 1..=98);
        self.range(&signal, "", realtime.signal_priority, 1..=98);
        if realtime.signal_priority <= realtime.vision_priority {
            let message = format!(
                "signal_priority {} must be above vision_priority {}: the signal thread watches the vision threads' deadline",
                realtime.signal_priority, realtime.vision_priority
            );
            self.object(&signal, message);
        }
    }

    fn recording(&mut self) {
        let Some(recording) = &self.appliance.recording else {
            return;
        };
        let table = Path::table("recording");
        if !recording.directory.is_absolute() {
            let message = "expected an absolute path, like \"/data/edgeai/recordings\"";
            self.object(&table.key("directory"), message);
        }
        let path = table.key("file_mib");
        self.range(&path, " MiB", recording.file_mib, 1..=65_536);
        self.range(&table.key("files"), "", recording.files, 1..=1000);
    }

    fn services(&mut self) {
        let services = &self.appliance.services;
        self.names("service", MAX_SERVICES, services.iter().map(|s| &*s.name));
        for (index, service) in services.iter().enumerate() {
            let program = service.exec.first();
            if !program.is_some_and(|program| program.starts_with('/')) {
                let message = "expected an absolute program path and its arguments, like [\"/usr/bin/program\", \"--flag\"]";
                self.object(&Path::entry("service", index).key("exec"), message);
            }
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
