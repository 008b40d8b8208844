//! `between`

use super::Truth;
use crate::RuleError;
use crate::due::Due;
use crate::observation::{Observation, Wall};
use crate::scope::Scope;
use edgeai_config::{Day, seconds_of_day};
use std::time::Duration;

const DAY: u32 = 86_400;

/// From one time of day to another, which may be on the next day.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Seconds since midnight.
    from: u32,
    to: u32,
    /// On which it begins, Monday first.
    days: [bool; 7],
}

impl Schedule {
    pub(super) fn new(
        between: &[String; 2],
        days: Option<&[Day]>,
        scope: &Scope<'_>,
    ) -> Result<Self, RuleError> {
        let [Some(from), Some(to)] = [&between[0], &between[1]].map(|text| seconds_of_day(text))
        else {
            return Err(scope.wrong("`between` has times like \"06:30\""));
        };
        let mut begins = [days.is_none(); 7];
        for day in days.into_iter().flatten() {
            begins[*day as usize] = true;
        }
        Ok(Self {
            from,
            to,
            days: begins,
        })
    }

    pub(super) fn holds(&self, seen: &Observation<'_>, due: &mut Due) -> Truth {
        let Wall { day, second } = seen.wall?;
        let second = second.min(DAY - 1);
        let until = |boundary: u32| match boundary.checked_sub(second) {
            None | Some(0) => boundary + DAY - second,
            Some(seconds) => seconds,
        };
        let change = until(self.from).min(until(self.to));
        due.at(seen.now.saturating_add(Duration::from_secs(change.into())));

        let today = self.days[day as usize];
        let yesterday = self.days[(day as usize + 6) % 7];
        Some(if self.from < self.to {
            today && (self.from..self.to).contains(&second)
        } else {
            today && second >= self.from || yesterday && second < self.to
        })
    }
}
