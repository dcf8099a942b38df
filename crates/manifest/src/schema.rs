//! The JSON Schema of a manifest, made from the same tables that check one.

use serde_json::{Map, Value, json};

use crate::grammar::APPLICATION;
use crate::shape::{Field, OneOf, Shape, Table};

/// The JSON Schema (draft 2020-12) of an application manifest, with our extensions. Editors complete and check
/// manifests with it; it allows nothing that [`Manifest::parse`](crate::Manifest::parse) refuses by its form.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    define(&APPLICATION, &mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wasmCloud application",
        "description": APPLICATION.doc,
        "$ref": format!("#/$defs/{}", APPLICATION.definition),
        "$defs": definitions,
    })
}

fn define(table: &'static Table, definitions: &mut Map<String, Value>) -> Value {
    let reference = json!({ "$ref": format!("#/$defs/{}", table.definition) });
    if definitions.contains_key(table.definition) {
        return reference;
    }
    // Taken before the fields are described: tables may refer to each other.
    definitions.insert(table.definition.to_owned(), Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut exactly_one = Vec::new();
    for field in table.fields {
        properties.insert(
            field.name.to_owned(),
            described(field, field.doc.to_owned(), definitions),
        );
        for alias in field.aliases {
            let doc = format!("The older name of `{}`.", field.name);
            properties.insert((*alias).to_owned(), described(field, doc, definitions));
        }
        let names = || std::iter::once(field.name).chain(field.aliases.iter().copied());
        if field.required && field.aliases.is_empty() {
            required.push(field.name);
        } else if field.required {
            exactly_one.extend(names().map(|name| json!({ "required": [name] })));
        }
    }
    if let Some(OneOf { fields, .. }) = &table.one_of {
        exactly_one.extend(fields.map(|name| json!({ "required": [name] })));
    }
    let mut definition = json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    let mut set = |key: &str, value: Value| {
        if let Value::Object(definition) = &mut definition {
            definition.insert(key.to_owned(), value);
        }
    };
    if !required.is_empty() {
        set("required", json!(required));
    }
    if !exactly_one.is_empty() {
        set("oneOf", json!(exactly_one));
    }
    definitions.insert(table.definition.to_owned(), definition);
    reference
}

fn described(field: &'static Field, doc: String, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = shape(&field.shape, definitions);
    if let Value::Object(schema) = &mut schema {
        let doc = match field.instead {
            Some(instead) => format!("{doc} Deprecated: write `{instead}`."),
            None => doc,
        };
        schema.insert("description".to_owned(), Value::String(doc));
        if field.instead.is_some() {
            schema.insert("deprecated".to_owned(), Value::Bool(true));
        }
    }
    schema
}

fn shape(shape_: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape_ {
        Shape::Text => json!({ "type": "string" }),
        Shape::Choice(words, older) => {
            let all: Vec<&str> = words.iter().chain(older.iter()).copied().collect();
            json!({ "type": "string", "enum": all })
        }
        Shape::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Bytes => json!({
            "type": ["string", "integer"],
            "pattern": "^\\s*[0-9]+\\s*(B|KiB|Ki|MiB|Mi|GiB|Gi|kB|KB|MB|GB)?\\s*$",
            "minimum": 0,
        }),
        Shape::Duration => json!({ "type": "string", "pattern": "^\\s*[0-9]+\\s*(ms|s|m|min|h)\\s*$" }),
        Shape::TextMap(_) => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::List(item) => json!({ "type": "array", "items": shape(item, definitions) }),
        Shape::Table(table) => define(table, definitions),
        Shape::TableOrText(table, _) => {
            json!({ "anyOf": [define(table, definitions), { "type": "string" }] })
        }
        Shape::Trait(kinds) => any_trait(kinds, definitions),
    }
}

/// The properties follow from the type. Other types are allowed: they are ignored, with a warning.
fn any_trait(
    kinds: &'static [(&'static str, &'static Table)],
    definitions: &mut Map<String, Value>,
) -> Value {
    let mut cases = Vec::new();
    let mut known = Vec::new();
    for (name, table) in kinds {
        known.push(json!({ "const": name, "description": table.doc }));
        let properties = define(table, definitions);
        let mut then = json!({
            "properties": { "type": true, "properties": properties },
            "additionalProperties": false,
        });
        if table.fields.iter().any(|field| field.required)
            && let Value::Object(then) = &mut then
        {
            then.insert("required".to_owned(), json!(["properties"]));
        }
        cases.push(json!({ "if": { "properties": { "type": { "const": name } }, "required": ["type"] }, "then": then }));
    }
    known.push(json!({ "type": "string" }));
    json!({
        "type": "object",
        "properties": { "type": { "anyOf": known }, "properties": true },
        "required": ["type"],
        "allOf": cases,
    })
}
