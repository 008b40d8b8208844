//! The pipeline from a frame to a line, without hardware.

mod allocation;
mod damage;
mod memory;
mod replay;
mod rig;
mod safety;
mod syscalls;
