//! What happens around the cameras in a rehearsal: inputs, sensor values, the time of day.

use edgeai_config::{Appliance, Day, Level};
use std::time::Duration;

/// Things that happen, in order.
///
/// One a line: milliseconds since the start, a name, a value. The name is an input's (value `high` or
/// `low`), a sensor's channel's (`motor.rms`, value a number, or `none` for a fault) or `wall` (value
/// `mon-08:00:00`). What follows a `#` is for people.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script(pub(crate) Vec<(Duration, What)>);

/// One thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    /// Input number, its level.
    Input(usize, Level),
    /// Channel number, its value.
    Channel(usize, Option<f64>),
    /// Local time.
    Wall(Day, u32),
}

impl Script {
    /// Reads a script for `appliance`; `file` stands in errors.
    ///
    /// # Errors
    /// One line with file, line, and what was expected.
    pub fn parse(appliance: &Appliance, file: &str, text: &str) -> Result<Self, String> {
        let mut script = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<_> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let parsed = parse_line(appliance, &words);
            script.push(parsed.map_err(|message| format!("{file}:{}: {message}", number + 1))?);
        }
        // Stable: what stands first at one time happens first.
        script.sort_by_key(|(at, _)| *at);
        Ok(Self(script))
    }
}

fn parse_line(appliance: &Appliance, words: &[&str]) -> Result<(Duration, What), String> {
    let [at, name, value] = words else {
        return Err("expected milliseconds, a name and a value".into());
    };
    let at: u64 = at
        .parse()
        .map_err(|_| format!("{at} is no number of milliseconds"))?;
    let what = if *name == "wall" {
        let (day, second) = wall(value).ok_or("expected a time like mon-08:00:00")?;
        What::Wall(day, second)
    } else if let Some((sensor, channel)) = name.split_once('.') {
        let place = self::channel(appliance, sensor, channel);
        let place = place.ok_or_else(|| format!("there is no channel {name}"))?;
        let value = match *value {
            "none" => None,
            number => Some(
                number
                    .parse()
                    .map_err(|_| format!("{number} is no number"))?,
            ),
        };
        What::Channel(place, value)
    } else {
        let place = appliance
            .inputs
            .iter()
            .position(|input| input.name == *name);
        let level = match *value {
            "high" => Level::High,
            "low" => Level::Low,
            other => return Err(format!("{other} is no level; expected high or low")),
        };
        What::Input(
            place.ok_or_else(|| format!("there is no input {name}"))?,
            level,
        )
    };
    Ok((Duration::from_millis(at), what))
}

/// The flat number of a sensor's channel.
fn channel(appliance: &Appliance, sensor: &str, channel: &str) -> Option<usize> {
    let mut flat = appliance.sensors.iter().flat_map(|it| {
        let channels = it.channels.iter();
        channels.map(|channel| (it.name.as_str(), channel.name.as_str()))
    });
    flat.position(|name| name == (sensor, channel))
}

/// `mon-08:00:00`
fn wall(text: &str) -> Option<(Day, u32)> {
    let (day, time) = text.split_once('-')?;
    let day = match day {
        "mon" => Day::Mon,
        "tue" => Day::Tue,
        "wed" => Day::Wed,
        "thu" => Day::Thu,
        "fri" => Day::Fri,
        "sat" => Day::Sat,
        "sun" => Day::Sun,
        _ => return None,
    };
    let mut parts = time.split(':').map(str::parse::<u32>);
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute, second) = (hour.ok()?, minute.ok()?, second.ok()?);
    let valid = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    valid.then_some((day, hour * 3600 + minute * 60 + second))
}

/// Local time `passed` after it was `day` and `second`.
pub(crate) fn later((day, second): (Day, u32), passed: Duration) -> (Day, u32) {
    const WEEK: [Day; 7] = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];
    let seconds = u64::from(second) + passed.as_secs();
    let first = WEEK.iter().position(|it| *it == day).unwrap_or(0);
    let days = usize::try_from(seconds / 86_400 % 7).unwrap_or(0);
    let day = WEEK.get((first + days) % 7).copied().unwrap_or(day);
    (day, u32::try_from(seconds % 86_400).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appliance() -> Appliance {
        let text = r#"
            deadline = { frame_to_action_ms = 100 }
            input = [{ name = "door", line = "door" }]
            output = [{ name = "lamp", line = "lamp", safe = "low" }]
            rule = [{ name = "r", when = { input = "door", level = "high" }, then = { output = "lamp", level = "high" } }]
            [[sensor]]
            name = "motor"
            kind = "iio"
            device = "iio:device0"
            rate_hz = 10
            channel = [{ name = "x", source = "accel_x" }, { name = "rms", source = "accel_y" }]
        "#;
        edgeai_config::parse("test.toml", text).unwrap()
    }

    #[test]
    fn lines_are_sorted_and_names_are_found() {
        let text = "20 motor.rms -1.5 # a comment\n\n# all comment\n10 door high\n10 wall sun-23:59:59\n30 motor.x none";
        let script = Script::parse(&appliance(), "s", text).unwrap();
        let ms = Duration::from_millis;
        assert_eq!(
            script.0,
            [
                (ms(10), What::Input(0, Level::High)),
                (ms(10), What::Wall(Day::Sun, 86_399)),
                (ms(20), What::Channel(1, Some(-1.5))),
                (ms(30), What::Channel(0, None)),
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_told_with_its_number() {
        for (line, reason) in [
            ("10 door", "expected milliseconds, a name and a value"),
            ("x door high", "x is no number of milliseconds"),
            ("1 door open", "open is no level"),
            ("1 gate high", "there is no input gate"),
            ("1 motor.y 1", "there is no channel motor.y"),
            ("1 motor.x fast", "fast is no number"),
            ("1 wall mon-24:00:00", "expected a time"),
        ] {
            let error = Script::parse(&appliance(), "s", &format!("\n{line}")).unwrap_err();
            assert!(
                error.starts_with("s:2: ") && error.contains(reason),
                "{error}"
            );
        }
    }

    #[test]
    fn time_goes_on_over_midnight_and_the_week() {
        let (day, second) = later((Day::Sun, 86_399), Duration::from_millis(1999));
        assert_eq!((day, second), (Day::Mon, 0));
        assert_eq!(
            later((Day::Mon, 5), Duration::from_secs(7 * 86_400)),
            (Day::Mon, 5)
        );
    }
}
