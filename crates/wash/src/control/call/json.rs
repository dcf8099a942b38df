//! Values as JSON, for scripts. What they lose is in the text beside them: `some(none)` is `null` like `none`.

use serde_json::{Value as Json, json};
use wasmcloud_wire::value::{Value, View};

/// The value as JSON: records are objects, cases with a payload objects with one member, flags a list of those that are
/// set, numbers that JSON has not are texts.
pub(super) fn json(value: &Value) -> Json {
    match value.view() {
        View::Bool(value) => json!(value),
        View::U8(value) => json!(value),
        View::U16(value) => json!(value),
        View::U32(value) => json!(value),
        View::U64(value) => json!(value),
        View::S8(value) => json!(value),
        View::S16(value) => json!(value),
        View::S32(value) => json!(value),
        View::S64(value) => json!(value),
        View::Float32(number) if number.is_finite() => json!(number),
        View::Float64(number) if number.is_finite() => json!(number),
        View::Float32(_) | View::Float64(_) => json!(value.to_string()),
        View::Char(value) => json!(value.to_string()),
        View::String(text) => json!(text),
        View::List(items) | View::Tuple(items) => items.iter().map(json).collect(),
        View::Record(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), json(value)));
            Json::Object(fields.collect())
        }
        View::Variant(case, None) | View::Enum(case) => json!(case),
        View::Variant(case, Some(payload)) => json!({ case: json(payload) }),
        View::Option(some) => some.map_or(Json::Null, json),
        View::Result(Ok(ok)) => json!({ "ok": ok.map(json) }),
        View::Result(Err(err)) => json!({ "err": err.map(json) }),
        View::Flags(set) => json!(set),
        View::Resource(handle) => json!(handle),
        View::Foreign => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmcloud_wire::value::wave::parse;
    use wasmcloud_wire::value::{Case, Field, Type};

    use super::*;

    #[test]
    fn values_become_json() {
        let shape = Type::Variant(
            [("dot", None), ("circle", Some(Type::Float64))]
                .map(|(name, ty)| Case {
                    name: name.into(),
                    ty,
                })
                .into(),
        );
        let field = |name: &str, ty: Type| Field {
            name: name.into(),
            ty,
        };
        let record = Type::Record(
            [
                field("n", Type::U64),
                field("shapes", Type::List(Arc::new(shape))),
                field("o", Type::Option(Arc::new(Type::Char))),
                field(
                    "r",
                    Type::Result {
                        ok: None,
                        err: Some(Arc::new(Type::Float32)),
                    },
                ),
                field("f", Type::Flags(["read".into(), "write".into()].into())),
            ]
            .into(),
        );
        let text =
            "{n: 18446744073709551615, shapes: [dot, circle(1.5)], o: some('x'), r: err(nan), f: {write}}";
        assert_eq!(
            json(&parse(&record, text).unwrap()),
            json!({
                "n": u64::MAX,
                "shapes": ["dot", { "circle": 1.5 }],
                "o": "x",
                "r": { "err": "nan" },
                "f": ["write"],
            })
        );
    }
}
