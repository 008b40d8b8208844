//! What the types alone cannot say.

use crate::place::{self, Step};
use crate::{Appliance, Line, PixelFormat, Rule, When};
use Step::{Index, Key};
use std::ops::RangeInclusive;
use toml::de::DeTable;

/// Lines of either direction: what a single request of the GPIO character device would hold twice.
const MAX_LINES: usize = 32;
const MAX_RULES: usize = 64;
const MAX_SERVICES: usize = 32;
const MAX_DEBOUNCE_MS: u32 = 10_000;
const MAX_DELAY_MS: u32 = 3_600_000;
/// Least area of a zone, of the frame's: less than a pixel of 1000 × 1000 is a mistake.
const MIN_ZONE_AREA: f32 = 1e-6;

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
    check.basics();
    check.names();
    check.lines();
    check.services();
    for (index, rule) in appliance.rules.iter().enumerate() {
        check.condition(index, rule);
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
    fn object(&mut self, path: &[Step], message: impl Into<String>) {
        let offset = place::offset(self.document, path);
        self.objections.push(Objection {
            offset,
            message: message.into(),
        });
    }

    fn range(&mut self, path: &[Step], unit: &str, value: u32, range: RangeInclusive<u32>) {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            self.object(
                path,
                format!("{value} is out of range; expected {least} to {most}{unit}"),
            );
        }
    }

    fn share(&mut self, path: &[Step], value: f32) {
        if !(0.0..=1.0).contains(&value) {
            self.object(
                path,
                format!("{value} is out of range; expected 0.0 to 1.0"),
            );
        }
    }

    fn basics(&mut self) {
        let Appliance {
            camera,
            model,
            deadline,
            realtime,
            ..
        } = self.appliance;
        if camera.device.as_os_str().is_empty() {
            let path = [Key("camera"), Key("device")];
            self.object(&path, "empty; expected a path like \"/dev/video0\"");
        }
        for (index, side) in camera.size.into_iter().enumerate() {
            let path = [Key("camera"), Key("size"), Index(index)];
            self.range(&path, " pixels", side, 16..=8192);
        }
        if camera.format == PixelFormat::Yuyv && camera.size[0] % 2 == 1 {
            let path = [Key("camera"), Key("size"), Index(0)];
            self.object(&path, "a YUYV frame's width is even; choose an even width");
        }
        self.range(
            &[Key("camera"), Key("fps")],
            " frames per second",
            camera.fps,
            1..=240,
        );
        if !crate::files::is_model_name(&model.file) {
            let message = "expected the name of a directory of models (letters, digits, '.', '_', '-'; not starting with '.') or an absolute path";
            self.object(&[Key("model"), Key("file")], message);
        }
        self.range(&[Key("model"), Key("threads")], "", model.threads, 1..=16);
        let path = [Key("deadline"), Key("frame_to_action_ms")];
        self.range(&path, " ms", deadline.frame_to_action_ms, 1..=60_000);
        let [vision, signal] =
            ["vision_priority", "signal_priority"].map(|key| [Key("realtime"), Key(key)]);
        self.range(&vision, "", realtime.vision_priority.into(), 1..=98);
        self.range(&signal, "", realtime.signal_priority.into(), 1..=98);
        if realtime.signal_priority <= realtime.vision_priority {
            let message = format!(
                "signal_priority {} must be above vision_priority {}: the signal thread watches the vision thread's deadline",
                realtime.signal_priority, realtime.vision_priority
            );
            self.object(&signal, message);
        }
    }

    fn names(&mut self) {
        let Appliance {
            inputs,
            outputs,
            rules,
            services,
            ..
        } = self.appliance;
        let names: Vec<_> = inputs.iter().map(|input| &*input.name).collect();
        self.named("input", MAX_LINES, &names);
        let names: Vec<_> = outputs.iter().map(|output| &*output.name).collect();
        self.named("output", MAX_LINES, &names);
        let names: Vec<_> = rules.iter().map(|rule| &*rule.name).collect();
        self.named("rule", MAX_RULES, &names);
        let names: Vec<_> = services.iter().map(|service| &*service.name).collect();
        self.named("service", MAX_SERVICES, &names);
    }

    fn named(&mut self, table: &'static str, most: usize, names: &[&str]) {
        if names.len() > most {
            let message = format!("one [[{table}]] too many; at most {most} are possible");
            self.object(&[Key(table), Index(most)], message);
        }
        for (index, name) in names.iter().enumerate() {
            let path = [Key(table), Index(index), Key("name")];
            let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
            if !(1..=32).contains(&name.len()) || !name.bytes().all(allowed) {
                self.object(
                    &path,
                    "a name has 1 to 32 characters out of a-z, 0-9 and '-'",
                );
            } else if names[..index].contains(name) {
                let message =
                    format!("another [[{table}]] has the name \"{name}\"; choose another");
                self.object(&path, message);
            }
        }
    }

    fn lines(&mut self) {
        let Appliance {
            inputs, outputs, ..
        } = self.appliance;
        let inputs = inputs
            .iter()
            .map(|input| ("input", &input.name, &input.line))
            .enumerate();
        let outputs = outputs
            .iter()
            .map(|output| ("output", &output.name, &output.line))
            .enumerate();
        let mut taken: Vec<(Line<'_>, &str, &String)> = Vec::new();
        for (index, (table, name, text)) in inputs.chain(outputs) {
            let path = [Key(table), Index(index), Key("line")];
            match Line::parse(text) {
                Err(expected) => self.object(&path, expected),
                Ok(line) => match taken.iter().find(|(other, ..)| *other == line) {
                    None => taken.push((line, table, name)),
                    Some((_, table, owner)) => {
                        let message = format!(
                            "{table} \"{owner}\" has this line already; a line has one owner"
                        );
                        self.object(&path, message);
                    }
                },
            }
        }
        for (index, input) in self.appliance.inputs.iter().enumerate() {
            let path = [Key("input"), Index(index), Key("debounce_ms")];
            self.range(&path, " ms", input.debounce_ms, 0..=MAX_DEBOUNCE_MS);
        }
    }

    fn services(&mut self) {
        for (index, service) in self.appliance.services.iter().enumerate() {
            if !service
                .exec
                .first()
                .is_some_and(|program| program.starts_with('/'))
            {
                let message = "expected an absolute program path and its arguments, like [\"/usr/bin/program\", \"--flag\"]";
                self.object(&[Key("service"), Index(index), Key("exec")], message);
            }
        }
    }

    fn condition(&mut self, index: usize, rule: &Rule) {
        let path = |key| [Key("rule"), Index(index), Key("when"), Key(key)];
        let when = &rule.when;
        match when {
            When {
                class: Some(_),
                input: Some(_),
                ..
            } => self.object(
                &path("input"),
                "a condition is either a class or an input; make two rules of it",
            ),
            When {
                class: None,
                input: None,
                ..
            } => self.object(
                &path("class"),
                "expected a detection (class and score) or an input (input and level)",
            ),
            When {
                class: Some(_),
                score: None,
                ..
            } => {
                self.object(
                    &path("class"),
                    "a class needs a score as well, like score = 0.5",
                );
            }
            When {
                input: Some(_),
                level: None,
                ..
            } => {
                self.object(
                    &path("input"),
                    "an input needs a level as well: \"low\" or \"high\"",
                );
            }
            _ => {}
        }
        let foreign = match (&when.class, &when.input) {
            (None, Some(_)) => (&["score", "hysteresis", "zone"][..], "class"),
            (Some(_), None) => (&["level"][..], "input"),
            // A lone score, zone or level has been objected to above.
            _ => (&[][..], ""),
        };
        for key in foreign.0 {
            if place::contains(self.document, "rule", index, ["when", key]) {
                let message = format!("{key} goes with {} only; remove it", foreign.1);
                self.object(&path(key), message);
            }
        }
        let score = when.score.unwrap_or(1.0);
        self.share(&path("score"), score);
        self.share(&path("hysteresis"), when.hysteresis);
        if when.hysteresis > score {
            self.object(
                &path("hysteresis"),
                format!("must not be above the score, {score}"),
            );
        }
        if let Some(zone) = &when.zone {
            self.zone(index, zone);
        }
        if let Some(name) = &when.input {
            let known: Vec<_> = self
                .appliance
                .inputs
                .iter()
                .map(|input| &*input.name)
                .collect();
            self.known(&path("input"), "input", name, &known);
        }
        self.range(&path("for_ms"), " ms", when.for_ms, 0..=MAX_DELAY_MS);
    }

    fn zone(&mut self, rule: usize, zone: &[[f32; 2]]) {
        let path = [Key("rule"), Index(rule), Key("when"), Key("zone")];
        let before = self.objections.len();
        for (corner, point) in zone.iter().enumerate() {
            for (axis, &value) in point.iter().enumerate() {
                let [a, b, c, d] = path;
                self.share(&[a, b, c, d, Index(corner), Index(axis)], value);
            }
        }
        if !(3..=32).contains(&zone.len()) {
            let message = format!(
                "{} points; expected a polygon of 3 to 32 points",
                zone.len()
            );
            self.object(&path, message);
        } else if before == self.objections.len() && area(zone) < MIN_ZONE_AREA {
            self.object(&path, "the points enclose no area; expected a polygon");
        }
    }

    fn action(&mut self, index: usize, rule: &Rule) {
        let path = |key| [Key("rule"), Index(index), Key("then"), Key(key)];
        let known: Vec<_> = self
            .appliance
            .outputs
            .iter()
            .map(|output| &*output.name)
            .collect();
        self.known(&path("output"), "output", &rule.then.output, &known);
        let first = self.appliance.rules[..index].iter().find(|other| {
            other.then.output == rule.then.output && other.then.level != rule.then.level
        });
        if let Some(first) = first {
            let message = format!(
                "rule \"{}\" drives \"{}\" to the other level; all rules of one output drive the same level",
                first.name, rule.then.output
            );
            self.object(&path("level"), message);
        }
        self.range(&path("hold_ms"), " ms", rule.then.hold_ms, 0..=MAX_DELAY_MS);
    }

    fn known(&mut self, path: &[Step], kind: &str, name: &str, known: &[&str]) {
        if !known.contains(&name) {
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let message = format!("there is no [[{kind}]] \"{name}\"; there is {known}");
            self.object(path, message);
        }
    }
}

/// The shoelace formula.
fn area(polygon: &[[f32; 2]]) -> f32 {
    let next = polygon.iter().cycle().skip(1);
    let twice: f32 = polygon
        .iter()
        .zip(next)
        .map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1)
        .sum();
    twice.abs() / 2.0
}
