//! Point in polygon.

/// Whether `point` lies inside `polygon` by the even-odd rule: inside if a ray from it crosses the
/// border an odd number of times. Points exactly on a border belong to one of its two sides, always
/// the same one, so that zones which share a border neither overlap nor leave a gap.
pub(crate) fn contains(polygon: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let previous = polygon.iter().cycle().skip(polygon.len().saturating_sub(1));
    let crosses = |&(&[x1, y1], &[x2, y2]): &(&[f32; 2], &[f32; 2])| {
        // Half-open in y: a corner belongs to the edge above it only.
        (y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
    };
    polygon.iter().zip(previous).filter(crosses).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_outside_of_a_concave_polygon() {
        // A letter U.
        let polygon = [
            [0.1, 0.1],
            [0.3, 0.1],
            [0.3, 0.7],
            [0.7, 0.7],
            [0.7, 0.1],
            [0.9, 0.1],
            [0.9, 0.9],
            [0.1, 0.9],
        ];
        for inside in [[0.2, 0.2], [0.8, 0.2], [0.5, 0.8], [0.15, 0.85]] {
            assert!(contains(&polygon, inside), "{inside:?}");
        }
        for outside in [
            [0.5, 0.2],
            [0.5, 0.69],
            [0.0, 0.5],
            [0.95, 0.5],
            [0.5, 0.95],
            [2.0, 2.0],
        ] {
            assert!(!contains(&polygon, outside), "{outside:?}");
        }
        let mut reversed = polygon;
        reversed.reverse();
        assert!(contains(&reversed, [0.5, 0.8]) && !contains(&reversed, [0.5, 0.2]));
    }

    #[test]
    fn a_shared_border_belongs_to_one_zone() {
        let left = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];
        let right = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]];
        for y in [0.0, 0.25, 0.5, 0.99] {
            assert!(
                contains(&left, [0.5, y]) != contains(&right, [0.5, y]),
                "{y}"
            );
        }
    }

    #[test]
    fn what_is_no_polygon_contains_nothing() {
        assert!(!contains(&[], [0.5, 0.5]));
        assert!(!contains(&[[0.5, 0.5]], [0.5, 0.5]));
        assert!(!contains(&[[0.0, 0.0], [1.0, 1.0]], [0.25, 0.5]));
        assert!(!contains(
            &[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]],
            [f32::NAN, 0.5]
        ));
    }
}
