//! Pictures kept because a rule asked for them, a limited number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Pictures kept; the oldest goes first.
const COUNT: usize = 100;

/// A directory of `<number>-<name>.jpg`.
pub struct Snapshots {
    directory: PathBuf,
    count: usize,
}

impl Snapshots {
    /// Pictures in `directory`, which is made with the first one.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            count: COUNT,
        }
    }

    /// Keeps a JPEG file, and tells where.
    ///
    /// # Errors
    /// What the disk says; nothing is left of the picture then.
    pub fn keep(&self, name: &str, picture: &[u8]) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.directory)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?.file_name();
            let number = entry.to_str().and_then(|entry| entry.split_once('-'));
            kept.extend(
                number.and_then(|(number, _)| Some((number.parse::<u64>().ok()?, entry.clone()))),
            );
        }
        kept.sort_unstable();
        let next = kept.last().map_or(0, |(number, _)| number + 1);
        let excess = (kept.len() + 1).saturating_sub(self.count);
        for (_, oldest) in kept.iter().take(excess) {
            fs::remove_file(self.directory.join(oldest))?;
        }
        let path = self.directory.join(format!("{next:06}-{name}.jpg"));
        fs::write(&path, picture).inspect_err(|_| {
            // Half a picture is none.
            let _ = fs::remove_file(&path);
        })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let name = format!("edgeai-snapshots-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let snapshots = Snapshots {
            directory: directory.clone(),
            count: 2,
        };
        for rule in ["a", "b-c", "d"] {
            snapshots.keep(rule, rule.as_bytes()).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["000001-b-c.jpg", "000002-d.jpg"]);
        assert_eq!(fs::read(directory.join(&names[1])).unwrap(), b"d");
        fs::remove_dir_all(directory).unwrap();
    }
}
