//! Where in a text something stands.

use std::fmt;

/// Line and column, both from 1; a column is a character, not a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Position {
    /// The position of the byte `offset` of `text`; its end if the offset lies beyond it.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_count_from_one() {
        let text = "a\nöb\n";
        let at = |offset| Position::of(text, offset).to_string();
        assert_eq!(
            [at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(99)],
            ["1:1", "1:2", "2:1", "2:1", "2:2", "2:3", "3:1", "3:1"]
        );
    }
}
