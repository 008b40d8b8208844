//! V4L2 capture: the newest frame, its timestamp, and the loss of a camera as an error.
