//! Names into numbers.

use crate::RuleError;
use edgeai_config::Appliance;
use edgeai_decode::Names;

/// What a rule can name.
pub(crate) struct Scope<'a> {
    rule: &'a str,
    appliance: &'a Appliance,
    names: &'a [Names],
}

/// A number to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Channel, counted through all sensors.
    Sensor(usize),
    Model {
        model: usize,
        value: usize,
    },
}

impl<'a> Scope<'a> {
    pub(crate) const fn new(rule: &'a str, appliance: &'a Appliance, names: &'a [Names]) -> Self {
        Self {
            rule,
            appliance,
            names,
        }
    }

    pub(crate) fn wrong(&self, message: &'static str) -> RuleError {
        let rule = self.rule.to_owned();
        RuleError::Description { rule, message }
    }

    fn unknown(&self, kind: &'static str, name: &str, known: &[String]) -> RuleError {
        RuleError::Unknown {
            rule: self.rule.to_owned(),
            kind,
            name: name.to_owned(),
            known: known.join(", "),
        }
    }

    pub(crate) fn input(&self, name: &str) -> Result<usize, RuleError> {
        let index = self.appliance.inputs.iter().position(|i| i.name == name);
        index.ok_or_else(|| self.wrong("there is no such input"))
    }

    pub(crate) fn output(&self, name: &str) -> Result<usize, RuleError> {
        let index = self.appliance.outputs.iter().position(|o| o.name == name);
        index.ok_or_else(|| self.wrong("there is no such output"))
    }

    /// Without a name: the only one.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<usize, RuleError> {
        let models = &self.appliance.models;
        let index = match name {
            Some(name) => models.iter().position(|model| model.name == name),
            None => (models.len() == 1).then_some(0),
        };
        index
            .filter(|&index| index < self.names.len())
            .ok_or_else(|| self.wrong("there is no such model"))
    }

    /// The first label is the background, or no class.
    pub(crate) fn class(&self, model: usize, name: &str) -> Result<u16, RuleError> {
        let labels = self.names(model).labels.get(1..).unwrap_or_default();
        let index = labels.iter().position(|label| label == name);
        index
            .and_then(|index| u16::try_from(index + 1).ok())
            .ok_or_else(|| self.unknown("class", name, labels))
    }

    /// Index of the key point, and the number of them.
    pub(crate) fn point(&self, model: usize, name: &str) -> Result<(usize, usize), RuleError> {
        let points = &self.names(model).points;
        let index = points.iter().position(|point| point == name);
        index
            .map(|index| (index, points.len()))
            .ok_or_else(|| self.unknown("key point", name, points))
    }

    /// `sensor.channel` or `model.value`.
    pub(crate) fn value(&self, text: &str) -> Result<Source, RuleError> {
        let (owner, name) = text.split_once('.').unwrap_or((text, ""));
        if let Ok(model) = self.model(Some(owner)) {
            let values = &self.names(model).values;
            let value = values.iter().position(|value| value == name);
            let value = value.ok_or_else(|| self.unknown("value", name, values))?;
            return Ok(Source::Model { model, value });
        }
        let sensors = self.appliance.sensors.iter();
        let mut channels =
            sensors.flat_map(|sensor| sensor.channels.iter().map(|c| (&sensor.name, &c.name)));
        channels
            .position(|(sensor, channel)| sensor == owner && channel == name)
            .map(Source::Sensor)
            .ok_or_else(|| self.wrong("there is no such channel of a sensor"))
    }

    fn names(&self, model: usize) -> &'a Names {
        &self.names[model]
    }
}
