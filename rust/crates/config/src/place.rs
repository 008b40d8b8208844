//! From keys to places in the text, and back.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One step into a document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Key(&'static str),
    Index(usize),
}

/// The byte offset of the value at `path`; of the deepest table on the way if a key is absent.
pub(crate) fn offset(document: &DeTable<'_>, path: &[Step]) -> usize {
    let mut offset = 0;
    let mut value = None::<&Spanned<DeValue<'_>>>;
    for step in path {
        let next = match (*step, value.map(Spanned::get_ref)) {
            (Step::Key(key), None) => document.get(key),
            (Step::Key(key), Some(DeValue::Table(table))) => table.get(key),
            (Step::Index(index), Some(DeValue::Array(array))) => array.get(index),
            _ => None,
        };
        let Some(next) = next else { break };
        offset = next.span().start;
        value = Some(next);
    }
    offset
}

/// Whether there is a value at `path`.
pub(crate) fn contains(document: &DeTable<'_>, table: &str, index: usize, path: [&str; 2]) -> bool {
    let entry = document
        .get(table)
        .and_then(|tables| tables.get_ref().get(index));
    let inner = entry.and_then(|entry| entry.get_ref().get(path[0]));
    inner.is_some_and(|inner| inner.get_ref().get(path[1]).is_some())
}

/// The dotted name of the value at exactly `span`, like `rule[2].when.zone[0]`; `None` for what is
/// no value (a key, the document itself).
pub(crate) fn name(document: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    document
        .iter()
        .find_map(|(key, value)| inside(key.get_ref(), value, span))
}

fn inside(name: &str, value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let deeper = match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .find_map(|(key, value)| inside(&format!("{name}.{}", key.get_ref()), value, span)),
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .find_map(|(index, value)| inside(&format!("{name}[{index}]"), value, span)),
        _ => None,
    };
    deeper.or_else(|| (value.span() == *span).then(|| name.to_owned()))
}
