//! The frames of a recording.

use crate::format::Wanted;
use crate::frame::{CameraError, Frame};
use crate::planes::Layout;
use crate::report::{self, Negotiated};
use edgeai_config::Arrangement;
use edgeai_recording::{EXTENSION, Reader, Record, RecordingError, parts};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// One camera's frames in the files of a run, one of them read.
pub struct Recorded {
    parts: Vec<PathBuf>,
    /// The next to be opened.
    part: usize,
    reader: Option<Reader<BufReader<File>>>,
    /// The camera's place in the recorded description.
    camera: u8,
    frame: edgeai_recording::Frame,
    passed_over: u64,
}

impl Recorded {
    /// Whether there is a recording, not an image: a file by its name, a directory by what is in it.
    pub fn is_at(path: &Path) -> bool {
        let named = |path: &Path| path.extension().is_some_and(|it| it == EXTENSION);
        named(path)
            || fs::read_dir(path).is_ok_and(|entries| {
                let mut entries = entries.filter_map(Result::ok);
                entries.any(|entry| named(&entry.path()))
            })
    }

    /// Finds the camera and its first frame.
    pub fn open(
        path: &Path,
        asked: &edgeai_config::Camera,
    ) -> Result<(Self, Negotiated), CameraError> {
        let refused = |error: RecordingError| {
            let words = format!("{}: {error}", path.display());
            match error {
                RecordingError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                    CameraError::Missing(words)
                }
                _ => CameraError::Unusable(words),
            }
        };
        let unusable =
            |reason: &str| CameraError::Unusable(format!("{}: {reason}", path.display()));
        let parts = parts(path).map_err(refused)?;
        let mut recorded = Self {
            parts,
            part: 0,
            reader: None,
            camera: 0,
            frame: edgeai_recording::Frame::with_room(0),
            passed_over: 0,
        };
        let reader = recorded.next_part().map_err(refused)?;
        let description = edgeai_config::parse("its appliance.toml", &reader.header().appliance)
            .map_err(|error| unusable(&error.to_string()))?;
        recorded.camera = camera(&description, &asked.name).map_err(|error| unusable(&error))?;
        recorded.reader = Some(reader);
        recorded.frame = recorded
            .read()
            .map_err(refused)?
            .ok_or_else(|| unusable("there are no frames of this camera in it"))?;
        let first = &recorded.frame;
        let layout = layout(first);
        if asked.format.is_some_and(|format| format != first.format) {
            let format = first.format.name();
            return Err(unusable(&format!("its frames are {format}")));
        }
        if !fits(first) {
            return Err(unusable("its first frame is not whole"));
        }
        let offered = format!(
            "a recording of {} {}x{}",
            first.format.name(),
            first.width,
            first.height
        );
        let code = Wanted::format(first.format).codes().next().unwrap_or(0);
        let asked_for = report::asked(asked);
        let fps = Some(f64::from(asked.fps));
        let negotiated = Negotiated::new(asked_for, offered, code, &layout, first.colour, fps);
        Ok((recorded, negotiated))
    }

    /// On to the next frame that is like the first, behind the last one the first.
    pub fn turn(&mut self) -> Result<(), String> {
        let mut begun_anew = false;
        loop {
            let read = self.read().map_err(|error| error.to_string())?;
            match read {
                Some(frame) if like(&frame, &self.frame) && fits(&frame) => {
                    self.frame = frame;
                    return Ok(());
                }
                Some(_) => self.passed_over += 1,
                None if begun_anew => return Err("the recording has no frames any more".into()),
                None => {
                    begun_anew = true;
                    self.part = 0;
                }
            }
        }
    }

    /// The camera's next frame; none behind the last part. A part that is damaged or cut off ends where
    /// it is.
    fn read(&mut self) -> Result<Option<edgeai_recording::Frame>, RecordingError> {
        loop {
            let mut reader = match self.reader.take() {
                Some(reader) => reader,
                None if self.part < self.parts.len() => self.next_part()?,
                None => return Ok(None),
            };
            while let Ok(Some(record)) = reader.record() {
                if let Record::Frame(frame) = record
                    && frame.camera == self.camera
                {
                    self.reader = Some(reader);
                    return Ok(Some(frame));
                }
            }
        }
    }

    fn next_part(&mut self) -> Result<Reader<BufReader<File>>, RecordingError> {
        let path = &self.parts[self.part];
        self.part += 1;
        let file = File::open(path).map_err(|error| RecordingError::Io { position: 0, error })?;
        Reader::new(BufReader::new(file))
    }

    /// The one that is shown.
    pub fn frame(&self) -> Frame<'_> {
        Frame::from(&self.frame)
    }

    /// Frames of another size or format than the first, or not whole.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }
}

/// The place of the camera with this name, or of the only one.
fn camera(recorded: &edgeai_config::Appliance, name: &str) -> Result<u8, String> {
    let cameras = &recorded.cameras;
    let place = match cameras.len() {
        1 => Some(0),
        _ => cameras.iter().position(|camera| camera.name == name),
    };
    let place = place.and_then(|place| u8::try_from(place).ok());
    place.ok_or_else(|| {
        let names: Vec<_> = cameras.iter().map(|camera| &*camera.name).collect();
        match names[..] {
            [] => "it has no camera".into(),
            _ => format!("it has no camera {name}, but {}", names.join(", ")),
        }
    })
}

fn layout(frame: &edgeai_recording::Frame) -> Layout {
    Layout {
        format: frame.format,
        width: frame.width,
        height: frame.height,
        strides: frame.planes.map(|plane| plane.stride as usize),
        arrangement: Arrangement::Separate,
    }
}

fn like(one: &edgeai_recording::Frame, other: &edgeai_recording::Frame) -> bool {
    (one.format, one.colour, one.width, one.height)
        == (other.format, other.colour, other.width, other.height)
}

/// Whether every plane has its lines.
fn fits(frame: &edgeai_recording::Frame) -> bool {
    let planes: Vec<_> = frame.planes().map(|(bytes, _)| bytes).collect();
    layout(frame).split(&planes).is_ok()
}

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;
