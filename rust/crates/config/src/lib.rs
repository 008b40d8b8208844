//! The appliance description: schema, defaults and validation with file, line and column.

mod error;
mod files;
mod line;
#[cfg(test)]
mod manual_tests;
mod parse;
mod place;
mod position;
mod schema;
mod shape;
#[cfg(test)]
mod tests;
mod validate;

pub use error::ConfigError;
pub use files::{
    Effective, IMAGE_FILE, MODEL_DIRECTORIES, OWNER_FILE, effective, load, model_directory, read,
};
pub use line::Line;
pub use parse::{check, parse};
pub use position::Position;
pub use schema::*;
