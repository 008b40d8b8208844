//! Tables where tables belong.
//!
//! serde also takes an array for a struct, field by field; here that is always a mistake, mostly
//! of brackets, and its own words about it would mislead.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key whose value is made of tables.
struct Form {
    key: &'static str,
    tables: Tables,
    inside: &'static [Form],
}

#[derive(Clone, Copy, PartialEq)]
enum Tables {
    One,
    Many,
    OneOrMany,
}

const fn form(key: &'static str, tables: Tables, inside: &'static [Form]) -> Form {
    Form {
        key,
        tables,
        inside,
    }
}

static DOCUMENT: [Form; 11] = [
    form("camera", Tables::OneOrMany, &[]),
    form(
        "model",
        Tables::OneOrMany,
        &[form("track", Tables::One, &[])],
    ),
    form("deadline", Tables::One, &[]),
    form("gpio", Tables::One, &[]),
    form("input", Tables::Many, &[]),
    form(
        "sensor",
        Tables::Many,
        &[form("channel", Tables::Many, &[])],
    ),
    form("output", Tables::Many, &[form("pwm", Tables::One, &[])]),
    form("rule", Tables::Many, &RULE),
    form("realtime", Tables::One, &[]),
    form("recording", Tables::One, &[]),
    form("service", Tables::Many, &[]),
];
static RULE: [Form; 2] = [
    form("when", Tables::One, &WHEN),
    form("then", Tables::One, &[]),
];
static WHEN: [Form; 3] = [
    form("all", Tables::Many, &WHEN),
    form("any", Tables::Many, &WHEN),
    form("not", Tables::One, &WHEN),
];

/// The first value that should be a table, or an array of tables, and is not: its byte offset
/// and what was expected.
pub(crate) fn objection(document: &DeTable<'_>) -> Option<(usize, String)> {
    objections(document, "", &DOCUMENT).min()
}

fn objections<'d>(
    table: &'d DeTable<'d>,
    prefix: &'d str,
    forms: &'static [Form],
) -> impl Iterator<Item = (usize, String)> {
    forms.iter().filter_map(move |form| {
        let value = table.get(form.key)?;
        match (value.get_ref(), form.tables) {
            (DeValue::Table(one), Tables::One | Tables::OneOrMany) => inner(one, prefix, form),
            (DeValue::Array(many), Tables::Many | Tables::OneOrMany)
                if many.iter().all(is_table) =>
            {
                let tables = many.iter().filter_map(|table| table.get_ref().as_table());
                tables.filter_map(|table| inner(table, prefix, form)).min()
            }
            _ => Some((value.span().start, expected(prefix, form))),
        }
    })
}

fn inner(table: &DeTable<'_>, prefix: &str, form: &Form) -> Option<(usize, String)> {
    let prefix = format!("{prefix}{}.", form.key);
    // Boxed: the conditions' forms contain themselves.
    let deeper: Box<dyn Iterator<Item = _>> = Box::new(objections(table, &prefix, form.inside));
    deeper.min()
}

fn expected(prefix: &str, form: &Form) -> String {
    let key = form.key;
    match form.tables {
        Tables::One if prefix.is_empty() => format!("{key}: expected one [{key}]"),
        Tables::One => format!("{prefix}{key}: expected a table, like {key} = {{ … }}"),
        Tables::Many if prefix.is_empty() => {
            format!("{key}: expected [[{key}]], with two brackets, once for each")
        }
        Tables::Many => {
            format!("{prefix}{key}: expected an array of tables, like {key} = [{{ … }}, {{ … }}]")
        }
        Tables::OneOrMany => format!("{key}: expected one [{key}], or [[{key}]] once for each"),
    }
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}
