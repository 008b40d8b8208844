//! The appliance description: schema, defaults and validation with file, line and column.

mod colour;
mod error;
mod files;
#[cfg(feature = "schema")]
mod json_schema;
mod line;
mod parse;
mod place;
mod position;
mod samples;
mod schema;
mod shape;
#[cfg(test)]
mod tests;
mod time;
mod validate;

pub use colour::{Colour, Matrix, Range};
pub use error::ConfigError;
pub use files::{
    Effective, IMAGE_FILE, MODEL_DIRECTORIES, OWNER_FILE, effective, load, model_directory, read,
};
#[cfg(feature = "schema")]
pub use json_schema::json_schema;
pub use line::{Line, PwmChannel};
pub use parse::{check, parse};
pub use position::Position;
pub use samples::Samples;
pub use schema::*;
pub use time::seconds_of_day;
