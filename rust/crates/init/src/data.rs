//! The data partition: made at first boot, checked when it asks for it, mounted at /data.
//!
//! The image carries it empty, with attribute bit 59 set. Whether it may be formatted is
//! decided by [`decide`] and by nothing else.

use crate::block::{self, Partition};
use crate::ext4::{self, Health};
use crate::gpt::{FORMAT_BEGUN, GROW_FILE_SYSTEM, Table};
use crate::process::run_to_end;
use anyhow::{Context, bail, ensure};
use log::{info, warn};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{major, minor, stat};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TARGET: &str = "/data";
/// Limit for mke2fs and e2fsck each; after it the machine goes on without /data.
const PROGRAM_LIMIT: Duration = Duration::from_secs(60);
/// How much of a partition must be zero for it to count as empty.
const EMPTY_LENGTH: u64 = 4 << 20;
/// e2fsck: nothing wrong (0), or errors corrected (1) with a restart advised (2), which only
/// matters for a mounted file system.
const E2FSCK_FINE: i32 = 1 | 2;

nix::ioctl_write_ptr_bad!(blkpg, nix::request_code_none!(0x12, 105), BlkpgArgument);
const BLKPG_RESIZE_PARTITION: libc::c_int = 3;

/// `struct blkpg_ioctl_arg` of linux/blkpg.h.
#[repr(C)]
struct BlkpgArgument {
    op: libc::c_int,
    flags: libc::c_int,
    length: libc::c_int,
    data: *mut BlkpgPartition,
}

/// `struct blkpg_partition` of linux/blkpg.h.
#[repr(C)]
struct BlkpgPartition {
    start: libc::c_longlong,
    length: libc::c_longlong,
    number: libc::c_int,
    device_name: [libc::c_char; 64],
    volume_name: [libc::c_char; 64],
}

/// What the beginning of the partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Empty,
    Ext4,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Somebody's data, or first boot is long over: only check and mount.
    Use,
    /// First boot: grow, format, clear both bits.
    Format,
    /// Bit 59 is still set over a file system that we did not begin: keep it, clear the bit.
    Adopt,
    /// Bit 59 is set over something unknown: hands off.
    Refuse,
}

/// Never formatted over data: with bit 59 clear it is never formatted. With bit 59 set it is
/// formatted if it is empty, or if our own formatting of an empty partition was cut short,
/// which bit 58 says; it is set before the first byte is written and nothing is ever mounted
/// from the partition before both bits are clear.
fn decide(attributes: u64, content: Content) -> Decision {
    if attributes & GROW_FILE_SYSTEM == 0 {
        Decision::Use
    } else if attributes & FORMAT_BEGUN != 0 {
        Decision::Format
    } else {
        match content {
            Content::Empty => Decision::Format,
            Content::Ext4 => Decision::Adopt,
            Content::Foreign => Decision::Refuse,
        }
    }
}

/// Makes /data usable, whatever that takes. `tick` is called at least every few
/// milliseconds while a program runs.
///
/// # Errors
/// Why there is no /data; the appliance then runs on the image's own configuration.
pub fn provide(tick: &mut dyn FnMut()) -> anyhow::Result<()> {
    let root = stat("/").context("/")?.st_dev;
    let partition = block::find(Path::new("/sys"), "data", (major(root), minor(root)))?;
    let node = Path::new("/dev").join(&partition.name);
    let disk_node = Path::new("/dev").join(&partition.disk);
    let index = usize::try_from(partition.number)?
        .checked_sub(1)
        .context("partition number")?;

    let mut disk = File::open(&disk_node).with_context(|| disk_node.display().to_string())?;
    let mut table = Table::read(&mut disk, partition.block, partition.disk_bytes)?;
    let entry = table.entry(index).context("not in the partition table")?;
    ensure!(
        entry.name == "data" && entry.first * partition.block == partition.start,
        "the partition table does not match the kernel's"
    );
    let writable = || File::options().read(true).write(true).open(&disk_node);
    if table.is_backup() {
        warn!("the primary partition table was broken: restored from the backup");
        table.write(&mut writable().context("disk")?)?;
    }
    if entry.attributes & GROW_FILE_SYSTEM != 0 {
        match decide(entry.attributes, content(&node)?) {
            Decision::Format => {
                let mut disk = writable().context("disk")?;
                first_boot(&partition, &node, index, &mut table, &mut disk, tick)?;
            }
            Decision::Adopt => {
                warn!("the data partition is marked new but holds a file system: kept");
                table.set_attributes(index, entry.attributes & !GROW_FILE_SYSTEM);
                table.write(&mut writable().context("disk")?)?;
            }
            Decision::Refuse => bail!("marked new but not empty; not formatted"),
            Decision::Use => {}
        }
    }
    check_and_mount(&node, tick)?;
    for directory in ["/data/edgeai/models", "/data/edgeai/log"] {
        fs::create_dir_all(directory).context(directory)?;
    }
    Ok(())
}

fn content(node: &PathBuf) -> anyhow::Result<Content> {
    let name = || node.display().to_string();
    let mut start = Vec::new();
    File::open(node)
        .and_then(|file| file.take(EMPTY_LENGTH).read_to_end(&mut start))
        .with_context(name)?;
    Ok(classify(&start))
}

fn classify(start: &[u8]) -> Content {
    let superblock = start.get(1024..1024 + ext4::LENGTH).unwrap_or_default();
    if start.iter().all(|byte| *byte == 0) {
        Content::Empty
    } else if ext4::health(superblock) == Health::Unrecognised {
        Content::Foreign
    } else {
        Content::Ext4
    }
}

/// Every step may be the last one before the power is cut; the next boot begins again at the
/// first, and decides the same.
fn first_boot(
    partition: &Partition,
    node: &Path,
    index: usize,
    table: &mut Table,
    disk: &mut File,
    tick: &mut dyn FnMut(),
) -> anyhow::Result<()> {
    let attributes = table.entry(index).context("entry")?.attributes;
    table.grow(index);
    table.set_attributes(index, attributes | FORMAT_BEGUN);
    table.write(disk)?;
    tick();
    let entry = table.entry(index).context("entry")?;
    let length = (entry.last + 1 - entry.first) * partition.block;
    resize(disk, partition, length)?;

    let (code, last_line) = run_to_end(
        "/usr/sbin/mke2fs",
        &mke2fs_arguments(node, length),
        PROGRAM_LIMIT,
        tick,
    )?;
    ensure!(code == 0, "mke2fs: exit {code}: {last_line}");
    File::options()
        .write(true)
        .open(node)
        .and_then(|file| file.sync_all())
        .context("sync")?;

    table.set_attributes(index, attributes & !(FORMAT_BEGUN | GROW_FILE_SYSTEM));
    table.write(disk)?;
    info!("data partition made: {} MiB", length >> 20);
    Ok(())
}

/// Tells the kernel; the disk is in use by the root file system, so it does not look itself.
fn resize(disk: &File, partition: &Partition, length: u64) -> anyhow::Result<()> {
    let mut change = BlkpgPartition {
        start: i64::try_from(partition.start)?,
        length: i64::try_from(length)?,
        number: i32::try_from(partition.number)?,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let argument = BlkpgArgument {
        op: BLKPG_RESIZE_PARTITION,
        flags: 0,
        length: i32::try_from(size_of::<BlkpgPartition>())?,
        data: &raw mut change,
    };
    // SAFETY: both structures are those of linux/blkpg.h and live until the call returns.
    unsafe { blkpg(disk.as_raw_fd(), &raw const argument) }.context("BLKPG_RESIZE_PARTITION")?;
    Ok(())
}

/// Everything is said here, so that the image needs no /etc/mke2fs.conf. Few inodes and a
/// small journal, both written out now: quick, and no background work after the mount.
fn mke2fs_arguments(node: &Path, length: u64) -> Vec<String> {
    let inodes = (length >> 20).clamp(1024, 65_536).to_string();
    let journal = if length >= 256 << 20 {
        "size=16"
    } else {
        "size=4"
    };
    let features = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,\
                    sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";
    let extended = "lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0";
    let node = node.display().to_string();
    let fixed = [
        "-q", "-F", "-t", "ext4", "-L", "data", "-b", "4096", "-I", "256", "-m", "0",
    ];
    let chosen = [
        ["-e", "remount-ro"],
        ["-O", features],
        ["-E", extended],
        ["-J", journal],
        ["-N", &inodes],
    ];
    fixed
        .into_iter()
        .chain(chosen.into_iter().flatten())
        .chain([&*node])
        .map(str::to_owned)
        .collect()
}

fn check_and_mount(node: &Path, tick: &mut dyn FnMut()) -> anyhow::Result<()> {
    let mut superblock = [0; ext4::LENGTH];
    File::open(node)
        .and_then(|file| file.read_exact_at(&mut superblock, ext4::OFFSET))
        .with_context(|| node.display().to_string())?;
    let reason = match ext4::health(&superblock) {
        Health::Clean => match mount_data(node) {
            Ok(()) => return Ok(()),
            Err(error) => format!("{error:#}"),
        },
        Health::Check(reason) => reason.to_owned(),
        Health::Unrecognised => "no superblock".to_owned(),
    };
    info!("checking {}: {reason}", node.display());
    check(node, tick)?;
    mount_data(node)
}

fn mount_data(node: &Path) -> anyhow::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
    mount(Some(node), TARGET, Some("ext4"), flags, None::<&str>).context("mount")
}

fn check(node: &Path, tick: &mut dyn FnMut()) -> anyhow::Result<()> {
    let node = node.display().to_string();
    // First only what is certainly right; then, rather than no /data at all, everything.
    for how in ["-p", "-y"] {
        let arguments = ["-f".to_owned(), how.to_owned(), node.clone()];
        let (code, last_line) = run_to_end("/usr/sbin/e2fsck", &arguments, PROGRAM_LIMIT, tick)?;
        info!("e2fsck {how}: exit {code}: {last_line}");
        if code & !E2FSCK_FINE == 0 {
            return Ok(());
        }
    }
    bail!("e2fsck could not repair {node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: [Content; 3] = [Content::Empty, Content::Ext4, Content::Foreign];

    #[test]
    fn never_formatted_once_bit_59_is_clear() {
        for content in CONTENTS {
            assert_eq!(decide(0, content), Decision::Use);
            assert_eq!(decide(FORMAT_BEGUN | 1, content), Decision::Use);
        }
    }

    #[test]
    fn never_formatted_over_what_is_not_ours() {
        assert_eq!(decide(GROW_FILE_SYSTEM, Content::Empty), Decision::Format);
        assert_eq!(decide(GROW_FILE_SYSTEM, Content::Ext4), Decision::Adopt);
        assert_eq!(decide(GROW_FILE_SYSTEM, Content::Foreign), Decision::Refuse);
    }

    #[test]
    fn our_own_interrupted_formatting_is_repeated() {
        for content in CONTENTS {
            assert_eq!(
                decide(GROW_FILE_SYSTEM | FORMAT_BEGUN, content),
                Decision::Format
            );
        }
    }

    #[test]
    fn content_is_told_apart() {
        let mut start = vec![0; 8192];
        assert_eq!(classify(&start), Content::Empty);
        start[8191] = 1;
        assert_eq!(classify(&start), Content::Foreign);
        start[1024 + 0x38..1024 + 0x3A].copy_from_slice(&[0x53, 0xEF]);
        start[1024 + 0x3A] = 1;
        assert_eq!(classify(&start), Content::Ext4);
    }

    #[test]
    fn mke2fs_gets_a_bounded_number_of_inodes() {
        let inodes = |length| {
            let arguments = mke2fs_arguments(Path::new("/dev/x"), length);
            let at = arguments.iter().position(|a| a == "-N").unwrap();
            arguments[at + 1].clone()
        };
        assert_eq!(inodes(16 << 20), "1024");
        assert_eq!(inodes(8 << 30), "8192");
        assert_eq!(inodes(1 << 40), "65536");
    }
}
