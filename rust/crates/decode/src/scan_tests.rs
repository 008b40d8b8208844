#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes by design"
)]

use super::*;
use crate::score::Link;
use crate::{Element, Score};
use proptest::prelude::*;

const CLASSES: usize = 5;

/// Two channels before the classes, one after.
fn grid(layout: Layout, anchors: usize) -> Grid {
    Grid {
        layout,
        anchors,
        channels: CLASSES + 3,
    }
}

fn spec(element: Element) -> TensorSpec {
    TensorSpec {
        shape: vec![],
        element,
        scale: 1.0 / 255.0,
        zero_point: if element == Element::I8 { -128 } else { 0 },
    }
}

fn bytes(element: Element, value: u8) -> Vec<u8> {
    match element {
        Element::I8 => vec![value ^ 0x80],
        Element::U8 => vec![value],
        _ => (f32::from(value) / 255.0).to_ne_bytes().to_vec(),
    }
}

/// What passes, found one by one.
fn expected(
    values: &[u8],
    grid: Grid,
    thresholds: &[Option<f32>],
    report: Report,
) -> Vec<(usize, u16, u8)> {
    let mut expected = Vec::new();
    for anchor in 0..grid.anchors {
        let mut passing: Vec<(usize, u16, u8)> = (0u16..)
            .zip(thresholds)
            .filter_map(|(class, threshold)| {
                let value = values[grid.at(anchor, 2 + usize::from(class))];
                (f32::from(value) / 255.0 >= (*threshold)?).then_some((anchor, class + 1, value))
            })
            .collect();
        if report == Report::Best {
            let best = passing.iter().map(|passing| passing.2).max();
            passing.retain(|passing| Some(passing.2) == best);
            passing.truncate(1);
        }
        expected.extend(passing);
    }
    expected
}

proptest! {
    /// Every layout and element type, over lengths that are no multiple of anything.
    #[test]
    fn a_scan_finds_what_passes(
        anchors in 1usize..700,
        seed: u64,
        dense: bool,
        background: bool,
        every: bool,
    ) {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let values: Vec<u8> = (0..anchors * (CLASSES + 3))
            .map(|_| if dense || random() < 4 { random() } else { 3 })
            .collect();
        let thresholds = [
            (!background).then_some(0.5),
            Some(0.7),
            Some(0.5),
            Some(0.9),
            Some(0.5),
        ];
        let report = if every { Report::Every } else { Report::Best };
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            for element in [Element::F32, Element::I8, Element::U8] {
                let (grid, spec) = (grid(layout, anchors), spec(element));
                let scores = Scores::new(&spec, Link::new(Score::None, None));
                let classes = Classes { first: 2, first_class: 1, thresholds: &thresholds };
                let scan = Scan::new(&spec, grid, scores, &classes, report).unwrap();
                let tensor: Vec<u8> = values.iter().flat_map(|&value| bytes(element, value)).collect();
                let mut found = Least::new(anchors * CLASSES);
                scan.run(&tensor, &mut found);
                let mut found: Vec<_> = found
                    .sorted()
                    .iter()
                    .map(|found| (found.anchor(), found.class(), (found.score() * 255.0).round() as u8))
                    .collect();
                found.sort_unstable();
                prop_assert_eq!(&found, &expected(&values, grid, &thresholds, report), "{:?} {:?}", layout, element);
            }
        }
    }
}

#[test]
fn what_is_no_number_hides_nothing() {
    for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
        let grid = grid(layout, 3);
        let mut values = [0.0f32; 3 * (CLASSES + 3)];
        for channel in 0..CLASSES {
            values[grid.at(1, 2 + channel)] = f32::NAN;
            values[grid.at(2, 2 + channel)] = f32::NAN;
        }
        values[grid.at(1, 4)] = 0.8;
        let spec = spec(Element::F32);
        let scores = Scores::new(&spec, Link::new(Score::None, None));
        let classes = Classes {
            first: 2,
            first_class: 1,
            thresholds: &[Some(0.5); CLASSES],
        };
        let scan = Scan::new(&spec, grid, scores, &classes, Report::Best).unwrap();
        let tensor: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect();
        let mut found = Least::new(10);
        scan.run(&tensor, &mut found);
        let found: Vec<_> = found
            .sorted()
            .iter()
            .map(|c| (c.anchor(), c.class()))
            .collect();
        assert_eq!(found, [(1, 3)], "{layout:?}");
    }
}

#[test]
fn the_loops_for_avx2_find_the_same() {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        let anchors = 3000;
        let grid = grid(Layout::ChannelsFirst, anchors);
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let grid = Grid { layout, ..grid };
            let values: Vec<u8> = (0..anchors * grid.channels)
                .map(|place| (place * place % 251) as u8)
                .collect();
            let spec = spec(Element::U8);
            let scores = Scores::new(&spec, Link::new(Score::None, None));
            let classes = Classes {
                first: 2,
                first_class: 1,
                thresholds: &[Some(0.9); CLASSES],
            };
            let Some(Scan::U8(pattern)) = Scan::new(&spec, grid, scores, &classes, Report::Every)
            else {
                panic!("the tensor is of u8");
            };
            let least = pattern.least.unwrap();
            let [mut plain, mut avx2] = [Least::new(9000), Least::new(9000)];
            pattern.run_with(&values, least, &mut plain);
            // SAFETY: the processor has AVX2.
            unsafe { pattern.run_avx2(&values, least, &mut avx2) };
            assert!(plain.sorted().len() > 100);
            assert_eq!(plain.sorted(), avx2.sorted());
        }
    }
}
