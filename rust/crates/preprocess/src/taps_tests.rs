//! Windows say the same as the list of neighbours.

use super::*;
use crate::kernel::{Kernels, Rows};

#[test]
fn windows_are_used_where_neighbours_are_near() {
    let stretches = |source, target, pitch, row, reach| {
        let lie = Lie {
            origin: 0,
            offset: 0,
            pitch,
            halved: false,
        };
        columns([0, source], target, lie, row, reach)
            .windows
            .map(|windows| windows.stretches)
    };
    // Three pixels apart: 4 columns lie within 3 × 3 + 2 pixels.
    assert_eq!(stretches(1920, 640, 1, 1920, NEAR), Some(1));
    assert_eq!(stretches(1920, 640, 2, 3839, NEAR), Some(2));
    assert_eq!(stretches(1920, 96, 1, 1920, NEAR), None);
    // Too short a row for a vector.
    assert_eq!(stretches(15, 15, 1, 15, NEAR), None);
    assert_eq!(stretches(16, 16, 1, 16, NEAR), Some(1));
    let farther = Reach {
        group: 16,
        stretch: 64,
    };
    // 16 columns lie within 15 × 3 + 2 pixels.
    assert_eq!(stretches(1920, 640, 1, 1920, farther), Some(1));
    assert_eq!(stretches(1920, 640, 2, 3839, farther), Some(2));
    assert_eq!(stretches(63, 63, 1, 63, farther), None);
}

#[test]
fn only_the_upper_row_is_read_without_weight() {
    let lie = Lie {
        origin: 0,
        offset: 0,
        pitch: 1,
        halved: false,
    };
    let upper: Vec<u8> = (0..64).map(|i| i * 3).collect();
    for kernels in [vec![Kernels::SCALAR], Kernels::detect()].concat() {
        let columns = columns([0, 64], 48, lie, 64, kernels.reach);
        let [alone, beside] = [upper.clone(), vec![255; 64]].map(|lower| {
            let mut out = vec![0; 64];
            let rows = Rows {
                upper: &upper,
                lower: &lower,
                weight: 0,
            };
            kernels.resample(rows, &columns, &mut out);
            out
        });
        assert_eq!(alone, beside);
        // The first centre is 1/6 beyond the first pixel's: 3 × 1/6 in 1/128.
        assert_eq!(alone[0], 64);
    }
}
