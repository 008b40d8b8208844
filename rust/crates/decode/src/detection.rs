//! What a model saw.

use serde::Serialize;

/// One object in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Detection {
    /// Index into the model's labels.
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

    fn area(&self) -> f32 {
        (self.x_max - self.x_min) * (self.y_max - self.y_min)
    }
}
