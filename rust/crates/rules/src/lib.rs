//! Detections and input levels into output levels; pure, time comes in as a value.
