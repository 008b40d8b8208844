//! Where frames come from: V4L2 cameras, single- and multi-planar, and images played in their
//! place. Always the newest frame, with its capture timestamp; a camera that goes away is an error
//! soon, never a thread that hangs. See `docs/camera.md`.

mod buffers;
mod camera;
mod colour;
mod controls;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_tests;
mod format;
mod frame;
mod identity;
mod ioctl;
mod list;
mod negotiate;
mod node;
mod offer;
mod planes;
mod receiver;
mod replay;
mod report;
mod rgb;

pub use camera::Camera;
pub use controls::{Control, ControlKind};
pub use frame::{CameraError, Frame, FrameSource, Plane};
pub use list::{Format, Listed, Size, list};
pub use planes::{Layout, SplitError};
pub use replay::Replay;
pub use report::Negotiated;

/// Opens what `asked.device` names: a V4L2 node by path, `card:`, `bus:` or `serial:`, or the images
/// of `replay:PATH`. A name is looked up anew at each call, so that opening again finds a camera
/// that was plugged in elsewhere.
///
/// # Errors
/// [`CameraError::Missing`] without such a camera or signal: trying again later makes sense.
/// [`CameraError::Unusable`] when it cannot give what is asked for, or the name fits several.
pub fn open(
    asked: &edgeai_config::Camera,
) -> Result<(Box<dyn FrameSource + Send>, Negotiated), CameraError> {
    if let Some(path) = asked.device.strip_prefix("replay:") {
        let (replay, negotiated) = Replay::open(path.as_ref(), asked)?;
        return Ok((Box::new(replay), negotiated));
    }
    let (camera, negotiated) = Camera::open(asked)?;
    Ok((Box::new(camera), negotiated))
}
