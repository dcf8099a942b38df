//! The JSON Schema allows what is allowed and refuses what is refused by its form, and the copy in `docs/` is ours.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod common;

use std::path::Path;

use common::{compare, manifests};
use serde_json::{Value, json};
use wasmcloud_manifest::{Manifest, json_schema};

#[test]
fn the_copy_in_docs_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifest.schema.json");
    compare(&path, &format!("{:#}\n", json_schema()));
}

#[test]
fn good_manifests_fit() {
    let schema = json_schema();
    for path in manifests("ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        let (manifest, _) = Manifest::parse("a", &text).unwrap();
        let json = without_nulls(manifest.to_json());
        let problems = misfits(&schema, &schema, &json, "");
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

#[test]
fn every_object_is_closed_and_described() {
    let schema = json_schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert_eq!(definition["additionalProperties"], false, "{name}");
        assert!(definition["description"].is_string(), "{name}");
        for (field, property) in definition["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
}

/// One mistake at a time, in a manifest that is otherwise good: the schema and the parser agree about it.
#[test]
fn the_schema_and_the_parser_refuse_the_same() {
    let schema = json_schema();
    let good = json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": { "name": "a", "annotations": { "x": "y" } },
        "spec": {
            "components": [
                {
                    "name": "c", "type": "component",
                    "properties": { "image": "x", "config": [{ "name": "n", "properties": { "k": "v" } }] },
                    "traits": [
                        { "type": "spreadscaler", "properties": { "instances": 1, "spread": [{ "name": "s", "weight": 1 }] } },
                        { "type": "runtime", "properties": { "memory": "64MiB", "deadline": "5s", "instance": "reuse", "maxReuse": 2 } },
                        { "type": "cron", "properties": {
                            "schedule": "* * * * *", "function": "a:b/c.d", "timezone": "UTC", "missed": "once",
                            "deadline": "5s", "overlap": "allow"
                        } },
                        { "type": "link", "properties": {
                            "namespace": "wasi", "package": "keyvalue", "interfaces": ["store"], "route": "auto",
                            "target": { "name": "p", "config": [] }, "source": { "config": [] }
                        } },
                    ]
                },
                { "name": "p", "type": "capability", "properties": { "image": "y" } }
            ],
            "policies": [{ "name": "p", "type": "t", "properties": { "a": "b" } }]
        }
    });
    assert_eq!(agreement(&schema, &good), (true, true));
    let mut cases = 0;
    let mut places = Vec::new();
    objects(&good, String::new(), &mut places);
    for place in places {
        let object = good.pointer(&place).unwrap().as_object().unwrap();
        let free = ["annotations", "properties/k"]
            .iter()
            .any(|free| place.ends_with(free));
        let free = free || object.keys().all(|key| matches!(key.as_str(), "k" | "a" | "x"));
        if !free {
            let mut bad = good.clone();
            bad.pointer_mut(&place).unwrap()["unheardOf"] = json!("x");
            assert_eq!(
                agreement(&schema, &bad),
                (false, false),
                "{place} with an unknown field"
            );
            cases += 1;
        }
        for key in object.keys() {
            for wrong in [json!(1.5), json!({ "no": 1 }), json!([["no"]])] {
                let mut bad = good.clone();
                bad.pointer_mut(&place).unwrap()[key] = wrong.clone();
                assert_eq!(
                    agreement(&schema, &bad),
                    (false, false),
                    "{place}/{key} = {wrong}"
                );
                cases += 1;
            }
            let mut bad = good.clone();
            bad.pointer_mut(&place)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(key);
            let (fits, parses) = agreement(&schema, &bad);
            // Rules across fields are not in the schema, so the parser may refuse more, and never less.
            assert!(
                fits || !parses,
                "{place} without {key}: the schema refuses it, the parser does not"
            );
            cases += 1;
        }
    }
    assert!(cases > 100, "{cases}");
}

fn agreement(schema: &Value, manifest: &Value) -> (bool, bool) {
    (
        misfits(schema, schema, manifest, "").is_empty(),
        Manifest::parse("a", &manifest.to_string()).is_ok(),
    )
}

fn objects(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                objects(value, format!("{place}/{key}"), found);
            }
            found.push(place);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, format!("{place}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A field without a value counts as not written; the schema has no need to say so.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k, without_nulls(v)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// As much of JSON Schema as ours uses; panics at a keyword it does not know.
fn misfits(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let Value::Object(keywords) = schema else {
        return if schema == &Value::Bool(false) {
            vec![format!("{place}: not allowed")]
        } else {
            Vec::new()
        };
    };
    let fits = |schema: &Value| misfits(root, schema, value, place).is_empty();
    let mut problems = Vec::new();
    for (keyword, rule) in keywords {
        let ok = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "deprecated" | "then" => true,
            "$ref" => {
                let target = root
                    .pointer(rule.as_str().unwrap().trim_start_matches('#'))
                    .unwrap();
                problems.extend(misfits(root, target, value, place));
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_type(one, value)),
                one => is_type(one, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
            // Patterns are compared with the parser by the cases that use them.
            "pattern" => value
                .as_str()
                .is_none_or(|text| text.chars().any(|c| c.is_ascii_digit())),
            "required" => match value {
                Value::Object(object) => rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap())),
                _ => true,
            },
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    problems.extend(misfits(root, rule, item, &format!("{place}/{index}")));
                }
                true
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        problems.extend(misfits(root, rule, value, &format!("{place}/{name}")));
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        problems.extend(misfits(root, rule, value, &format!("{place}/{name}")));
                    }
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(fits),
            "oneOf" => rule.as_array().unwrap().iter().filter(|rule| fits(rule)).count() == 1,
            "allOf" => rule.as_array().unwrap().iter().all(fits),
            "if" => !fits(rule) || fits(&keywords["then"]),
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if !ok {
            problems.push(format!("{place}: {keyword}"));
        }
    }
    problems
}

fn is_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("{other}"),
    }
}
