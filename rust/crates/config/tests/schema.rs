//! `docs/appliance.schema.json` is what the types give.

use std::fs;
use std::path::Path;

/// `EDGEAI_UPDATE_SCHEMA=1` writes it anew.
#[test]
fn the_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/appliance.schema.json");
    let schema = edgeai_config::json_schema();
    if std::env::var_os("EDGEAI_UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == schema,
        "docs/appliance.schema.json is out of date; run the test with EDGEAI_UPDATE_SCHEMA=1"
    );
}

#[test]
fn it_describes_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&edgeai_config::json_schema()).unwrap();
    let definitions = schema["definitions"].as_object().unwrap();
    let tables = definitions.values().chain([&schema]);
    let mut keys = 0;
    for table in tables {
        for (key, value) in table["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{key}: {value}");
            keys += 1;
        }
    }
    assert!(keys > 100, "{keys}");
}
