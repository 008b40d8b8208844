//! A camera at its end of the cable: a thread that answers its host and sends frames in time.

use super::descriptors::{CLOCK, Format, INTERVALS, PAYLOAD, STREAM};
use super::requests::Functions;
use super::usbip::{self, Command, STALL, TAKEN_BACK, Transfer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bits of the payload header (Video Class 1.1, 2.4.3.3): the frame's parity, its last payload, a time
/// stamp, the end of the header.
const PARITY: u8 = 1;
const LAST: u8 = 2;
const STAMPED: u8 = 4;
const HEADER_ENDS: u8 = 0x80;
const HEADER: usize = 6;

/// A camera that is plugged in.
pub struct Device(Arc<Mutex<State>>);

/// What the thread and the agent share.
struct State {
    functions: Functions,
    /// By `Format as u8`.
    pictures: BTreeMap<u8, Vec<Arc<[u8]>>>,
    frames: usize,
}

/// The thread's own.
struct Cable {
    host: UnixStream,
    state: Arc<Mutex<State>>,
    /// Transfers that the host has room for.
    waiting: VecDeque<(u32, u32)>,
    frame: Option<Frame>,
    parity: u8,
    start: Instant,
    due: Instant,
}

/// A frame on its way.
struct Frame {
    picture: Arc<[u8]>,
    sent: usize,
    stamp: [u8; 4],
}

impl Device {
    pub fn run(host: UnixStream, serial: &str) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            functions: Functions::new(serial),
            pictures: BTreeMap::new(),
            frames: 0,
        }));
        let cable = Cable {
            host,
            state: Arc::clone(&state),
            waiting: VecDeque::new(),
            frame: None,
            parity: 0,
            start: Instant::now(),
            due: Instant::now(),
        };
        std::thread::Builder::new()
            .name("usb-camera".into())
            .spawn(move || cable.serve())?;
        Ok(Self(state))
    }

    pub fn show(&self, format: Format, pictures: Vec<Vec<u8>>) {
        let pictures = pictures.into_iter().map(Arc::from).collect();
        lock(&self.0).pictures.insert(format as u8, pictures);
    }

    pub fn describe(&self) -> Value {
        lock(&self.0).functions.describe()
    }

    pub fn frames(&self) -> usize {
        lock(&self.0).frames
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cable {
    /// Until the cable is pulled.
    fn serve(mut self) {
        while self.turn().is_ok() {}
    }

    fn turn(&mut self) -> anyhow::Result<()> {
        let mut host = [PollFd::new(self.host.as_fd(), PollFlags::POLLIN)];
        if poll(&mut host, self.patience())? > 0 {
            match usbip::receive(&mut self.host)? {
                Command::Submit(transfer) => self.take(&transfer)?,
                Command::Unlink { number, of } => {
                    let before = self.waiting.len();
                    self.waiting.retain(|(waiting, _)| *waiting != of);
                    let status = if self.waiting.len() < before {
                        TAKEN_BACK
                    } else {
                        0
                    };
                    usbip::unlinked(&mut self.host, number, status)?;
                }
            }
        }
        self.begin();
        self.send()?;
        Ok(())
    }

    /// Until the next frame, if there is to be one.
    fn patience(&self) -> PollTimeout {
        if self.frame.is_some() || lock(&self.state).functions.stream.is_none() {
            return PollTimeout::NONE;
        }
        let left = self.due.saturating_duration_since(Instant::now());
        // Not before it is due.
        let left = left.as_millis() + u128::from(!left.is_zero());
        u16::try_from(left).map_or(PollTimeout::MAX, PollTimeout::from)
    }

    fn take(&mut self, transfer: &Transfer) -> io::Result<()> {
        if transfer.endpoint != 0 {
            let stream = u32::from(STREAM & 0x0f);
            if transfer.endpoint == stream && transfer.inward {
                self.waiting.push_back((transfer.number, transfer.length));
                return Ok(());
            }
            return usbip::done(&mut self.host, transfer.number, STALL, 0, &[]);
        }
        let mut state = lock(&self.state);
        let before = state.functions.stream;
        let answer = state.functions.answer(transfer.setup, &transfer.data);
        if state.functions.stream != before {
            self.frame = None;
            self.due = Instant::now();
        }
        drop(state);
        let (status, data) = match answer {
            Some(data) => (0, data),
            None => (STALL, Vec::new()),
        };
        let moved = if transfer.inward {
            u32::try_from(data.len()).unwrap_or_default()
        } else if status == 0 {
            transfer.length
        } else {
            0
        };
        usbip::done(&mut self.host, transfer.number, status, moved, &data)
    }

    /// Takes the next frame, if it is due.
    fn begin(&mut self) {
        let now = Instant::now();
        if self.frame.is_some() || now < self.due {
            return;
        }
        let mut state = lock(&self.state);
        let Some(stream) = state.functions.stream else {
            return;
        };
        // A host that is slow gets fewer frames, not old ones.
        let interval = Duration::from_secs(1) * stream.interval / INTERVALS;
        self.due = (self.due + interval).max(now);
        let pictures = state.pictures.get(&(stream.format as u8));
        let turn = state.frames;
        let Some(picture) = pictures.and_then(|all| all.get(turn.checked_rem(all.len())?)) else {
            return;
        };
        let ticks = now.duration_since(self.start).as_nanos() * u128::from(CLOCK) / 1_000_000_000;
        // The clock begins anew when its 32 bits are full.
        let stamp = u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default();
        self.frame = Some(Frame {
            picture: Arc::clone(picture),
            sent: 0,
            stamp: stamp.to_le_bytes(),
        });
        self.parity ^= PARITY;
        state.frames += 1;
    }

    /// Sends as much of the frame as the host has room for.
    fn send(&mut self) -> io::Result<()> {
        while let Some(frame) = &mut self.frame {
            let Some((number, room)) = self.waiting.pop_front() else {
                break;
            };
            let room = usize::try_from(room.min(PAYLOAD)).unwrap_or_default();
            let rest = frame.picture.get(frame.sent..).unwrap_or_default();
            let part = &rest[..rest.len().min(room.saturating_sub(HEADER))];
            let last = part.len() == rest.len();
            let flags = self.parity | STAMPED | HEADER_ENDS | if last { LAST } else { 0 };
            let [a, b, c, d] = frame.stamp;
            let mut payload = vec![6, flags, a, b, c, d];
            payload.extend_from_slice(part);
            frame.sent += part.len();
            if last {
                self.frame = None;
            }
            let length = u32::try_from(payload.len()).unwrap_or_default();
            usbip::done(&mut self.host, number, 0, length, &payload)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// The host's end of a cable.
    struct Host(UnixStream);

    impl Host {
        fn send(&mut self, words: [u32; 10], setup: [u8; 8], data: &[u8]) {
            let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
            bytes.extend(setup);
            bytes.extend(data);
            self.0.write_all(&bytes).unwrap();
        }

        fn set(&mut self, number: u32, setup: [u8; 8], data: &[u8]) {
            let length = u32::try_from(data.len()).unwrap();
            self.send([1, number, 1, 0, 0, 0, length, 0, 0, 0], setup, data);
        }

        fn offer(&mut self, number: u32, room: u32) {
            self.send([1, number, 1, 1, 1, 0, room, 0, 0, 0], [0; 8], &[]);
        }

        /// Command, number, status and data of the answer; only those up to number 5 have data.
        fn answer(&mut self) -> (u32, u32, i32, Vec<u8>) {
            let mut header = [0; 48];
            self.0.read_exact(&mut header).unwrap();
            let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
            let length = if word(4) <= 5 { word(24) } else { 0 };
            let mut data = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut data).unwrap();
            (word(0), word(4), word(20).cast_signed(), data)
        }
    }

    #[test]
    fn frames_come_in_payloads_that_tell_them_apart() {
        let (device, host) = UnixStream::pair().unwrap();
        let camera = Device::run(device, "A1").unwrap();
        let mut host = Host(host);
        camera.show(Format::Yuyv, vec![(0..12).collect()]);
        for number in 1..=5 {
            host.offer(number, 16);
        }
        let commit = [0x21, 1, 0, 2, 1, 0, 34, 0];
        let mut wish = [0; 34];
        (wish[2], wish[3]) = (Format::Yuyv as u8, 1);
        host.set(6, commit, &wish);
        assert_eq!(host.answer(), (3, 6, 0, Vec::new()));

        let mut parities = Vec::new();
        for number in [1, 3] {
            let (_, first, _, begin) = host.answer();
            let (_, second, _, end) = host.answer();
            assert_eq!((first, second), (number, number + 1));
            assert_eq!(begin[6..], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            assert_eq!(end[6..], [10, 11]);
            assert_eq!(end[1], begin[1] | LAST);
            assert_eq!(begin[1] & !PARITY, STAMPED | HEADER_ENDS);
            assert_eq!(begin[..1], [6]);
            assert_eq!(begin[2..6], end[2..6], "one frame has one time");
            parities.push(begin[1] & PARITY);
        }
        assert_eq!(parities, [1, 0]);

        // The stream ends, with or without a beginning of the next frame.
        host.set(7, [2, 1, 0, 0, STREAM, 0, 0, 0], &[]);
        while host.answer().1 != 7 {}
        // What is not used by then can be taken back.
        host.offer(8, 16);
        for (number, of, expected) in [(9, 8, TAKEN_BACK), (10, 1, 0)] {
            host.send([2, number, 0, 0, 0, of, 0, 0, 0, 0], [0; 8], &[]);
            let (command, answered, status, _) = host.answer();
            assert_eq!((command, answered, status), (4, number, expected));
        }
    }
}
