//! What cameras there are and what they can do, for `edgeai probe`.

use crate::controls::{self, Control};
use crate::format;
use crate::identity::{Found, scan};
use crate::node::{Capability, Device, Node};
use crate::offer;
use serde::Serialize;
use std::io;

/// A capture node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// `/dev/videoN`
    pub path: String,
    /// The kernel's driver.
    pub driver: String,
    /// Its name, for `device = "card:…"`.
    pub card: String,
    /// Where it is plugged in, for `device = "bus:…"`.
    pub bus: String,
    /// Serial number of a USB camera that has one, for `device = "serial:…"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// What it can deliver.
    pub formats: Vec<Format>,
    /// What can be set at it, for `camera.controls`.
    pub controls: Vec<Control>,
    /// Why the above is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A pixel format that a camera offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Format {
    /// V4L2's code.
    pub fourcc: String,
    /// The value of `camera.format` that asks for it; absent if it cannot be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// The driver's words.
    pub description: String,
    /// Sizes and rates; empty if the driver does not say.
    pub sizes: Vec<Size>,
}

/// A frame size and its rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Size {
    /// `640x480`, or a range.
    pub size: String,
    /// Frames per second, each a number or a range.
    pub rates: Vec<String>,
}

/// All nodes that capture video, by number. Waits for nothing but the cameras' own answers.
#[must_use]
pub fn list() -> Vec<Listed> {
    scan().into_iter().map(Listed::of).collect()
}

impl Listed {
    fn of(found: Found) -> Self {
        let path = found.path.display().to_string();
        let mut listed = Self {
            path,
            driver: found.driver,
            card: found.card,
            bus: found.bus,
            serial: found.serial,
            formats: Vec::new(),
            controls: Vec::new(),
            error: found.error,
        };
        if listed.error.is_none() {
            let described = Device::open(&found.path).and_then(|node| listed.describe(&node));
            listed.error = described.err().map(|error| error.to_string());
        }
        listed
    }

    fn describe(&mut self, node: &dyn Node) -> io::Result<()> {
        if let Some(queue) = Capability::of(node)?.queue {
            let offers = offer::formats(node, queue);
            self.formats = offers
                .into_iter()
                .map(|offer| Format {
                    fourcc: format::name(offer.code),
                    name: format::known(offer.code).map(|(format, _)| format.name()),
                    description: offer.description,
                    sizes: sizes(node, offer.code),
                })
                .collect();
        }
        self.controls = controls::query(node);
        Ok(())
    }
}

fn sizes(node: &dyn Node, code: u32) -> Vec<Size> {
    let size = |range: &offer::SizeRange| Size {
        size: range.to_string(),
        // Of a range the largest, for which the rates are the lowest.
        rates: offer::rates(node, code, range.max)
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    offer::sizes(node, code).iter().map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Driver;

    #[test]
    fn a_camera_is_described_as_its_driver_does() {
        let driver = Driver::default();
        let mut listed = Listed::of(Found {
            error: Some(String::new()),
            ..Found::default()
        });
        listed.describe(&*driver.node()).unwrap();
        let yuyv = &listed.formats[0];
        assert_eq!((&*yuyv.fourcc, yuyv.name), ("YUYV", Some("YUYV")));
        assert_eq!(
            yuyv.sizes[0],
            Size {
                size: "640x480".into(),
                rates: vec!["30".into(), "15".into()]
            }
        );
        let gain = &listed.controls[1];
        assert_eq!((&*gain.name, gain.value), ("gain", Some(10)));
    }
}
