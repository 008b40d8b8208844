//! What an ext4 superblock says about the file system's health.
//! Offsets: the kernel's Documentation/filesystems/ext4/super.rst.

/// Where the superblock starts, in bytes.
pub const OFFSET: u64 = 1024;
/// Its length in bytes.
pub const LENGTH: usize = 1024;

const MOUNT_COUNT: usize = 0x34;
const MAX_MOUNT_COUNT: usize = 0x36;
const MAGIC: usize = 0x38;
const STATE: usize = 0x3A;
const EXT4_MAGIC: u16 = 0xEF53;
const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;

/// Whether it may be mounted straight away.
#[derive(Debug, PartialEq, Eq)]
pub enum Health {
    /// Mount it. After a power cut this holds too: the kernel replays the journal, which
    /// is all that `e2fsck -p` would do, without the cost of starting a program.
    Clean,
    /// Check it first, for this reason.
    Check(&'static str),
    /// Not an ext4 superblock.
    Unrecognised,
}

/// Judges the superblock.
pub fn health(superblock: &[u8]) -> Health {
    let field = |at: usize| {
        Some(u16::from_le_bytes(
            superblock.get(at..at + 2)?.try_into().ok()?,
        ))
    };
    let (Some(magic), Some(state), Some(mounts), Some(limit)) = (
        field(MAGIC),
        field(STATE),
        field(MOUNT_COUNT),
        field(MAX_MOUNT_COUNT),
    ) else {
        return Health::Unrecognised;
    };
    // The limit is a signed number; zero and below mean that there is none.
    let limited = limit != 0 && limit <= i16::MAX.unsigned_abs();
    if magic != EXT4_MAGIC {
        Health::Unrecognised
    } else if state & STATE_ERRORS != 0 {
        Health::Check("the kernel has recorded errors")
    } else if state & STATE_CLEAN == 0 {
        Health::Check("not unmounted cleanly")
    } else if limited && mounts >= limit {
        Health::Check("mount count reached")
    } else {
        Health::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(state: u16, mounts: u16, limit: i16) -> Vec<u8> {
        let mut block = vec![0; LENGTH];
        block[0x34..0x36].copy_from_slice(&mounts.to_le_bytes());
        block[0x36..0x38].copy_from_slice(&limit.to_le_bytes());
        block[0x38..0x3A].copy_from_slice(&0xEF53_u16.to_le_bytes());
        block[0x3A..0x3C].copy_from_slice(&state.to_le_bytes());
        block
    }

    #[test]
    fn clean_is_clean() {
        assert_eq!(health(&superblock(1, 7, -1)), Health::Clean);
        assert_eq!(health(&superblock(1, 7, 0)), Health::Clean);
        assert_eq!(health(&superblock(1, 7, 8)), Health::Clean);
    }

    #[test]
    fn errors_and_counts_ask_for_a_check() {
        assert!(matches!(health(&superblock(3, 0, -1)), Health::Check(_)));
        assert!(matches!(health(&superblock(0, 0, -1)), Health::Check(_)));
        assert!(matches!(health(&superblock(1, 8, 8)), Health::Check(_)));
    }

    #[test]
    fn anything_else_is_unrecognised() {
        assert_eq!(health(&[0; LENGTH]), Health::Unrecognised);
        assert_eq!(health(&superblock(1, 0, 0)[..0x3B]), Health::Unrecognised);
    }
}
