//! A model file in memory, verified.

use crate::error::EngineError;
use crate::tensor_memory::TensorMemory;
use crate::verify::{self, Interface};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Larger files do not fit an appliance (and `FlatBuffers` end at 2 GiB).
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A model file that passed [`verify::verify`].
///
/// It is read, not mapped: a mapped file that is overwritten in place while the appliance
/// runs (`scp` does) would kill the process with SIGBUS.
pub struct ModelFile {
    content: TensorMemory,
    pub interface: Interface,
}

impl ModelFile {
    pub fn read(path: &Path) -> Result<Self, EngineError> {
        let unreadable = |source| EngineError::Read {
            path: path.to_owned(),
            source,
        };
        let refused = |reason| EngineError::Model {
            path: path.to_owned(),
            reason,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let attributes = file.metadata().map_err(unreadable)?;
        if !attributes.is_file() {
            return Err(refused("not a regular file".into()));
        }
        let too_large = || refused(format!("larger than {} MiB", MAX_FILE_BYTES >> 20));
        if attributes.len() > MAX_FILE_BYTES {
            return Err(too_large());
        }
        let length = usize::try_from(attributes.len()).map_err(|_| too_large())?;
        let mut content = TensorMemory::zeroed(length).ok_or_else(too_large)?;
        file.read_exact(content.as_mut_slice())
            .map_err(unreadable)?;
        let interface =
            verify::verify(content.as_slice()).map_err(|error| refused(error.to_string()))?;
        Ok(Self { content, interface })
    }

    pub fn bytes(&self) -> &[u8] {
        self.content.as_slice()
    }
}
