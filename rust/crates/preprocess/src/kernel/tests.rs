//! What frames cannot bring about: the ends of every width.

use super::*;

/// What the definition makes, and whether all others make the same.
fn agreed<T: PartialEq + std::fmt::Debug>(make: impl Fn(&Kernels) -> T) -> T {
    let expected = make(&Kernels::SCALAR);
    for kernels in Kernels::detect() {
        assert_eq!(make(&kernels), expected, "{}", kernels.name);
    }
    expected
}

/// 0 ..= 32640 in leaps, over and over.
fn elements(step: usize) -> Vec<i16> {
    (0..2 * BLOCK)
        .map(|index| i16::try_from(index * step % 32641).unwrap())
        .collect()
}

#[test]
fn mix_agrees_at_the_ends_of_its_widths() {
    let planes = [elements(32640), elements(7919), elements(30011)];
    let planes = [&planes[0][..], &planes[1][..], &planes[2][..]];
    let factor_sets = [
        [32764, 0, 0],
        [-32764, 0, 0],
        [10921, -10921, 10921],
        [0, 0, 0],
        [1, -1, 32760],
    ];
    for factors in factor_sets {
        for bias in [0, 1 << 30, -(1 << 30)] {
            for shift in [7, 14, 21] {
                for (least, most) in [(0, 255), (-128, 127), (5, 5), (-100, -3)] {
                    let linear = Linear {
                        planes: [0, 1, 2],
                        factors,
                        bias,
                        shift,
                        least,
                        most,
                    };
                    agreed(|kernels| {
                        let mut out = vec![0; 2 * BLOCK];
                        kernels.mix(planes, &linear, &mut out);
                        (linear, out)
                    });
                }
            }
        }
    }
}

#[test]
fn interleave_agrees_for_every_length() {
    let plane = |from: u8| -> Vec<u8> {
        (0..200u8)
            .map(|i| from.wrapping_add(i.wrapping_mul(5)))
            .collect()
    };
    let planes = [plane(0), plane(77), plane(200)];
    let planes = [&planes[0][..], &planes[1][..], &planes[2][..]];
    for pixels in 0..200 {
        let out = agreed(|kernels| {
            let mut out = vec![0xa5; pixels * 3 + 1];
            kernels.interleave(planes, &mut out[..pixels * 3]);
            out
        });
        assert_eq!(out.last(), Some(&0xa5));
    }
}

#[test]
fn split_agrees_for_every_length() {
    let row: Vec<u8> = (0..=255).collect();
    for length in 0..256usize {
        let (even, odd) = (length.div_ceil(2), length / 2);
        let out = agreed(|kernels| {
            let mut out = [vec![0xa5; even + 1], vec![0xa5; odd + 1]];
            let [even_out, odd_out] = &mut out;
            kernels.split(&row[..length], &mut even_out[..even], &mut odd_out[..odd]);
            out
        });
        assert!(out[0][..even].iter().eq(row[..length].iter().step_by(2)));
        assert!(
            out[1][..odd]
                .iter()
                .eq(row[..length].iter().skip(1).step_by(2))
        );
        assert!(out.iter().all(|half| half.last() == Some(&0xa5)));
    }
}
