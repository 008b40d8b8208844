//! Where the frames to measure come from.

use crate::commands::synthetic;
use anyhow::{Context, bail};
use edgeai_camera::{CameraError, Frame as CameraFrame, FrameSource};
use edgeai_config::Appliance;
use edgeai_realtime::monotonic_now;
use edgeai_recording::{Frame, Reader, Record};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

/// Frames that are kept of a recording; then they begin anew.
const FRAMES: usize = 64;

/// Frames that come as fast as they are taken.
pub struct Loop {
    pub frames: Vec<Frame>,
    next: u32,
    pub title: String,
}

impl FrameSource for Loop {
    fn next(&mut self, _timeout: Duration) -> Result<CameraFrame<'_>, CameraError> {
        let index = self.next as usize % self.frames.len().max(1);
        self.next += 1;
        let frame = self.frames.get(index);
        let frame = frame.ok_or_else(|| CameraError::Lost("there are no frames".into()))?;
        Ok(CameraFrame {
            sequence: self.next,
            timestamp: monotonic_now(),
            ..CameraFrame::from(frame)
        })
    }

    fn dropped(&self) -> u64 {
        0
    }
}

/// A frame made up as `--synthetic` says.
pub fn made_up(synthetic: &[String]) -> anyhow::Result<Loop> {
    let [format, size] = synthetic else {
        bail!("expected a format and a size, like NV12 1920x1080");
    };
    let frame = synthetic::frame(format, size)?;
    Ok(Loop {
        title: format!("synthetic {format} {size}"),
        frames: vec![frame],
        next: 0,
    })
}

/// The description and the first frames of the first model's camera.
pub fn recorded(path: &Path) -> anyhow::Result<(Option<Appliance>, Loop)> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    let mut reader = Reader::new(BufReader::new(file)).with_context(place)?;
    let appliance = edgeai_config::parse(&place(), &reader.header().appliance)?;
    let model = appliance.models.first().context("no model")?;
    let camera = edgeai_pipeline::camera_of(&appliance, model)
        .context("the first model has no camera: nothing to measure")?;
    let mut frames: Vec<Frame> = Vec::new();
    while frames.len() < FRAMES {
        match reader.record().with_context(place)? {
            Some(Record::Frame(frame)) if usize::from(frame.camera) == camera => {
                let shape = |it: &Frame| (it.format, it.width, it.height);
                if frames
                    .first()
                    .is_none_or(|first| shape(first) == shape(&frame))
                {
                    frames.push(frame);
                }
            }
            Some(_) => {}
            None => break,
        }
    }
    let first = frames.first().context("the recording has no frames")?;
    let title = format!(
        "{} of {}, {} {}x{}",
        frames.len(),
        place(),
        first.format.name(),
        first.width,
        first.height
    );
    Ok((
        Some(appliance),
        Loop {
            frames,
            next: 0,
            title,
        },
    ))
}
