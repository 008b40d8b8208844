//! Non-maximum suppression: of boxes that overlap only the best is reported.

use crate::candidates::{Candidate, Least};
use crate::findings::Buffers;
use crate::region::{Edges, Region};
use crate::{Detection, Scoring, Suppression};

/// Candidates of one frame, and the boxes kept of them.
pub(crate) struct Selection {
    pub candidates: Least<Candidate>,
    rivals: Kept,
    kept: Vec<(Candidate, Edges)>,
    iou: f32,
    class_agnostic: bool,
    most: usize,
}

/// The boxes kept so far of the class at hand.
struct Kept {
    blocks: Vec<Block>,
    count: usize,
}

/// Some boxes, each edge beside its like, so that one box is compared with all at once.
#[derive(Clone, Copy)]
struct Block {
    x_min: [f32; BLOCK],
    y_min: [f32; BLOCK],
    x_max: [f32; BLOCK],
    y_max: [f32; BLOCK],
    area: [f32; BLOCK],
}

/// Boxes of a block, and boxes asked for at once.
pub(crate) const BLOCK: usize = 8;

impl Selection {
    pub fn new(scoring: &Scoring, suppression: &Suppression) -> Self {
        let most = suppression.max_candidates;
        Self {
            candidates: Least::new(most),
            rivals: Kept {
                blocks: Vec::with_capacity(most.div_ceil(BLOCK)),
                count: 0,
            },
            kept: Vec::with_capacity(most),
            iou: suppression.nms_iou,
            class_agnostic: suppression.class_agnostic,
            most: scoring.max_detections,
        }
    }

    pub fn clear(&mut self) {
        self.candidates.clear();
        self.kept.clear();
    }

    /// Reports the best of the candidates. `edges` gives anchors' boxes in the input's unit
    /// coordinates. Boxes are compared as they are reported: in the frame, cut at its edges.
    pub fn run(
        &mut self,
        region: Region,
        edges: impl Fn([usize; BLOCK]) -> [Edges; BLOCK],
        into: &mut Buffers,
    ) {
        let candidates = self.candidates.kept();
        if self.class_agnostic {
            candidates.sort_unstable();
        } else {
            // One class after the other, so that a box is compared with its own class only.
            candidates.sort_unstable_by_key(|candidate| candidate.by_class());
        }
        self.rivals.clear();
        let mut class = None;
        for candidates in candidates.chunks(BLOCK) {
            let anchor = |index: usize| candidates[index.min(candidates.len() - 1)].anchor();
            let boxes = edges(std::array::from_fn(anchor));
            for (candidate, edges) in candidates.iter().zip(boxes) {
                let own = (!self.class_agnostic).then(|| candidate.class());
                if own != class {
                    self.rivals.clear();
                    class = own;
                }
                // No more of one class can be reported.
                if self.rivals.count == self.most {
                    continue;
                }
                if let Some(edges) = region.edges(edges)
                    && !self.rivals.hide(edges, self.iou)
                {
                    self.rivals.push(edges);
                    self.kept.push((*candidate, edges));
                }
            }
        }
        self.kept.sort_unstable_by_key(|kept| kept.0);
        self.kept.truncate(self.most);
        let kept = self.kept.iter();
        into.detections
            .extend(kept.map(|&(kept, edges)| detection(kept.class(), kept.score(), edges)));
    }

    /// Anchors of the boxes reported, in their order.
    pub fn anchors(&self) -> impl Iterator<Item = usize> {
        self.kept.iter().map(|kept| kept.0.anchor())
    }
}

/// Without track or points.
pub(crate) fn detection(class: u16, score: f32, [x_min, y_min, x_max, y_max]: Edges) -> Detection {
    Detection {
        class,
        score,
        x_min,
        y_min,
        x_max,
        y_max,
        track: 0,
        points: 0,
    }
}

impl Block {
    /// Nothing overlaps them.
    const EMPTY: Self = Self {
        x_min: [1.0; BLOCK],
        y_min: [1.0; BLOCK],
        x_max: [0.0; BLOCK],
        y_max: [0.0; BLOCK],
        area: [0.0; BLOCK],
    };
}

impl Kept {
    fn clear(&mut self) {
        self.blocks.clear();
        self.count = 0;
    }

    fn push(&mut self, edges @ [x_min, y_min, x_max, y_max]: Edges) {
        let place = self.count % BLOCK;
        if place == 0 {
            self.blocks.push(Block::EMPTY);
        }
        if let Some(block) = self.blocks.last_mut() {
            block.x_min[place] = x_min;
            block.y_min[place] = y_min;
            block.x_max[place] = x_max;
            block.y_max[place] = y_max;
            block.area[place] = area(edges);
        }
        self.count += 1;
    }

    /// Whether one of the boxes overlaps this one by more than `iou`.
    fn hide(&self, edges: Edges, iou: f32) -> bool {
        let [x_min, y_min, x_max, y_max] = edges;
        let area = area(edges);
        self.blocks.iter().any(|block| {
            // Without a branch inside, so that the compiler makes SIMD of it.
            let mut hidden = 0;
            for index in 0..BLOCK {
                let width = lower(x_max, block.x_max[index]) - higher(x_min, block.x_min[index]);
                let height = lower(y_max, block.y_max[index]) - higher(y_min, block.y_min[index]);
                let shared = higher(width, 0.0) * higher(height, 0.0);
                let covered = area + block.area[index] - shared;
                hidden |= u32::from(shared > iou * covered);
            }
            hidden != 0
        })
    }
}

fn area([x_min, y_min, x_max, y_max]: Edges) -> f32 {
    (x_max - x_min) * (y_max - y_min)
}

/// Of numbers: edges that are none are dropped before.
fn lower(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

fn higher(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
#[path = "suppress_tests.rs"]
mod tests;
