//! Finding a partition by its GPT name through sysfs.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A partition and the disk it is on.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// Kernel name, `mmcblk0p5`.
    pub name: String,
    /// Number in the table, from 1.
    pub number: u32,
    /// Start in bytes.
    pub start: u64,
    /// Kernel name of the disk, `mmcblk0`.
    pub disk: String,
    /// Logical block size of the disk in bytes.
    pub block: u64,
    /// Size of the disk in bytes.
    pub disk_bytes: u64,
}

/// sysfs counts in sectors of 512 bytes whatever the disk's block size.
const SECTOR: u64 = 512;

/// The value of `key` in the text of a `uevent` file.
fn uevent_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// Finds the partition named `label`. With several of that name (an SD card beside an
/// eMMC, both flashed) it is the one on the disk of the root file system, never a guess.
///
/// # Errors
/// There is none, or it cannot be told which.
pub fn find(sys: &Path, label: &str, root_device: (u64, u64)) -> anyhow::Result<Partition> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sys.join("class/block"))
        .context("no block devices")?
        .flatten()
    {
        let text = fs::read_to_string(entry.path().join("uevent")).unwrap_or_default();
        if uevent_value(&text, "PARTNAME") == Some(label)
            && let Ok(partition) = describe(&entry.path(), &text)
        {
            found.push(partition);
        }
    }
    if found.len() > 1 {
        let disk = disk_of(sys, root_device);
        found.retain(|partition| Some(&partition.disk) == disk.as_ref());
    }
    match (found.pop(), found.is_empty()) {
        (Some(partition), true) => Ok(partition),
        (None, _) => bail!("no partition named \"{label}\""),
        (Some(_), false) => bail!("several partitions named \"{label}\""),
    }
}

fn describe(path: &Path, uevent: &str) -> anyhow::Result<Partition> {
    let directory = path.canonicalize()?;
    let disk = directory.parent().context("partition without a disk")?;
    Ok(Partition {
        name: file_name(&directory)?,
        number: uevent_value(uevent, "PARTN").context("PARTN")?.parse()?,
        start: number(&directory.join("start"))? * SECTOR,
        disk: file_name(disk)?,
        block: number(&disk.join("queue/logical_block_size"))?,
        disk_bytes: number(&disk.join("size"))? * SECTOR,
    })
}

/// The disk that a block device (partition, or device mapper on top of one) lies on.
fn disk_of(sys: &Path, (major, minor): (u64, u64)) -> Option<String> {
    let mut device = sys
        .join(format!("dev/block/{major}:{minor}"))
        .canonicalize()
        .ok()?;
    // Verity on a partition is one level; a few more do no harm, a loop would.
    for _ in 0..4 {
        let Some(below) = fs::read_dir(device.join("slaves"))
            .ok()
            .and_then(|mut d| d.next()?.ok())
        else {
            break;
        };
        device = below.path().canonicalize().ok()?;
    }
    let disk: PathBuf = if device.join("partition").exists() {
        device.parent()?.to_owned()
    } else {
        device
    };
    file_name(&disk).ok()
}

fn file_name(path: &Path) -> anyhow::Result<String> {
    Ok(path
        .file_name()
        .context("no name")?
        .to_string_lossy()
        .into_owned())
}

fn number(path: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.trim()
        .parse()
        .with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs with disks vda and vdb, each with partition 5 named "data"; the root is
    /// verity (dm-0) on vdb3.
    fn sysfs(test: &str) -> PathBuf {
        let sys = std::env::temp_dir().join(format!("edgeai-init-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&sys);
        for disk in ["vda", "vdb"] {
            let directory = sys.join("devices").join(disk);
            fs::create_dir_all(directory.join("queue")).unwrap();
            fs::write(directory.join("size"), "131072\n").unwrap();
            fs::write(directory.join("queue/logical_block_size"), "512\n").unwrap();
            fs::write(directory.join("uevent"), "DEVTYPE=disk\n").unwrap();
            class(&sys, disk, &directory);
            for (number, name) in [(3, "root-a"), (5, "data")] {
                let partition = directory.join(format!("{disk}{number}"));
                fs::create_dir_all(&partition).unwrap();
                let uevent = format!("DEVTYPE=partition\nPARTN={number}\nPARTNAME={name}\n");
                fs::write(partition.join("uevent"), uevent).unwrap();
                fs::write(partition.join("start"), "2048\n").unwrap();
                fs::write(partition.join("partition"), "\n").unwrap();
                class(&sys, &format!("{disk}{number}"), &partition);
            }
        }
        let mapper = sys.join("devices/dm-0");
        fs::create_dir_all(mapper.join("slaves")).unwrap();
        symlink(sys.join("devices/vdb/vdb3"), mapper.join("slaves/vdb3")).unwrap();
        fs::create_dir_all(sys.join("dev/block")).unwrap();
        symlink(mapper, sys.join("dev/block/253:0")).unwrap();
        sys
    }

    fn class(sys: &Path, name: &str, target: &Path) {
        fs::create_dir_all(sys.join("class/block")).unwrap();
        symlink(target, sys.join("class/block").join(name)).unwrap();
    }

    #[test]
    fn the_name_decides_and_the_root_disk_breaks_the_tie() {
        let sys = sysfs("tie");
        let partition = find(&sys, "data", (253, 0)).unwrap();
        let expected = Partition {
            name: "vdb5".into(),
            number: 5,
            start: 1 << 20,
            disk: "vdb".into(),
            block: 512,
            disk_bytes: 64 << 20,
        };
        assert_eq!(partition, expected);
        fs::remove_dir_all(sys).unwrap();
    }

    #[test]
    fn a_tie_that_nothing_breaks_is_an_error() {
        let sys = sysfs("error");
        assert!(find(&sys, "data", (0, 17)).is_err());
        assert!(find(&sys, "dat", (253, 0)).is_err());
        fs::remove_dir_all(sys.join("devices/vda/vda5")).unwrap();
        assert_eq!(find(&sys, "data", (0, 17)).unwrap().name, "vdb5");
        fs::remove_dir_all(sys).unwrap();
    }

    #[test]
    fn uevent_keys_match_whole() {
        assert_eq!(
            uevent_value("XPARTN=1\nPARTNAME=data\nPARTN=5", "PARTN"),
            Some("5")
        );
        assert_eq!(uevent_value("PARTNAME", "PARTNAME"), None);
    }
}
