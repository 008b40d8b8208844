//! Tables where tables belong.
//!
//! serde also takes an array for a struct, field by field; here that is always a mistake, mostly
//! of brackets, and its own words about it would mislead.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TABLES: [&str; 4] = ["camera", "model", "deadline", "realtime"];
const ARRAYS: [&str; 4] = ["input", "output", "rule", "service"];

/// The first value that should be a table, or an array of tables, and is not: its byte offset
/// and what was expected.
pub(crate) fn objection(document: &DeTable<'_>) -> Option<(usize, String)> {
    let single = TABLES.into_iter().filter_map(|key| {
        let value = document.get(key)?;
        (!is_table(value)).then(|| (value.span().start, format!("{key}: expected one [{key}]")))
    });
    let arrays = ARRAYS.into_iter().filter_map(|key| {
        let value = document.get(key)?;
        let elements = value.get_ref().as_array();
        if !elements.is_some_and(|elements| elements.iter().all(is_table)) {
            let message = format!("{key}: expected [[{key}]], with two brackets, once for each");
            return Some((value.span().start, message));
        }
        let inner = elements?
            .iter()
            .flat_map(|rule| ["when", "then"].map(|key| (key, rule)));
        inner.filter(|_| key == "rule").find_map(|(key, rule)| {
            let value = rule.get_ref().get(key)?;
            let message = format!("rule.{key}: expected a table, like {key} = {{ … }}");
            (!is_table(value)).then(|| (value.span().start, message))
        })
    });
    single.chain(arrays).min()
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}
