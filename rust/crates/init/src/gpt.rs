//! Changing a GUID partition table so that a cut at any point leaves one valid copy.
//! Layout: UEFI specification 2.10, chapter 5.3.
//!
//! The order is: backup entries, backup header, sync, primary entries, primary header, sync.
//! While the backup is written the primary is whole, and the other way round. The kernel
//! falls back to the backup only with `gpt` on its command line.

use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

#[cfg(test)]
mod tests;

/// systemd's "grow the file system to the partition" (UAPI discoverable partitions).
pub const GROW_FILE_SYSTEM: u64 = 1 << 59;
/// Ours, in the range the partition type may define: the partition was seen to be empty
/// and its formatting has begun.
pub const FORMAT_BEGUN: u64 = 1 << 58;

const SIGNATURE: &[u8] = b"EFI PART";
const HEADER_SIZE: usize = 12;
const HEADER_CRC: usize = 16;
const MY_LBA: usize = 24;
const ALTERNATE_LBA: usize = 32;
const LAST_USABLE: usize = 48;
const ENTRIES_LBA: usize = 72;
const ENTRY_COUNT: usize = 80;
const ENTRY_SIZE: usize = 84;
const ENTRIES_CRC: usize = 88;
const LEAST_HEADER: usize = 92;
/// Bound on the entry array, against a damaged header: 1 MiB.
const MOST_ENTRY_BYTES: usize = 1 << 20;
const ENTRY_FIRST: usize = 32;
const ENTRY_LAST: usize = 40;
const ENTRY_ATTRIBUTES: usize = 48;
const ENTRY_NAME: usize = 56;
/// Partitions end on a multiple of this many bytes.
const ALIGNMENT: u64 = 1 << 20;

/// The disk under a table.
pub trait Disk {
    /// Reads exactly `buffer.len()` bytes.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Everything written before is on the medium before anything written after.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// First block.
    pub first: u64,
    /// Last block, inclusive.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// Partition name.
    pub name: String,
}

/// A table in memory.
pub struct Table {
    block: u64,
    disk_blocks: u64,
    /// The header's block.
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_size: usize,
    primary_entries_lba: u64,
    backup: bool,
}

impl Table {
    /// Reads the primary table, or the backup at the end of the disk.
    /// `block` is the disk's logical block size in bytes, 512 or 4096.
    ///
    /// # Errors
    /// Neither copy is valid.
    pub fn read(disk: &mut impl Disk, block: u64, disk_bytes: u64) -> anyhow::Result<Self> {
        ensure!(matches!(block, 512 | 4096), "block size {block}");
        let disk_blocks = disk_bytes / block;
        ensure!(
            disk_blocks > 2,
            "the disk is too small for a partition table"
        );
        Self::read_copy(disk, block, disk_blocks, 1).or_else(|primary| {
            Self::read_copy(disk, block, disk_blocks, disk_blocks - 1)
                .map_err(|backup| primary.context(format!("backup: {backup:#}")))
        })
    }

    fn read_copy(
        disk: &mut impl Disk,
        block: u64,
        disk_blocks: u64,
        lba: u64,
    ) -> anyhow::Result<Self> {
        let mut header = vec![0; usize::try_from(block)?];
        disk.read_at(lba * block, &mut header).context("header")?;
        ensure!(header.starts_with(SIGNATURE), "no partition table");
        let header_size = usize::try_from(u32_at(&header, HEADER_SIZE)?)?;
        ensure!(
            (LEAST_HEADER..=header.len()).contains(&header_size),
            "header size {header_size}"
        );
        let stored = u32_at(&header, HEADER_CRC)?;
        ensure!(header_checksum(&header)? == stored, "header checksum");
        ensure!(u64_at(&header, MY_LBA)? == lba, "header of another block");

        let entry_size = usize::try_from(u32_at(&header, ENTRY_SIZE)?)?;
        let count = usize::try_from(u32_at(&header, ENTRY_COUNT)?)?;
        let length = count.saturating_mul(entry_size);
        ensure!(
            entry_size >= 128 && length <= MOST_ENTRY_BYTES,
            "{count} entries of {entry_size}"
        );
        let entries_lba = u64_at(&header, ENTRIES_LBA)?;
        ensure!(
            (2..disk_blocks).contains(&entries_lba),
            "entries at block {entries_lba}"
        );
        let mut entries = vec![0; length];
        disk.read_at(entries_lba * block, &mut entries)
            .context("entries")?;
        ensure!(
            crc32fast::hash(&entries) == u32_at(&header, ENTRIES_CRC)?,
            "entries checksum"
        );
        // A backup does not say where the primary's entries are; block 2 is where everybody
        // puts them.
        let primary_entries_lba = if lba == 1 { entries_lba } else { 2 };
        Ok(Self {
            block,
            disk_blocks,
            header,
            entries,
            entry_size,
            primary_entries_lba,
            backup: lba != 1,
        })
    }

    /// Whether the primary was broken, so that this is the backup. Writing it repairs that.
    pub fn is_backup(&self) -> bool {
        self.backup
    }

    /// Entry `index`, counted from 0; `None` if there is no such or it is unused.
    pub fn entry(&self, index: usize) -> Option<Entry> {
        let raw = self.entries.chunks_exact(self.entry_size).nth(index)?;
        if raw.get(..16)?.iter().all(|byte| *byte == 0) {
            return None;
        }
        let name = raw.get(ENTRY_NAME..128)?;
        let units = name
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Some(Entry {
            first: u64_at(raw, ENTRY_FIRST).ok()?,
            last: u64_at(raw, ENTRY_LAST).ok()?,
            attributes: u64_at(raw, ENTRY_ATTRIBUTES).ok()?,
            name: String::from_utf16_lossy(&units),
        })
    }

    /// Sets the attribute bits of an entry.
    pub fn set_attributes(&mut self, index: usize, attributes: u64) {
        self.set(index, ENTRY_ATTRIBUTES, attributes);
    }

    /// Makes the entry end where the disk does, if no other comes behind it. Never shrinks.
    pub fn grow(&mut self, index: usize) {
        let Some(entry) = self.entry(index) else {
            return;
        };
        let count = self.entries.len() / self.entry_size;
        if (0..count)
            .filter_map(|i| self.entry(i))
            .any(|other| other.first > entry.last)
        {
            return;
        }
        let unit = ALIGNMENT / self.block;
        let end = (self.last_usable() + 1) / unit * unit;
        if end > entry.last + 1 {
            self.set(index, ENTRY_LAST, end - 1);
        }
    }

    /// Writes both copies, the backup to the end of the disk, in the order that survives a cut.
    ///
    /// # Errors
    /// The disk's. The copy written last may then be broken, the other one is whole.
    pub fn write(&self, disk: &mut impl Disk) -> anyhow::Result<()> {
        let count = self.entries.len() / self.entry_size;
        let used = (0..count).filter_map(|index| self.entry(index));
        let last = used.map(|entry| entry.last).max().unwrap_or_default();
        ensure!(
            last <= self.last_usable(),
            "a partition ends behind the usable blocks"
        );

        let backup = self.disk_blocks - 1;
        self.write_copy(disk, backup, 1, backup - self.entries_blocks())
            .context("backup")?;
        self.write_copy(disk, 1, backup, self.primary_entries_lba)
            .context("primary")?;
        self.write_protective_mbr(disk).context("protective MBR")
    }

    fn write_copy(
        &self,
        disk: &mut impl Disk,
        lba: u64,
        alternate: u64,
        entries_lba: u64,
    ) -> anyhow::Result<()> {
        let mut header = self.header.clone();
        put(&mut header, MY_LBA, &lba.to_le_bytes())?;
        put(&mut header, ALTERNATE_LBA, &alternate.to_le_bytes())?;
        put(&mut header, LAST_USABLE, &self.last_usable().to_le_bytes())?;
        put(&mut header, ENTRIES_LBA, &entries_lba.to_le_bytes())?;
        put(
            &mut header,
            ENTRIES_CRC,
            &crc32fast::hash(&self.entries).to_le_bytes(),
        )?;
        let checksum = header_checksum(&header)?;
        put(&mut header, HEADER_CRC, &checksum.to_le_bytes())?;
        disk.write_at(entries_lba * self.block, &self.entries)?;
        disk.write_at(lba * self.block, &header)?;
        Ok(disk.sync()?)
    }

    /// The one entry of the protective MBR covers the whole disk. A hybrid one is left alone.
    fn write_protective_mbr(&self, disk: &mut impl Disk) -> anyhow::Result<()> {
        let mut sector = [0; 512];
        disk.read_at(0, &mut sector)?;
        let protective = sector[510..] == [0x55, 0xAA]
            && sector[446 + 4] == 0xEE
            && sector[446 + 8..446 + 12] == [1, 0, 0, 0]
            && sector[462..510].iter().all(|byte| *byte == 0);
        let size = u32::try_from(self.disk_blocks - 1)
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        if protective && sector[446 + 12..446 + 16] != size {
            sector[446 + 12..446 + 16].copy_from_slice(&size);
            disk.write_at(0, &sector)?;
            disk.sync()?;
        }
        Ok(())
    }

    fn entries_blocks(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(self.block)
    }

    /// The last block that a partition may use on this disk.
    fn last_usable(&self) -> u64 {
        self.disk_blocks.saturating_sub(2 + self.entries_blocks())
    }

    fn set(&mut self, index: usize, field: usize, value: u64) {
        let raw = self.entries.chunks_exact_mut(self.entry_size).nth(index);
        if let Some(field) = raw.and_then(|raw| raw.get_mut(field..field + 8)) {
            field.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// CRC over the header with its own checksum taken as zero.
fn header_checksum(header: &[u8]) -> anyhow::Result<u32> {
    let size = usize::try_from(u32_at(header, HEADER_SIZE)?)?;
    let (Some(front), Some(back)) = (
        header.get(..HEADER_CRC),
        header.get(HEADER_CRC + 4..size.max(HEADER_CRC + 4)),
    ) else {
        bail!("header size {size}");
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(front);
    crc.update(&[0; 4]);
    crc.update(back);
    Ok(crc.finalize())
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> anyhow::Result<[u8; N]> {
    Ok(bytes.get(at..at + N).context("cut short")?.try_into()?)
}

fn u32_at(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    Ok(u32::from_le_bytes(bytes_at(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: usize) -> anyhow::Result<u64> {
    Ok(u64::from_le_bytes(bytes_at(bytes, at)?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> anyhow::Result<()> {
    bytes
        .get_mut(at..at + value.len())
        .context("cut short")?
        .copy_from_slice(value);
    Ok(())
}
