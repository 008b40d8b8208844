//! Output tensors into detections.
