//! Keeping a program running. Time and processes come in from outside.

use crate::EDGEAI;
use crate::backoff::Backoff;
use crate::notify::{self, Message};
use crate::process::Processes;
use log::{info, warn};
use nix::sys::signal::Signal;
use std::time::Duration;

/// A ready `edgeai run` that has given no sign of life for this long is killed. It gives
/// one every 2 s; the margin is for a machine under load, not for a working pipeline.
const SILENCE: Duration = Duration::from_secs(10);
/// Time for `edgeai safe` to let go of the lines.
const RELEASE: Duration = Duration::from_millis(500);

/// One supervised program.
pub struct Unit {
    name: String,
    exec: Vec<String>,
    /// What runs in its place while it waits to be started again.
    stand_in: Option<Vec<String>>,
    /// Whether it speaks the notify protocol.
    notifies: bool,
    backoff: Backoff,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Running {
        pid: i32,
        since: Duration,
        heard: Option<Duration>,
        killed: bool,
    },
    /// To be started at `until`; `stand_in` runs meanwhile.
    Waiting {
        until: Duration,
        stand_in: Option<i32>,
    },
    /// The stand-in has been told to end; it is killed at `until`.
    Releasing { stand_in: i32, until: Duration },
}

impl Unit {
    /// `edgeai run`, with `edgeai safe` holding the outputs between its runs.
    pub fn edgeai_run() -> Self {
        Self {
            stand_in: Some(vec![EDGEAI.to_owned(), "safe".to_owned()]),
            notifies: true,
            ..Self::service(
                "edgeai run".to_owned(),
                vec![EDGEAI.to_owned(), "run".to_owned()],
            )
        }
    }

    /// A `[[service]]` of the image.
    pub fn service(name: String, exec: Vec<String>) -> Self {
        Self {
            name,
            exec,
            stand_in: None,
            notifies: false,
            backoff: Backoff::default(),
            state: State::Waiting {
                until: Duration::ZERO,
                stand_in: None,
            },
        }
    }

    /// Does what is due: starts it, kills it when silent, relieves the stand-in.
    pub fn turn(&mut self, now: Duration, system: &mut dyn Processes) {
        match &mut self.state {
            State::Running {
                pid,
                heard: Some(heard),
                killed,
                ..
            } if !*killed && now.saturating_sub(*heard) > SILENCE => {
                warn!(
                    "{}: no sign of life for {} s, killed",
                    self.name,
                    SILENCE.as_secs()
                );
                system.signal(*pid, Signal::SIGKILL);
                *killed = true;
            }
            State::Waiting {
                until,
                stand_in: Some(stand_in),
            } if now >= *until => {
                // It holds the lines that the program needs: first one out, then the other in.
                system.signal(*stand_in, Signal::SIGTERM);
                self.state = State::Releasing {
                    stand_in: *stand_in,
                    until: now + RELEASE,
                };
            }
            State::Waiting {
                until,
                stand_in: None,
            } if now >= *until => self.start(now, system),
            State::Releasing { stand_in, until } if now >= *until => {
                system.signal(*stand_in, Signal::SIGKILL);
                *until = now + RELEASE;
            }
            _ => {}
        }
    }

    /// When `turn` has something to do at the latest.
    pub fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Running {
                heard: Some(heard),
                killed: false,
                ..
            } => Some(*heard + SILENCE + Duration::from_millis(1)),
            State::Running { .. } => None,
            State::Waiting { until, .. } | State::Releasing { until, .. } => Some(*until),
        }
    }

    /// A process has ended. Answers whether it was one of this unit's.
    pub fn ended(
        &mut self,
        pid: i32,
        how: &str,
        now: Duration,
        system: &mut dyn Processes,
    ) -> bool {
        match &mut self.state {
            State::Running {
                pid: own, since, ..
            } if *own == pid => {
                let ran = now.saturating_sub(*since);
                // Whatever it had started must not keep the camera or the lines.
                system.signal(pid, Signal::SIGKILL);
                self.wait(&format!("exited ({how})"), ran, now, system);
                true
            }
            State::Waiting { stand_in, .. } if *stand_in == Some(pid) => {
                warn!("{}: stand-in ended early ({how})", self.name);
                *stand_in = None;
                true
            }
            State::Releasing { stand_in, .. } if *stand_in == pid => {
                self.start(now, system);
                true
            }
            _ => false,
        }
    }

    /// A message from `edgeai run`. Once it has said that it is ready, it has to go on
    /// giving signs of life.
    pub fn heard(&mut self, message: &Message, now: Duration) {
        if let State::Running { heard, .. } = &mut self.state
            && self.notifies
            && (message.ready || (message.alive && heard.is_some()))
        {
            *heard = Some(now);
        }
    }

    fn start(&mut self, now: Duration, system: &mut dyn Processes) {
        let environment = [("NOTIFY_SOCKET", notify::PATH)];
        let environment = if self.notifies { &environment[..] } else { &[] };
        match system.spawn(&self.exec, environment) {
            Ok(pid) => {
                self.state = State::Running {
                    pid,
                    since: now,
                    heard: None,
                    killed: false,
                };
            }
            Err(error) => {
                self.wait(
                    &format!("cannot be started ({error})"),
                    Duration::ZERO,
                    now,
                    system,
                );
            }
        }
    }

    fn wait(&mut self, why: &str, ran: Duration, now: Duration, system: &mut dyn Processes) {
        let delay = self.backoff.after(ran);
        info!("{} {why}, restart in {} ms", self.name, delay.as_millis());
        let stand_in = match &self.stand_in {
            Some(exec) if !delay.is_zero() => system.spawn(exec, &[]).ok(),
            _ => None,
        };
        self.state = State::Waiting {
            until: now + delay,
            stand_in,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes what is asked of it; process ids count up from 100.
    #[derive(Default)]
    struct Script {
        asked: Vec<String>,
        spawned: i32,
        refuse: bool,
    }

    impl Processes for Script {
        fn spawn(&mut self, exec: &[String], environment: &[(&str, &str)]) -> std::io::Result<i32> {
            if self.refuse {
                return Err(std::io::Error::from_raw_os_error(2));
            }
            self.spawned += 1;
            self.asked
                .push(format!("{} {}", exec[1], environment.len()));
            Ok(99 + self.spawned)
        }

        fn signal(&mut self, pid: i32, signal: Signal) {
            self.asked.push(format!("{signal} {pid}"));
        }
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_failure_restarts_at_once_the_second_through_safe() {
        let (mut unit, mut system) = (Unit::edgeai_run(), Script::default());
        unit.turn(at(0), &mut system);
        assert!(unit.ended(100, "exit 1", at(10), &mut system));
        assert_eq!(unit.due(), Some(at(10)));
        unit.turn(at(10), &mut system);
        assert_eq!(system.asked, ["run 1", "SIGKILL 100", "run 1"]);

        system.asked.clear();
        assert!(unit.ended(101, "exit 1", at(20), &mut system));
        unit.turn(at(269), &mut system);
        assert_eq!(system.asked, ["SIGKILL 101", "safe 0"]);
        unit.turn(at(270), &mut system);
        assert_eq!(system.asked[2..], ["SIGTERM 102"]);
        // Not before the stand-in has let go of the lines.
        unit.turn(at(300), &mut system);
        assert_eq!(system.asked.len(), 3);
        assert!(unit.ended(102, "exit 0", at(310), &mut system));
        assert_eq!(system.asked[3..], ["run 1"]);
    }

    #[test]
    fn a_stand_in_that_does_not_let_go_is_killed() {
        let (mut unit, mut system) = (Unit::edgeai_run(), Script::default());
        unit.state = State::Waiting {
            until: at(0),
            stand_in: Some(7),
        };
        unit.turn(at(0), &mut system);
        unit.turn(at(499), &mut system);
        unit.turn(at(500), &mut system);
        assert_eq!(system.asked, ["SIGTERM 7", "SIGKILL 7"]);
    }

    #[test]
    fn a_stand_in_that_ends_early_does_not_stop_the_restart() {
        let (mut unit, mut system) = (Unit::edgeai_run(), Script::default());
        unit.state = State::Waiting {
            until: at(50),
            stand_in: Some(7),
        };
        assert!(unit.ended(7, "exit 1", at(10), &mut system));
        unit.turn(at(50), &mut system);
        assert_eq!(system.asked, ["run 1"]);
    }

    #[test]
    fn silence_counts_once_ready() {
        let (mut unit, mut system) = (Unit::edgeai_run(), Script::default());
        let alive = Message {
            alive: true,
            ..Message::default()
        };
        let ready = Message {
            ready: true,
            ..Message::default()
        };
        unit.turn(at(0), &mut system);
        unit.heard(&alive, at(1));
        assert_eq!(unit.due(), None);
        unit.turn(at(100_000), &mut system);
        unit.heard(&ready, at(100_000));
        unit.heard(&alive, at(105_000));
        unit.turn(at(115_000), &mut system);
        assert_eq!(system.asked, ["run 1"]);
        unit.turn(at(115_001), &mut system);
        unit.turn(at(115_002), &mut system);
        assert_eq!(system.asked[1..], ["SIGKILL 100"]);
        assert_eq!(unit.due(), None);
    }

    #[test]
    fn a_program_that_cannot_start_backs_off() {
        let (mut unit, mut system) = (
            Unit::service("s".into(), vec!["/x".into()]),
            Script {
                refuse: true,
                ..Script::default()
            },
        );
        unit.turn(at(0), &mut system);
        assert_eq!(unit.due(), Some(at(0)));
        unit.turn(at(0), &mut system);
        assert_eq!(unit.due(), Some(at(250)));
        assert!(!unit.ended(5, "exit 0", at(1), &mut system));
    }
}
