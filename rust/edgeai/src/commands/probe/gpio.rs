//! GPIO chips and lines through the character device.

use linux_embedded_hal::gpio_cdev::{self, LineDirection};
use serde::Serialize;

#[derive(Serialize)]
pub struct Chip {
    pub path: String,
    pub label: String,
    pub lines: Vec<Line>,
    /// Why the above is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Serialize)]
pub struct Line {
    pub offset: u32,
    pub name: Option<String>,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Who holds the line.
    pub used_by: Option<String>,
}

pub fn find() -> Vec<Chip> {
    let Ok(chips) = gpio_cdev::chips() else {
        return Vec::new();
    };
    let mut found: Vec<Chip> = chips.map(describe).collect();
    found.sort_by(|a, b| (a.path.len(), &a.path).cmp(&(b.path.len(), &b.path)));
    found
}

fn describe(chip: Result<gpio_cdev::Chip, gpio_cdev::Error>) -> Chip {
    let chip = match chip {
        Ok(chip) => chip,
        Err(error) => {
            let error = Some(error.to_string());
            return Chip {
                path: "?".into(),
                label: "?".into(),
                lines: Vec::new(),
                error,
            };
        }
    };
    let mut lines = Vec::new();
    let mut error = None;
    for line in chip.lines() {
        match line.info() {
            Ok(info) => lines.push(Line {
                offset: line.offset(),
                name: info
                    .name()
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned),
                direction: match info.direction() {
                    LineDirection::In => "in",
                    LineDirection::Out => "out",
                },
                used_by: info
                    .consumer()
                    .filter(|user| !user.is_empty())
                    .map(str::to_owned),
            }),
            Err(refused) => error = Some(refused.to_string()),
        }
    }
    Chip {
        path: chip.path().display().to_string(),
        label: chip.label().to_owned(),
        lines,
        error,
    }
}
