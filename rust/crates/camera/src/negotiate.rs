//! Agreeing with a device on what it delivers.

use crate::camera::{classify, fits};
use crate::colour::Metadata;
use crate::controls;
use crate::format::{self, Wanted};
use crate::frame::CameraError;
use crate::ioctl::{G_PARM, Queue, S_FMT, S_PARM, Zeroed, ioctl};
use crate::node::{Capability, Node};
use crate::offer::{self, Offer, Reach};
use crate::planes::Layout;
use crate::receiver::follow_signal;
use crate::report::{self, Negotiated};
use edgeai_config::Arrangement;
use std::io;
use v4l::v4l_sys::{
    V4L2_CAP_TIMEPERFRAME, V4L2_PIX_FMT_PRIV_MAGIC, v4l2_field_V4L2_FIELD_NONE,
    v4l2_field_V4L2_FIELD_SEQ_BT, v4l2_field_V4L2_FIELD_SEQ_TB, v4l2_format, v4l2_fract,
    v4l2_streamparm,
};

/// Most formats named that are offered but cannot be taken.
const MAX_OTHERS: usize = 8;

/// Sets up the device, up to but without streaming: signal, controls, format, rate.
pub fn negotiate(
    node: &dyn Node,
    asked: &edgeai_config::Camera,
    name: &str,
) -> Result<(Queue, Layout, Negotiated), CameraError> {
    let unusable = |reason: String| CameraError::Unusable(format!("{name}: {reason}"));
    let capability =
        Capability::of(node).map_err(|error| classify(name, "no V4L2 device", &error))?;
    let queue = capability
        .queue
        .ok_or_else(|| unusable("not a device that captures video into mapped buffers".into()))?;
    let signal_fps = follow_signal(node).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOLINK) => CameraError::Missing(format!("{name}: no signal at its input")),
        Some(libc::ENOLCK) => CameraError::Missing(format!("{name}: unstable signal at its input")),
        Some(libc::ERANGE) => unusable("signal out of its range".into()),
        _ => classify(name, "timings of the signal", &error),
    })?;
    // Before the format, which a control such as a rotation changes.
    controls::set(node, &asked.controls).map_err(&unusable)?;
    let offers = offer::formats(node, queue);
    let (code, offered) = choose(node, &offers, asked).map_err(&unusable)?;
    let format = set_format(node, queue, code, asked.size)
        .map_err(|error| classify(name, "pixel format", &error))?;
    let layout = format
        .layout(code)
        .map_err(|reason| unusable(format!("{reason}; it offers {offered}")))?;
    let fps = set_rate(node, queue, asked.fps).or(signal_fps);
    let colour = format.metadata.colour(layout.format);
    let negotiated = Negotiated::new(report::asked(asked), offered, code, &layout, colour, fps);
    Ok((queue, layout, negotiated))
}

/// The code to ask for, and what is offered, for people.
fn choose(
    node: &dyn Node,
    offers: &[Offer],
    asked: &edgeai_config::Camera,
) -> Result<(u32, String), String> {
    let wanted = Wanted::by(asked);
    let mut usable: Vec<Reach> = Vec::new();
    let mut best: Option<(u32, Reach)> = None;
    let mut others = Vec::new();
    for &Offer { code, .. } in offers {
        if format::known(code).is_none() {
            others.push(format::name(code));
            continue;
        }
        let reach = Reach::of(node, code, asked.size, asked.fps);
        usable.push(reach);
        let fits = wanted.fits(code);
        let better = best.is_none_or(|(_, best)| {
            reach.order(asked.size, asked.fps) < best.order(asked.size, asked.fps)
        });
        if fits && better {
            best = Some((code, reach));
        }
    }
    let mut offered: Vec<String> = usable.iter().map(Reach::to_string).collect();
    if others.len() > MAX_OTHERS && !usable.is_empty() {
        others = vec![format!("{} others", others.len())];
    }
    offered.append(&mut others);
    let offered = if offered.is_empty() {
        "nothing".into()
    } else {
        offered.join(", ")
    };
    let best = best.map(|(code, _)| code);
    // Not every driver names all it has; the answer to the request will tell.
    let unnamed = || asked.format.and_then(|_| wanted.codes().next());
    match best.or_else(unnamed) {
        Some(code) => Ok((code, offered)),
        None => Err(format!(
            "no pixel format that can be used; it offers {offered}"
        )),
    }
}

/// What a driver made of a format.
struct Taken {
    code: u32,
    width: u32,
    height: u32,
    field: u32,
    /// Bytes from line to line of each memory plane; 0: unused or not said.
    strides: [usize; 3],
    memory_planes: usize,
    metadata: Metadata,
}

impl Taken {
    /// How frames of the code asked for lie in memory.
    fn layout(&self, asked: u32) -> Result<Layout, String> {
        let known = format::known(self.code).filter(|_| self.code == asked);
        let Some((format, arrangement)) = known else {
            return Err(format!("no pixel format {}", format::name(asked)));
        };
        if [v4l2_field_V4L2_FIELD_SEQ_TB, v4l2_field_V4L2_FIELD_SEQ_BT].contains(&self.field) {
            return Err("it gives the two fields of a frame one above the other".into());
        }
        let packed = Layout::packed(format, self.width, self.height);
        let mut layout = match arrangement {
            Arrangement::Contiguous => {
                let stride = self.strides[0].max(packed.strides[0]);
                Layout::contiguous(format, self.width, self.height, stride)
            }
            Arrangement::Separate => Layout {
                strides: self.strides,
                arrangement,
                ..packed
            },
        };
        for (stride, least) in layout.strides.iter_mut().zip(packed.strides) {
            // Some drivers leave the stride 0 where there is no padding.
            *stride = if least == 0 { 0 } else { least.max(*stride) };
        }
        if fits(&layout, self.memory_planes) {
            Ok(layout)
        } else {
            Err(format!(
                "{} in {} memory planes",
                format::name(self.code),
                self.memory_planes
            ))
        }
    }
}

fn set_format(
    node: &dyn Node,
    queue: Queue,
    code: u32,
    [width, height]: [u32; 2],
) -> io::Result<Taken> {
    // Stride and image size stay 0: the driver's own are the ones that count.
    let mut format = v4l2_format::zeroed();
    format.type_ = queue.buffer_type();
    match queue {
        Queue::SinglePlanar => {
            // SAFETY: `type_` makes `pix` the member of the union in use; all members are integers.
            let pix = unsafe { &mut format.fmt.pix };
            (pix.width, pix.height, pix.pixelformat) = (width, height, code);
            pix.field = v4l2_field_V4L2_FIELD_NONE;
            // The fields after `priv` count (kernel, `pixfmt-v4l2.rst`).
            pix.priv_ = V4L2_PIX_FMT_PRIV_MAGIC;
            ioctl(node, &S_FMT, &mut format)?;
            // SAFETY: as above; the driver filled it in.
            let pix = unsafe { format.fmt.pix };
            Ok(Taken {
                code: pix.pixelformat,
                width: pix.width,
                height: pix.height,
                field: pix.field,
                strides: [pix.bytesperline as usize, 0, 0],
                memory_planes: 1,
                metadata: Metadata {
                    colorspace: pix.colorspace,
                    // SAFETY: both members of the union are the same integer.
                    ycbcr_enc: unsafe { pix.__bindgen_anon_1.ycbcr_enc },
                    quantization: pix.quantization,
                },
            })
        }
        Queue::MultiPlanar => {
            // SAFETY: `type_` makes `pix_mp` the member of the union in use; all are integers.
            let pix = unsafe { &mut format.fmt.pix_mp };
            (pix.width, pix.height, pix.pixelformat) = (width, height, code);
            pix.field = v4l2_field_V4L2_FIELD_NONE;
            ioctl(node, &S_FMT, &mut format)?;
            // SAFETY: as above; the driver filled it in.
            let pix = unsafe { format.fmt.pix_mp };
            let planes = pix.plane_fmt;
            Ok(Taken {
                code: pix.pixelformat,
                width: pix.width,
                height: pix.height,
                field: pix.field,
                strides: [0, 1, 2].map(|plane| planes[plane].bytesperline as usize),
                memory_planes: pix.num_planes.into(),
                metadata: Metadata {
                    colorspace: pix.colorspace,
                    // SAFETY: both members of the union are the same integer.
                    ycbcr_enc: unsafe { pix.__bindgen_anon_1.ycbcr_enc }.into(),
                    quantization: pix.quantization.into(),
                },
            })
        }
    }
}

/// Asks for a rate and returns the one in force; `None` where the driver has no say in it.
fn set_rate(node: &dyn Node, queue: Queue, fps: u32) -> Option<f64> {
    let mut parameters = v4l2_streamparm::zeroed();
    parameters.type_ = queue.buffer_type();
    ioctl(node, &G_PARM, &mut parameters).ok()?;
    let mut changed = parameters;
    // SAFETY: `type_` makes `capture` the member of the union in use; all members are integers.
    let capture = unsafe { &mut changed.parm.capture };
    if capture.capability & V4L2_CAP_TIMEPERFRAME != 0 {
        capture.timeperframe = v4l2_fract {
            numerator: 1,
            denominator: fps,
        };
        if ioctl(node, &S_PARM, &mut changed).is_ok() {
            parameters = changed;
        }
    }
    // SAFETY: as above.
    let interval = unsafe { parameters.parm.capture.timeperframe };
    let known = interval.numerator > 0 && interval.denominator > 0;
    known.then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
}
