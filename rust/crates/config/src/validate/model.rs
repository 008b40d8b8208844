//! `[[model]]`

use super::{Check, list};
use crate::place::Path;
use crate::{Accelerator, Model};

const MAX_MODELS: usize = 4;

impl Check<'_> {
    pub(super) fn models(&mut self) {
        let models = &self.appliance.models;
        self.names("model", MAX_MODELS, models.iter().map(|m| &*m.name));
        for (index, model) in models.iter().enumerate() {
            let path = Path::entry("model", index);
            self.model(&path, model);
            self.source(&path, model);
            self.track(&path, model);
        }
    }

    fn model(&mut self, path: &Path, model: &Model) {
        if !crate::files::is_model_name(&model.file) {
            let message = "expected the name of a directory of models (letters, digits, '.', '_', '-'; not starting with '.') or an absolute path";
            self.object(&path.key("file"), message);
        }
        self.range(&path.key("threads"), "", model.threads, 1..=16);
        match &model.accelerator {
            Accelerator::Named(name) if !Accelerator::NAMES.contains(&&**name) => {
                let message = format!(
                    "there is no accelerator \"{name}\"; expected auto, cpu, {} or the absolute path of a delegate library",
                    list(&Accelerator::NAMES)
                );
                self.object(&path.key("accelerator"), message);
            }
            Accelerator::Named(_) | Accelerator::Library(_) => {}
            Accelerator::Auto | Accelerator::Cpu => {
                self.foreign(path, &["options"], "a delegate as the accelerator");
            }
        }
    }

    /// Where the model's input comes from.
    fn source(&mut self, path: &Path, model: &Model) {
        let cameras = || self.appliance.cameras.iter().map(|camera| &*camera.name);
        let sensors = || self.appliance.sensors.iter().map(|sensor| &*sensor.name);
        match (&model.camera, &model.sensor) {
            (Some(_), Some(_)) => {
                let message = "a model has either a camera or a sensor; remove one";
                self.object(&path.key("sensor"), message);
            }
            (Some(name), None) => {
                let known: Vec<_> = cameras().collect();
                self.known(&path.key("camera"), "camera", name, known.into_iter());
            }
            (None, Some(name)) => {
                let known: Vec<_> = sensors().collect();
                self.known(&path.key("sensor"), "sensor", name, known.into_iter());
                self.foreign(path, &["crop", "track"], "a camera");
            }
            (None, None) => match cameras().count() {
                1 => {}
                0 => self.object(
                    path,
                    "there is no [camera]; add one, or sensor = \"…\" here",
                ),
                _ => {
                    let known = list(&cameras().collect::<Vec<_>>());
                    let message = format!(
                        "add camera = \"…\" to say through which it looks; there is {known}"
                    );
                    self.object(path, message);
                }
            },
        }
        if let Some(crop) = model.crop {
            let path = path.key("crop");
            let before = self.objections.len();
            self.unit_range(&path, &crop);
            let [x, y, width, height] = crop;
            // What is written as a sum of 1 may lie a rounding error above it.
            let reach = 1.0 + 4.0 * f32::EPSILON;
            if before == self.objections.len()
                && !(width > 0.0 && height > 0.0 && x + width <= reach && y + height <= reach)
            {
                let message = "expected x, y, width, height of a part of the frame: above 0, and x + width and y + height not above 1";
                self.object(&path, message);
            }
        }
    }

    fn track(&mut self, path: &Path, model: &Model) {
        let Some(track) = &model.track else { return };
        let path = path.key("track");
        self.range(&path.key("iou"), "", track.iou, 0.0..=1.0);
        let frames = path.key("confirm_frames");
        self.range(&frames, " frames", track.confirm_frames, 1..=100);
        self.range(&path.key("lost_ms"), " ms", track.lost_ms, 0..=60_000);
    }
}
