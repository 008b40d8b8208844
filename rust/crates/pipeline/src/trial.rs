//! Models that are not the image's own are loaded in a process of their own first: one that kills it is
//! refused, and this process goes on.

use edgeai_config::Model;
use edgeai_engine::rehearse;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Here lies what came with the image: read-only, and its bytes are verified.
const IMAGE: &str = "/usr";
/// How long a trial may take: half of what the thread promises to the watchdog while it loads a model.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a refused model is not tried again unless its files change.
const RETRY: Duration = Duration::from_secs(60);

/// What runs a trial: given the description's file and the model's place in it, a command that loads that
/// model and ends with 0 unless that kills it.
#[derive(Debug, Clone)]
pub struct TrialCommand {
    /// The description that is in force.
    pub description: PathBuf,
    /// The command.
    pub command: fn(&Path, usize) -> Command,
}

/// Tries models before they are loaded.
pub struct Trial {
    command: Option<TrialCommand>,
    limit: Duration,
    refused: Mutex<BTreeMap<usize, Refused>>,
}

struct Refused {
    files: Files,
    at: Instant,
    reason: String,
}

/// Inode, size and time of change of the model's files, those that are there.
type Files = [Option<(u64, u64, i64, i64)>; 2];

impl Trial {
    /// Without a command every model is trusted.
    #[must_use]
    pub fn new(command: Option<TrialCommand>) -> Self {
        Self {
            command,
            limit: LIMIT,
            refused: Mutex::default(),
        }
    }

    /// Tries model number `index`. One that was refused is not tried again for a minute, or until its
    /// files change.
    ///
    /// # Errors
    /// One line: it killed the process that loaded it, or did not end.
    pub fn run(&self, index: usize, model: &Model) -> Result<(), String> {
        let Some(trial) = &self.command else {
            return Ok(());
        };
        let directory = edgeai_config::model_directory(&model.file);
        if of_image(&directory) {
            return Ok(());
        }
        let files = ["model.tflite", "model.toml"].map(|name| stamp(&directory.join(name)));
        if files.iter().any(Option::is_none) {
            // Loading will say what is missing.
            return Ok(());
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = refused.get(&index)
            && before.files == files
            && before.at.elapsed() < RETRY
        {
            return Err(before.reason.clone());
        }
        let mut command = (trial.command)(&trial.description, index);
        match rehearse(&mut command, self.limit) {
            Ok(()) => {
                refused.remove(&index);
                Ok(())
            }
            Err(error) => {
                let reason = format!("{}: {error}", directory.display());
                let at = Instant::now();
                let entry = Refused {
                    files,
                    at,
                    reason: reason.clone(),
                };
                refused.insert(index, entry);
                Err(reason)
            }
        }
    }
}

/// Whether a directory is the image's, links followed.
fn of_image(directory: &Path) -> bool {
    fs::canonicalize(directory).is_ok_and(|path| path.starts_with(IMAGE))
}

fn stamp(file: &Path) -> Option<(u64, u64, i64, i64)> {
    let known = fs::metadata(file).ok()?;
    Some((known.ino(), known.size(), known.ctime(), known.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model directory that goes away with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let name = format!("edgeai-trial-{}", std::process::id());
            let directory = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(&directory.0).unwrap();
            directory.write("model.toml", "");
            directory
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Runs the model as a script, and counts in a file beside it.
    fn script(description: &Path, index: usize) -> Command {
        let mut command = Command::new("sh");
        let model = description.join("model.tflite");
        command.arg("-c").arg(format!(
            "echo {index} >> {0}/tried; . {1}",
            description.display(),
            model.display()
        ));
        command
    }

    #[test]
    fn a_model_that_kills_its_process_is_refused_until_it_changes() {
        let directory = Directory::new();
        let text = format!(
            "camera = {{ device = \"/dev/null\", size = [64, 48] }}\nmodel = {{ file = {:?} }}\ndeadline = {{ frame_to_action_ms = 1 }}",
            directory.0
        );
        let appliance = edgeai_config::parse("test.toml", &text).unwrap();
        let model = &appliance.models[0];
        let trial = Trial::new(Some(TrialCommand {
            description: directory.0.clone(),
            command: script,
        }));
        assert_eq!(trial.run(0, model), Ok(()), "loading says what is missing");
        let tried = || fs::read_to_string(directory.0.join("tried")).unwrap_or_default();
        assert_eq!(tried(), "");
        directory.write("model.tflite", "kill -SEGV $$");
        for _ in 0..3 {
            let reason = trial.run(0, model).unwrap_err();
            assert!(reason.contains("it died of signal 11"), "{reason}");
            assert!(
                reason.starts_with(directory.0.to_str().unwrap()),
                "{reason}"
            );
        }
        assert_eq!(tried(), "0\n", "it is not tried again as it is");
        directory.write("model.tflite", "exit 0 # better");
        assert_eq!(trial.run(0, model), Ok(()));
        assert_eq!(trial.run(0, model), Ok(()));
        assert_eq!(tried(), "0\n0\n0\n");
        assert_eq!(Trial::new(None).run(0, model), Ok(()));
    }

    #[test]
    fn the_images_own_models_are_trusted() {
        assert!(of_image(Path::new("/usr/bin/..")));
        for other in ["/usr/../tmp", "/tmp", "/usr/share/edgeai/models/none"] {
            assert!(!of_image(Path::new(other)), "{other}");
        }
    }
}
