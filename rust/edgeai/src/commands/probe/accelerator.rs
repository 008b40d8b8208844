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

/// Vendor and product of USB and PCI devices.
const PRODUCTS: [(&str, &str, &str); 5] = [
    (
        "1a6e",
        "089a",
        "Coral USB accelerator, firmware not loaded yet",
    ),
    ("18d1", "9302", "Coral USB accelerator"),
    ("1ac1", "089a", "Coral PCIe accelerator"),
    ("1e60", "2864", "Hailo-8"),
    ("1e60", "45c4", "Hailo-10/15"),
];

/// Device nodes of drivers outside of the kernel's own accelerator and DRM classes.
const NODES: [(&str, &str); 6] = [
    ("galcore", "Vivante NPU or GPU (galcore)"),
    ("apex_", "Coral PCIe accelerator (gasket)"),
    ("hailo", "Hailo (hailo_pci)"),
    ("rknpu", "Rockchip NPU (rknpu)"),
    ("ethosu", "Arm Ethos-U"),
    ("nvhost-nvdla", "NVIDIA DLA"),
];

/// Parts of `compatible` strings of NPUs in device trees.
const COMPATIBLE: [&str; 6] = [
    "rknn-core",
    "rknpu",
    "ethos-u",
    "nvdla",
    "vivante,gc",
    "amlogic,npu",
];

/// A device tree is not deeper.
const DEPTH: u32 = 8;

pub fn find(root: &Path) -> Vec<Accelerator> {
    let mut found = Vec::new();
    class_devices(root, "dev/accel", "sys/class/accel", "accel", &mut found);
    class_devices(root, "dev/dri", "sys/class/drm", "renderD", &mut found);
    for name in entries(&root.join("dev")) {
        if let Some((_, what)) = NODES.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            found.push(Accelerator {
                path: format!("/dev/{name}"),
                what: (*what).into(),
            });
        }
    }
    bus_devices(
        root,
        "sys/bus/usb/devices",
        ["idVendor", "idProduct"],
        &mut found,
    );
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
        .find(|name| COMPATIBLE.iter().any(|part| name.contains(part)))
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
                ("dev/galcore", b""),
                ("sys/bus/usb/devices/1-1/idVendor", b"18d1\n"),
                ("sys/bus/usb/devices/1-1/idProduct", b"9302\n"),
                ("sys/bus/usb/devices/1-2/idVendor", b"046d\n"),
                ("sys/bus/pci/devices/0000:01:00.0/vendor", b"0x1e60\n"),
                ("sys/bus/pci/devices/0000:01:00.0/device", b"0x2864\n"),
                (
                    "sys/firmware/devicetree/base/soc/npu@1/compatible",
                    b"rockchip,rk3588-rknn-core\0",
                ),
                (
                    "sys/firmware/devicetree/base/soc/npu@2/compatible",
                    b"arm,ethos-u65\0",
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
            ("/dev/galcore", "Vivante NPU or GPU (galcore)"),
            ("/sys/bus/usb/devices/1-1", "Coral USB accelerator"),
            ("/sys/bus/pci/devices/0000:01:00.0", "Hailo-8"),
            (
                "/sys/firmware/devicetree/base/soc/npu@1",
                "rockchip,rk3588-rknn-core",
            ),
            (
                "/sys/firmware/devicetree/base/soc/npu@2",
                "arm,ethos-u65, disabled",
            ),
        ];
        assert_eq!(
            found,
            expected.map(|(path, what)| (path.to_owned(), what.to_owned()))
        );
    }
}
