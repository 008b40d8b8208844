//! How badly an autoencoder reproduces what it was given.

use crate::findings::Buffers;
use crate::tensor::Tensor;
use crate::{Anomaly, DecodeError, Element, TensorSpec, Tensors};

pub(crate) struct AnomalyDecoder {
    input: Tensor,
    output: Tensor,
    mean: f32,
    std: f32,
}

/// Sums kept beside each other, so that the compiler can make SIMD of them; their number decides
/// how the result is rounded and is the same on every machine.
const LANES: usize = 8;

impl AnomalyDecoder {
    pub fn new(
        anomaly: &Anomaly,
        labels: &[String],
        inputs: &[TensorSpec],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let input = Tensor::new(inputs, 0)?;
        let output = Tensor::find(
            outputs,
            "output",
            anomaly.output,
            &format!(
                "{:?}, as the input, which the autoencoder reproduces",
                input.spec.shape
            ),
            |_, shape| shape.iter().product::<usize>() == input.len(),
        )?;
        for tensor in [&input, &output] {
            if matches!(tensor.spec.element, Element::I32 | Element::I64) {
                return Err(DecodeError::Tensors(format!(
                    "decode.kind = \"anomaly\": a tensor is {:?}, expected f32, i8 or u8",
                    tensor.spec.element
                )));
            }
        }
        if labels.len() != 2 {
            return Err(DecodeError::Labels {
                labels: labels.len(),
                expected: 2,
                classes: 1,
            });
        }
        Ok(Self {
            input,
            output,
            mean: anomaly.mean,
            std: anomaly.std,
        })
    }

    pub fn decode(&self, tensors: &Tensors<'_>, into: &mut Buffers) -> Result<(), DecodeError> {
        let input = self.input.bytes(tensors.inputs)?;
        let output = self.output.bytes(tensors.outputs)?;
        let count = self.input.len();
        let mut sums = [0.0f32; LANES];
        for start in (0..count).step_by(LANES) {
            for (lane, sum) in sums.iter_mut().enumerate().take(count - start) {
                let difference = self.output.spec.real(output, start + lane)
                    - self.input.spec.real(input, start + lane);
                *sum += difference * difference;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2²⁶ elements")]
        let error = sums.iter().sum::<f32>() / count as f32;
        into.values.push((error - self.mean) / self.std);
        Ok(())
    }
}
