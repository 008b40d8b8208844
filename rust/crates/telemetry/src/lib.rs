//! What the appliance says about itself: health to its supervisor, decisions to a log.
//! Everything here is for ordinary threads; nothing here ever makes them wait.

mod decision_log;
mod notifier;

pub use decision_log::DecisionLog;
pub use notifier::Notifier;
