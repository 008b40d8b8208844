//! From keys to places in the text, and back.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One step into a document.
#[derive(Debug, Clone, Copy)]
enum Step {
    Key(&'static str),
    Index(usize),
}

/// Steps from the document to a value.
#[derive(Debug, Clone)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) const DOCUMENT: Self = Self(Vec::new());

    /// The table of this name.
    pub(crate) fn table(key: &'static str) -> Self {
        Self(vec![Step::Key(key)])
    }

    /// The `index`th table of this name.
    pub(crate) fn entry(key: &'static str, index: usize) -> Self {
        Self::table(key).index(index)
    }

    pub(crate) fn key(&self, key: &'static str) -> Self {
        self.then(Step::Key(key))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The byte offset of the value; of the deepest table on the way if a key is absent.
    pub(crate) fn offset(&self, document: &DeTable<'_>) -> usize {
        let deepest = self.walk(document).take_while(Option::is_some).last();
        deepest.flatten().map_or(0, |value| value.span().start)
    }

    /// Whether the document has the value.
    pub(crate) fn exists(&self, document: &DeTable<'_>) -> bool {
        self.walk(document).all(|value| value.is_some())
    }

    /// The value after each step; `None` from the first that is absent.
    fn walk<'d>(
        &self,
        document: &'d DeTable<'d>,
    ) -> impl Iterator<Item = Option<&'d Spanned<DeValue<'d>>>> {
        let mut value = None::<&Spanned<DeValue<'_>>>;
        let mut lost = false;
        self.0.iter().map(move |step| {
            let next = match (*step, value.map(Spanned::get_ref)) {
                _ if lost => None,
                (Step::Key(key), None) => document.get(key),
                (Step::Key(key), Some(DeValue::Table(table))) => table.get(key),
                (Step::Index(index), Some(DeValue::Array(array))) => array.get(index),
                // `[camera]` stands for `[[camera]]` with one entry.
                (Step::Index(0), Some(DeValue::Table(_))) => value,
                _ => None,
            };
            lost |= next.is_none();
            value = next;
            next
        })
    }
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
