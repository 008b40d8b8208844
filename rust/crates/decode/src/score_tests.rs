#![expect(clippy::float_cmp, reason = "the same arithmetic gives the same bits")]

use super::*;

fn spec(element: Element, zero_point: i32) -> TensorSpec {
    TensorSpec {
        shape: vec![],
        element,
        scale: 0.0713,
        zero_point,
    }
}

const LINKS: [(Score, Option<Calibration>); 4] = [
    (Score::Sigmoid, None),
    (Score::Sigmoid, Some(Calibration { a: 0.7, b: -0.4 })),
    (Score::None, None),
    (Score::None, Some(Calibration { a: 1.6, b: 0.5 })),
];

#[test]
fn a_byte_passes_exactly_when_its_score_does() {
    for (score, calibration) in LINKS {
        let link = Link::new(score, calibration);
        for threshold in [0.0, 0.01, 0.3, 0.5, 0.77, 1.0] {
            let spec = spec(Element::I8, 31);
            let scores = Scores::new(&spec, link);
            let least = i8::least(&scores, threshold);
            for byte in i8::MIN..=i8::MAX {
                let expected = link.score(spec.dequantised(i32::from(byte)));
                assert_eq!(Raw::scores([byte], &scores)[0], expected);
                let passes = least.is_some_and(|least| byte >= least);
                assert_eq!(passes, expected >= threshold, "{byte} {threshold} {link:?}");
            }
            let spec = self::spec(Element::U8, 140);
            let scores = Scores::new(&spec, link);
            let least = u8::least(&scores, threshold);
            for byte in 0..=u8::MAX {
                let expected = link.score(spec.dequantised(i32::from(byte)));
                assert_eq!(Raw::scores([byte], &scores)[0], expected);
                let passes = least.is_some_and(|least| byte >= least);
                assert_eq!(passes, expected >= threshold, "{byte} {threshold} {link:?}");
            }
        }
    }
}

#[test]
fn the_least_float_that_passes_is_exact() {
    for (score, calibration) in LINKS {
        let link = Link::new(score, calibration);
        let scores = Scores::new(&spec(Element::F32, 0), link);
        for threshold in [0.01, 0.3, 0.5, 0.77] {
            let least = f32::least(&scores, threshold).unwrap();
            assert!(link.score(least) >= threshold);
            assert!(link.score(least.next_down()) < threshold);
        }
        assert_eq!(f32::least(&scores, 0.0), Some(f32::NEG_INFINITY));
    }
    let half = Scores::new(
        &spec(Element::F32, 0),
        Link::new(Score::None, Some(Calibration { a: 1.0, b: -0.0 })),
    );
    assert!((f32::least(&half, 0.5).unwrap() - 0.5).abs() < 1e-6);
}

#[test]
fn what_is_no_number_scores_nothing() {
    for (score, calibration) in LINKS {
        assert_eq!(Link::new(score, calibration).score(f32::NAN), 0.0);
    }
}

#[test]
fn calibration_is_platts() {
    let (a, b) = (0.5, 0.25);
    let calibrated = Link::new(Score::None, Some(Calibration { a, b }));
    let logit = |p: f64| (p / (1.0 - p)).ln();
    for p in [0.1f32, 0.5, 0.9] {
        let expected = 1.0 / (1.0 + (-(0.5 * logit(p.into()) + 0.25)).exp());
        assert!((f64::from(calibrated.score(p)) - expected).abs() < 1e-6);
    }
    // At the ends the logit is infinite; the score is not lost.
    assert_eq!((calibrated.score(0.0), calibrated.score(1.0)), (0.0, 1.0));
    // A sigmoid's own logit is taken as it is, not by way of the probability.
    let sigmoid = Link::new(Score::Sigmoid, Some(Calibration { a, b }));
    let expected = 1.0 / (1.0 + (-(0.5 * 3.0 + 0.25f64)).exp());
    assert!((f64::from(sigmoid.score(3.0)) - expected).abs() < 1e-6);
}

#[test]
fn thresholds_follow_the_labels() {
    let mut scoring = Scoring {
        score_threshold: 0.3,
        thresholds: [("Mug".to_owned(), 0.6)].into(),
        calibration: None,
        max_detections: 1,
    };
    let labels = ["???", "Person", "Mug"].map(str::to_owned);
    assert_eq!(
        thresholds(&scoring, &labels, 0),
        Ok(vec![None, Some(0.3), Some(0.6)])
    );
    assert_eq!(
        thresholds(&scoring, &labels, 1),
        Ok(vec![Some(0.3), Some(0.6)])
    );
    scoring.thresholds.insert("Mag".to_owned(), 0.6);
    assert_eq!(
        thresholds(&scoring, &labels, 1).unwrap_err().to_string(),
        "model.toml: decode.thresholds: labels.txt has no class \"Mag\""
    );
}
