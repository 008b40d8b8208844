//! Files and file systems.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use serde_json::{Value, json};
use std::fs::{self, File, create_dir_all};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Most that is read of a file: devices have no end.
const MOST: u64 = 16 << 20;

/// Bytes of base64 text.
pub fn decode(text: &str) -> anyhow::Result<Vec<u8>> {
    STANDARD.decode(text).context("data is not base64")
}

/// A file's contents as base64.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let mut contents = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST).read_to_end(&mut contents))
        .with_context(|| path.display().to_string())?;
    Ok(STANDARD.encode(contents))
}

/// Replaces a file's contents; on disk when this returns.
pub fn write(path: &Path, data: &str) -> anyhow::Result<()> {
    let contents = decode(data)?;
    if let Some(folder) = path.parent() {
        create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    file.write_all(&contents)
        .with_context(|| path.display().to_string())?;
    // Not every file can be synced (sysfs); what cannot needs none.
    let _ = file.sync_all();
    Ok(())
}

/// Removes a file, or an empty folder.
pub fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir(path)
    } else {
        fs::remove_file(path)
    };
    removed.with_context(|| path.display().to_string())
}

/// Puts a file in the place of another by a bind mount.
pub fn cover(path: &Path, with: &Path) -> anyhow::Result<()> {
    let bind = MsFlags::MS_BIND;
    mount(Some(with), path, None::<&str>, bind, None::<&str>)
        .with_context(|| format!("{} over {}", with.display(), path.display()))
}

/// Takes away what covers a file, also while somebody reads it.
pub fn uncover(path: &Path) -> anyhow::Result<()> {
    umount2(path, MntFlags::MNT_DETACH).with_context(|| path.display().to_string())
}

/// Writes zeros until there is no space; how many bytes went in.
pub fn fill(path: &Path) -> anyhow::Result<u64> {
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    let block = vec![0; 1 << 16];
    let mut written = 0;
    loop {
        match file.write(&block) {
            Ok(count) => written += count as u64,
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(written),
            Err(error) => return Err(error).context(path.display().to_string()),
        }
    }
}

/// Space of a file system in bytes.
pub fn statfs(path: &Path) -> anyhow::Result<Value> {
    let found = statvfs(path).with_context(|| path.display().to_string())?;
    let unit = found.fragment_size();
    Ok(json!({
        "total": found.blocks() * unit,
        "free": found.blocks_free() * unit,
        "available": found.blocks_available() * unit,
        "read_only": found.flags().contains(FsFlags::ST_RDONLY),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("edgeai-agent-{}", std::process::id()));
        write(&path, "AAECAw==").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [0, 1, 2, 3]);
        assert_eq!(read(&path).unwrap(), "AAECAw==");
        remove(&path).unwrap();
        assert!(remove(&path).is_err());
        std::fs::create_dir(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn the_root_has_a_size() {
        let found = statfs(Path::new("/")).unwrap();
        assert!(found["total"].as_u64() >= found["free"].as_u64());
    }
}
