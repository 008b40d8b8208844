//! What a sensor sampled between two evaluations.

use crate::MAX_CHANNELS;
use crate::bytes::{Content, Fields};
use edgeai_config::Samples;

/// Most channels of a sensor.
pub const MAX_SAMPLED: usize = 16;

/// All samples since the last evaluation, of consecutive channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// The first of them, counted through all sensors.
    pub first: u8,
    count: u8,
    samples: [Samples; MAX_SAMPLED],
}

impl Sampled {
    /// Of the channels from `first` on, at most [`MAX_SAMPLED`].
    #[must_use]
    pub fn new(first: usize, samples: &[Samples]) -> Self {
        let mut made = Self {
            first: u8::try_from(first).unwrap_or(u8::MAX),
            count: 0,
            samples: [Samples::NONE; MAX_SAMPLED],
        };
        for (place, one) in made.samples.iter_mut().zip(samples) {
            *place = *one;
            made.count += 1;
        }
        made
    }

    /// One for each channel.
    #[must_use]
    pub fn samples(&self) -> &[Samples] {
        let count = usize::from(self.count);
        self.samples.get(..count).unwrap_or(&self.samples)
    }

    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.first);
        fields.u8(self.count);
        for field in self.samples().iter().flat_map(Samples::fields) {
            fields.f64(field);
        }
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        let (first, count) = (content.u8()?, content.u8()?);
        let mut sampled = Self::new(first.into(), &[]);
        let places = sampled.samples.get_mut(..usize::from(count));
        for place in places.ok_or("more channels than a sensor has")? {
            let mut fields = [0.0; 5];
            for field in &mut fields {
                *field = content.f64()?;
            }
            *place = Samples::from_fields(fields);
        }
        if usize::from(first) + usize::from(count) > MAX_CHANNELS {
            return Err("channels that there cannot be");
        }
        sampled.count = count;
        Ok(sampled)
    }
}
