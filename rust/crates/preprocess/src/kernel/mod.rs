//! The inner loops: a scalar definition, and the same results, bit for bit, from SIMD.
//!
//! A target row takes three steps. *Resample* mixes, for each plane and target column, two source
//! rows and then two neighbours on them into a 16-bit element in 1/128 of a byte's step
//! (0 ..= 32640). *Mix* makes each target byte from the elements of all planes: colour matrix, range
//! and quantisation at once. *Interleave* puts channels side by side. All of it is integer
//! arithmetic whose widths fit `pmulhrsw`/`pmaddwd` and `sqrdmulh`/`smull` alike.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(all(target_arch = "x86_64", avx512))]
#[clippy::msrv = "1.89"]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(all(target_arch = "x86_64", avx512))]
use crate::taps::FAR;
use crate::taps::{BLOCK, Columns, NEAR, Reach, Windows};

/// Fractional bits of an element of a row.
pub(crate) const ELEMENT_BITS: u32 = 7;

/// Bytes that are fetched at once.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// One channel of the output as a linear function of the planes:
/// (Σ factor × element + bias) >> shift, then clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Linear {
    /// Which plane each factor belongs to.
    pub(crate) planes: [usize; 3],
    /// The third is 0 where two planes are enough. Σ |factor| is below 2¹⁵.
    pub(crate) factors: [i16; 3],
    /// With the half that makes the shift round; |bias| is at most 2³⁰.
    pub(crate) bias: i32,
    /// 7 ..= 21.
    pub(crate) shift: u32,
    /// Bounds of the result, as the tensor's integer.
    pub(crate) least: i16,
    /// See `least`.
    pub(crate) most: i16,
}

impl Linear {
    /// The tensor's byte for one element of each of `self.planes`.
    #[inline]
    pub(crate) fn value(&self, elements: [i16; 3]) -> u8 {
        let products = [0, 1, 2].map(|i| i32::from(elements[i]) * i32::from(self.factors[i]));
        let sum = self.bias + products[0] + products[1] + products[2];
        let value = (sum >> self.shift).clamp(self.least.into(), self.most.into());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bits of an i8 or u8"
        )]
        let byte = value as u8;
        byte
    }
}

/// Two source rows, the lower one's weight in 1/2¹⁵ (where 0 it is not read).
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) upper: &'a [u8],
    pub(crate) lower: &'a [u8],
    pub(crate) weight: i16,
}

type Resample = unsafe fn(Rows<'_>, &Columns, &Windows, &mut [i16]);
type Mix = unsafe fn([&[i16]; 3], &Linear, &mut [u8]);
type Interleave = unsafe fn([&[u8]; 3], &mut [u8]);
type Split = unsafe fn(&[u8], &mut [u8], &mut [u8]);

/// The inner loops of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    pub(crate) name: &'static str,
    /// Of the windows that `resample` needs.
    pub(crate) reach: Reach,
    /// From windows of one stretch, and of two; from the upper row, and between two. None: the definition.
    resample: Option<[[Resample; 2]; 2]>,
    mix: Mix,
    interleave: Interleave,
    split: Split,
}

impl Kernels {
    /// The definition.
    pub(crate) const SCALAR: Self = Self {
        name: "scalar",
        reach: NEAR,
        resample: None,
        mix: scalar::mix,
        interleave: scalar::interleave,
        split: scalar::split,
    };

    /// Those that this processor has beside the definition, the fastest first.
    pub(crate) fn detect() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(all(target_arch = "x86_64", avx512))]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
        {
            found.push(Self {
                name: "avx512",
                reach: FAR,
                resample: Some([
                    [avx512::resample::<1, false>, avx512::resample::<1, true>],
                    [avx512::resample::<2, false>, avx512::resample::<2, true>],
                ]),
                mix: avx512::mix,
                interleave: avx512::interleave,
                split: avx512::split,
            });
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            found.push(Self {
                name: "avx2",
                reach: NEAR,
                resample: Some([
                    [avx2::resample::<1, false>, avx2::resample::<1, true>],
                    [avx2::resample::<2, false>, avx2::resample::<2, true>],
                ]),
                mix: avx2::mix,
                interleave: avx2::interleave,
                split: avx2::split,
            });
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Self {
                name: "neon",
                reach: NEAR,
                resample: Some([
                    [neon::resample::<1, false>, neon::resample::<1, true>],
                    [neon::resample::<2, false>, neon::resample::<2, true>],
                ]),
                mix: neon::mix,
                interleave: neon::interleave,
                split: neon::split,
            });
        }
        found
    }

    /// Elements of one plane at the target's columns.
    pub(crate) fn resample(&self, rows: Rows<'_>, columns: &Columns, out: &mut [i16]) {
        assert!(rows.upper.len() == columns.row_bytes && rows.lower.len() == columns.row_bytes);
        assert!(rows.weight >= 0 && out.len() >= columns.weights.len());
        match (self.resample, &columns.windows) {
            // SAFETY: the lengths are as the kernels ask for, the windows were made for rows of this
            // length and kernels of this reach, and `detect` gives out the kernels of an instruction set only where the
            // processor has it.
            (Some(resample), Some(windows)) => unsafe {
                let of_stretches = resample[usize::from(windows.stretches == 2)];
                of_stretches[usize::from(rows.weight != 0)](rows, columns, windows, out);
            },
            _ => scalar::resample(rows, columns, out),
        }
    }

    /// Says that `bytes` will be read soon. A frame comes from memory, and where rows are skipped
    /// the processor cannot guess which is next; where a compiler has no stable way to say so, this
    /// does nothing.
    pub(crate) fn prefetch(bytes: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        for line in bytes.chunks(CACHE_LINE) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint, which every x86-64 knows; the address is that of a byte there is.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = bytes;
    }

    /// One channel from the planes' elements.
    pub(crate) fn mix(&self, planes: [&[i16]; 3], linear: &Linear, out: &mut [u8]) {
        assert!(out.len().is_multiple_of(BLOCK));
        let planes = linear.planes.map(|plane| planes[plane]);
        assert!(planes.iter().all(|plane| plane.len() >= out.len()));
        // SAFETY: as in `resample`.
        unsafe { (self.mix)(planes, linear, out) }
    }

    /// Bytes of three planes in turn; `out` says how many.
    pub(crate) fn interleave(&self, planes: [&[u8]; 3], out: &mut [u8]) {
        assert!(out.len().is_multiple_of(3));
        assert!(planes.iter().all(|plane| plane.len() >= out.len() / 3));
        // SAFETY: as in `resample`.
        unsafe { (self.interleave)(planes, out) }
    }

    /// Even bytes of a row, and odd ones.
    pub(crate) fn split(&self, row: &[u8], even: &mut [u8], odd: &mut [u8]) {
        assert!(even.len() == row.len().div_ceil(2) && odd.len() == row.len() / 2);
        // SAFETY: as in `resample`.
        unsafe { (self.split)(row, even, odd) }
    }
}
