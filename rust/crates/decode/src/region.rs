//! From the tensor's picture to the frame.

/// A box by its edges: `x_min`, `y_min`, `x_max`, `y_max`.
pub(crate) type Edges = [f32; 4];

/// The part of the frame that the model's input shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Region {
    pub fn new([x, y, width, height]: [f32; 4]) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    /// A place of the input, 0 ..= 1 of its sides, in the frame.
    pub fn place(&self, x: f32, y: f32) -> [f32; 2] {
        [self.x + x * self.width, self.y + y * self.height]
    }

    /// A box of the input in the frame, cut at its edges; `None`: outside, or not a number.
    pub fn edges(&self, [x_min, y_min, x_max, y_max]: Edges) -> Option<Edges> {
        let ([x_min, y_min], [x_max, y_max]) = (self.place(x_min, y_min), self.place(x_max, y_max));
        let cut = [x_min, y_min, x_max, y_max].map(|edge| edge.clamp(0.0, 1.0));
        // What is not a number compares as false.
        (cut[0] < cut[2] && cut[1] < cut[3]).then_some(cut)
    }
}
