//! Damaged models must be refused, or run: never end the process.
//!
//! Every damaged file is loaded in a child process (this test program again), which also runs
//! what it could load; the parent looks at how the child ended.

use edgeai_engine::{Options, Runtime, load};
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

/// What may be in place of a number: none, a few, too many, and negative ones.
const NUMBERS: [u32; 8] = [0, 1, 2, 3, 1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// Ways to damage a file.
#[derive(Clone, Copy)]
enum Damage {
    /// Every aligned word in turn becomes each of [`NUMBERS`].
    Words,
    /// Cut off, or a few bits or bytes changed somewhere.
    Random,
}

impl Damage {
    fn apply(self, whole: &[u8], number: usize) -> Vec<u8> {
        match self {
            Self::Random => at_random(whole, number),
            Self::Words => {
                let mut bytes = whole.to_vec();
                let word = bytes.iter_mut().skip(number / NUMBERS.len() * 4);
                let value = NUMBERS[number % NUMBERS.len()].to_le_bytes();
                word.zip(value).for_each(|(byte, new)| *byte = new);
                bytes
            }
        }
    }
}

/// What happened to the file.
fn at_random(whole: &[u8], seed: usize) -> Vec<u8> {
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
fn load_damaged(model: &Path, damage: Damage, first: usize, count: usize) {
    let whole = std::fs::read(model).expect("the good model");
    let path = scratch("damaged");
    for seed in first..first + count {
        std::fs::write(&path, damage.apply(&whole, seed)).expect("scratch file");
        println!("damage {seed}");
        for (variable, runtime) in [
            ("EDGEAI_LITERT", Runtime::Litert),
            ("EDGEAI_TFLITE", Runtime::Tflite),
        ] {
            if std::env::var_os(variable).is_none() {
                continue;
            }
            let options = Options {
                runtime,
                ..Options::default()
            };
            match load(&path, &options) {
                Err(error) => println!("  {runtime:?} refused: {error}"),
                Ok(mut engine) => println!("  {runtime:?} ran: {}", engine.invoke().is_ok()),
            }
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
    let words: Vec<&str> = task.splitn(4, ' ').collect();
    let [damage, first, count, model] = words[..] else {
        panic!("{task}")
    };
    let damage = match damage {
        "words" => Damage::Words,
        _ => Damage::Random,
    };
    let number = |word: &str| word.parse().expect("a number");
    load_damaged(Path::new(model), damage, number(first), number(count));
}

fn survive(model: &Path, damage: Damage, total: usize) {
    const BATCH: usize = 200;
    let name = match damage {
        Damage::Words => "words",
        Damage::Random => "random",
    };
    for first in (0..total).step_by(BATCH) {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "damage::damage_child", "--nocapture"])
            .env(CHILD, format!("{name} {first} {BATCH} {}", model.display()))
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
    for model in [
        "affine.tflite",
        "chain.tflite",
        "quantised.tflite",
        "two_inputs.tflite",
    ] {
        let model = super::data(model);
        let bytes = std::fs::metadata(&model).expect("the good model").len();
        let words = usize::try_from(bytes / 4).expect("small");
        survive(&model, Damage::Words, words * NUMBERS.len());
        survive(&model, Damage::Random, 500);
    }
    let count = std::env::var("EDGEAI_DAMAGE_COUNT")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100);
    let model = std::env::var_os("EDGEAI_TEST_MODEL").map(PathBuf::from);
    let directory = || std::env::var_os("EDGEAI_MODEL").map(PathBuf::from);
    match model.or_else(|| Some(directory()?.join("model.tflite"))) {
        Some(model) => survive(&model, Damage::Random, count),
        None => eprintln!("SKIPPED: neither EDGEAI_TEST_MODEL nor EDGEAI_MODEL is set"),
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
