//! How much of the frame each class covers.

use crate::error::first_class;
use crate::findings::Buffers;
use crate::region::Region;
use crate::score::Raw;
use crate::tensor::Tensor;
use crate::{DecodeError, Element, Segment, TensorSpec, Tensors};
use std::ops::Range;

pub(crate) struct SegmentDecoder {
    output: Tensor,
    mask: Mask,
    height: usize,
    width: usize,
    labels: usize,
    /// Cells of each class.
    counts: Vec<u32>,
}

/// What a cell of the output says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mask {
    /// A score for each class; the best one counts.
    Scores,
    /// The class.
    Number,
    /// The probability of the only class; from one half on it counts.
    Probability,
}

impl SegmentDecoder {
    pub fn new(
        segment: &Segment,
        labels: &[String],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let expected = "[1, H, W, C], [1, H, W, 1] or [1, H, W]";
        let output = Tensor::find(outputs, "output", segment.output, expected, |_, shape| {
            matches!(shape, [1, _, _] | [1, _, _, _])
        })?;
        let integer = matches!(output.spec.element, Element::I32 | Element::I64);
        let (height, width, mask, classes) = match output.spec.shape[..] {
            [_, height, width] | [_, height, width, 1] if integer => {
                let classes = labels
                    .len()
                    .saturating_sub(usize::from(!segment.background));
                (height, width, Mask::Number, classes)
            }
            [_, height, width] | [_, height, width, 1] => {
                first_class(labels.len(), 1, false)?;
                (height, width, Mask::Probability, 1)
            }
            [_, height, width, classes] if !integer => {
                first_class(labels.len(), classes, segment.background)?;
                (height, width, Mask::Scores, classes)
            }
            _ => {
                return Err(DecodeError::Tensors(format!(
                    "output {} is {:?}: expected class numbers or scores, not scores of this type",
                    output.index, output.spec.element
                )));
            }
        };
        Ok(Self {
            output,
            mask,
            height,
            width,
            labels: labels.len(),
            counts: vec![0; classes],
        })
    }

    /// Classes it knows, the last so many labels.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let bytes = self.output.bytes(tensors.outputs)?;
        self.counts.fill(0);
        // Cells whose centres lie in the frame: a letterbox shows more.
        let columns = inside(self.width, region.x, region.width);
        let rows = inside(self.height, region.y, region.height);
        let cells = rows.len() * columns.len();
        for row in rows {
            let cells = row * self.width + columns.start..row * self.width + columns.end;
            match (self.mask, self.output.spec.element) {
                (Mask::Number, _) => self.numbers(bytes, cells)?,
                (Mask::Probability, _) => self.probabilities(bytes, cells),
                (Mask::Scores, Element::I8) => self.scores::<i8>(bytes, cells),
                (Mask::Scores, Element::U8) => self.scores::<u8>(bytes, cells),
                (Mask::Scores, _) => self.scores::<f32>(bytes, cells),
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2²⁶ cells")]
        into.values
            .extend((self.counts.iter()).map(|&count| count as f32 / cells.max(1) as f32));
        Ok(())
    }

    fn scores<E: Raw>(&mut self, bytes: &[u8], cells: Range<usize>) {
        let classes = self.counts.len();
        let row = E::elements(bytes).get(cells.start * classes..cells.end * classes);
        for cell in row.unwrap_or_default().chunks_exact(classes) {
            let (mut class, mut best) = (0, E::LOWEST);
            for (index, &score) in cell.iter().enumerate() {
                if E::of(score) > best {
                    (class, best) = (index, E::of(score));
                }
            }
            self.counts[class] += 1;
        }
    }

    fn numbers(&mut self, bytes: &[u8], cells: Range<usize>) -> Result<(), DecodeError> {
        for cell in cells {
            let class = self.output.spec.real(bytes, cell);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` saturates"
            )]
            let class = if class < 0.0 { u32::MAX } else { class as u32 };
            let count = self.counts.get_mut(class as usize);
            *count.ok_or(DecodeError::Class {
                class,
                labels: self.labels,
            })? += 1;
        }
        Ok(())
    }

    fn probabilities(&mut self, bytes: &[u8], cells: Range<usize>) {
        for cell in cells {
            self.counts[0] += u32::from(self.output.spec.real(bytes, cell) >= 0.5);
        }
    }
}

/// Which of `count` cells, beside each other from `start` over `length`, have their centres in
/// 0 ..= 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "masks have few thousand cells a side"
)]
fn inside(count: usize, start: f32, length: f32) -> Range<usize> {
    let is_inside = |&cell: &usize| {
        let centre = start + (cell as f32 + 0.5) / count as f32 * length;
        (0.0..=1.0).contains(&centre)
    };
    let first = (0..count).find(is_inside).unwrap_or(count);
    let end = (first..count)
        .rfind(is_inside)
        .map_or(first, |last| last + 1);
    first..end
}
