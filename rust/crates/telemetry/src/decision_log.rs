//! Decisions as JSON lines in a few files of limited size.

use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Records that may wait for the disk.
const QUEUE: usize = 256;
/// A file is rotated before it would grow beyond this, in bytes.
const FILE_BYTES: u64 = 1 << 20;
/// Files kept: `decisions.jsonl` and `decisions.jsonl.1`, the newest of the old, to `.3`.
const FILES: u32 = 4;
/// Stack of the writing thread: in a process with locked memory all of it is locked.
const STACK: usize = 256 * 1024;
/// How long to leave a directory alone that cannot be written.
const RETRY: Duration = Duration::from_secs(30);

/// Appends records from a thread of its own. A record that cannot be kept, because the queue or
/// the disk is full, is dropped and counted.
pub struct DecisionLog {
    queue: Option<SyncSender<String>>,
    dropped: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl DecisionLog {
    /// Logs to `decisions.jsonl` in `directory`, which is made when the first record comes.
    #[must_use]
    pub fn start(directory: &Path) -> Self {
        let (queue, records) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut files = Files::new(directory, FILE_BYTES);
        let lost = Arc::clone(&dropped);
        let writer = thread::Builder::new()
            .name("decision-log".into())
            .stack_size(STACK)
            .spawn(move || write_all(&records, &mut files, &lost))
            .inspect_err(|error| log::warn!("decision log: {error}"))
            .ok();
        Self {
            queue: Some(queue),
            dropped,
            writer,
        }
    }

    /// Queues one record; never waits.
    pub fn append(&self, record: &impl Serialize) {
        let queued = match (&self.queue, serde_json::to_string(record)) {
            (Some(queue), Ok(mut line)) => {
                line.push('\n');
                queue.try_send(line).is_ok()
            }
            _ => false,
        };
        if !queued {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Records dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until the queue is written, at most `limit`.
    pub fn finish(mut self, limit: Duration) {
        self.queue = None;
        let end = Instant::now() + limit;
        if let Some(writer) = &self.writer {
            while !writer.is_finished() && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn write_all(records: &Receiver<String>, files: &mut Files, dropped: &AtomicU64) {
    let mut not_before: Option<Instant> = None;
    for record in records {
        if not_before.is_some_and(|time| Instant::now() < time) {
            dropped.fetch_add(1, Relaxed);
            continue;
        }
        let failed = files.append(&record).inspect_err(|error| {
            log::warn!(
                "decision log: {}: {error}; records are dropped and counted",
                files.newest.display()
            );
        });
        not_before = failed.is_err().then(|| Instant::now() + RETRY);
        if failed.is_err() {
            dropped.fetch_add(1, Relaxed);
        }
    }
}

/// The newest file and its predecessors.
struct Files {
    newest: PathBuf,
    limit: u64,
    open: Option<(File, u64)>,
}

impl Files {
    fn new(directory: &Path, limit: u64) -> Self {
        Self {
            newest: directory.join("decisions.jsonl"),
            limit,
            open: None,
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let (mut file, mut length) = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let grown = length + line.len() as u64;
        if grown > self.limit && length > 0 {
            drop(file);
            self.rotate()?;
            (file, length) = self.open()?;
        }
        if let Err(error) = file.write_all(line.as_bytes()) {
            // Half a line would spoil the next one.
            file.set_len(length)?;
            return Err(error);
        }
        self.open = Some((file, length + line.len() as u64));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        if let Some(directory) = self.newest.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.newest)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    fn rotate(&self) -> io::Result<()> {
        for age in (1..FILES).rev() {
            let younger = if age == 1 {
                self.newest.clone()
            } else {
                self.old(age - 1)
            };
            match fs::rename(younger, self.old(age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn old(&self, age: u32) -> PathBuf {
        self.newest.with_extension(format!("jsonl.{age}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    /// A directory that goes away with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let name = format!(
                "edgeai-telemetry-{}-{}",
                std::process::id(),
                NUMBER.fetch_add(1, Relaxed)
            );
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn records_are_json_lines() {
        let directory = Directory::new();
        let log = DecisionLog::start(&directory.0);
        log.append(&serde_json::json!({"frame": 1}));
        log.append(&serde_json::json!({"frame": 2}));
        assert_eq!(log.dropped(), 0);
        log.finish(Duration::from_secs(10));
        let text = fs::read_to_string(directory.0.join("decisions.jsonl")).unwrap();
        assert_eq!(text, "{\"frame\":1}\n{\"frame\":2}\n");
    }

    #[test]
    fn four_files_of_limited_size_are_kept() {
        let directory = Directory::new();
        let mut files = Files::new(&directory.0, 20);
        for number in 0..10 {
            files.append(&format!("line {number}\n")).unwrap();
        }
        // Two lines of 7 bytes fit into 20: 8 of the last lines survive.
        let mut names: Vec<_> = fs::read_dir(&directory.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "decisions.jsonl",
                "decisions.jsonl.1",
                "decisions.jsonl.2",
                "decisions.jsonl.3"
            ]
        );
        let newest = fs::read_to_string(directory.0.join("decisions.jsonl")).unwrap();
        let oldest = fs::read_to_string(directory.0.join("decisions.jsonl.3")).unwrap();
        assert_eq!(
            (newest.as_str(), oldest.as_str()),
            ("line 8\nline 9\n", "line 2\nline 3\n")
        );
    }

    #[test]
    fn an_existing_log_is_continued() {
        let directory = Directory::new();
        Files::new(&directory.0, 1000).append("old\n").unwrap();
        Files::new(&directory.0, 1000).append("new\n").unwrap();
        assert_eq!(
            fs::read_to_string(directory.0.join("decisions.jsonl")).unwrap(),
            "old\nnew\n"
        );
    }

    #[test]
    fn a_full_disk_is_an_error_and_records_are_counted() {
        let (queue, records) = sync_channel(8);
        let dropped = AtomicU64::new(0);
        // A directory that cannot be made stands for every failure of the disk.
        let mut files = Files::new(Path::new("/dev/null/log"), 1000);
        for _ in 0..3 {
            queue.send(String::from("line\n")).unwrap();
        }
        drop(queue);
        write_all(&records, &mut files, &dropped);
        assert_eq!(dropped.load(Relaxed), 3);
    }
}
