//! The signal thread: owns the lines, evaluates the rules and watches the deadline.

use crate::evidence::MAX_MODELS;
use crate::guard::Guard;
use crate::home::Guest;
use crate::lane::Inbox;
use crate::link::{Event, Handover, Link, report};
use crate::notes::Notes;
use crate::panics::message_of;
use edgeai_config::{Appliance, Edge};
use edgeai_realtime::{PREFAULT_BYTES, fifo, monotonic_now, prefault_stack};
use edgeai_rules::Rules;
use edgeai_signal::{Backend, Inputs, Outputs, SensorValues};
use rtrb::Producer;
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
/// Its stack, all of which is locked in memory: twice what is touched in advance.
const STACK: usize = 2 * PREFAULT_BYTES;

/// The state of the signal thread.
pub struct Signals<B: Backend> {
    guard: Guard<B>,
    inputs: Inputs<B>,
    sensors: Option<SensorValues>,
    inboxes: Vec<Inbox>,
    link: Arc<Link>,
    polls: Vec<libc::pollfd>,
    /// Every input wakes at both edges: without an edge there is nothing to read.
    edges_tell_all: bool,
    /// An input may have changed.
    look: bool,
    retry_at: Duration,
}

impl<B: Backend> Signals<B> {
    /// Claims the lines, outputs at their safe level. Lines that are missing are claimed later.
    pub fn new(
        appliance: &Appliance,
        backend: impl Fn() -> B,
        inboxes: Vec<Inbox>,
        notes: Option<Notes>,
        events: Producer<Event>,
        link: Arc<Link>,
    ) -> Self {
        let outputs = Outputs::new(backend(), &appliance.outputs);
        let inputs = Inputs::new(backend(), &appliance.inputs);
        let guard = Guard::new(appliance, outputs, notes, events, Arc::clone(&link));
        let mut signals = Self {
            guard,
            inputs,
            sensors: None,
            inboxes: inboxes.into_iter().take(MAX_MODELS).collect(),
            link,
            polls: Vec::new(),
            edges_tell_all: appliance
                .inputs
                .iter()
                .all(|input| input.edge == Edge::Both),
            look: true,
            retry_at: Duration::ZERO,
        };
        signals.claim(monotonic_now());
        signals
    }

    /// Reads these sensors from now on.
    pub fn set_sensors(&mut self, sensors: SensorValues) {
        self.sensors = Some(sensors);
    }

    /// Decides with these rules from now on; for an appliance without models.
    pub fn set_rules(&mut self, rules: Box<Rules>) {
        self.guard.set_rules(rules);
    }

    /// Once round: inputs, sensors, hand-overs, rules, deadline. Returns when to come again at the
    /// latest.
    pub fn round(&mut self) -> Duration {
        let now = monotonic_now();
        if self.guard.lines_missing() && now >= self.retry_at {
            self.claim(now);
        }
        let mut changed = self.read_inputs(now);
        // A pulse that is over: the rules see it pass.
        while self.inputs.passing() {
            self.guard.decide_if(true, now, self.inputs.levels());
            self.inputs.pass();
        }
        if let Some(sensors) = &mut self.sensors {
            changed |= self
                .guard
                .evidence()
                .measure(|values, samples| sensors.read(now, values, samples));
            self.guard.sensors_unknown(sensors.unknown(), now);
        }
        let mut seen = false;
        for (model, inbox) in self.inboxes.iter_mut().enumerate() {
            while let Ok(handover) = inbox.queue.pop() {
                match handover {
                    Handover::Rules(rules) => self.guard.set_rules(rules),
                    Handover::Seen(sighting) => {
                        let old = self.guard.see(sighting, self.inputs.levels());
                        // There are never more on the way than there is room for.
                        let _ = inbox.spare.push(old);
                        seen = true;
                    }
                    Handover::Fault(reason) => self.guard.fault(model, reason, now),
                }
            }
        }
        self.guard
            .decide_if(changed && !seen, now, self.inputs.levels());
        self.guard.watch(monotonic_now());
        self.guard.wake_reporter();
        let retry = self.guard.lines_missing().then_some(self.retry_at);
        let sensors = self.sensors.as_ref().and_then(SensorValues::due);
        // While frames come, half a deadline: then the next frame's deadline lies behind that, and
        // whoever takes it need not wake this thread.
        let idle = if seen {
            IDLE.min(self.link.deadline / 2)
        } else {
            IDLE
        };
        [self.guard.due(), self.inputs.due(), retry, sensors]
            .into_iter()
            .flatten()
            .fold(now + idle, Duration::min)
    }

    /// Reads the inputs if they can have changed; whether they have.
    fn read_inputs(&mut self, now: Duration) -> bool {
        let due = self.inputs.due().is_some_and(|due| due <= now);
        if self.edges_tell_all && !self.look && !due {
            return false;
        }
        match self.inputs.read(now) {
            Ok(changed) => changed,
            Err(error) => {
                self.guard.set_lines(Err(error.to_string()), now);
                self.list_descriptors();
                false
            }
        }
    }

    fn claim(&mut self, now: Duration) {
        let outputs = self.guard.outputs().claim(now);
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
        let inputs = self.inputs.levels().len();
        // Lines without a descriptor have to be read each time.
        self.edges_tell_all &= self.polls.len() > inputs;
        self.look = true;
    }

    /// Sleeps until an edge, a wake-up or `until`.
    pub fn wait(&mut self, until: Duration) {
        self.link.will_sleep(until);
        // A frame that was armed before this thread said until when it sleeps did not wake it.
        if self.guard.due().is_some_and(|due| due < until) {
            return;
        }
        let left = until.saturating_sub(monotonic_now());
        let timeout = libc::timespec {
            // At most IDLE, far below the range of both.
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(0),
            tv_nsec: left.subsec_nanos().into(),
        };
        let count = self.polls.len() as libc::nfds_t;
        // SAFETY: `polls` are `count` pollfds, `timeout` lives through the call, no signal mask.
        let ready = unsafe {
            libc::ppoll(
                self.polls.as_mut_ptr(),
                count,
                &raw const timeout,
                std::ptr::null(),
            )
        };
        let mut polls = self.polls.iter();
        let woken = polls.next().is_some_and(|poll| poll.revents != 0);
        self.look = ready < 0 || polls.any(|poll| poll.revents != 0);
        if woken {
            let _ = self.link.signal.read();
        }
    }

    /// Safe levels, for good.
    fn close(&mut self, reason: Option<String>) {
        self.guard.close(reason);
    }
}

/// Starts the thread "signal", with `SCHED_FIFO` if there is a priority. When it ends, and if it
/// panics, the outputs are safe.
///
/// # Errors
/// No threads left.
pub fn spawn<B>(
    mut signals: Signals<B>,
    mut own_events: Producer<Event>,
    priority: Option<u8>,
) -> io::Result<JoinHandle<()>>
where
    B: Backend + Send + 'static,
    B::Output: Send,
    B::Input: Send,
    B::Pwm: Send,
{
    thread::Builder::new()
        .name("signal".into())
        .stack_size(STACK)
        .spawn(move || {
            let link = Arc::clone(&signals.link);
            let mut warn = |message| {
                let event = Event::Message(log::Level::Warn, message);
                report(&mut own_events, &link, event);
            };
            let real_time = priority.map(fifo);
            if let Some(Err(error)) = &real_time {
                warn(format!("signal thread without SCHED_FIFO: {error}"));
            }
            let mut guest = Guest::new(matches!(real_time, Some(Ok(()))));
            prefault_stack();
            let ended = catch_unwind(AssertUnwindSafe(|| {
                while !link.stopping() {
                    link.signal_promise.give(PROMISE);
                    let until = signals.round();
                    if let Err(error) = guest.follow(&link.home) {
                        warn(format!("signal thread without CPU affinity: {error}"));
                    }
                    signals.wait(until);
                }
            }));
            let panic = ended
                .err()
                .map(|payload| format!("signal thread panicked: {}", message_of(&*payload)));
            signals.close(panic);
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::{Roster, lane};
    use crate::link::{Reason, wake};
    use edgeai_config::Level;
    use edgeai_decode::Names;
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
        let link = Arc::new(Link::new(&appliance).unwrap());
        let (mut lane, inbox) = lane(0);
        let (events, mut reporter) = RingBuffer::new(64);
        let (own_events, _own_reporter) = RingBuffer::new(8);
        let signals = Signals::new(
            &appliance,
            || bench.clone(),
            vec![inbox],
            None,
            events,
            Arc::clone(&link),
        );
        let priority = appliance.realtime.signal_priority;
        let thread = spawn(signals, own_events, Some(priority)).unwrap();

        let names = Names {
            labels: vec!["???".into(), "Person".into()],
            ..Names::default()
        };
        let rules = Roster::new(Arc::new(appliance)).enter(0, &names);
        lane.insist(Handover::Rules(rules.unwrap().unwrap()), &link);
        let mut see_nobody = |sequence| {
            let mut seen = lane.take(&names);
            seen.sighting.sequence = sequence;
            seen.sighting.captured = monotonic_now();
            lane.hand_over(seen, &link);
        };
        see_nobody(1);
        assert!(becomes(&bench, Level::High), "a frame acts");
        link.arm(0, 2, monotonic_now());
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
