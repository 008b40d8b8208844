//! Non-maximum suppression: of boxes that overlap only the best is reported.

use crate::candidates::{Candidate, Least};
use crate::findings::Buffers;
use crate::region::{Edges, Region};
use crate::{Detection, Scoring, Suppression};
use std::ops::Range;

/// Candidates of one frame, and the boxes kept of them.
pub(crate) struct Selection {
    pub candidates: Least<Candidate>,
    edges: Columns,
    kept: Vec<(Candidate, Edges)>,
    iou: f32,
    class_agnostic: bool,
    most: usize,
}

/// The boxes kept so far, each edge beside its like, so that one box is compared with many at
/// once.
struct Columns {
    x_min: Vec<f32>,
    y_min: Vec<f32>,
    x_max: Vec<f32>,
    y_max: Vec<f32>,
    area: Vec<f32>,
}

/// Boxes compared before looking whether one of them hides the new one.
const STEP: usize = 16;

impl Selection {
    pub fn new(scoring: &Scoring, suppression: &Suppression) -> Self {
        let most = suppression.max_candidates;
        Self {
            candidates: Least::new(most),
            edges: Columns {
                x_min: Vec::with_capacity(most),
                y_min: Vec::with_capacity(most),
                x_max: Vec::with_capacity(most),
                y_max: Vec::with_capacity(most),
                area: Vec::with_capacity(most),
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
        self.edges.clear();
    }

    /// Reports the best of the candidates. `edges` gives an anchor's box in the input's unit
    /// coordinates. Boxes are compared as they are reported: in the frame, cut at its edges.
    pub fn run(&mut self, region: Region, edges: impl Fn(usize) -> Edges, into: &mut Buffers) {
        let candidates = self.candidates.kept();
        if self.class_agnostic {
            candidates.sort_unstable();
        } else {
            // One class after the other, so that a box is compared with its own class only.
            candidates.sort_unstable_by_key(|candidate| candidate.by_class());
        }
        let (mut first, mut class) = (0, 0);
        for candidate in candidates {
            if !self.class_agnostic && candidate.class() != class {
                (first, class) = (self.kept.len(), candidate.class());
            }
            // No more of one class can be reported.
            if self.kept.len() - first == self.most {
                continue;
            }
            if let Some(edges) = region.edges(edges(candidate.anchor()))
                && !self.edges.hide(first, edges, self.iou)
            {
                self.edges.push(edges);
                self.kept.push((*candidate, edges));
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

impl Columns {
    fn clear(&mut self) {
        self.x_min.clear();
        self.y_min.clear();
        self.x_max.clear();
        self.y_max.clear();
        self.area.clear();
    }

    fn push(&mut self, edges @ [x_min, y_min, x_max, y_max]: Edges) {
        self.x_min.push(x_min);
        self.y_min.push(y_min);
        self.x_max.push(x_max);
        self.y_max.push(y_max);
        self.area.push(area(edges));
    }

    /// Whether a box from `first` on overlaps this one by more than `iou`.
    fn hide(&self, first: usize, edges: Edges, iou: f32) -> bool {
        let count = self.area.len();
        (first..count).step_by(STEP).any(|start| {
            let end = count.min(start + STEP);
            self.hide_one_of(start..end, edges, iou)
        })
    }

    /// Without a branch inside, so that the compiler makes SIMD of it.
    fn hide_one_of(&self, range: Range<usize>, edges: Edges, iou: f32) -> bool {
        let [x_min, y_min, x_max, y_max] = edges;
        let area = area(edges);
        let (left, right) = (&self.x_min[range.clone()], &self.x_max[range.clone()]);
        let (top, bottom) = (&self.y_min[range.clone()], &self.y_max[range.clone()]);
        let areas = &self.area[range];
        let mut hidden = 0;
        for index in 0..areas.len() {
            let width = lower(x_max, right[index]) - higher(x_min, left[index]);
            let height = lower(y_max, bottom[index]) - higher(y_min, top[index]);
            let shared = higher(width, 0.0) * higher(height, 0.0);
            let covered = area + areas[index] - shared;
            hidden |= u32::from(shared > iou * covered);
        }
        hidden != 0
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
