//! Damaged models must be refused, or run: never end the process.
//!
//! Every damaged file is loaded in a child process (this test program again), which also runs
//! what it could load; the parent looks at how the child ended.

use edgeai_engine::{Options, load};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHILD: &str = "EDGEAI_DAMAGE_CHILD";

pub fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("edgeai-engine-{}-{name}", std::process::id()))
}

/// xorshift64: the same damage at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }
}

/// What happened to the file.
fn damaged(whole: &[u8], seed: usize) -> Vec<u8> {
    let mut random =
        Random(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut bytes = whole.to_vec();
    match seed % 4 {
        0 => bytes.truncate(random.below(whole.len())),
        // The root, the vtables and offsets that follow it.
        1 => {
            for _ in 0..=random.below(4) {
                let at = random.below(whole.len().min(4096));
                bytes[at] ^= 1 << random.below(8);
            }
        }
        // Tables of tensors and operators stand at the end of what converters write.
        2 => {
            let tail = whole.len().min(64 * 1024);
            let at = whole.len() - tail + random.below(tail);
            bytes[at] = u8::try_from(random.below(256)).expect("a byte");
        }
        _ => {
            let at = random.below(whole.len().saturating_sub(4).max(1));
            let value = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff][random.below(5)];
            for (byte, new) in bytes[at..].iter_mut().zip(value.to_le_bytes()) {
                *byte = new;
            }
        }
    }
    bytes
}

/// Loads and runs `count` damaged versions of `model` from `first` on.
fn load_damaged(model: &Path, first: usize, count: usize) {
    let whole = std::fs::read(model).expect("the good model");
    let path = scratch("damaged");
    for seed in first..first + count {
        std::fs::write(&path, damaged(&whole, seed)).expect("scratch file");
        println!("damage {seed}");
        match load(&path, &Options::default()) {
            Err(error) => println!("  refused: {error}"),
            Ok(mut engine) => println!("  loaded, ran: {}", engine.invoke().is_ok()),
        }
    }
    std::fs::remove_file(&path).expect("scratch file");
}

/// Not a test of its own: what the child does.
#[test]
fn damage_child() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let mut words = task.splitn(3, ' ');
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    };
    let (first, count) = (number(), number());
    load_damaged(Path::new(words.next().expect("a path")), first, count);
}

fn survive(model: &Path, total: usize) {
    const BATCH: usize = 50;
    for first in (0..total).step_by(BATCH) {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "damage::damage_child", "--nocapture"])
            .env(CHILD, format!("{first} {BATCH} {}", model.display()))
            .output()
            .expect("a child process");
        let text = String::from_utf8_lossy(&output.stdout);
        let last: Vec<_> = text.lines().rev().take(4).collect();
        assert_eq!(
            output.status.signal(),
            None,
            "{}: {last:?}",
            model.display()
        );
        assert!(
            output.status.success(),
            "{}: {last:?}\n{}",
            model.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn damaged_models_do_not_end_the_process() {
    if !super::runtime_present() {
        return;
    }
    survive(&super::data("affine.tflite"), 1000);
    survive(&super::data("quantised.tflite"), 1000);
    let count = std::env::var("EDGEAI_DAMAGE_COUNT")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100);
    match std::env::var_os("EDGEAI_TEST_MODEL") {
        Some(model) => survive(Path::new(&model), count),
        None => eprintln!("EDGEAI_TEST_MODEL is not set: small models only"),
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = std::fs::read(super::data("affine.tflite")).expect("the good model");
    let path = scratch("truncated");
    for length in 0..whole.len() - 1 {
        std::fs::write(&path, &whole[..length]).expect("scratch file");
        // Only bytes that nothing refers to may be missing: what is accepted must be refused
        // by nobody later, which the damage test looks at.
        if load(&path, &Options::default()).is_ok() {
            assert!(
                whole.len() - length < 8,
                "{length} of {} bytes were accepted",
                whole.len()
            );
        }
    }
    std::fs::remove_file(&path).expect("scratch file");
}
