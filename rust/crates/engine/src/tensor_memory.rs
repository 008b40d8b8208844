//! Memory that a runtime reads or writes in place.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// LiteRT's `LITERT_HOST_MEMORY_BUFFER_ALIGNMENT`; also a cache line.
const ALIGNMENT: usize = 64;

/// XNNPACK's kernels may read (never write) past the end of a tensor: `XNN_EXTRA_BYTES`,
/// 16 on the usual targets, 128 on the widest.
const READ_AHEAD: usize = 128;

/// Zeroed bytes at a fixed, aligned address that outlives every slice given out.
///
/// The pointer is kept, not a `Vec`: a runtime holds it too, and slices are made from it
/// anew each time, so that no Rust reference claims the memory while the runtime uses it.
pub struct TensorMemory {
    start: NonNull<u8>,
    bytes: usize,
    layout: Layout,
}

// SAFETY: the memory belongs to this value alone; the runtime that shares the address touches
// it only inside calls that the owner of this value makes.
unsafe impl Send for TensorMemory {}
// SAFETY: a shared reference gives reading access only.
unsafe impl Sync for TensorMemory {}

impl TensorMemory {
    /// `bytes` zero bytes, or `None` if no address space could hold them.
    pub fn zeroed(bytes: usize) -> Option<Self> {
        let layout = Layout::from_size_align(bytes.checked_add(READ_AHEAD)?, ALIGNMENT).ok()?;
        // SAFETY: the layout's size is at least READ_AHEAD, thus not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Some(Self {
            start,
            bytes,
            layout,
        })
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `start` points to `bytes` initialised bytes that live as long as `self`;
        // nobody writes while `self` is borrowed (see `Send` above).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as for `as_slice`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for TensorMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this very layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_zeroed_and_writable() {
        for bytes in [0, 1, 63, 270_000] {
            let mut memory = TensorMemory::zeroed(bytes).expect("small sizes fit");
            assert_eq!(memory.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(memory.as_slice().len(), bytes);
            assert!(memory.as_slice().iter().all(|&byte| byte == 0));
            memory.as_mut_slice().fill(7);
            assert!(memory.as_slice().iter().all(|&byte| byte == 7));
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(TensorMemory::zeroed(usize::MAX).is_none());
        assert!(TensorMemory::zeroed(isize::MAX as usize).is_none());
    }
}
