//! The time of day where the appliance stands.

use edgeai_config::{Appliance, Day, When};
use nix::time::{ClockId, clock_gettime};
use tz::TimeZone;

/// Where the system keeps its time zone (tzfile(5)).
const ZONE_FILE: &str = "/etc/localtime";
/// 2025-01-01 UTC. A clock that is before this was never set: 1970, or when the image was built.
const PLAUSIBLE: i64 = 1_735_689_600;
const DAY_SECONDS: i64 = 86_400;

/// Days from 1970-01-01, a Thursday.
const DAYS: [Day; 7] = [
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
    Day::Mon,
    Day::Tue,
    Day::Wed,
];

/// Tells local time, if any rule asks for it.
pub struct WallClock {
    zone: Option<TimeZone>,
}

impl WallClock {
    /// With the system's time zone; UTC where there is none.
    #[must_use]
    pub fn of(appliance: &Appliance) -> Self {
        let asked = appliance.rules.iter().any(|rule| asks(&rule.when));
        let zone = asked.then(|| {
            let zone = std::fs::read(ZONE_FILE)
                .ok()
                .and_then(|data| TimeZone::from_tz_data(&data).ok());
            zone.unwrap_or_else(TimeZone::utc)
        });
        Self { zone }
    }

    /// Day and second of the day; none if no rule asks, or while the clock is not set. Neither
    /// allocates nor calls the system (the vDSO has the clock).
    #[must_use]
    pub fn now(&self) -> Option<(Day, u32)> {
        let zone = self.zone.as_ref()?;
        let now = clock_gettime(ClockId::CLOCK_REALTIME).ok()?.tv_sec();
        local(zone, now)
    }
}

fn local(zone: &TimeZone, now: i64) -> Option<(Day, u32)> {
    if now < PLAUSIBLE {
        return None;
    }
    let offset = zone.find_local_time_type(now).ok()?.ut_offset();
    let local = now + i64::from(offset);
    let day = usize::try_from(local.div_euclid(DAY_SECONDS) % 7).ok()?;
    let second = u32::try_from(local.rem_euclid(DAY_SECONDS)).ok()?;
    Some((*DAYS.get(day)?, second))
}

fn asks(when: &When) -> bool {
    let parts = when.all.iter().chain(&when.any).flatten();
    when.between.is_some() || parts.chain(when.not.as_deref()).any(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_has_the_zone_and_its_summer() {
        let berlin = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // 2026-07-01 was a Wednesday, 2026-01-01 a Thursday.
        assert_eq!(local(&berlin, 1_782_864_000), Some((Day::Wed, 2 * 3600)));
        assert_eq!(local(&berlin, 1_767_225_600), Some((Day::Thu, 3600)));
        let west = TimeZone::from_posix_tz("EST5").unwrap();
        assert_eq!(local(&west, 1_767_225_600), Some((Day::Wed, 19 * 3600)));
    }

    #[test]
    fn a_clock_that_was_never_set_tells_nothing() {
        assert_eq!(local(&TimeZone::utc(), PLAUSIBLE - 1), None);
        assert_eq!(
            local(&TimeZone::utc(), PLAUSIBLE),
            Some((Day::Wed, 0)),
            "2025-01-01 was a Wednesday"
        );
    }

    #[test]
    fn conditions_within_conditions_ask_too() {
        let inner = When {
            between: Some(["22:00".into(), "06:00".into()]),
            ..When::default()
        };
        let outer = When {
            all: Some(vec![When {
                not: Some(Box::new(inner)),
                ..When::default()
            }]),
            ..When::default()
        };
        assert!(asks(&outer));
        assert!(!asks(&When::default()));
    }
}
