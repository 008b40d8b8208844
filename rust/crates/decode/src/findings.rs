//! What a model found.

use serde::Serialize;

/// One object in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Detection {
    /// Index into [`Names::labels`]; 0 is never reported.
    pub class: u16,
    /// 0 ..= 1.
    pub score: f32,
    /// Left edge, 0 ..= 1 of the frame's width.
    pub x_min: f32,
    /// Upper edge, 0 ..= 1 of the frame's height.
    pub y_min: f32,
    /// Right edge.
    pub x_max: f32,
    /// Lower edge.
    pub y_max: f32,
    /// Number that [`crate::Tracker`] gives the object, the same in every frame; 0: none (yet).
    pub track: u32,
    /// Which group of [`Findings::points`] is its own; see [`Findings::points_of`].
    pub points: u16,
}

/// A key point of an object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// 0 ..= 1 of the frame's width; a point outside the frame lies outside.
    pub x: f32,
    /// 0 ..= 1 of the frame's height; a point outside the frame lies outside.
    pub y: f32,
    /// 0 ..= 1; of models that do not score their points: the object's score.
    pub score: f32,
}

/// What was found in one frame or window.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Findings<'a> {
    /// Best score first.
    pub detections: &'a [Detection],
    /// Key points of all detections: as many for each as [`Names::points`] has.
    pub points: &'a [Point],
    /// Numbers about the whole frame or window, as many as [`Names::values`] has.
    pub values: &'a [f32],
}

/// What the numbers in [`Findings`] are called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Names {
    /// The lines of `labels.txt`; the first stands for the background, or no class.
    pub labels: Vec<String>,
    /// Key points of each detection; may be empty.
    pub points: Vec<String>,
    /// Of [`Findings::values`]; may be empty.
    pub values: Vec<String>,
}

impl Findings<'_> {
    /// The key points of one of the detections, in the order of `names.points`; empty where the
    /// model has none.
    #[must_use]
    pub fn points_of(&self, detection: &Detection, names: &Names) -> &[Point] {
        let count = names.points.len();
        let first = usize::from(detection.points) * count;
        self.points.get(first..first + count).unwrap_or_default()
    }
}

impl Detection {
    /// Centre of the box, x and y.
    #[must_use]
    pub fn centre(&self) -> [f32; 2] {
        [
            f32::midpoint(self.x_min, self.x_max),
            f32::midpoint(self.y_min, self.y_max),
        ]
    }

    /// Area shared with `other` as a part of the area covered by both, 0 ..= 1.
    #[must_use]
    pub fn intersection_over_union(&self, other: &Self) -> f32 {
        let width = self.x_max.min(other.x_max) - self.x_min.max(other.x_min);
        let height = self.y_max.min(other.y_max) - self.y_min.max(other.y_min);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let shared = width * height;
        shared / (self.area() + other.area() - shared)
    }

    /// Best score first; of equals one that does not depend on where they stand.
    pub(crate) fn best_first(&self, other: &Self) -> std::cmp::Ordering {
        let rest = |detection: &Self| {
            let Self {
                x_min,
                y_min,
                x_max,
                y_max,
                ..
            } = detection;
            // All 0 or above, where bits are in the order of numbers.
            (
                detection.class,
                [x_min, y_min, x_max, y_max].map(|edge| edge.to_bits()),
            )
        };
        (other.score.total_cmp(&self.score)).then_with(|| rest(self).cmp(&rest(other)))
    }

    fn area(&self) -> f32 {
        (self.x_max - self.x_min) * (self.y_max - self.y_min)
    }
}

/// Where a decoder puts what it finds; as large from the start as it will ever be.
pub(crate) struct Buffers {
    pub detections: Vec<Detection>,
    pub points: Vec<Point>,
    pub values: Vec<f32>,
}

impl Buffers {
    /// For at most so many detections with so many points each, and so many values.
    pub fn new(detections: usize, points: usize, values: usize) -> Self {
        Self {
            detections: Vec::with_capacity(detections),
            points: Vec::with_capacity(detections * points),
            values: Vec::with_capacity(values),
        }
    }

    pub fn clear(&mut self) {
        self.detections.clear();
        self.points.clear();
        self.values.clear();
    }

    /// Sorts detections without points and drops all but the best.
    pub fn keep_best(&mut self, most: usize) {
        self.detections.sort_unstable_by(Detection::best_first);
        self.detections.truncate(most);
    }

    pub fn findings(&self) -> Findings<'_> {
        Findings {
            detections: &self.detections,
            points: &self.points,
            values: &self.values,
        }
    }
}
