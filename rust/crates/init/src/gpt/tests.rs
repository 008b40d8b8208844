use super::*;

const BLOCK: u64 = 512;
const SMALL: u64 = 4 << 20;
const LARGE: u64 = 16 << 20;
const DATA: usize = 4;

/// A disk in memory that loses its power after a number of sectors written.
struct Memory {
    bytes: Vec<u8>,
    sectors_left: usize,
}

impl Memory {
    fn new(length: u64) -> Self {
        Self {
            bytes: vec![0; usize::try_from(length).unwrap()],
            sectors_left: usize::MAX,
        }
    }
}

impl Disk for Memory {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let bytes = self.bytes.get(at..at + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        for (index, sector) in bytes.chunks(512).enumerate() {
            if self.sectors_left == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.sectors_left -= 1;
            let at = at + index * 512;
            self.bytes[at..at + sector.len()].copy_from_slice(sector);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two partitions, "root-a" at 1 MiB and "data" (entry 4, bit 59) at 2 MiB, 1 MiB each.
fn image(disk: &mut impl Disk) {
    let mut header = vec![0; 512];
    put(&mut header, 0, SIGNATURE).unwrap();
    put(&mut header, 8, &0x0001_0000_u32.to_le_bytes()).unwrap();
    put(&mut header, HEADER_SIZE, &92_u32.to_le_bytes()).unwrap();
    put(&mut header, 40, &34_u64.to_le_bytes()).unwrap();
    put(&mut header, 56, &[0x11; 16]).unwrap();
    put(&mut header, ENTRY_COUNT, &128_u32.to_le_bytes()).unwrap();
    put(&mut header, ENTRY_SIZE, &128_u32.to_le_bytes()).unwrap();
    let mut entries = vec![0; 128 * 128];
    for (index, first, name, attributes) in [
        (2, 2048_u64, "root-a", 0),
        (DATA, 4096, "data", GROW_FILE_SYSTEM),
    ] {
        let entry = &mut entries[index * 128..(index + 1) * 128];
        // Linux file system data, 0FC63DAF-8483-4772-8E79-3D69D8477DE4.
        let kind = [
            0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47,
            0x7D, 0xE4,
        ];
        put(entry, 0, &kind).unwrap();
        put(entry, 16, &[u8::try_from(index).unwrap() + 1; 16]).unwrap();
        put(entry, ENTRY_FIRST, &first.to_le_bytes()).unwrap();
        put(entry, ENTRY_LAST, &(first + 2047).to_le_bytes()).unwrap();
        put(entry, ENTRY_ATTRIBUTES, &attributes.to_le_bytes()).unwrap();
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(entry, ENTRY_NAME, &name).unwrap();
    }
    let mut mbr = [0; 512];
    mbr[446 + 4] = 0xEE;
    mbr[446 + 8] = 1;
    mbr[510..].copy_from_slice(&[0x55, 0xAA]);
    disk.write_at(0, &mbr).unwrap();
    let table = Table {
        block: BLOCK,
        disk_blocks: SMALL / BLOCK,
        header,
        entries,
        entry_size: 128,
        primary_entries_lba: 2,
        backup: false,
    };
    table.write(disk).unwrap();
}

/// The image, written to a disk four times its size.
fn flashed() -> Memory {
    let mut small = Memory::new(SMALL);
    image(&mut small);
    let mut disk = Memory::new(LARGE);
    disk.bytes[..small.bytes.len()].copy_from_slice(&small.bytes);
    disk
}

fn grow(disk: &mut impl Disk) -> anyhow::Result<()> {
    let mut table = Table::read(disk, BLOCK, LARGE)?;
    table.grow(DATA);
    let attributes = table.entry(DATA).context("entry")?.attributes;
    table.set_attributes(DATA, attributes | FORMAT_BEGUN);
    table.write(disk)
}

fn data(disk: &mut impl Disk) -> Entry {
    Table::read(disk, BLOCK, LARGE)
        .unwrap()
        .entry(DATA)
        .unwrap()
}

#[test]
fn reads_the_entries() {
    let table = Table::read(&mut flashed(), BLOCK, LARGE).unwrap();
    let entry = table.entry(DATA).unwrap();
    assert_eq!(
        (entry.first, entry.last, &*entry.name),
        (4096, 6143, "data")
    );
    assert_eq!(entry.attributes, GROW_FILE_SYSTEM);
    assert_eq!(table.entry(0), None);
    assert_eq!(table.entry(128), None);
}

#[test]
fn grows_to_the_last_mebibyte() {
    let mut disk = flashed();
    grow(&mut disk).unwrap();
    let entry = data(&mut disk);
    // 16 MiB less the backup table, down to a whole MiB.
    assert_eq!((entry.first, entry.last), (4096, 15 * 2048 - 1));
    assert_eq!(entry.attributes, GROW_FILE_SYSTEM | FORMAT_BEGUN);
    // The protective entry covers the disk.
    assert_eq!(disk.bytes[458..462], 32767_u32.to_le_bytes());
}

#[test]
fn grows_the_last_partition_only_and_never_shrinks() {
    let mut disk = flashed();
    let mut table = Table::read(&mut disk, BLOCK, LARGE).unwrap();
    table.grow(2);
    assert_eq!(table.entry(2).unwrap().last, 4095);
    let mut table = Table::read(&mut disk, BLOCK, SMALL).unwrap();
    table.grow(DATA);
    assert_eq!(table.entry(DATA).unwrap().last, 6143);
}

#[test]
fn a_cut_after_any_sector_leaves_the_old_or_the_new_table() {
    let old = data(&mut flashed());
    let mut whole = flashed();
    grow(&mut whole).unwrap();
    let new = data(&mut whole);
    let mut finished = false;
    for sectors in 0..200 {
        let mut disk = Memory {
            sectors_left: sectors,
            ..flashed()
        };
        finished = grow(&mut disk).is_ok();
        disk.sectors_left = usize::MAX;
        let found = data(&mut disk);
        assert!(
            found == old || found == new,
            "after {sectors} sectors: {found:?}"
        );
        // And the next boot gets there.
        grow(&mut disk).unwrap();
        assert!(disk.bytes == whole.bytes, "after {sectors} sectors");
    }
    assert!(finished);
}

#[test]
fn a_broken_primary_is_repaired_from_the_backup() {
    let mut disk = flashed();
    grow(&mut disk).unwrap();
    let whole = disk.bytes.clone();
    disk.bytes[512..34 * 512].fill(0xFF);
    let table = Table::read(&mut disk, BLOCK, LARGE).unwrap();
    assert!(table.is_backup());
    table.write(&mut disk).unwrap();
    assert!(disk.bytes == whole);
    assert!(!Table::read(&mut disk, BLOCK, LARGE).unwrap().is_backup());
}

#[test]
fn damage_in_both_copies_is_an_error() {
    let mut disk = flashed();
    disk.bytes[1024 + DATA * 128 + ENTRY_LAST] ^= 1;
    assert!(Table::read(&mut disk, BLOCK, LARGE).is_err());
    assert!(Table::read(&mut disk, BLOCK, 1024).is_err());
    assert!(Table::read(&mut disk, 0, LARGE).is_err());
}

/// A second opinion, where gdisk is installed.
#[test]
fn sgdisk_agrees() {
    let path = std::env::temp_dir().join(format!("edgeai-init-gpt-{}", std::process::id()));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    file.set_len(SMALL).unwrap();
    image(&mut file);
    file.set_len(LARGE).unwrap();
    grow(&mut file).unwrap();
    match std::process::Command::new("sgdisk")
        .arg("-v")
        .arg(&path)
        .output()
    {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("No problems found"), "{text}");
        }
        Err(_) => eprintln!("sgdisk is not installed: not asked"),
    }
    std::fs::remove_file(path).unwrap();
}
