//! The one loop of PID 1.

use crate::console::monotonic;
use crate::input::PowerKeys;
use crate::notify::Socket;
use crate::process::{System, reap};
use crate::shutdown::{End, end};
use crate::supervisor::Unit;
use crate::watchdog::Watchdog;
use log::{error, info};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::set_cad_enabled;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::AsFd;
use std::time::Duration;

/// The signals PID 1 listens to (`BusyBox`'s convention), as a descriptor.
pub struct Signals(Option<SignalFd>);

impl Signals {
    /// Blocks them and opens the descriptor.
    pub fn block() -> Self {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGCHLD,
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
        ] {
            set.add(signal);
        }
        // Ctrl-Alt-Del becomes SIGINT instead of an immediate reset.
        let _ = set_cad_enabled(false);
        let descriptor = set.thread_block().and_then(|()| {
            SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        });
        if let Err(error) = &descriptor {
            error!("signalfd: {error}");
        }
        Self(descriptor.ok())
    }

    /// The end that a waiting signal asks for, if any; all waiting signals are read.
    fn asked_end(&self) -> Option<End> {
        let mut asked = None;
        while let Some(Ok(Some(info))) = self.0.as_ref().map(SignalFd::read_signal) {
            let signal = i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|n| Signal::try_from(n).ok());
            asked = asked.or(signal.and_then(meaning));
        }
        asked
    }
}

fn meaning(signal: Signal) -> Option<End> {
    match signal {
        Signal::SIGUSR2 => Some(End::PowerOff),
        Signal::SIGTERM | Signal::SIGINT => Some(End::Reboot),
        Signal::SIGUSR1 => Some(End::Halt),
        _ => None,
    }
}

/// All that PID 1 watches.
pub struct MainLoop {
    signals: Signals,
    notify: Socket,
    watchdog: Watchdog,
    keys: PowerKeys,
    units: Vec<Unit>,
    status: Option<String>,
}

impl MainLoop {
    /// `units` are started in their order.
    pub fn new(signals: Signals, notify: Socket, watchdog: Watchdog, units: Vec<Unit>) -> Self {
        Self {
            signals,
            notify,
            watchdog,
            keys: PowerKeys::default(),
            units,
            status: None,
        }
    }

    /// Starts every unit.
    pub fn start(&mut self) {
        for unit in &mut self.units {
            unit.turn(monotonic(), &mut System);
        }
    }

    /// Waits for something to happen and deals with it.
    pub fn turn(&mut self) {
        self.keys.scan(monotonic());
        self.wait();
        let now = monotonic();
        self.watchdog.keep_alive(now);
        if let Some(how) = self.signals.asked_end() {
            end(how);
        }
        if self.keys.pressed() {
            end(End::PowerOff);
        }
        // What a program said before it ended counts before its end does.
        while let Some(message) = self.notify.receive() {
            for unit in &mut self.units {
                unit.heard(&message, now);
            }
            if message.status.is_some() && message.status != self.status {
                self.status = message.status;
                info!("status: {}", self.status.as_deref().unwrap_or_default());
            }
        }
        while let Some((pid, how)) = reap() {
            // Not any unit's: an orphan that only had to be reaped.
            let _ = self
                .units
                .iter_mut()
                .any(|unit| unit.ended(pid, &how, now, &mut System));
        }
        for unit in &mut self.units {
            unit.turn(now, &mut System);
        }
    }

    fn wait(&self) {
        let now = monotonic();
        let dues = self.units.iter().filter_map(Unit::due);
        let due = dues
            .chain(self.watchdog.due())
            .chain([self.keys.due()])
            .min();
        let timeout = timeout(due.unwrap_or(now), now);
        let signals = self.signals.0.as_ref().map(AsFd::as_fd);
        let mut descriptors: Vec<PollFd> = signals
            .into_iter()
            .chain(self.notify.descriptor())
            .chain(self.keys.descriptors())
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        let _ = poll(&mut descriptors, timeout);
    }
}

/// From now to `due`, rounded up so that it is past when poll returns; at most 5 s.
fn timeout(due: Duration, now: Duration) -> PollTimeout {
    let wait = due.saturating_sub(now).min(Duration::from_secs(5));
    let up = Duration::from_nanos(999_999);
    u16::try_from((wait + up).as_millis()).map_or(PollTimeout::ZERO, PollTimeout::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_follow_busybox() {
        assert_eq!(meaning(Signal::SIGUSR2), Some(End::PowerOff));
        assert_eq!(meaning(Signal::SIGTERM), Some(End::Reboot));
        assert_eq!(meaning(Signal::SIGUSR1), Some(End::Halt));
        assert_eq!(meaning(Signal::SIGCHLD), None);
    }

    #[test]
    fn timeouts_round_up_and_end() {
        let us = Duration::from_micros;
        assert_eq!(timeout(us(1_500), us(1_000)), PollTimeout::from(1_u16));
        assert_eq!(timeout(us(1_000), us(1_000)), PollTimeout::ZERO);
        assert_eq!(timeout(us(0), us(1_000)), PollTimeout::ZERO);
        assert_eq!(
            timeout(Duration::from_secs(3600), us(0)),
            PollTimeout::from(5_000_u16)
        );
    }
}
