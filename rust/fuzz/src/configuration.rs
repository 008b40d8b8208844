//! Any text as `appliance.toml`: an appliance, or mistakes with their places in the text.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(mistakes) = edgeai_config::check("fuzz.toml", text) {
        assert!(!mistakes.is_empty());
        let lines = text.split('\n').count();
        for mistake in mistakes {
            assert!((1..=lines).contains(&mistake.line), "{mistake}");
        }
    }
});
