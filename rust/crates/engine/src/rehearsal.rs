//! A model's first load, in a process that may die of it.

use crate::EngineError;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the child is looked after.
const LOOK: Duration = Duration::from_millis(5);

/// Runs `child`, a command that [`crate::load`]s the model and ends with 0
/// (`edgeai probe --model`), for models whose maker is not the image's: [`crate::verify`]
/// cannot know all that a kernel trusts. At most `limit` long. The child's output goes nowhere.
///
/// # Errors
/// [`EngineError::Refused`]: the child died of a signal, did not end in time, ended with
/// another status, or could not be started.
pub fn rehearse(child: &mut Command, limit: Duration) -> Result<(), EngineError> {
    let refused = |reason: String| {
        Err(EngineError::Refused {
            reason: format!("loading it in a process of its own: {reason}"),
        })
    };
    child
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = match child.spawn() {
        Ok(running) => running,
        Err(error) => return refused(error.to_string()),
    };
    let start = Instant::now();
    loop {
        match running.try_wait() {
            Ok(None) if start.elapsed() < limit => sleep(LOOK),
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return refused(status.signal().map_or_else(
                    || status.to_string(),
                    |signal| format!("it died of signal {signal}"),
                ));
            }
            outcome => {
                // Gone already, if these fail.
                let _ = running.kill();
                let _ = running.wait();
                return refused(match outcome {
                    Err(error) => error.to_string(),
                    Ok(_) => format!("not done after {limit:?}"),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_the_child_is_the_answer() {
        let shell = |script: &str, limit| {
            let mut command = Command::new("sh");
            rehearse(command.args(["-c", script]), limit).map_err(|error| error.to_string())
        };
        let long = Duration::from_secs(60);
        assert_eq!(shell("exit 0", long), Ok(()));
        for (script, limit, word) in [
            ("exit 3", long, "exit status: 3"),
            ("kill -SEGV $$", long, "signal 11"),
            ("sleep 60", Duration::from_millis(20), "not done after 20ms"),
        ] {
            let text = shell(script, limit).expect_err(script);
            assert!(text.contains(word), "{text}");
        }
        let mut missing = Command::new("/nonexistent/edgeai");
        assert!(rehearse(&mut missing, long).is_err());
    }
}
