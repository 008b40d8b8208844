//! A directory of recordings that stays within its limits.

use crate::{Header, Model, Reader, Record, RecordingError, Writer};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Recordings are `recording-<number>.edgerec`.
pub const EXTENSION: &str = "edgerec";
const PREFIX: &str = "recording-";

/// Writes one run into files of limited size, and deletes the oldest of too many.
///
/// Each file begins with its header and what is known of the models, so that it can be read alone.
pub struct Files {
    directory: PathBuf,
    file_bytes: u64,
    count: usize,
    header: Header,
    models: Vec<Model>,
    next_part: u32,
    open: Option<Writer<BufWriter<File>>>,
}

impl Files {
    /// Files in `directory`, which is made with the first record, each of about `file_bytes` at most, and
    /// at most `count` of them. `header.part` is counted here.
    #[must_use]
    pub fn new(directory: &Path, file_bytes: u64, count: usize, header: Header) -> Self {
        Self {
            directory: directory.to_owned(),
            file_bytes,
            count: count.max(1),
            header,
            models: Vec::new(),
            next_part: 0,
            open: None,
        }
    }

    /// Whether the file has its size. The next [`Record::State`] begins a new one, so that what
    /// follows can be decided again without the files before it.
    #[must_use]
    pub fn full(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.written() >= self.file_bytes)
    }

    /// The part of the run that the next record goes to; one after it, if that is a [`Record::State`] and
    /// the file is full.
    #[must_use]
    pub fn part(&self) -> u32 {
        // Counted on when a file begins.
        let open = u32::from(self.open.is_some());
        self.next_part.saturating_sub(open)
    }

    /// Ends the file although no state came: what the rules remember is not known in the next one
    /// until it does.
    ///
    /// # Errors
    /// What the disk says.
    pub fn split(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), Self::close)
    }

    /// Appends a record; a state begins a new file if this one is full.
    ///
    /// # Errors
    /// What the disk says. The file is ended there: the next record begins a new one.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        if let Record::Model(model) = record {
            self.models.retain(|known| known.index != model.index);
            self.models.push(model.clone());
        }
        if matches!(record, Record::State(_)) && self.full() {
            self.split()?;
        }
        let mut writer = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        writer.write(record)?;
        self.open = Some(writer);
        Ok(())
    }

    /// Hands over to the system what is still in memory.
    ///
    /// # Errors
    /// What the disk says; the file is ended there.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(mut writer) = self.open.take() else {
            return Ok(());
        };
        writer.get_mut().flush()?;
        self.open = Some(writer);
        Ok(())
    }

    /// Ends the recording in order.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(mut self) -> io::Result<()> {
        self.split()
    }

    fn close(mut writer: Writer<BufWriter<File>>) -> io::Result<()> {
        writer.write(&Record::End)?;
        writer.into_inner().flush()
    }

    fn begin(&mut self) -> io::Result<Writer<BufWriter<File>>> {
        fs::create_dir_all(&self.directory)?;
        let mut numbers = numbers(&self.directory)?;
        // Room for the new one first: on a full disk that is what makes it possible.
        while numbers.len() >= self.count {
            fs::remove_file(self.path(numbers.remove(0)))?;
        }
        let number = numbers.last().map_or(0, |last| last.wrapping_add(1));
        let file = File::create_new(self.path(number))?;
        let header = Header {
            part: self.next_part,
            started: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |time| time.as_secs()),
            ..self.header.clone()
        };
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 16, file), &header)?;
        for model in &self.models {
            writer.write(&Record::Model(model.clone()))?;
        }
        self.next_part += 1;
        Ok(writer)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory
            .join(format!("{PREFIX}{number:06}.{EXTENSION}"))
    }
}

/// Numbers of the recordings in a directory, ascending.
fn numbers(directory: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(EXTENSION))
            .and_then(|number| number.strip_suffix('.')?.parse::<u32>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The files that are to be read for `path`: itself, or, of a directory, the parts of its newest run in
/// order.
///
/// # Errors
/// The directory cannot be read, or has no recording.
pub fn parts(path: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error| RecordingError::Io { position: 0, error };
    let mut parts = Vec::new();
    let mut run = None;
    for number in numbers(path).map_err(unreadable)?.into_iter().rev() {
        let file = path.join(format!("{PREFIX}{number:06}.{EXTENSION}"));
        let reader = Reader::new(BufReader::new(File::open(&file).map_err(unreadable)?));
        // A file that a power cut left without its header has nothing to say.
        let Ok(reader) = reader else { continue };
        if *run.get_or_insert(reader.header().run) != reader.header().run {
            break;
        }
        parts.push(file);
    }
    parts.reverse();
    if parts.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no recording in this directory");
        return Err(unreadable(error));
    }
    Ok(parts)
}
