//! Every output at its safe level, and nothing else.

use edgeai_config::Appliance;
use edgeai_realtime::monotonic_now;
use edgeai_signal::{Outputs, backend};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::AsFd;

/// Time between attempts to claim a line that is missing.
const RETRY_MS: u16 = 500;

/// SIGTERM and SIGINT, blocked for the calling thread and all it starts from now on.
pub fn blocked_terminations() -> io::Result<SigSet> {
    let mut terminate = SigSet::empty();
    terminate.add(Signal::SIGTERM);
    terminate.add(Signal::SIGINT);
    terminate.thread_block()?;
    Ok(terminate)
}

/// Claims every output at its safe level and holds it there until SIGTERM or SIGINT. A missing
/// line does not stop the others; it is claimed when it comes.
///
/// # Errors
/// When the process cannot wait for signals.
pub fn hold_safe(appliance: &Appliance) -> io::Result<()> {
    let terminate = blocked_terminations()?;
    let signals = SignalFd::with_flags(&terminate, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut outputs = Outputs::new(backend(&appliance.gpio), &appliance.outputs);
    let mut told = None;
    loop {
        let state = match outputs.claim(monotonic_now()) {
            Ok(()) => "safe: all outputs are held at their safe level".to_owned(),
            Err(error) => format!("safe: {error}; retrying"),
        };
        if told.as_ref() != Some(&state) {
            log::info!("{state}");
            told = Some(state);
        }
        let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut waiting, PollTimeout::from(RETRY_MS));
        if let Ok(Some(_)) = signals.read_signal() {
            return Ok(());
        }
    }
}
