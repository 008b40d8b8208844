//! `[[camera]]`

use super::Check;
use crate::place::Path;
use crate::{Arrangement, Camera, PixelFormat};

const MAX_CAMERAS: usize = 4;

impl Check<'_> {
    pub(super) fn cameras(&mut self) {
        let cameras = &self.appliance.cameras;
        self.names("camera", MAX_CAMERAS, cameras.iter().map(|c| &*c.name));
        for (index, camera) in cameras.iter().enumerate() {
            self.camera(&Path::entry("camera", index), camera);
        }
    }

    fn camera(&mut self, path: &Path, camera: &Camera) {
        if !is_device(&camera.device) {
            let message = "expected an absolute path like \"/dev/video0\", or \"card:…\", \"bus:…\", \"serial:…\" or \"replay:…\"";
            self.object(&path.key("device"), message);
        }
        let size = path.key("size");
        for (index, side) in camera.size.into_iter().enumerate() {
            self.range(&size.index(index), " pixels", side, 16..=8192);
        }
        let (width, height) = chroma_step(camera.format);
        let sides = [("width", width), ("height", height)];
        for (index, (side, (word, step))) in camera.size.into_iter().zip(sides).enumerate() {
            if side % step != 0 {
                let format = camera.format.map_or("", PixelFormat::name);
                let message = format!("the {word} of {format} is even; choose an even {word}");
                self.object(&size.index(index), message);
            }
        }
        if camera.planes == Some(Arrangement::Separate)
            && let Some(format) = camera.format
            && !has_planes(format)
        {
            let message = format!("{} is one plane; remove it", format.name());
            self.object(&path.key("planes"), message);
        }
        let path = path.key("fps");
        self.range(&path, " frames per second", camera.fps, 1..=240);
    }
}

fn is_device(device: &str) -> bool {
    match device.split_once(':') {
        _ if device.starts_with('/') => true,
        Some(("card" | "bus" | "serial" | "replay", which)) => !which.is_empty(),
        _ => false,
    }
}

fn has_planes(format: PixelFormat) -> bool {
    use PixelFormat::{Nv12, Nv21, Yu12};
    matches!(format, Nv12 | Nv21 | Yu12)
}

/// Pixels that share their chroma, across and down.
fn chroma_step(format: Option<PixelFormat>) -> (u32, u32) {
    match format {
        Some(PixelFormat::Yuyv | PixelFormat::Uyvy) => (2, 1),
        Some(PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12) => (2, 2),
        _ => (1, 1),
    }
}
