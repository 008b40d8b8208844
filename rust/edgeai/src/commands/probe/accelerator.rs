//! Accelerators, as far as device nodes, buses and the device tree show them.

use super::{entries, read_text};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize, Debug, PartialEq)]
pub struct Accelerator {
    /// Device node, bus address or device-tree node.
    pub path: String,
    /// Driver, product or compatible string.
    pub what: String,
}

/// Vendor and device of PCI devices, as in the PCI ID repository (pci.ids 2023.04.11).
const PRODUCTS: [(&str, &str, &str); 2] = [
    ("1ac1", "089a", "Coral PCIe accelerator"),
    ("1e60", "2864", "Hailo-8"),
];

/// Start of the `compatible` strings of NPUs in device trees
/// (Linux `Documentation/devicetree/bindings/gpu/vivante,gc.yaml`; GPUs have the same).
const COMPATIBLE: &str = "vivante,gc";

/// A device tree is not deeper.
const DEPTH: u32 = 8;

pub fn find(root: &Path) -> Vec<Accelerator> {
    let mut found = Vec::new();
    class_devices(root, "dev/accel", "sys/class/accel", "accel", &mut found);
    class_devices(root, "dev/dri", "sys/class/drm", "renderD", &mut found);
    bus_devices(
        root,
        "sys/bus/pci/devices",
        ["vendor", "device"],
        &mut found,
    );
    device_tree(root, "sys/firmware/devicetree/base", DEPTH, &mut found);
    found
}

fn class_devices(
    root: &Path,
    nodes: &str,
    class: &str,
    prefix: &str,
    found: &mut Vec<Accelerator>,
) {
    for name in entries(&root.join(nodes)) {
        if !name.starts_with(prefix) {
            continue;
        }
        let uevent =
            read_text(&root.join(class).join(&name).join("device/uevent")).unwrap_or_default();
        let driver = uevent.lines().find_map(|line| line.strip_prefix("DRIVER="));
        found.push(Accelerator {
            path: format!("/{nodes}/{name}"),
            what: format!("driver {}", driver.unwrap_or("unknown")),
        });
    }
}

fn bus_devices(root: &Path, bus: &str, ids: [&str; 2], found: &mut Vec<Accelerator>) {
    for address in entries(&root.join(bus)) {
        let device = root.join(bus).join(&address);
        let [vendor, product] = ids.map(|id| read_text(&device.join(id)).unwrap_or_default());
        let is = |id: &str, text: &str| text.trim_start_matches("0x") == id;
        let known = PRODUCTS
            .iter()
            .find(|(v, p, _)| is(v, &vendor) && is(p, &product));
        if let Some((_, _, what)) = known {
            found.push(Accelerator {
                path: format!("/{bus}/{address}"),
                what: (*what).into(),
            });
        }
    }
}

fn device_tree(root: &Path, node: &str, depth: u32, found: &mut Vec<Accelerator>) {
    let directory = root.join(node);
    let compatible = read_text(&directory.join("compatible")).unwrap_or_default();
    let status = read_text(&directory.join("status")).unwrap_or_default();
    if let Some(name) = compatible
        .split('\0')
        .find(|name| name.starts_with(COMPATIBLE))
    {
        let state = if status.is_empty() || status == "okay" {
            ""
        } else {
            ", disabled"
        };
        found.push(Accelerator {
            path: format!("/{node}"),
            what: format!("{name}{state}"),
        });
    }
    if depth == 0 {
        return;
    }
    for name in entries(&directory) {
        if directory.join(&name).is_dir() {
            device_tree(root, &format!("{node}/{name}"), depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::probe::Tree;

    #[test]
    fn finds_nodes_buses_and_device_tree() {
        let tree = Tree::new(
            "accelerators",
            &[
                ("dev/accel/accel0", b""),
                (
                    "sys/class/accel/accel0/device/uevent",
                    b"OF_NAME=npu\nDRIVER=rocket\n",
                ),
                ("dev/dri/card0", b""),
                ("dev/dri/renderD128", b""),
                ("sys/bus/pci/devices/0000:01:00.0/vendor", b"0x1e60\n"),
                ("sys/bus/pci/devices/0000:01:00.0/device", b"0x2864\n"),
                (
                    "sys/firmware/devicetree/base/soc/npu@1/compatible",
                    b"vivante,gc\0",
                ),
                (
                    "sys/firmware/devicetree/base/soc/npu@2/compatible",
                    b"vivante,gc\0",
                ),
                (
                    "sys/firmware/devicetree/base/soc/npu@2/status",
                    b"disabled\0",
                ),
            ],
        );
        let found: Vec<_> = find(&tree.0)
            .into_iter()
            .map(|accelerator| (accelerator.path, accelerator.what))
            .collect();
        let expected = [
            ("/dev/accel/accel0", "driver rocket"),
            ("/dev/dri/renderD128", "driver unknown"),
            ("/sys/bus/pci/devices/0000:01:00.0", "Hailo-8"),
            ("/sys/firmware/devicetree/base/soc/npu@1", "vivante,gc"),
            (
                "/sys/firmware/devicetree/base/soc/npu@2",
                "vivante,gc, disabled",
            ),
        ];
        assert_eq!(
            found,
            expected.map(|(path, what)| (path.to_owned(), what.to_owned()))
        );
    }
}
