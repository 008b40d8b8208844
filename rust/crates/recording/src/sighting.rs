//! What a model saw in one frame, kept.

use crate::bytes::{Content, Fields};
use edgeai_decode::{Detection, Findings, Point};
use std::time::Duration;

/// Detections of one frame that are kept; of more, the best.
pub const MAX_DETECTIONS: usize = 100;
/// Key points of one frame that are kept: 17 of a body (COCO) for each detection.
pub const MAX_POINTS: usize = 17 * MAX_DETECTIONS;
/// Values of one frame that are kept: an area for each class of the widest label sets (ADE20K, 150).
pub const MAX_VALUES: usize = 256;

/// A copy of a model's findings that can be handed from thread to thread and filled again and again
/// without an allocation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sighting {
    /// The model's place in the description.
    pub model: u8,
    /// The driver's frame number, or the number of the window.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`.
    pub captured: Duration,
    /// Best score first, at most [`MAX_DETECTIONS`].
    pub detections: Vec<Detection>,
    /// Key points that detections refer to, at most [`MAX_POINTS`].
    pub points: Vec<Point>,
    /// At most [`MAX_VALUES`].
    pub values: Vec<f32>,
}

impl Sighting {
    /// An empty one with room for all it can ever hold of a model with so many key points a
    /// detection and so many values.
    #[must_use]
    pub fn with_room(points: usize, values: usize) -> Self {
        Self {
            detections: Vec::with_capacity(MAX_DETECTIONS),
            points: Vec::with_capacity(points.saturating_mul(MAX_DETECTIONS).min(MAX_POINTS)),
            values: Vec::with_capacity(values.min(MAX_VALUES)),
            ..Self::default()
        }
    }

    /// Makes room as [`Sighting::with_room`] does, where there is less.
    pub fn make_room(&mut self, points: usize, values: usize) {
        let points = points.saturating_mul(MAX_DETECTIONS).min(MAX_POINTS);
        let more = |capacity: usize, room: usize, length: usize| {
            // `reserve_exact` counts from the length.
            if capacity < room { room - length } else { 0 }
        };
        let Self {
            detections: found,
            points: known,
            values: numbers,
            ..
        } = self;
        found.reserve_exact(more(found.capacity(), MAX_DETECTIONS, found.len()));
        known.reserve_exact(more(known.capacity(), points, known.len()));
        let values = values.min(MAX_VALUES);
        numbers.reserve_exact(more(numbers.capacity(), values, numbers.len()));
    }

    /// Takes over `findings`, as much as there is room for; does not allocate.
    ///
    /// A detection whose key points have no room any more is left out with all after it, so that none refers to
    /// points that are not there. `points` is how many key points each detection has.
    pub fn fill(&mut self, findings: &Findings<'_>, points: usize) {
        let room = self.detections.capacity().min(MAX_DETECTIONS);
        let kept = findings.points.len().min(self.points.capacity());
        self.detections.clear();
        self.detections.extend(
            findings
                .detections
                .iter()
                .take(room)
                .take_while(|one| points == 0 || (usize::from(one.points) + 1) * points <= kept),
        );
        self.points.clear();
        self.points.extend(findings.points.iter().take(kept));
        let room = self.values.capacity().min(MAX_VALUES);
        self.values.clear();
        self.values.extend(findings.values.iter().take(room));
    }

    /// Takes over another one, which has to fit; does not allocate then.
    pub fn copy_from(&mut self, other: &Self) {
        self.model = other.model;
        self.sequence = other.sequence;
        self.captured = other.captured;
        self.detections.clone_from(&other.detections);
        self.points.clone_from(&other.points);
        self.values.clone_from(&other.values);
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> Findings<'_> {
        Findings {
            detections: &self.detections,
            points: &self.points,
            values: &self.values,
        }
    }

    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.model);
        fields.u32(self.sequence);
        fields.time(self.captured);
        let count = fields.count(self.detections.len());
        for detection in self.detections.iter().take(count) {
            fields.u16(detection.class);
            for value in [
                detection.score,
                detection.x_min,
                detection.y_min,
                detection.x_max,
                detection.y_max,
            ] {
                fields.f32(value);
            }
            fields.u32(detection.track);
            fields.u16(detection.points);
        }
        let count = fields.count(self.points.len());
        for point in self.points.iter().take(count) {
            for value in [point.x, point.y, point.score] {
                fields.f32(value);
            }
        }
        let count = fields.count(self.values.len());
        for value in self.values.iter().take(count) {
            fields.f32(*value);
        }
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            model: content.u8()?,
            sequence: content.u32()?,
            captured: content.time()?,
            detections: (0..content.u16()?)
                .map(|_| {
                    Ok(Detection {
                        class: content.u16()?,
                        score: content.f32()?,
                        x_min: content.f32()?,
                        y_min: content.f32()?,
                        x_max: content.f32()?,
                        y_max: content.f32()?,
                        track: content.u32()?,
                        points: content.u16()?,
                    })
                })
                .collect::<Result<_, &'static str>>()?,
            points: (0..content.u16()?)
                .map(|_| {
                    Ok(Point {
                        x: content.f32()?,
                        y: content.f32()?,
                        score: content.f32()?,
                    })
                })
                .collect::<Result<_, &'static str>>()?,
            values: (0..content.u16()?)
                .map(|_| content.f32())
                .collect::<Result<_, &'static str>>()?,
        })
    }
}
