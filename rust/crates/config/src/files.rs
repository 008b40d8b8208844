//! Which file counts, and where models lie.

use crate::{Appliance, ConfigError, parse};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The image's own description.
pub const IMAGE_FILE: &str = "/etc/edgeai/appliance.toml";
/// The owner's description; replaces the image's.
pub const OWNER_FILE: &str = "/data/edgeai/appliance.toml";
/// Where models are searched, first match first.
pub const MODEL_DIRECTORIES: [&str; 2] = ["/data/edgeai/models", "/usr/share/edgeai/models"];

/// Far above any description; a larger file is something else.
const MAX_BYTES: u64 = 1 << 20;

/// Reads and validates a description.
///
/// # Errors
/// The first mistake; a file that cannot be read is a mistake at 1:1.
pub fn load(path: &Path) -> Result<Appliance, ConfigError> {
    parse(&path.display().to_string(), &read(path)?)
}

/// The text of a description, for [`crate::check`].
///
/// # Errors
/// A file that cannot be read, is not UTF-8 (placed) or is above 1 MiB.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    read_if_there(path)?.ok_or_else(|| unreadable(path, "there is no such file".to_owned()))
}

fn unreadable(path: &Path, message: String) -> ConfigError {
    ConfigError::new(&path.display().to_string(), "", 0, message)
}

/// `None`: there is no such file.
fn read_if_there(path: &Path) -> Result<Option<String>, ConfigError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, format!("cannot be read: {error}"))),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            return Err(unreadable(
                path,
                "above 1 MiB; expected a description".to_owned(),
            ));
        }
        Ok(_) => {}
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let message = "this character is not UTF-8; save the file as UTF-8".to_owned();
        ConfigError::new(&path.display().to_string(), &text, valid, message)
    })
}

/// The description that counts on this device.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// What counts.
    pub appliance: Appliance,
    /// The file it comes from (its services come from the image's file in either case).
    pub source: PathBuf,
    /// Why the owner's file does not count although there is one.
    pub refused: Option<ConfigError>,
}

/// The owner's description if there is one and it is valid, else the image's. Services are
/// always the image's: what PID 1 starts is not the owner's to choose.
///
/// # Errors
/// A mistake in the image's file.
pub fn effective(image: &Path, owner: &Path) -> Result<Effective, ConfigError> {
    let base = load(image)?;
    let owners = read_if_there(owner).and_then(|text| {
        text.map(|text| parse(&owner.display().to_string(), &text))
            .transpose()
    });
    let from_image = |appliance, refused| {
        Ok(Effective {
            appliance,
            source: image.to_owned(),
            refused,
        })
    };
    match owners {
        Ok(Some(appliance)) => Ok(Effective {
            appliance: Appliance {
                services: base.services,
                ..appliance
            },
            source: owner.to_owned(),
            refused: None,
        }),
        Ok(None) => from_image(base, None),
        Err(error) => from_image(base, Some(error)),
    }
}

/// The directory of `model.file`: an absolute path as it is, else the first of
/// [`MODEL_DIRECTORIES`] that has it, else where the image would have it.
#[must_use]
pub fn model_directory(file: &str) -> PathBuf {
    model_directory_in(&MODEL_DIRECTORIES.map(Path::new), file)
}

fn model_directory_in(directories: &[&Path], file: &str) -> PathBuf {
    let mut candidates = directories.iter().map(|directory| directory.join(file));
    let last = candidates.next_back().unwrap_or_else(|| file.into());
    candidates
        .find(|candidate| candidate.is_dir())
        .unwrap_or(last)
}

/// An absolute path, or a plain name that cannot leave the models' directory.
pub(crate) fn is_model_name(file: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    file.starts_with('/')
        || (!file.is_empty() && !file.starts_with('.') && file.bytes().all(allowed))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
