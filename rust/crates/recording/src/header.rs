//! Where a recording comes from.

use crate::bytes::{Content, Fields};
use edgeai_decode::Names;

/// The first record of every file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Which run of `edgeai`: the same in all parts of it, hardly the same in two runs.
    pub run: u64,
    /// 0 for the first file of a run, then 1, 2, …
    pub part: u32,
    /// Wall clock at the start of the part, seconds since 1970 UTC; 0: not known.
    pub started: u64,
    /// Version of `edgeai`.
    pub program: String,
    /// Version of the image (`/etc/os-release`, `IMAGE_VERSION` or `VERSION_ID`); empty: not known.
    pub image: String,
    /// The text of `appliance.toml` as it was in force.
    pub appliance: String,
}

/// One model of the appliance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// Its place in the description.
    pub index: u8,
    /// What ran it, like `LiteRT 2.3.0`.
    pub runtime: String,
    /// SHA-256 of `model.tflite`; zeros: not known.
    pub weights: [u8; 32],
    /// SHA-256 of `model.toml`; zeros: not known.
    pub description: [u8; 32],
    /// What its numbers are called.
    pub names: Names,
}

impl Header {
    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u64(self.run);
        fields.u32(self.part);
        fields.u64(self.started);
        fields.text(&self.program);
        fields.text(&self.image);
        fields.long_text(&self.appliance);
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            run: content.u64()?,
            part: content.u32()?,
            started: content.u64()?,
            program: content.text()?,
            image: content.text()?,
            appliance: content.long_text()?,
        })
    }
}

impl Model {
    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.index);
        fields.text(&self.runtime);
        fields.raw(&self.weights);
        fields.raw(&self.description);
        fields.texts(&self.names.labels);
        fields.texts(&self.names.points);
        fields.texts(&self.names.values);
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            index: content.u8()?,
            runtime: content.text()?,
            weights: content.hash()?,
            description: content.hash()?,
            names: Names {
                labels: content.texts()?,
                points: content.texts()?,
                values: content.texts()?,
            },
        })
    }
}
