//! Samples of a sensor in a CSV file.

use anyhow::{Context, bail};
use std::path::Path;

/// A sample a line with `channels` numbers, separated by commas or blanks; returns them channel beside
/// channel. A first line that is no numbers is a heading.
pub fn read(path: &Path, channels: usize) -> anyhow::Result<Vec<f32>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read samples {}", path.display()))?;
    parse(&text, channels).with_context(|| path.display().to_string())
}

fn parse(text: &str, channels: usize) -> anyhow::Result<Vec<f32>> {
    let mut samples = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = line.split([',', ' ', '\t', ';']).map(str::trim);
        let words = words.filter(|word| !word.is_empty());
        let numbers: Result<Vec<f32>, _> = words.map(str::parse).collect();
        match numbers {
            Ok(numbers) if numbers.is_empty() => {}
            Ok(numbers) if numbers.len() == channels => samples.extend(numbers),
            Ok(numbers) => bail!(
                "line {}: {} numbers; expected {channels}",
                number + 1,
                numbers.len()
            ),
            Err(_) if number == 0 => {}
            Err(error) => bail!("line {}: {error}", number + 1),
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn headings_and_empty_lines_are_no_samples() {
        assert_eq!(
            parse("x,y\n1,2\n\n3.5 -4\n", 2).unwrap(),
            [1.0, 2.0, 3.5, -4.0]
        );
    }

    #[test]
    fn a_wrong_line_is_told_with_its_number() {
        for (text, reason) in [
            ("1,2\n3\n", "line 2: 1 numbers; expected 2"),
            ("1,2\nx,3\n", "line 2: invalid float"),
        ] {
            let error = parse(text, 2).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
