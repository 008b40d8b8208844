//! The appliance description: schema, defaults and validation with file, line and column.

mod schema;

pub use schema::*;
