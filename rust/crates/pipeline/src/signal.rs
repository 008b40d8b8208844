//! The signal thread: owns the lines, evaluates the rules and watches the deadline.

use crate::guard::Guard;
use crate::link::{Event, Handover, Link, report};
use crate::panics::message_of;
use edgeai_config::Appliance;
use edgeai_realtime::{fifo, monotonic_now, prefault_stack};
use edgeai_signal::{Backend, Inputs, Outputs};
use rtrb::{Consumer, Producer};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait before a missing line is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// The thread comes round at least this often.
const IDLE: Duration = Duration::from_millis(250);
/// What it promises to the watchdog each time round.
const PROMISE: Duration = Duration::from_secs(2);

/// The state of the signal thread.
pub struct Signals<B: Backend> {
    guard: Guard<B>,
    inputs: Inputs<B>,
    queue: Consumer<Handover>,
    link: Arc<Link>,
    polls: Vec<libc::pollfd>,
    retry_at: Duration,
}

impl<B: Backend> Signals<B> {
    /// Claims the lines, outputs at their safe level. Lines that are missing are claimed later.
    pub fn new(
        appliance: &Appliance,
        backend: impl Fn() -> B,
        queue: Consumer<Handover>,
        events: Producer<Event>,
        link: Arc<Link>,
    ) -> Self {
        let outputs = Outputs::new(backend(), &appliance.outputs);
        let inputs = Inputs::new(backend(), &appliance.inputs);
        let guard = Guard::new(appliance, outputs, events, Arc::clone(&link));
        let mut signals = Self {
            guard,
            inputs,
            queue,
            link,
            polls: Vec::new(),
            retry_at: Duration::ZERO,
        };
        signals.claim(monotonic_now());
        signals
    }

    /// Once round: inputs, hand-overs, rules, deadline. Returns when to come again at the latest.
    pub fn round(&mut self) -> Duration {
        let now = monotonic_now();
        if self.guard.lines_missing() && now >= self.retry_at {
            self.claim(now);
        }
        if let Err(error) = self.inputs.read(now) {
            self.guard.set_lines(Err(error.to_string()), now);
            self.list_descriptors();
        }
        let mut decided = false;
        while let Ok(handover) = self.queue.pop() {
            match handover {
                Handover::Rules(rules) => self.guard.set_rules(rules),
                Handover::Sighting(sighting) => {
                    self.guard.see(&sighting, self.inputs.levels());
                    decided = true;
                }
                Handover::Fault(reason) => self.guard.fault(reason, now),
            }
        }
        if !decided {
            self.guard.decide(now, self.inputs.levels());
        }
        self.guard.watch(monotonic_now());
        let retry = self.guard.lines_missing().then_some(self.retry_at);
        [self.guard.due(now), self.inputs.due(), retry]
            .into_iter()
            .flatten()
            .fold(now + IDLE, Duration::min)
    }

    fn claim(&mut self, now: Duration) {
        let outputs = self.guard.outputs().claim();
        let result = outputs.and(self.inputs.claim());
        self.guard
            .set_lines(result.map_err(|error| error.to_string()), now);
        self.retry_at = now + RETRY;
        self.list_descriptors();
    }

    fn list_descriptors(&mut self) {
        let poll = |fd: RawFd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        self.polls.clear();
        self.polls.push(poll(self.link.signal.as_fd().as_raw_fd()));
        self.polls.extend(self.inputs.fds().map(poll));
    }

    /// Sleeps until an edge, a wake-up or `until`.
    fn wait(&mut self, until: Duration) {
        let left = until.saturating_sub(monotonic_now());
        let timeout = libc::timespec {
            // At most IDLE, far below the range of both.
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(0),
            tv_nsec: left.subsec_nanos().into(),
        };
        let count = self.polls.len() as libc::nfds_t;
        // SAFETY: `polls` are `count` pollfds, `timeout` lives through the call, no signal mask.
        unsafe {
            libc::ppoll(
                self.polls.as_mut_ptr(),
                count,
                &raw const timeout,
                std::ptr::null(),
            )
        };
        // Whatever woke us, coming round looks at everything.
        let _ = self.link.signal.read();
    }
}

/// Starts the thread "signal". When it ends, and if it panics, the outputs are safe.
pub fn spawn<B>(
    mut signals: Signals<B>,
    mut own_events: Producer<Event>,
    priority: u8,
) -> io::Result<JoinHandle<()>>
where
    B: Backend + Send + 'static,
    B::Output: Send,
    B::Input: Send,
{
    thread::Builder::new()
        .name("signal".into())
        .stack_size(crate::STACK)
        .spawn(move || {
            let link = Arc::clone(&signals.link);
            if let Err(error) = fifo(priority) {
                let message = format!("signal thread without SCHED_FIFO: {error}");
                report(
                    &mut own_events,
                    &link,
                    Event::Message(log::Level::Warn, message),
                );
            }
            prefault_stack();
            let ended = catch_unwind(AssertUnwindSafe(|| {
                while !link.stopping() {
                    link.signal_promises(PROMISE);
                    let until = signals.round();
                    signals.wait(until);
                }
            }));
            let panic = ended
                .err()
                .map(|payload| format!("signal thread panicked: {}", message_of(&*payload)));
            signals.guard.close(panic);
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Reason, Sighting, wake};
    use edgeai_config::Level;
    use edgeai_rules::Rules;
    use edgeai_signal::simulated::Bench;
    use rtrb::RingBuffer;
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    const DESCRIPTION: &str = r#"
        camera = { device = "/dev/null", size = [64, 48] }
        model = { file = "/nonexistent" }
        deadline = { frame_to_action_ms = 2000 }
        output = [{ name = "lamp", line = "lamp", safe = "low" }]
        rule = [{ name = "r", when = { class = "Person", score = 0.5 }, then = { output = "lamp", level = "low" } }]
    "#;

    /// Waits for a level; the limit is for a thread that never comes, not for a slow machine.
    fn becomes(bench: &Bench, level: Level) -> bool {
        let end = Instant::now() + Duration::from_secs(60);
        while bench.level("lamp") != level && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        bench.level("lamp") == level
    }

    #[test]
    fn the_thread_wakes_for_a_frame_for_its_deadline_and_for_the_end() {
        let appliance = edgeai_config::parse("test.toml", DESCRIPTION).unwrap();
        let bench = Bench::new(&["lamp"]);
        let link = Arc::new(Link::new().unwrap());
        let (mut queue, handovers) = RingBuffer::new(8);
        let (events, mut reporter) = RingBuffer::new(64);
        let (own_events, _own_reporter) = RingBuffer::new(8);
        let signals = Signals::new(
            &appliance,
            || bench.clone(),
            handovers,
            events,
            Arc::clone(&link),
        );
        let thread = spawn(signals, own_events, appliance.realtime.signal_priority).unwrap();

        let rules = Rules::new(&appliance, &["???".into(), "Person".into()]).unwrap();
        assert!(queue.push(Handover::Rules(Box::new(rules))).is_ok());
        let mut see_nobody = |sequence| {
            let sighting = Sighting::new(sequence, monotonic_now(), &[]);
            assert!(queue.push(Handover::Sighting(sighting)).is_ok());
            wake(&link.signal);
        };
        see_nobody(1);
        assert!(becomes(&bench, Level::High), "a frame acts");
        link.arm(2, monotonic_now());
        assert!(
            becomes(&bench, Level::Low),
            "a frame that never ends makes safe"
        );
        see_nobody(3);
        assert!(becomes(&bench, Level::High), "a frame in time ends it");
        link.stop.store(true, Ordering::Release);
        wake(&link.signal);
        thread.join().unwrap();
        assert_eq!(bench.level("lamp"), Level::Low);
        let events = std::iter::from_fn(|| reporter.pop().ok());
        let reasons: Vec<_> = events
            .filter_map(|event| {
                if let Event::Safe(reason) = event {
                    Some(reason)
                } else {
                    None
                }
            })
            .collect();
        assert!(
            matches!(reasons[..], [Reason::DeadlineMissed { sequence: 2, .. }]),
            "{reasons:?}"
        );
    }
}
