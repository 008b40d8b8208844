//! Attributes of the kernel: small text files, one value each.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// The value, without the line's end.
///
/// # Errors
/// The file and why it cannot be read.
pub fn read(path: &Path) -> Result<String, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Sets the value; never makes a file.
///
/// # Errors
/// The file, the value and why it was refused.
pub fn write(path: &Path, value: &str) -> Result<(), String> {
    File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| format!("{} = {value}: {error}", path.display()))
}

/// Names in a directory, sorted with numbers by value (`i2c-2` before `i2c-10`); none if it cannot
/// be read.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names
}

/// A tree of files for a test, deleted with it.
#[cfg(test)]
pub struct Tree(pub std::path::PathBuf);

#[cfg(test)]
impl Tree {
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("edgeai-signal-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let tree = Self(root);
        for (path, text) in files {
            tree.put(path, text.as_bytes());
        }
        tree
    }

    pub fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// First line of a file: where a kernel's attribute takes a whole value, a file keeps the end
    /// of a longer one that stood there before.
    pub fn line(&self, path: &str) -> String {
        let text = fs::read_to_string(self.0.join(path)).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
