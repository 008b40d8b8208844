//! What the appliance says about itself: health to its supervisor, decisions to a log, rules' changes
//! and pictures to whoever wants them. Everything here is for ordinary threads; nothing here ever
//! makes them wait for anybody but the disk.

mod decision_log;
mod notifier;
mod snapshots;
mod telemetry;

pub use decision_log::DecisionLog;
pub use notifier::Notifier;
pub use snapshots::Snapshots;
pub use telemetry::Telemetry;
