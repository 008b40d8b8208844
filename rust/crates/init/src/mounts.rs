//! The mount table. The root file system itself stays read-only.

use log::warn;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::path::Path;

struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    data: Option<&'static str>,
    /// Whether its absence is worth a line.
    needed: bool,
}

/// Nothing outside the verified root is ever executed, and nothing outside /dev is a device.
const CLOSED: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);
const DEVICES: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);

/// In order. The sizes bound what a runaway writer can take from memory.
const TABLE: [Mount; 7] = [
    Mount {
        kind: "proc",
        target: "/proc",
        flags: CLOSED,
        data: None,
        needed: true,
    },
    Mount {
        kind: "sysfs",
        target: "/sys",
        flags: CLOSED,
        data: None,
        needed: true,
    },
    Mount {
        kind: "devtmpfs",
        target: "/dev",
        flags: DEVICES,
        data: Some("mode=0755"),
        needed: true,
    },
    Mount {
        kind: "tmpfs",
        target: "/run",
        flags: CLOSED,
        data: Some("mode=0755,size=8m"),
        needed: true,
    },
    Mount {
        kind: "tmpfs",
        target: "/tmp",
        flags: CLOSED,
        data: Some("mode=1777,size=16m"),
        needed: true,
    },
    Mount {
        kind: "tmpfs",
        target: "/var",
        flags: CLOSED,
        data: Some("mode=0755,size=8m"),
        needed: false,
    },
    Mount {
        kind: "configfs",
        target: "/sys/kernel/config",
        flags: CLOSED,
        data: None,
        needed: false,
    },
];

/// Mounts the whole table; what cannot be mounted is reported and left out.
pub fn mount_all() {
    for entry in &TABLE {
        if !entry.needed && !Path::new(entry.target).is_dir() {
            continue;
        }
        match mount(
            Some(entry.kind),
            entry.target,
            Some(entry.kind),
            entry.flags,
            entry.data,
        ) {
            // Busy: the kernel or an initramfs has been here before.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => warn!("{} on {}: {error}", entry.kind, entry.target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first() {
        for (index, entry) in TABLE.iter().enumerate() {
            let later = TABLE.iter().skip(index + 1);
            assert!(
                later
                    .clone()
                    .all(|l| !Path::new(entry.target).starts_with(l.target))
            );
        }
    }

    #[test]
    fn no_mount_carries_programs_and_only_dev_has_devices() {
        for entry in &TABLE {
            assert!(
                entry
                    .flags
                    .contains(MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)
            );
            assert_eq!(
                entry.flags.contains(MsFlags::MS_NODEV),
                entry.target != "/dev"
            );
        }
    }

    #[test]
    fn every_tmpfs_is_bounded() {
        let unbounded =
            |m: &&Mount| m.kind == "tmpfs" && !m.data.is_some_and(|d| d.contains("size="));
        assert!(!TABLE.iter().any(|m| unbounded(&m)));
    }
}
