//! Which delegate an appliance asks for, or this machine has hardware for.

use edgeai_config::Accelerator;
use std::fs;
use std::path::Path;

/// A delegate to try.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// Name of the device in the report.
    pub name: String,
    /// Path, or name on the loader's search path.
    pub library: String,
}

/// Short names and their libraries: Mesa's Teflon (docs.mesa3d.org/teflon.html), `VeriSilicon`'s
/// `VxDelegate` and Arm Ethos-U's (both NXP i.MX Machine Learning User's Guide), Coral's Edge TPU
/// (coral.ai/docs/edgetpu/inference).
const NAMED: [(&str, &str); 4] = [
    ("teflon", "libteflon.so"),
    ("vx", "libvx_delegate.so"),
    ("edgetpu", "libedgetpu.so.1"),
    ("ethosu", "libethosu_delegate.so"),
];

/// Kernel drivers that Teflon works with, and the device class each shows up in
/// (docs.mesa3d.org/teflon.html). Etnaviv drives GPUs without an NPU too: Teflon then refuses.
const TEFLON: [(&str, &str, &str); 2] = [
    ("sys/class/accel", "accel", "rocket"),
    ("sys/class/drm", "renderD", "etnaviv"),
];

/// The delegate `accelerator` stands for on the machine whose file system starts at `root`;
/// `None` is the CPU. The error is one line.
pub fn choose(accelerator: &Accelerator, root: &Path) -> Result<Option<Choice>, String> {
    match accelerator {
        Accelerator::Cpu => Ok(None),
        Accelerator::Auto => {
            let found = TEFLON
                .iter()
                .any(|(class, prefix, driver)| driven(&root.join(class), prefix, driver));
            if found {
                named("teflon").map(Some)
            } else {
                Ok(None)
            }
        }
        Accelerator::Named(name) => named(name).map(Some),
        Accelerator::Library(path) => {
            let stem = path
                .file_name()
                .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
            let stem = stem.split(".so").next().unwrap_or(&stem);
            Ok(Some(Choice {
                name: stem.strip_prefix("lib").unwrap_or(stem).to_owned(),
                library: path.to_string_lossy().into_owned(),
            }))
        }
    }
}

fn named(name: &str) -> Result<Choice, String> {
    let library = NAMED.iter().find(|(known, _)| *known == name);
    library
        .map(|(name, library)| Choice {
            name: (*name).to_owned(),
            library: (*library).to_owned(),
        })
        .ok_or_else(|| {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            format!(
                "unknown accelerator `{name}`: expected auto, cpu, {} or the absolute path of a delegate library",
                names.join(", ")
            )
        })
}

/// Whether a device of `class` whose name starts with `prefix` is bound to `driver`.
fn driven(class: &Path, prefix: &str, driver: &str) -> bool {
    let Ok(devices) = fs::read_dir(class) else {
        return false;
    };
    devices.flatten().any(|device| {
        device.file_name().to_string_lossy().starts_with(prefix)
            && fs::read_to_string(device.path().join("device/uevent")).is_ok_and(|uevent| {
                uevent
                    .lines()
                    .any(|line| line.strip_prefix("DRIVER=") == Some(driver))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn names_and_paths() {
        let root = Path::new("/nonexistent");
        assert_eq!(choose(&Accelerator::Cpu, root), Ok(None));
        assert_eq!(choose(&Accelerator::Auto, root), Ok(None));
        let library = Accelerator::Library(PathBuf::from("/opt/npu/libnpu_delegate.so.2"));
        assert_eq!(
            choose(&library, root),
            Ok(Some(Choice {
                name: "npu_delegate".into(),
                library: "/opt/npu/libnpu_delegate.so.2".into()
            }))
        );
        let unknown = choose(&Accelerator::Named("gpu".into()), root);
        let text = unknown.expect_err("not a name");
        assert!(text.contains("`gpu`") && text.contains("teflon"), "{text}");
    }

    #[test]
    fn auto_takes_teflon_where_a_driver_of_it_is_bound() {
        let root = std::env::temp_dir().join(format!("edgeai-discover-{}", std::process::id()));
        let device = root.join("sys/class/drm/renderD129/device");
        fs::create_dir_all(&device).expect("scratch tree");
        for (driver, found) in [("amdgpu", false), ("etnaviv", true), ("etnaviv2", false)] {
            fs::write(
                device.join("uevent"),
                format!("OF_NAME=npu\nDRIVER={driver}\n"),
            )
            .expect("scratch file");
            let choice = choose(&Accelerator::Auto, &root).expect("no error");
            assert_eq!(
                choice.map(|choice| choice.library),
                found.then(|| "libteflon.so".to_owned()),
                "{driver}"
            );
        }
        fs::remove_dir_all(&root).expect("scratch tree");
    }
}
