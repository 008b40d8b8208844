//! From a camera frame to a pin: the real-time threads, their wiring, and the ordinary threads that
//! tell and record what they do. How it works and what it promises: `docs/pipeline.md`.

mod evidence;
mod guard;
mod hold;
mod inference;
mod lane;
mod link;
mod metrics;
mod notes;
mod panics;
mod perception;
mod picture;
mod recorder;
mod rehearsal;
mod replay;
mod reporter;
mod samples;
mod script;
mod signal;
mod start;
mod tensors;
mod thread;
mod vision;
mod wall;
mod watch;

pub use evidence::{Evidence, MAX_MODELS};
pub use hold::hold_safe;
pub use inference::{Hearing, Inference, Sight, Times, names};
pub use lane::{Inbox, Lane, Roster, lane};
pub use link::{Done, Event, Glimpse, Handover, Link, Reason, Seen};
pub use metrics::{Measured, Metrics, Percentiles, Stages, Summary};
pub use notes::{Keeper, Kept, Note, Notebook, Notes, Shelf, notes};
pub use perception::{Perception, camera_frame};
pub use recorder::hash;
pub use rehearsal::{Rehearsal, Scene, Track};
pub use replay::{Difference, Replay, Report};
pub use script::Script;
pub use signal::{Signals, spawn as spawn_signal};
pub use start::{Options, PipelineError, camera_of, run};
pub use tensors::{layout, specs, tensor_type};
pub use vision::{Eye, step};
