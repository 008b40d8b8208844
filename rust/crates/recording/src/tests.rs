use super::*;
use edgeai_config::{Colour, Day, Matrix, PixelFormat, Range, Samples};
use edgeai_decode::{Detection, Findings, Names, Point};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

fn header() -> Header {
    Header {
        run: 7,
        part: 0,
        started: 1_800_000_000,
        program: "edgeai 0.1.0".into(),
        image: "2026.11".into(),
        appliance: "[deadline]\nframe_to_action_ms = 100\n".into(),
    }
}

fn detection(class: u16, points: u16) -> Detection {
    Detection {
        class,
        score: 0.25,
        x_min: 0.0,
        y_min: 0.125,
        x_max: 1.0,
        y_max: 0.5,
        track: 9,
        points,
    }
}

fn every_kind() -> Vec<Record> {
    let mut frame = Frame::with_room(64);
    frame.camera = 1;
    frame.format = PixelFormat::Nv12;
    frame.colour = Colour {
        matrix: Matrix::Bt709,
        range: Range::Full,
    };
    (frame.width, frame.height) = (4, 4);
    frame.sequence = 3;
    frame.captured = Duration::from_nanos(1_234_567_890_123);
    assert!(frame.fill([(&[1_u8; 20][..], 5), (&[2; 8], 4)].into_iter()));
    let mut evaluation = Evaluation {
        now: Duration::from_nanos(42),
        wall: Some((Day::Sun, 86_399)),
        fresh: 2,
        input_count: 3,
        inputs: 5,
        sensors_fresh: 1 << 63,
        driven: 1,
        safe: true,
        ..Evaluation::default()
    };
    evaluation.sensors[0] = Some(-0.0);
    evaluation.sensors[63] = Some(f64::MAX);
    evaluation.decision = Decision {
        levels: 2,
        active: 1 << 63,
        started: 1,
        counters: [0; MAX_COUNTERS],
    };
    evaluation.decision.counters[1] = u64::MAX;
    vec![
        Record::Model(Model {
            index: 1,
            runtime: "LiteRT 2.3.0".into(),
            weights: [1; 32],
            description: [2; 32],
            names: Names {
                labels: vec!["???".into(), "Person".into()],
                points: vec!["nose".into()],
                values: vec!["score".into()],
            },
        }),
        Record::Rules,
        Record::Frame(frame),
        Record::Window(Window {
            model: 1,
            sequence: 2,
            captured: Duration::from_secs(1),
            samples: vec![1.0, -2.5],
        }),
        Record::Sighting(Sighting {
            model: 1,
            sequence: 3,
            captured: Duration::from_secs(2),
            detections: vec![detection(1, 0)],
            points: vec![Point {
                x: 0.5,
                y: 0.25,
                score: 1.0,
            }],
            values: vec![0.75],
        }),
        Record::Samples(Sampled::new(
            62,
            &[Samples::of(-1.5).merge(Samples::of(0.25)), Samples::NONE],
        )),
        Record::Evaluation(evaluation),
        Record::State(vec![1, 2, 3]),
        Record::Memory(Memory {
            model: 1,
            bytes: vec![1, 2, 0],
        }),
        Record::Gap(Gap {
            frames: 1,
            decisions: 2,
        }),
        Record::Reset { anew: 5 },
        Record::End,
    ]
}

fn recording(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    let written = writer.written();
    let bytes = writer.into_inner();
    assert_eq!(bytes.len() as u64, written);
    bytes
}

#[test]
fn every_record_comes_back_as_it_was() {
    let records = every_kind();
    let bytes = recording(&records);
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    assert_eq!(reader.header(), &header());
    let read: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(read, records);
    assert_eq!(reader.position(), bytes.len() as u64);
}

#[test]
fn the_bytes_are_those_of_the_manual() {
    let bytes = recording(&[Record::Gap(Gap {
        frames: 1,
        decisions: 258,
    })]);
    assert_eq!(bytes[..12], *b"edgerec\n\x03\0\0\0");
    let gap = &bytes[bytes.len() - 25..];
    assert_eq!(gap[..5], [9, 16, 0, 0, 0]);
    assert_eq!(gap[5..21], [1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(gap[21..], crc32fast::hash(&gap[..21]).to_le_bytes());
}

#[test]
fn wherever_it_is_cut_off_all_before_is_good_and_the_place_is_told() {
    let records = every_kind();
    let bytes = recording(&records);
    let mut borders = vec![recording(&[]).len()];
    for count in 1..=records.len() {
        borders.push(recording(&records[..count]).len());
    }
    for length in 0..bytes.len() {
        let Ok(mut reader) = Reader::new(&bytes[..length]) else {
            assert!(length < borders[0], "{length}");
            continue;
        };
        let whole = borders.iter().filter(|border| **border <= length).count() - 1;
        for record in &records[..whole] {
            assert_eq!(reader.record().unwrap().as_ref(), Some(record), "{length}");
        }
        match reader.record() {
            Ok(None) => assert_eq!(borders[whole], length),
            Err(RecordingError::CutOff { position }) => {
                assert_eq!(position, borders[whole] as u64);
            }
            other => panic!("{length}: {other:?}"),
        }
        assert!(matches!(reader.record(), Ok(None)), "an error is told once");
    }
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_is() {
    let bytes = recording(&every_kind());
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let read: Result<Vec<_>, _> = Reader::new(damaged.as_slice()).and_then(Iterator::collect);
        assert!(read.is_err(), "byte {place}");
    }
}

/// A record whose checksum is right and whose content is not.
fn forged(kind: u8, content: &[u8]) -> RecordingError {
    let mut bytes = recording(&[]);
    let mut record = vec![kind];
    record.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    record.extend(content);
    record.extend(crc32fast::hash(&record).to_le_bytes());
    bytes.extend(record);
    Reader::new(bytes.as_slice()).unwrap().record().unwrap_err()
}

#[test]
fn forged_contents_are_refused() {
    for (kind, content, reason) in [
        (0, vec![], "no such kind"),
        (14, vec![], "no such kind"),
        (13, vec![], "shorter than its fields"),
        (13, vec![0; 2 + MAX_MEMORY], "more than a model remembers"),
        (12, vec![0, 17], "more channels than a sensor has"),
        (
            12,
            [vec![63, 2], vec![0; 80]].concat(),
            "channels that there cannot be",
        ),
        (3, vec![0], "longer than its fields"),
        (9, vec![0; 15], "shorter than its fields"),
        (5, vec![0; 7], "shorter than its fields"),
        (5, vec![0; 48], "no such frame size"),
        (7, [vec![0; 13], vec![255; 20]].concat(), "shorter"),
        (
            8,
            [vec![0; 8], vec![7], vec![0; 100]].concat(),
            "no such day",
        ),
    ] {
        let error = forged(kind, &content).to_string();
        assert!(error.contains(reason), "{kind}: {error}");
    }
    let header = forged(1, &[0; 28]).to_string();
    assert!(header.contains("a second header"), "{header}");
}

#[test]
fn a_length_alone_does_not_cost_memory() {
    let mut bytes = recording(&[]);
    bytes.push(5);
    bytes.extend(MAX_RECORD.to_le_bytes());
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let cut = reader.record().unwrap_err();
    assert!(matches!(cut, RecordingError::CutOff { .. }), "{cut}");
    assert!(reader.content.capacity() < 1 << 20);
    bytes.truncate(bytes.len() - 4);
    bytes.extend((MAX_RECORD + 1).to_le_bytes());
    let error = Reader::new(bytes.as_slice()).unwrap().record().unwrap_err();
    assert!(error.to_string().contains("longer than any"), "{error}");
}

#[test]
fn other_files_and_versions_are_told_apart() {
    assert!(matches!(
        Reader::new(&b"\x89PNG\r\n\x1a\n\0\0\0\0"[..]),
        Err(RecordingError::NotARecording)
    ));
    let mut bytes = recording(&[]);
    for (version, known) in [(0, false), (1, true), (2, true), (3, true), (4, false)] {
        bytes[8] = version;
        let read = Reader::new(bytes.as_slice());
        assert_eq!(read.is_ok(), known, "{version}");
        if let Err(error) = read {
            assert!(matches!(error, RecordingError::Version(told) if told == u32::from(version)));
        }
    }
}

#[test]
fn a_frame_without_room_is_left_out() {
    let mut frame = Frame::with_room(10);
    let room = frame.bytes.capacity();
    let bytes = vec![3; room + 1];
    assert!(!frame.fill([(&bytes[..1], 1), (&bytes[..room], 1)].into_iter()));
    assert_eq!(frame.planes().count(), 0);
    assert!(frame.fill([(&bytes[..room], 5)].into_iter()));
    assert_eq!(frame.planes().collect::<Vec<_>>(), [(&bytes[..room], 5)]);
    assert_eq!(frame.bytes.capacity(), room);
}

#[test]
fn of_too_much_the_best_is_kept_and_no_detection_refers_to_nothing() {
    let many: Vec<_> = (0..150).map(|number| detection(number, number)).collect();
    let points = vec![
        Point {
            x: 0.0,
            y: 0.0,
            score: 0.5
        };
        300
    ];
    let mut sighting = Sighting::with_room(2, 1);
    let findings = Findings {
        detections: &many,
        points: &points,
        values: &[1.0, 2.0],
    };
    sighting.fill(&findings, 2);
    assert_eq!(sighting.detections, many[..MAX_DETECTIONS]);
    assert_eq!((sighting.points.len(), sighting.values.len()), (200, 1));
    let findings = Findings {
        points: &points[..21],
        ..findings
    };
    sighting.fill(&findings, 2);
    assert_eq!(sighting.detections.len(), 10);
}

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("edgeai-recording-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_rotated_and_each_stands_alone() {
    let directory = Directory::new();
    let model = every_kind().remove(0);
    for _ in 0..2 {
        // Two runs; of the first nothing remains.
        let mut files = Files::new(&directory.0, 400, 2, header());
        files.write(&model).unwrap();
        for _ in 0..40 {
            files.write(&Record::Reset { anew: 0 }).unwrap();
            let (full, part) = (files.full(), files.part());
            files.write(&Record::State(vec![5])).unwrap();
            assert!(!full || !files.full(), "a state begins a new file");
            assert_eq!(files.part(), part + u32::from(full));
        }
        files.finish().unwrap();
    }
    let parts = parts(&directory.0).unwrap();
    assert_eq!(parts.len(), 2);
    let mut last_part = None;
    for path in parts {
        let bytes = fs::read(path).unwrap();
        assert!(bytes.len() < 400 + 200);
        let reader = Reader::new(bytes.as_slice()).unwrap();
        let part = reader.header().part;
        assert!(last_part.is_none_or(|last| part == last + 1));
        last_part = Some(part);
        let records: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(
            (records.first(), records.get(1), records.last()),
            (
                Some(&model),
                Some(&Record::State(vec![5])),
                Some(&Record::End)
            )
        );
    }
}

#[test]
fn a_directory_without_a_recording_is_said_to_be_so() {
    let directory = Directory::new();
    fs::create_dir_all(&directory.0).unwrap();
    fs::write(directory.0.join("recording-000001.edgerec"), b"").unwrap();
    let error = parts(&directory.0).unwrap_err().to_string();
    assert!(error.contains("no recording in this directory"), "{error}");
}

#[test]
fn a_disk_that_is_full_is_an_error_and_not_the_end() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() > self.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writer = Writer::new(Full(200), &header()).unwrap();
    let errors = (0..20).filter(|_| writer.write(&Record::Reset { anew: 0 }).is_err());
    assert!(errors.count() > 0);
    let mut files = Files::new(&PathBuf::from("/dev/null/recordings"), 1, 1, header());
    assert!(files.write(&Record::Reset { anew: 0 }).is_err());
    assert!(files.write(&Record::Reset { anew: 0 }).is_err());
}
