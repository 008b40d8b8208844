//! Images of files.

use crate::format::Wanted;
use crate::frame::{CameraError, Frame};
use crate::planes::Layout;
use crate::report::{self, Negotiated};
use crate::rgb;
use edgeai_config::{Colour, PixelFormat};
use image::ImageReader;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest side of an image, as of a camera in the configuration.
const MAX_SIDE: u32 = 8192;

/// One image or several of one size, one of them decoded.
pub struct Images {
    paths: Vec<PathBuf>,
    layout: Layout,
    colour: Colour,
    bytes: Vec<u8>,
    shown: usize,
}

impl Images {
    /// Finds them and decodes the first.
    pub fn open(
        path: &Path,
        asked: &edgeai_config::Camera,
    ) -> Result<(Self, Negotiated), CameraError> {
        let unusable = |path: &Path, reason: &dyn std::fmt::Display| {
            CameraError::Unusable(format!("{}: {reason}", path.display()))
        };
        let paths = find(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CameraError::Missing(format!("{}: {error}", path.display())),
            _ => unusable(path, &error),
        })?;
        let Some(first) = paths.first() else {
            return Err(unusable(path, &"no PNG or JPEG images, and no recording"));
        };
        let [width, height] = size(first).map_err(|error| unusable(first, &error))?;
        for other in &paths {
            let other_size = size(other).map_err(|error| unusable(other, &error))?;
            if other_size != [width, height] {
                let [w, h] = other_size;
                let reason = format!("{w}x{h}, but the first image is {width}x{height}");
                return Err(unusable(other, &reason));
            }
        }
        let pixel = asked.format.unwrap_or(PixelFormat::Rgb24);
        let layout = Layout::packed(pixel, width, height);
        let colour = rgb::colour(pixel);
        let offered = match paths.len() {
            1 => format!("an image of {width}x{height}"),
            count => format!("{count} images of {width}x{height}"),
        };
        let fps = f64::from(asked.fps);
        let code = Wanted::format(pixel).codes().next().unwrap_or(0);
        let asked_for = report::asked(asked);
        let negotiated = Negotiated::new(asked_for, offered, code, &layout, colour, Some(fps));
        let mut images = Self {
            paths,
            layout,
            colour,
            bytes: Vec::new(),
            shown: 0,
        };
        images.decode().map_err(CameraError::Unusable)?;
        Ok((images, negotiated))
    }

    /// On to the next, behind the last the first.
    pub fn turn(&mut self) -> Result<(), String> {
        if self.paths.len() == 1 {
            return Ok(());
        }
        self.shown = (self.shown + 1) % self.paths.len();
        self.decode()
    }

    fn decode(&mut self) -> Result<(), String> {
        let path = &self.paths[self.shown];
        read(path, &self.layout, &mut self.bytes)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The one that is shown.
    pub fn frame(&self) -> Result<Frame<'_>, CameraError> {
        self.layout
            .frame(&[&self.bytes], self.colour, 0, Duration::ZERO)
    }
}

/// The image, or the images of a directory by name.
fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut images = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = ["png", "jpg", "jpeg"];
        if extension.is_some_and(|it| known.contains(&&*it.to_ascii_lowercase())) {
            images.push(path);
        }
    }
    images.sort();
    Ok(images)
}

/// Width and height, from the head of the file.
fn size(path: &Path) -> Result<[u32; 2], String> {
    let reader = reader(path).map_err(|error| error.to_string())?;
    let (width, height) = reader
        .into_dimensions()
        .map_err(|error| error.to_string())?;
    if [width, height]
        .iter()
        .all(|side| (1..=MAX_SIDE).contains(side))
    {
        Ok([width, height])
    } else {
        Err(format!("{width}x{height} is not 1 to {MAX_SIDE} pixels"))
    }
}

fn reader(path: &Path) -> io::Result<ImageReader<io::BufReader<fs::File>>> {
    // By content, not by name.
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    Ok(reader)
}

fn read(path: &Path, layout: &Layout, out: &mut Vec<u8>) -> Result<(), String> {
    let reader = reader(path).map_err(|error| error.to_string())?;
    if layout.format == PixelFormat::Mjpeg && reader.format() == Some(image::ImageFormat::Jpeg) {
        *out = fs::read(path).map_err(|error| error.to_string())?;
        return Ok(());
    }
    let decoded = reader.decode().map_err(|error| error.to_string())?;
    if (decoded.width(), decoded.height()) != (layout.width, layout.height) {
        return Err("its size has changed".into());
    }
    rgb::convert(&decoded.into_rgb8(), layout.format, out)
}
