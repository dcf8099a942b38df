//! What is written on the command line, as values of the types that a function takes.

use wasmcloud_wire::value::wave::{InvalidText, parse, parse_args};
use wasmcloud_wire::value::{Shape, Type, Value};

use crate::control::functions::{Param, listed};
use crate::control::table::one_line;

/// Arguments that the function cannot have.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidArguments {
    /// There are too many or too few.
    #[error("`{function}` takes {}, {found} were given; hint: {}", takes(params.len()), usage(params))]
    Count {
        /// What is called.
        function: String,
        /// What it takes.
        params: Vec<Param>,
        /// How many there are.
        found: usize,
    },
    /// One is of another type.
    #[error("argument `{name}` of `{function}` is not a `{ty}`: {}", one_line(&reason.to_string()))]
    Argument {
        /// What is called.
        function: String,
        /// What the argument is called.
        name: String,
        /// What it should be.
        ty: Type,
        /// Where it goes wrong.
        reason: Box<InvalidText>,
    },
    /// The same in a whole call.
    #[error(
        "the arguments of `{function}({})` do not fit: {}, behind the `(`",
        listed(params),
        one_line(&reason.to_string())
    )]
    Whole {
        /// What is called.
        function: String,
        /// What it takes.
        params: Vec<Param>,
        /// Where it goes wrong.
        reason: Box<InvalidText>,
    },
}

fn takes(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    }
}

fn usage(params: &[Param]) -> String {
    match params {
        [] => "leave them out".to_owned(),
        params => format!("its parameters are {}", listed(params)),
    }
}

/// `f(1, 2)` is the function `f` with the arguments `1, 2`; anything else is a function alone.
pub(super) fn whole_call(written: &str) -> (&str, Option<&str>) {
    let call = written.trim_end().strip_suffix(')');
    match call.and_then(|call| call.split_once('(')) {
        Some((function, arguments)) => (function.trim(), Some(arguments)),
        None => (written, None),
    }
}

/// The values of a whole call.
pub(super) fn of_whole_call(
    function: &str,
    params: &[Param],
    arguments: &str,
) -> Result<Vec<Value>, InvalidArguments> {
    parse_args(&types(params), arguments).map_err(|reason| InvalidArguments::Whole {
        function: function.to_owned(),
        params: params.to_vec(),
        reason: Box::new(reason),
    })
}

/// The values of arguments that stand one by one. Those at the end that are `option` may be left out.
pub(super) fn one_by_one(
    function: &str,
    params: &[Param],
    arguments: &[String],
) -> Result<Vec<Value>, InvalidArguments> {
    let count = || InvalidArguments::Count {
        function: function.to_owned(),
        params: params.to_vec(),
        found: arguments.len(),
    };
    if arguments.len() > params.len() {
        return Err(count());
    }
    let mut written = arguments.iter();
    let mut values = Vec::with_capacity(params.len());
    for param in params {
        values.push(match (written.next(), &param.ty) {
            (Some(text), ty) => value(ty, text).map_err(|reason| InvalidArguments::Argument {
                function: function.to_owned(),
                name: param.name.clone(),
                ty: ty.clone(),
                reason: Box::new(reason),
            })?,
            (None, Type::Option(_)) => Value::from(Shape::Option(None)),
            (None, _) => return Err(count()),
        });
    }
    Ok(values)
}

/// A shell takes quotes away, so text needs none here.
fn value(ty: &Type, text: &str) -> Result<Value, InvalidText> {
    match ty {
        Type::String if !text.trim_start().starts_with('"') => {
            Ok(Value::from(Shape::String(text.to_owned())))
        }
        ty => parse(ty, text),
    }
}

/// The types alone.
pub(super) fn types(params: &[Param]) -> Vec<Type> {
    params.iter().map(|param| param.ty.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn params() -> Vec<Param> {
        let param = |name: &str, ty: Type| Param {
            name: name.to_owned(),
            ty,
        };
        vec![
            param("a", Type::U32),
            param("s", Type::String),
            param("o", Type::Option(Arc::new(Type::Bool))),
        ]
    }

    fn read(arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let values = one_by_one("f", &params(), &arguments).map_err(|error| error.to_string())?;
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        Ok(values.join("; "))
    }

    #[test]
    fn arguments_are_words() {
        assert_eq!(
            read(&["1", "hi you", "some(true)"]),
            Ok(r#"1; "hi you"; some(true)"#.to_owned())
        );
        assert_eq!(read(&["1", r#""a\tb""#]), Ok(r#"1; "a\tb"; none"#.to_owned()));
        assert_eq!(
            read(&["1"]).unwrap_err(),
            "`f` takes 3 arguments, 1 were given; hint: its parameters are a: u32, s: string, o: option<bool>"
        );
        assert!(read(&["1", "2", "none", "4"]).is_err());
        assert_eq!(
            read(&["1x", "2"]).unwrap_err(),
            "argument `a` of `f` is not a `u32`: column 1: expected u32 from 0 to 4294967295, found `1x`"
        );
        assert!(read(&["1", r#""open"#]).unwrap_err().contains("column 6"));
    }

    #[test]
    fn a_whole_call_is_taken_apart() {
        assert_eq!(whole_call("a:b/c.f(1, (2))"), ("a:b/c.f", Some("1, (2)")));
        assert_eq!(whole_call("f()"), ("f", Some("")));
        assert_eq!(whole_call("a:b/c.f"), ("a:b/c.f", None));
        let error = of_whole_call("f", &params(), "1, 2").unwrap_err().to_string();
        assert!(error.contains("column 4"), "{error}");
        assert_eq!(of_whole_call("f", &params(), r#"1, "a""#).unwrap().len(), 3);
    }
}
