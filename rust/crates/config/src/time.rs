//! Times of day.

/// Reads `HH:MM`, `00:00` to `24:00`, as seconds from midnight.
#[must_use]
pub fn seconds_of_day(text: &str) -> Option<u32> {
    let [h1, h2, b':', m1, m2] = *text.as_bytes() else {
        return None;
    };
    let number = |tens: u8, ones: u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let minute = number(m1, m2).filter(|&minute| minute < 60)?;
    let seconds = number(h1, h2)? * 3600 + minute * 60;
    (seconds <= 86_400).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::seconds_of_day;

    #[test]
    fn hours_and_minutes() {
        assert_eq!(seconds_of_day("00:00"), Some(0));
        assert_eq!(seconds_of_day("06:30"), Some(23_400));
        assert_eq!(seconds_of_day("24:00"), Some(86_400));
        for text in [
            "24:01", "6:30", "06:60", "06:3", "+6:30", "06-30", "99:00", "",
        ] {
            assert_eq!(seconds_of_day(text), None, "{text}");
        }
    }
}
