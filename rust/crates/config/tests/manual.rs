//! `docs/configuration.md` tells the truth.

use serde_json::Value;
use std::collections::BTreeSet;

const MANUAL: &str = include_str!("../../../../docs/configuration.md");

/// The tables of the schema that a value stands for, by the names of their definitions.
fn tables(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(name) = schema["$ref"].as_str() {
        found.insert(name.trim_start_matches("#/definitions/").to_owned());
    }
    let alternatives = ["anyOf", "allOf"].map(|key| schema[key].as_array());
    for inner in alternatives.into_iter().flatten().flatten() {
        found.append(&mut tables(inner));
    }
    if schema["items"].is_object() {
        found.append(&mut tables(&schema["items"]));
    }
    found
}

fn is_table(root: &Value, name: &str) -> bool {
    root["definitions"][name]["properties"].is_object()
}

/// The definition that keys lead to, from the whole description.
fn definition<'s>(root: &'s Value, path: &[&str]) -> (String, &'s Value) {
    let mut found = (String::new(), root);
    for key in path {
        let names = tables(&found.1["properties"][key]);
        let name = names.into_iter().find(|name| is_table(root, name));
        let name = name.unwrap_or_else(|| panic!("{path:?}: {key} is no table"));
        found = (name.clone(), &root["definitions"][&name]);
    }
    found
}

fn example(number: usize) -> &'static str {
    let text = MANUAL.split("```toml\n").nth(number).unwrap();
    text.split("```").next().unwrap()
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let root: Value = serde_json::from_str(&edgeai_config::json_schema()).unwrap();
    let mut documented = BTreeSet::new();
    for section in MANUAL.split("\n## `").skip(1) {
        let heading = section.lines().next().unwrap();
        let path: Vec<_> = heading
            .split('`')
            .map(|word| word.trim().trim_matches(['[', ']']))
            .filter(|word| !word.is_empty())
            .collect();
        let (name, table) = definition(&root, &path);
        documented.insert(name);
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut keys = BTreeSet::new();
        for row in rows {
            let (key, rest) = row.split_once("` | ").unwrap();
            let default = rest.split('|').next().unwrap().trim();
            let required = table["required"].as_array().into_iter().flatten();
            let required = required.into_iter().any(|name| name == key);
            assert_eq!(
                default == "required",
                required,
                "{heading} {key}: {default}"
            );
            let known = match &table["properties"][key]["default"] {
                Value::Array(empty) if empty.is_empty() => Some("none".to_owned()),
                Value::Null | Value::Object(_) => None,
                value => Some(value.to_string()),
            };
            if let Some(known) = known {
                assert_eq!(default.trim_matches('`'), known, "{heading} {key}");
            }
            assert!(keys.insert(key.to_owned()), "{heading} {key} twice");
        }
        let properties = table["properties"].as_object().unwrap();
        assert_eq!(keys, properties.keys().cloned().collect(), "{heading}");
    }
    let all = root["definitions"].as_object().unwrap().keys();
    let all = all.filter(|name| is_table(&root, name)).cloned();
    assert_eq!(documented, all.collect());
}

#[test]
fn the_manuals_examples_are_valid() {
    let small = edgeai_config::parse("first", example(1)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(small.rules.len(), 2);
    let large = edgeai_config::parse("second", example(2)).unwrap_or_else(|e| panic!("{e}"));
    assert!(large.rules.len() >= 5 && large.models.len() == 2);
}

/// The large example keeps its promise of using nearly everything.
#[test]
fn the_large_example_uses_most_keys() {
    let root: Value = serde_json::from_str(&edgeai_config::json_schema()).unwrap();
    let text = example(2);
    let used = |key: &str| {
        let mut places = text.match_indices(key);
        places.any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + key.len()..].trim_start().chars().next();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                && matches!(after, Some('=' | ']'))
        })
    };
    let tables = root["definitions"]
        .as_object()
        .unwrap()
        .values()
        .chain([&root]);
    let keys: BTreeSet<_> = tables
        .filter_map(|table| table["properties"].as_object())
        .flat_map(|properties| properties.keys())
        .collect();
    let unused: Vec<_> = keys.iter().filter(|key| !used(key)).collect();
    assert!(unused.len() * 10 < keys.len(), "{unused:?}");
}
