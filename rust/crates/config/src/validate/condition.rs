//! `when`

use super::{Check, MAX_DELAY_MS, list};
use crate::place::Path;
use crate::{When, seconds_of_day};

/// Of `all`, `any` and `not` in one another.
const MAX_DEPTH: usize = 4;
/// Of one rule, on all levels.
const MAX_CONDITIONS: usize = 64;
/// Least area of a zone, of the frame's: less than a pixel of 1000 × 1000 is a mistake.
const MIN_ZONE_AREA: f32 = 1e-6;

/// Keys that refine one kind of condition each, and that kind.
const REFINEMENTS: [(&str, &[Kind]); 14] = [
    ("score", &[Kind::Class, Kind::Crosses]),
    ("hysteresis", &[Kind::Class, Kind::Value]),
    ("zone", &[Kind::Class]),
    ("point", &[Kind::Class]),
    ("count", &[Kind::Class]),
    ("direction", &[Kind::Crosses]),
    ("model", &[Kind::Class, Kind::Crosses]),
    ("above", &[Kind::Value]),
    ("below", &[Kind::Value]),
    ("over_ms", &[Kind::Value]),
    ("statistic", &[Kind::Value]),
    ("level", &[Kind::Input]),
    ("days", &[Kind::Between]),
    // A crossing lasts one frame.
    (
        "for_ms",
        &[
            Kind::Class,
            Kind::Value,
            Kind::Input,
            Kind::Between,
            Kind::All,
            Kind::Any,
            Kind::Not,
        ],
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Class,
    Crosses,
    Value,
    Input,
    Between,
    All,
    Any,
    Not,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Crosses,
        Self::Class,
        Self::Value,
        Self::Input,
        Self::Between,
        Self::All,
        Self::Any,
        Self::Not,
    ];

    const fn key(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Crosses => "crosses",
            Self::Value => "value",
            Self::Input => "input",
            Self::Between => "between",
            Self::All => "all",
            Self::Any => "any",
            Self::Not => "not",
        }
    }

    const fn is_of(self, when: &When) -> bool {
        match self {
            // In a crossing it is a refinement.
            Self::Class => when.class.is_some() && when.crosses.is_none(),
            Self::Crosses => when.crosses.is_some(),
            Self::Value => when.value.is_some(),
            Self::Input => when.input.is_some(),
            Self::Between => when.between.is_some(),
            Self::All => when.all.is_some(),
            Self::Any => when.any.is_some(),
            Self::Not => when.not.is_some(),
        }
    }
}

impl Check<'_> {
    /// The whole `when` of a rule.
    pub(super) fn conditions(&mut self, path: &Path, when: &When) {
        if conditions(when) > MAX_CONDITIONS {
            let message = format!("more than {MAX_CONDITIONS} conditions; make two rules of it");
            self.object(path, message);
        }
        self.condition(path, when, 0);
    }

    fn condition(&mut self, path: &Path, when: &When, depth: usize) {
        let mut kinds = Kind::ALL.into_iter().filter(|kind| kind.is_of(when));
        let Some(kind) = kinds.next() else {
            let known = list(&Kind::ALL.map(Kind::key));
            let message = format!("expected a condition: one of {known}");
            return self.object(path, message);
        };
        if let Some(second) = kinds.next() {
            let (first, second) = (kind.key(), second.key());
            let message = format!(
                "a condition has one kind, and {first} is there already; combine two by all = [{{ {first} = … }}, {{ {second} = … }}] or by any"
            );
            return self.object(&path.key(second), message);
        }
        for (key, kinds) in REFINEMENTS
            .iter()
            .filter(|(_, kinds)| !kinds.contains(&kind))
        {
            let path = path.key(key);
            if path.exists(self.document) {
                let message = if *key == "for_ms" {
                    "a crossing lasts one frame; remove for_ms (hold_ms prolongs it)".to_owned()
                } else {
                    let kinds: Vec<_> = kinds.iter().map(|kind| kind.key()).collect();
                    format!("{key} goes with {} only; remove it", kinds.join(" or "))
                };
                self.object(&path, message);
            }
        }
        self.range(&path.key("for_ms"), " ms", when.for_ms, 0..=MAX_DELAY_MS);
        match kind {
            Kind::Class => self.detection(path, when),
            Kind::Crosses => self.crossing(path, when),
            Kind::Value => self.number(path, when),
            Kind::Input => {
                if let Some(input) = &when.input {
                    self.input(&path.key("input"), input);
                }
                if when.level.is_none() {
                    let message = "an input needs a level as well: \"low\" or \"high\"";
                    self.object(&path.key("input"), message);
                }
            }
            Kind::Between => self.time(path, when),
            Kind::All | Kind::Any | Kind::Not => self.combination(path, when, kind, depth + 1),
        }
    }

    fn combination(&mut self, path: &Path, when: &When, kind: Kind, depth: usize) {
        let path = path.key(kind.key());
        if depth > MAX_DEPTH {
            let message = format!("all, any and not stand in one another at most {MAX_DEPTH} deep");
            return self.object(&path, message);
        }
        if let Some(inner) = &when.not {
            return self.condition(&path, inner, depth);
        }
        let inner = when.all.as_ref().or(when.any.as_ref());
        let inner = inner.map_or(&[][..], |inner| inner);
        if !(1..=16).contains(&inner.len()) {
            let message = format!("{} conditions; expected 1 to 16", inner.len());
            self.object(&path, message);
        }
        for (index, when) in inner.iter().enumerate() {
            self.condition(&path.index(index), when, depth);
        }
    }

    fn detection(&mut self, path: &Path, when: &When) {
        self.model_of(path, when, "class");
        if when.score.is_none() {
            let message = "a class needs a score as well, like score = 0.5";
            self.object(&path.key("class"), message);
        }
        let score = when.score.unwrap_or(1.0);
        self.range(&path.key("score"), "", score, 0.0..=1.0);
        let hysteresis = path.key("hysteresis");
        self.range(&hysteresis, "", when.hysteresis, 0.0..=1.0);
        // The score as a reader of the file knows it: 0.6 is not 0.6000000238.
        if when.hysteresis > f64::from(score) + f64::from(f32::EPSILON) {
            let message = format!("must not be above the score, {score}");
            self.object(&hysteresis, message);
        }
        if let Some(zone) = &when.zone {
            self.zone(&path.key("zone"), zone);
        }
        if when.point.is_some() && when.zone.is_none() {
            self.object(
                &path.key("point"),
                "a point needs a zone in which it must lie",
            );
        }
        let count = when.count.unwrap_or(1);
        self.range(&path.key("count"), "", count, 1..=100);
    }

    fn crossing(&mut self, path: &Path, when: &When) {
        let key = path.key("crosses");
        let model = self.model_of(path, when, "crosses");
        if let Some(model) = model.and_then(|model| self.appliance.models.get(model))
            && model.track.is_none()
        {
            let message = format!(
                "model \"{}\" does not follow objects; add track = {{}} to its table",
                model.name
            );
            self.object(&key, message);
        }
        let score = when.score.unwrap_or(1.0);
        self.range(&path.key("score"), "", score, 0.0..=1.0);
        let Some([from, to]) = when.crosses else {
            return;
        };
        self.unit_range(&key.index(0), &from);
        self.unit_range(&key.index(1), &to);
        if from.map(f32::to_bits) == to.map(f32::to_bits) {
            self.object(&key, "expected a line between two different points");
        }
    }

    fn number(&mut self, path: &Path, when: &When) {
        if let Some(value) = &when.value {
            self.value(&path.key("value"), value);
        }
        match (when.above, when.below) {
            (Some(_), Some(_)) => {
                let message = "either above or below; make two conditions of it";
                self.object(&path.key("below"), message);
            }
            (None, None) => {
                let message = "a value needs above or below as well";
                self.object(&path.key("value"), message);
            }
            _ => {}
        }
        for (key, limit) in [("above", when.above), ("below", when.below)] {
            if limit.is_some_and(|limit| !limit.is_finite()) {
                self.object(&path.key(key), "expected a finite number");
            }
        }
        let hysteresis = path.key("hysteresis");
        self.range(&hysteresis, "", when.hysteresis, 0.0..=f64::MAX);
        match (when.over_ms, when.statistic) {
            (Some(_), None) => {
                let message = "over_ms needs a statistic as well: \"mean\", \"min\", \"max\", \"rms\" or \"peak-to-peak\"";
                self.object(&path.key("over_ms"), message);
            }
            (None, Some(_)) => {
                let message = "a statistic needs over_ms as well, like over_ms = 1000";
                self.object(&path.key("statistic"), message);
            }
            _ => {}
        }
        let over = when.over_ms.unwrap_or(1);
        self.range(&path.key("over_ms"), " ms", over, 1..=60_000);
    }

    fn time(&mut self, path: &Path, when: &When) {
        let key = path.key("between");
        let Some([from, to]) = &when.between else {
            return;
        };
        let times = [from, to].map(|text| seconds_of_day(text));
        // The day has an end, but it does not begin there.
        let valid = [times[0].filter(|&from| from < 86_400), times[1]];
        for (index, time) in valid.iter().enumerate() {
            if time.is_none() {
                let message = "expected a time of day, like \"06:30\"";
                self.object(&key.index(index), message);
            }
        }
        if valid[0].is_some() && valid[0] == valid[1] {
            let message = "from and to are the same; the whole day is [\"00:00\", \"24:00\"]";
            self.object(&key, message);
        }
        if when.days.as_ref().is_some_and(Vec::is_empty) {
            let message = "expected at least one day, like [\"mon\", \"tue\"]";
            self.object(&path.key("days"), message);
        }
    }

    fn zone(&mut self, path: &Path, zone: &[[f32; 2]]) {
        let before = self.objections.len();
        for (corner, point) in zone.iter().enumerate() {
            self.unit_range(&path.index(corner), point);
        }
        if !(3..=32).contains(&zone.len()) {
            let message = format!(
                "{} points; expected a polygon of 3 to 32 points",
                zone.len()
            );
            self.object(path, message);
        } else if before == self.objections.len() && area(zone) < MIN_ZONE_AREA {
            self.object(path, "the points enclose no area; expected a polygon");
        }
    }

    /// Index of the model a condition is of.
    fn model_of(&mut self, path: &Path, when: &When, kind: &'static str) -> Option<usize> {
        let models = &self.appliance.models;
        match (&when.model, models.len()) {
            (Some(name), _) => {
                let known = models.iter().map(|model| &*model.name);
                self.known(&path.key("model"), "model", name, known);
                models.iter().position(|model| model.name == *name)
            }
            (None, 1) => Some(0),
            (None, 0) => {
                self.object(&path.key(kind), "there is no [model]; add one");
                None
            }
            (None, _) => {
                let known = list(&models.iter().map(|m| &*m.name).collect::<Vec<_>>());
                let message = format!("add model = \"…\" to say which; there is {known}");
                self.object(&path.key(kind), message);
                None
            }
        }
    }

    pub(super) fn input(&mut self, path: &Path, name: &str) {
        let inputs = &self.appliance.inputs;
        self.known(path, "input", name, inputs.iter().map(|input| &*input.name));
    }
}

fn conditions(when: &When) -> usize {
    let inner = when.all.iter().chain(&when.any).flatten();
    1 + inner
        .chain(when.not.as_deref())
        .map(conditions)
        .sum::<usize>()
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
