//! Any bytes as a recording: records, then an end or the place where it breaks off.

#![no_main]

use edgeai_recording::Reader;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    let mut position = reader.position();
    while let Ok(Some(_)) = reader.record() {
        assert!(reader.position() > position, "a record has bytes");
        position = reader.position();
    }
    assert!(position <= data.len() as u64);
});
