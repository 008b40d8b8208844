//! Bytes into records, whatever the bytes are.

use crate::bytes::Content;
use crate::writer::{FRAMING, kind};
use crate::{
    Evaluation, Frame, Gap, Header, MAGIC, MAX_RECORD, Memory, Model, Record, Sampled, Sighting,
    VERSION, Window,
};
use std::io::{self, Read};

/// Where the first record begins: behind magic and version.
const FIRST: u64 = (MAGIC.len() + size_of_val(&VERSION)) as u64;

/// Why a recording cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Not a recording.
    #[error("not a recording: it does not begin with \"edgerec\"")]
    NotARecording,
    /// From another version of this program.
    #[error("a recording of format {0}; this program reads formats up to {VERSION}")]
    Version(u32),
    /// The file ends within a record, as after a power cut. All before it is good.
    #[error("the recording is cut off at byte {position}")]
    CutOff {
        /// Where the record that is not whole begins.
        position: u64,
    },
    /// A record whose checksum is wrong, or that no program of this version writes. All before it is good.
    #[error("the recording is damaged at byte {position}: {reason}")]
    Damaged {
        /// Where the record begins.
        position: u64,
        /// One line.
        reason: &'static str,
    },
    /// The file cannot be read.
    #[error("reading the recording failed at byte {position}: {error}")]
    Io {
        /// Where the record begins.
        position: u64,
        /// What the system says.
        error: io::Error,
    },
}

/// Reads one recording. After an error, or the end, it gives nothing more.
pub struct Reader<R: Read> {
    input: R,
    header: Header,
    position: u64,
    pub(crate) content: Vec<u8>,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a recording. `input` had better be buffered.
    ///
    /// # Errors
    /// Not a recording, another version, or damaged.
    pub fn new(input: R) -> Result<Self, RecordingError> {
        let mut reader = Self {
            input,
            header: Header::default(),
            position: 0,
            content: Vec::new(),
            done: false,
        };
        let mut magic = [0; MAGIC.len()];
        let mut version = [0; 4];
        for part in [&mut magic[..], &mut version[..]] {
            if let Err(error) = reader.input.read_exact(part) {
                return Err(match error.kind() {
                    io::ErrorKind::UnexpectedEof => RecordingError::NotARecording,
                    _ => RecordingError::Io { position: 0, error },
                });
            }
        }
        if magic != MAGIC {
            return Err(RecordingError::NotARecording);
        }
        let version = u32::from_le_bytes(version);
        if !(1..=VERSION).contains(&version) {
            return Err(RecordingError::Version(version));
        }
        let position = FIRST;
        reader.position = position;
        match reader.record()? {
            Some(Record::Header(header)) => reader.header = header,
            Some(_) => {
                return Err(RecordingError::Damaged {
                    position,
                    reason: "it does not begin with its header",
                });
            }
            None => return Err(RecordingError::CutOff { position }),
        }
        Ok(reader)
    }

    /// Where the recording comes from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes read so far: where the next record begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next record; none after the last.
    ///
    /// # Errors
    /// Damaged, cut off, or unreadable from here on.
    pub fn record(&mut self) -> Result<Option<Record>, RecordingError> {
        if self.done {
            return Ok(None);
        }
        let position = self.position;
        let record = self.read(position);
        match &record {
            Ok(Some(Record::Header(_))) if position != FIRST => {
                self.done = true;
                return Err(RecordingError::Damaged {
                    position,
                    reason: "a second header",
                });
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => self.done = true,
        }
        record
    }

    fn read(&mut self, position: u64) -> Result<Option<Record>, RecordingError> {
        let mut head = [0; 5];
        match self.fill(&mut head, position)? {
            0 => return Ok(None),
            5 => {}
            _ => return Err(RecordingError::CutOff { position }),
        }
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        let damaged = |reason| RecordingError::Damaged { position, reason };
        if !(kind::HEADER..=kind::LAST).contains(&kind) {
            return Err(damaged("no such kind of record"));
        }
        if length > MAX_RECORD {
            return Err(damaged("a record longer than any can be"));
        }
        // Grows with what is really there: a length alone costs nothing.
        self.content.clear();
        let wanted = u64::from(length) + 4;
        let read = (&mut self.input)
            .take(wanted)
            .read_to_end(&mut self.content)
            .map_err(|error| RecordingError::Io { position, error })?;
        let content = self.content.split_last_chunk::<4>();
        let (Some((content, checksum)), true) = (content, read as u64 == wanted) else {
            return Err(RecordingError::CutOff { position });
        };
        let mut expected = crc32fast::Hasher::new();
        expected.update(&head);
        expected.update(content);
        if expected.finalize() != u32::from_le_bytes(*checksum) {
            return Err(damaged("its checksum is wrong"));
        }
        let record = decode(kind, content).map_err(damaged)?;
        self.position += FRAMING + u64::from(length);
        Ok(Some(record))
    }

    /// As many bytes as there are; an interrupted read is tried again.
    fn fill(&mut self, buffer: &mut [u8], position: u64) -> Result<usize, RecordingError> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RecordingError::Io { position, error }),
            }
        }
        Ok(count)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.record().transpose()
    }
}

fn decode(kind: u8, content: &[u8]) -> Result<Record, &'static str> {
    let content = &mut Content(content);
    let record = match kind {
        kind::HEADER => Record::Header(Header::decode(content)?),
        kind::MODEL => Record::Model(Model::decode(content)?),
        kind::RULES => Record::Rules,
        kind::RESET => Record::Reset {
            anew: content.u32()?,
        },
        kind::FRAME => Record::Frame(Frame::decode(content)?),
        kind::WINDOW => Record::Window(window(content)?),
        kind::SIGHTING => Record::Sighting(Sighting::decode(content)?),
        kind::EVALUATION => Record::Evaluation(Evaluation::decode(content)?),
        kind::GAP => Record::Gap(Gap {
            frames: content.u64()?,
            decisions: content.u64()?,
        }),
        kind::END => Record::End,
        kind::STATE => Record::State(content.raw(content.0.len())?.to_vec()),
        kind::MEMORY => Record::Memory(Memory::decode(content)?),
        kind::SAMPLES => Record::Samples(Sampled::decode(content)?),
        _ => return Err("no such kind of record"),
    };
    content.end()?;
    Ok(record)
}

fn window(content: &mut Content<'_>) -> Result<Window, &'static str> {
    let mut window = Window {
        model: content.u8()?,
        sequence: content.u32()?,
        captured: content.time()?,
        samples: Vec::new(),
    };
    window.samples.reserve_exact(content.0.len() / 4);
    while !content.0.is_empty() {
        window.samples.push(content.f32()?);
    }
    Ok(window)
}
