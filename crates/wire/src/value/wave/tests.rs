//! What is read, how it is written, and what is said of the rest.

use std::sync::Arc;

use super::*;
use crate::value::{Case, Field, Type};

fn some(ty: Type) -> Option<Arc<Type>> {
    Some(Arc::new(ty))
}

fn list(ty: Type) -> Type {
    Type::List(Arc::new(ty))
}

fn option(ty: Type) -> Type {
    Type::Option(Arc::new(ty))
}

fn result(ok: Option<Type>, err: Option<Type>) -> Type {
    Type::Result {
        ok: ok.map(Arc::new),
        err: err.map(Arc::new),
    }
}

fn record(fields: &[(&str, Type)]) -> Type {
    let field = |(name, ty): &(&str, Type)| Field {
        name: (*name).into(),
        ty: ty.clone(),
    };
    Type::Record(fields.iter().map(field).collect())
}

fn response() -> Type {
    let case = |name: &str, ty| Case {
        name: name.into(),
        ty,
    };
    Type::Variant(
        [
            case("empty", None),
            case("body", Some(list(Type::U8))),
            case("err", Some(Type::String)),
        ]
        .into(),
    )
}

fn status() -> Type {
    Type::Enum(["ok".into(), "not-found".into()].into())
}

#[test]
fn values_are_read_and_written() {
    let flags = || Type::Flags(["read".into(), "write".into()].into());
    let optional = || record(&[("must-have", Type::U8), ("optional", option(Type::U8))]);
    for (ty, text, shown) in [
        (Type::Bool, "true", "true"),
        (Type::U64, "18446744073709551615", "18446744073709551615"),
        (Type::S16, " -32768 // the least\n", "-32768"),
        (Type::Float64, "6.022e+23", "6.022e23"),
        (Type::Float64, "-0.1", "-0.1"),
        (Type::Float64, "-0", "-0"),
        (Type::Float32, "nan", "nan"),
        (Type::Float32, "-inf", "-inf"),
        (Type::Char, "'x'", "'x'"),
        (Type::Char, r"'\''", r"'\''"),
        (Type::Char, "'\"'", "'\"'"),
        (Type::Char, r"'\u{0}'", r"'\u{0}'"),
        (Type::Char, "'☃'", "'☃'"),
        (
            Type::String,
            r#""a\tb\u{e9}\"\\ // no remark""#,
            r#""a\tbé\"\\ // no remark""#,
        ),
        (list(Type::U8), "[ 1, 2,3 , ]", "[1, 2, 3]"),
        (list(Type::U8), "[]", "[]"),
        (
            Type::Tuple([Type::String, Type::U8].into()),
            "(\"a\", 1,)",
            "(\"a\", 1)",
        ),
        (optional(), "{must-have: 123}", "{must-have: 123, optional: none}"),
        (
            optional(),
            "{optional: 4, %must-have: 3,}",
            "{must-have: 3, optional: some(4)}",
        ),
        (record(&[("a", option(Type::Bool))]), "{:}", "{a: none}"),
        (record(&[]), "{:}", "{:}"),
        (response(), "empty", "empty"),
        (response(), "body([79, 75])", "body([79, 75])"),
        (response(), "%err(\"oops\")", "%err(\"oops\")"),
        (status(), "%ok", "%ok"),
        (status(), "not-found", "not-found"),
        (option(Type::U8), "123", "some(123)"),
        (option(Type::U8), "some(123)", "some(123)"),
        (option(status()), "not-found", "some(not-found)"),
        (option(option(Type::U8)), "some(none)", "some(none)"),
        (result(Some(Type::U8), Some(Type::String)), "5", "ok(5)"),
        (
            result(Some(Type::U8), Some(Type::String)),
            "err(\"no\")",
            "err(\"no\")",
        ),
        (result(None, None), "ok", "ok"),
        (result(None, None), "err", "err"),
        (flags(), "{write, read}", "{read, write}"),
        (flags(), "{}", "{}"),
    ] {
        let value = parse(&ty, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_string(), shown, "{text}");
        assert_eq!(parse(&ty, shown), Ok(value), "{shown}");
    }
}

#[test]
fn texts_of_several_lines() {
    let read = |text: &str| parse(&Type::String, text).map(|value| value.to_string());
    assert_eq!(
        read("\"\"\"\nA single line\n\"\"\""),
        Ok(r#""A single line""#.to_owned())
    );
    assert_eq!(
        read("\"\"\"\n    Indentation determined\n      by ending delimiter\n  \"\"\""),
        Ok(r#""  Indentation determined\n    by ending delimiter""#.to_owned())
    );
    assert_eq!(
        read("\"\"\"\r\n  carriage \\r\r\n  quotes: \"\"\\\"\r\n  \"\"\""),
        Ok(r#""carriage \r\nquotes: \"\"\"""#.to_owned())
    );
    assert_eq!(read("\"\"\"\n\"\"\""), Ok(r#""""#.to_owned()));
    for bad in [
        "\"\"\"a\"\"\"",
        "\"\"\"\na",
        "\"\"\"\n a\n  \"\"\"",
        "\"\"\"\na \"\"\"",
    ] {
        assert!(read(bad).is_err(), "{bad:?} must be refused");
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let refused = |ty: &Type, text: &str| parse(ty, text).unwrap_err().to_string();
    let point = record(&[("x", Type::S32), ("tags", list(Type::String))]);
    for (ty, text, error) in [
        (
            &Type::U8,
            "300",
            "column 1: expected u8 from 0 to 255, found `300`",
        ),
        (&Type::U8, "-1", "column 1: expected u8 from 0 to 255, found `-1`"),
        (
            &Type::U8,
            "1.5",
            "column 1: expected u8 from 0 to 255, found `1.5`",
        ),
        (
            &Type::U8,
            "007",
            "column 1: expected u8 from 0 to 255, found `007`",
        ),
        (
            &Type::U8,
            "",
            "column 1: expected u8 from 0 to 255, found the end",
        ),
        (&Type::U8, "1 2", "column 3: expected nothing more, found `2`"),
        (
            &Type::Bool,
            "maybe",
            "column 1: expected `true` or `false`, found `maybe`",
        ),
        (
            &Type::Float32,
            "x",
            "column 1: expected f32, as `1.5`, `nan` or `inf`, found `x`",
        ),
        (
            &point,
            "{x: 1, tags: [\"a\", 2]}",
            "column 20: expected a text, as `\"abc\"`, found `2`",
        ),
        (
            &point,
            "{x: 1, y: 2}",
            "column 8: expected a field of x, tags, found `y`",
        ),
        (
            &point,
            "{x: 1, x: 2}",
            "column 8: expected each field once, found `x` again",
        ),
        (&point, "{x: 1}", "column 6: expected field `tags`, found `}`"),
        (&point, "{x 1}", "column 4: expected `:`, found `1`"),
        (
            &point,
            "{x: 1 tags: []}",
            "column 7: expected `,` or `}`, found `tags`",
        ),
        (
            &point,
            "{x: 1,\n tags: [é]}",
            "line 2, column 9: expected a text, as `\"abc\"`, found `é`",
        ),
        (
            &response(),
            "bodi",
            "column 1: expected variant { empty, body(list<u8>), err(string) }, found `bodi`",
        ),
        (
            &response(),
            "body",
            "column 5: expected `(` of list<u8>, found the end",
        ),
        (
            &response(),
            "empty(1)",
            "column 6: expected no payload, found `(`",
        ),
        (
            &status(),
            "ok",
            "column 1: expected enum { ok, not-found }, found `ok`, which needs a `%` in front where it is a name",
        ),
        (
            &option(option(Type::U8)),
            "1",
            "column 1: expected `some(…)` or `none`, found `1`",
        ),
        (
            &result(None, some(Type::U8).as_deref().cloned()),
            "1",
            "column 1: expected `ok` or `err`, found `1`",
        ),
        (
            &Type::String,
            "\"abc",
            "column 5: expected `\"`, which ends the text from column 1, found the end",
        ),
        (
            &Type::String,
            r#""\x""#,
            r#"column 2: expected one of `\"`, `\'`, `\\`, `\t`, `\n`, `\r`, `\u{e9}`, found `\x`"#,
        ),
        (
            &Type::Char,
            "'ab'",
            "column 3: expected `'`, for a character is one character, found more",
        ),
        (
            &Type::Resource,
            "1",
            "column 1: expected a resource, which cannot be written as text, found `1`",
        ),
    ] {
        assert_eq!(refused(ty, text), error, "{text}");
    }
}

#[test]
fn arguments() {
    let types = [Type::U8, Type::String, option(Type::Bool)];
    let read = |text: &str| {
        parse_args(&types, text)
            .map(|values| {
                values
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; ")
            })
            .map_err(|error| error.to_string())
    };
    assert_eq!(read("1, \"a\", true"), Ok("1; \"a\"; some(true)".to_owned()));
    assert_eq!(read(" 1, \"a\", "), Ok("1; \"a\"; none".to_owned()));
    assert_eq!(read("1, \"a\""), Ok("1; \"a\"; none".to_owned()));
    assert_eq!(
        read("1"),
        Err("column 2: expected argument 2 of 3, string, found the end".to_owned())
    );
    assert_eq!(
        read(""),
        Err("column 1: expected argument 1 of 3, u8, found the end".to_owned())
    );
    assert_eq!(
        read("1 \"a\""),
        Err("column 3: expected `,` and another argument, found `\"`".to_owned())
    );
    assert_eq!(
        read("1, \"a\", none, 4"),
        Err("column 15: expected no more arguments, found `4`".to_owned())
    );
    assert_eq!(parse_args(&[], ""), Ok(vec![]));
    assert_eq!(
        parse_args(&[], "1").unwrap_err().to_string(),
        "column 1: expected no arguments, found `1`"
    );
}

#[test]
fn types_that_nest_too_deep_are_refused() {
    let mut ty = Type::Bool;
    for _ in 0..200 {
        ty = list(ty);
    }
    let text = "[".repeat(200);
    let error = parse(&ty, &text).unwrap_err();
    assert!(error.found.contains("100 levels"), "{error}");
}
