//! `docs/configuration.md` tells the truth.

use super::*;

/// The keys the schema accepts in a table, from the error about one it does not.
fn schema_keys(text: &str) -> Vec<String> {
    let error = toml::from_str::<Appliance>(text).unwrap_err();
    let (_, expected) = error
        .message()
        .split_once(", expected ")
        .expect("an unknown key");
    let mut keys: Vec<_> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let manual = include_str!("../../../../docs/configuration.md");
    let mut headings = Vec::new();
    for section in manual.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap().replace('`', "");
        let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut keys: Vec<_> = cells
            .map(|row| row.split('`').next().unwrap().to_owned())
            .collect();
        keys.sort();
        let text = match heading.split_once(' ') {
            None => format!("{heading}\n_ = 1"),
            Some((table, inner)) => format!("{table}\n{inner} = {{ _ = 1 }}"),
        };
        assert_eq!(keys, schema_keys(&text), "{heading}");
        headings.push(heading);
    }
    for table in schema_keys("_ = 1") {
        let documented = |heading: &String| heading.trim_matches(['[', ']']) == table;
        assert!(headings.iter().any(documented), "no section for {table}");
    }
}

#[test]
fn the_manuals_example_is_valid() {
    let manual = include_str!("../../../../docs/configuration.md");
    let example = manual
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(parse("configuration.md", example).unwrap().rules.len(), 2);
}
