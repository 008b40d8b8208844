//! The pipeline from a frame to a line, without hardware.

mod allocation;
mod rig;
mod safety;
