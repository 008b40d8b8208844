//! CPU, kernel, memory, and what the kernel lets a real-time thread do.

use super::read_text;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
pub struct System {
    /// Model of the device tree or of the firmware tables.
    pub board: Option<String>,
    pub cpu: Option<String>,
    /// Cores this process may use.
    pub cores: usize,
    /// Those that inference kernels look for.
    pub cpu_features: Vec<String>,
    /// Release and version, as `uname -rv`.
    pub kernel: Option<String>,
    pub memory_kb: Option<u64>,
    pub memory_available_kb: Option<u64>,
}

/// Instruction sets that XNNPACK has kernels for.
const FEATURES: [&str; 18] = [
    "sse2",
    "ssse3",
    "sse4_1",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "amx_int8",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sme",
];

impl System {
    pub fn read(root: &Path) -> Self {
        let cpu = read_text(&root.join("proc/cpuinfo")).unwrap_or_default();
        let memory = read_text(&root.join("proc/meminfo")).unwrap_or_default();
        let kernel = |file: &str| read_text(&root.join("proc/sys/kernel").join(file));
        let features = field(&cpu, "flags")
            .or_else(|| field(&cpu, "Features"))
            .unwrap_or_default();
        Self {
            board: read_text(&root.join("sys/firmware/devicetree/base/model"))
                .or_else(|| read_text(&root.join("sys/class/dmi/id/product_name"))),
            cpu: field(&cpu, "model name").or_else(|| arm_part(&cpu)),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu_features: FEATURES
                .iter()
                .filter(|feature| {
                    features
                        .split_whitespace()
                        .any(|present| present == **feature)
                })
                .map(|&feature| feature.to_owned())
                .collect(),
            kernel: kernel("osrelease")
                .map(|release| format!("{release} {}", kernel("version").unwrap_or_default())),
            memory_kb: kilobytes(&memory, "MemTotal"),
            memory_available_kb: kilobytes(&memory, "MemAvailable"),
        }
    }
}

#[derive(Serialize)]
pub struct Realtime {
    /// `uname -v` says `PREEMPT_RT`.
    pub preempt_rt: bool,
    /// Why a thread of this process may not become `SCHED_FIFO`; absent: it may.
    pub fifo_refused: Option<String>,
    /// Soft limit of `RLIMIT_RTPRIO`.
    pub rtprio_limit: Option<String>,
    /// Soft limit of `RLIMIT_MEMLOCK`, bytes.
    pub memlock_limit: Option<String>,
}

impl Realtime {
    pub fn read(root: &Path) -> Self {
        let version = read_text(&root.join("proc/sys/kernel/version")).unwrap_or_default();
        let limits = read_text(&root.join("proc/self/limits")).unwrap_or_default();
        // The policy of a thread that ends at once: nothing of this process changes.
        let fifo = std::thread::spawn(|| edgeai_realtime::fifo(1)).join();
        Self {
            preempt_rt: version.split_whitespace().any(|word| word == "PREEMPT_RT"),
            fifo_refused: match fifo {
                Ok(result) => result.err().map(|error| error.to_string()),
                Err(_) => Some("the attempt failed".into()),
            },
            rtprio_limit: soft_limit(&limits, "Max realtime priority"),
            memlock_limit: soft_limit(&limits, "Max locked memory"),
        }
    }
}

/// Value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// Arm's `/proc/cpuinfo` has numbers only.
fn arm_part(cpu: &str) -> Option<String> {
    let implementer = field(cpu, "CPU implementer")?;
    let part = field(cpu, "CPU part")?;
    let name = match (implementer.as_str(), part.as_str()) {
        ("0x41", "0xd03") => "Cortex-A53",
        ("0x41", "0xd04") => "Cortex-A35",
        ("0x41", "0xd05") => "Cortex-A55",
        ("0x41", "0xd07") => "Cortex-A57",
        ("0x41", "0xd08") => "Cortex-A72",
        ("0x41", "0xd09") => "Cortex-A73",
        ("0x41", "0xd0b") => "Cortex-A76",
        ("0x41", "0xd42") => "Cortex-A78AE",
        ("0x41", "0xd46") => "Cortex-A510",
        _ => return Some(format!("implementer {implementer}, part {part}")),
    };
    Some(name.into())
}

fn kilobytes(memory: &str, name: &str) -> Option<u64> {
    field(memory, name)?.strip_suffix("kB")?.trim().parse().ok()
}

/// The first of the two values after `name` in `/proc/self/limits`.
fn soft_limit(limits: &str, name: &str) -> Option<String> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::probe::Tree;

    #[test]
    fn reads_an_arm_board() {
        let tree = Tree::new("arm", &[
            ("proc/cpuinfo", b"processor\t: 0\nFeatures\t: fp asimd asimddp crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"),
            ("proc/meminfo", b"MemTotal:        8123456 kB\nMemAvailable:    7000000 kB\n"),
            ("proc/sys/kernel/osrelease", b"6.18.0\n"),
            ("proc/sys/kernel/version", b"#1 SMP PREEMPT_RT Mon Jan  1\n"),
            ("proc/self/limits", b"Max realtime priority     99                   99                   \nMax locked memory         8388608              8388608              bytes\n"),
            ("sys/firmware/devicetree/base/model", b"Raspberry Pi 5 Model B\0"),
        ]);
        let system = System::read(&tree.0);
        assert_eq!(system.board.as_deref(), Some("Raspberry Pi 5 Model B"));
        assert_eq!(system.cpu.as_deref(), Some("Cortex-A76"));
        assert_eq!(system.cpu_features, ["asimd", "asimddp"]);
        assert_eq!(
            system.kernel.as_deref(),
            Some("6.18.0 #1 SMP PREEMPT_RT Mon Jan  1")
        );
        assert_eq!(
            (system.memory_kb, system.memory_available_kb),
            (Some(8_123_456), Some(7_000_000))
        );
        let realtime = Realtime::read(&tree.0);
        assert!(realtime.preempt_rt);
        assert_eq!(realtime.rtprio_limit.as_deref(), Some("99"));
        assert_eq!(realtime.memlock_limit.as_deref(), Some("8388608"));
    }

    #[test]
    fn preempt_dynamic_is_not_preempt_rt() {
        let tree = Tree::new(
            "dynamic",
            &[("proc/sys/kernel/version", b"#1 SMP PREEMPT_DYNAMIC x\n")],
        );
        assert!(!Realtime::read(&tree.0).preempt_rt);
    }
}
