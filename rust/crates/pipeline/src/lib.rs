//! The frame-to-action threads and their wiring.
