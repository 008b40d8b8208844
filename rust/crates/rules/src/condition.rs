//! `when`: what must be seen, or which level an input must have.

use crate::{RuleError, zone};
use edgeai_config::{Input, Level, Rule};
use edgeai_decode::Detection;

#[derive(Debug)]
pub(crate) enum Condition {
    Detection {
        class: u16,
        rise: f32,
        fall: f32,
        zone: Option<Box<[[f32; 2]]>>,
        held: bool,
    },
    Input {
        index: usize,
        level: Level,
    },
}

impl Condition {
    pub(crate) fn new(rule: &Rule, inputs: &[Input], labels: &[String]) -> Result<Self, RuleError> {
        let description = |message| RuleError::Description {
            rule: rule.name.clone(),
            message,
        };
        let when = &rule.when;
        match (&when.class, when.score, &when.input, when.level) {
            (Some(name), Some(score), None, None) => Ok(Self::Detection {
                class: class(rule, name, labels)?,
                rise: score,
                fall: score - when.hysteresis,
                zone: when.zone.as_deref().map(Into::into),
                held: false,
            }),
            (None, None, Some(name), Some(level)) => {
                let index = inputs.iter().position(|input| input.name == *name);
                let index = index.ok_or_else(|| description("there is no such input"))?;
                Ok(Self::Input { index, level })
            }
            _ => Err(description(
                "`when` needs either class and score, or input and level",
            )),
        }
    }

    /// `None`: the input's level is missing.
    pub(crate) fn holds(&mut self, detections: &[Detection], inputs: &[Level]) -> Option<bool> {
        match self {
            Self::Detection {
                class,
                rise,
                fall,
                zone,
                held,
            } => {
                let least = if *held { *fall } else { *rise };
                *held = detections.iter().any(|seen| {
                    seen.class == *class
                        && seen.score >= least
                        && zone
                            .as_deref()
                            .is_none_or(|zone| zone::contains(zone, seen.centre()))
                });
                Some(*held)
            }
            Self::Input { index, level } => inputs.get(*index).map(|found| found == level),
        }
    }

    pub(crate) fn reset(&mut self) {
        if let Self::Detection { held, .. } = self {
            *held = false;
        }
    }
}

fn class(rule: &Rule, name: &str, labels: &[String]) -> Result<u16, RuleError> {
    let index = labels.iter().skip(1).position(|label| label == name);
    index
        .and_then(|index| u16::try_from(index + 1).ok())
        .ok_or_else(|| RuleError::UnknownClass {
            rule: rule.name.clone(),
            class: name.to_owned(),
            known: labels.get(1..).unwrap_or_default().join(", "),
        })
}
