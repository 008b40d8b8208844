//! Text into an [`Appliance`], with every objection placed.

use crate::{Appliance, ConfigError, place, shape, validate};
use toml::de::DeTable;

/// Reads and validates a description; `file_name` stands in errors.
///
/// # Errors
/// The first mistake in the file. [`check`] gives all of them.
pub fn parse(file_name: &str, text: &str) -> Result<Appliance, ConfigError> {
    check(file_name, text).map_err(|mut errors| errors.remove(0))
}

/// As [`parse`], with all mistakes that can be told at once, in the order of the file.
///
/// # Errors
/// At least one mistake: of syntax, or of a type or key, or else all values that do not make
/// sense.
pub fn check(file_name: &str, text: &str) -> Result<Appliance, Vec<ConfigError>> {
    let at = |offset, message| ConfigError::new(file_name, text, offset, message);
    let offset = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let document = DeTable::parse(text)
        .map_err(|error| vec![at(offset(&error), format!("not TOML: {}", error.message()))])?;
    if let Some((offset, message)) = shape::objection(document.get_ref()) {
        return Err(vec![at(offset, message)]);
    }
    let appliance: Appliance = toml::from_str(text).map_err(|error| {
        let name = error
            .span()
            .and_then(|span| place::name(document.get_ref(), &span));
        vec![at(
            offset(&error),
            explain(name.as_deref(), error.message()),
        )]
    })?;
    let mut objections = validate::objections(&appliance, document.get_ref());
    if objections.is_empty() {
        return Ok(appliance);
    }
    objections.sort_by_key(|objection| objection.offset);
    Err(objections
        .into_iter()
        .map(|objection| at(objection.offset, objection.message))
        .collect())
}

/// Says serde's words in those of the file and adds what to do.
fn explain(key: Option<&str>, message: &str) -> String {
    let mut message = message
        .replace("field `", "key `")
        .replace("type: map", "type: table");
    for (type_name, words) in [
        ("expected u8", "expected a whole number, 0 to 255"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected u16", "expected a whole number, 0 to 65535"),
        ("expected i64", "expected a whole number"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected an array"),
        ("expected path string", "expected a string"),
    ] {
        if let Some(start) = message.strip_suffix(type_name) {
            message = format!("{start}{words}");
        }
    }
    let remedy = if message.starts_with("unknown key") {
        "; correct or remove it"
    } else if message.starts_with("missing key") {
        "; add it here"
    } else {
        ""
    };
    match key {
        Some(key) => format!("{key}: {message}{remedy}"),
        None => format!("{message}{remedy}"),
    }
}
