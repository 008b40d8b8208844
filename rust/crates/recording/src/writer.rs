//! Records into bytes.

use crate::bytes::Fields;
use crate::{Gap, Header, MAGIC, MAX_RECORD, Record, VERSION, Window};
use std::io::{self, Write};

/// Number of each kind of record.
pub(crate) mod kind {
    pub const HEADER: u8 = 1;
    pub const MODEL: u8 = 2;
    pub const RULES: u8 = 3;
    pub const RESET: u8 = 4;
    pub const FRAME: u8 = 5;
    pub const WINDOW: u8 = 6;
    pub const SIGHTING: u8 = 7;
    pub const EVALUATION: u8 = 8;
    pub const GAP: u8 = 9;
    pub const END: u8 = 10;
    pub const STATE: u8 = 11;
    pub const SAMPLES: u8 = 12;
    pub const MEMORY: u8 = 13;
    pub const LAST: u8 = MEMORY;
}

/// Bytes of a record besides its content: kind and length before it, checksum behind it.
pub(crate) const FRAMING: u64 = 1 + 4 + 4;

/// Writes one recording.
pub struct Writer<W: Write> {
    out: W,
    content: Vec<u8>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a recording.
    ///
    /// # Errors
    /// What writing says.
    pub fn new(mut out: W, header: &Header) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut writer = Self {
            out,
            content: Vec::new(),
            written: (MAGIC.len() + size_of_val(&VERSION)) as u64,
        };
        writer.header(header)?;
        Ok(writer)
    }

    fn header(&mut self, header: &Header) -> io::Result<()> {
        self.put(kind::HEADER, |fields| header.encode(fields))
    }

    /// Appends a record.
    ///
    /// # Errors
    /// What writing says; a second [`Record::Header`] and more than [`MAX_RECORD`] bytes are
    /// `InvalidInput`.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Header(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a recording has one header",
            )),
            Record::Model(model) => self.put(kind::MODEL, |fields| model.encode(fields)),
            Record::Rules => self.put(kind::RULES, |_| {}),
            Record::Reset { anew } => self.put(kind::RESET, |fields| fields.u32(*anew)),
            Record::Frame(frame) => self.put(kind::FRAME, |fields| frame.encode(fields)),
            Record::Window(window) => self.put(kind::WINDOW, |fields| window.encode(fields)),
            Record::Sighting(seen) => self.put(kind::SIGHTING, |fields| seen.encode(fields)),
            Record::Evaluation(made) => self.put(kind::EVALUATION, |fields| made.encode(fields)),
            Record::Gap(gap) => self.put(kind::GAP, |fields| gap.encode(fields)),
            Record::State(state) => self.put(kind::STATE, |fields| fields.raw(state)),
            Record::Memory(memory) => self.put(kind::MEMORY, |fields| memory.encode(fields)),
            Record::Samples(made) => self.put(kind::SAMPLES, |fields| made.encode(fields)),
            Record::End => self.put(kind::END, |_| {}),
        }
    }

    fn put(&mut self, kind: u8, encode: impl FnOnce(&mut Fields<'_>)) -> io::Result<()> {
        self.content.clear();
        encode(&mut Fields(&mut self.content));
        let length = u32::try_from(self.content.len())
            .ok()
            .filter(|length| *length <= MAX_RECORD)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a record too long"))?;
        let [a, b, c, d] = length.to_le_bytes();
        let head = [kind, a, b, c, d];
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&head);
        checksum.update(&self.content);
        self.out.write_all(&head)?;
        self.out.write_all(&self.content)?;
        self.out.write_all(&checksum.finalize().to_le_bytes())?;
        self.written += FRAMING + u64::from(length);
        Ok(())
    }

    /// Bytes so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What is written to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Gives back what was written to, without an [`Record::End`].
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl Window {
    fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.model);
        fields.u32(self.sequence);
        fields.time(self.captured);
        for sample in &self.samples {
            fields.f32(*sample);
        }
    }
}

impl Gap {
    fn encode(self, fields: &mut Fields<'_>) {
        fields.u64(self.frames);
        fields.u64(self.decisions);
    }
}
