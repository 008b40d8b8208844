//! Test agent of the test image.
fn main() {}
