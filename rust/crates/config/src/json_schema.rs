//! The JSON schema of `appliance.toml`, for editors.

use crate::Appliance;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

/// The schema as text, JSON Schema draft 7 (what the TOML language servers read). It knows keys,
/// types and words; ranges and what must go together are told by [`crate::check`] only.
///
/// # Panics
/// Never: a schema is JSON.
#[must_use]
pub fn json_schema() -> String {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    let schema = settings
        .into_generator()
        .into_root_schema_for::<Appliance>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// TOML has no null: what is optional is left out.
fn without_null(schema: &mut Schema) {
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    for (key, null) in [
        ("type", Value::from("null")),
        ("anyOf", serde_json::json!({ "type": "null" })),
    ] {
        let Some(Value::Array(alternatives)) = schema.get_mut(key) else {
            continue;
        };
        alternatives.retain(|alternative| *alternative != null);
        if let [only] = &alternatives[..]
            && key == "type"
        {
            let only = only.clone();
            schema.insert(key.to_owned(), only);
        }
    }
}
