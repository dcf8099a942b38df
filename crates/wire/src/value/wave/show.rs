//! A value into text.

use std::fmt::{self, Display, Write as _};

use super::KEYWORDS;
use crate::value::{Dynamic, Value, View};

/// A value as text, on one line. What cannot be written in WAVE, a resource or a handle, stands in angle brackets.
pub struct Text<'a, V: Dynamic>(pub &'a V::Value);

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::<Self>(self).fmt(f)
    }
}

impl<V: Dynamic> Display for Text<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match V::view(self.0) {
            View::Bool(value) => write!(f, "{value}"),
            View::U8(value) => write!(f, "{value}"),
            View::U16(value) => write!(f, "{value}"),
            View::U32(value) => write!(f, "{value}"),
            View::U64(value) => write!(f, "{value}"),
            View::S8(value) => write!(f, "{value}"),
            View::S16(value) => write!(f, "{value}"),
            View::S32(value) => write!(f, "{value}"),
            View::S64(value) => write!(f, "{value}"),
            // Rust writes all digits of a number unless asked for an exponent; either is read as the same number.
            View::Float32(value) if value.is_nan() => f.write_str("nan"),
            View::Float64(value) if value.is_nan() => f.write_str("nan"),
            View::Float32(value) if is_long(value.into()) => write!(f, "{value:e}"),
            View::Float64(value) if is_long(value) => write!(f, "{value:e}"),
            View::Float32(value) => write!(f, "{value}"),
            View::Float64(value) => write!(f, "{value}"),
            View::Char(value) => {
                f.write_str("'")?;
                escaped(f, value, '\'')?;
                f.write_str("'")
            }
            View::String(text) => {
                f.write_str("\"")?;
                text.chars().try_for_each(|c| escaped(f, c, '"'))?;
                f.write_str("\"")
            }
            View::List(items) => {
                f.write_str("[")?;
                joined(f, items, |f, item| Text::<V>(item).fmt(f))?;
                f.write_str("]")
            }
            View::Tuple(items) => {
                f.write_str("(")?;
                joined(f, items, |f, item| Text::<V>(item).fmt(f))?;
                f.write_str(")")
            }
            View::Record([]) => f.write_str("{:}"),
            View::Record(fields) => {
                f.write_str("{")?;
                joined(f, fields, |f, (name, value)| {
                    write!(f, "{name}: {}", Text::<V>(value))
                })?;
                f.write_str("}")
            }
            View::Variant(case, payload) => {
                label(f, case)?;
                in_parentheses::<V>(f, payload)
            }
            View::Enum(case) => label(f, case),
            View::Option(None) => f.write_str("none"),
            View::Option(Some(value)) => write!(f, "some({})", Text::<V>(value)),
            View::Result(Ok(value)) => {
                f.write_str("ok")?;
                in_parentheses::<V>(f, value)
            }
            View::Result(Err(value)) => {
                f.write_str("err")?;
                in_parentheses::<V>(f, value)
            }
            View::Flags(set) => {
                f.write_str("{")?;
                joined(f, set, |f, name| f.write_str(name))?;
                f.write_str("}")
            }
            View::Resource(handle) => {
                f.write_str("<resource ")?;
                handle.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(">")
            }
            View::Foreign => f.write_str("<handle>"),
        }
    }
}

fn is_long(value: f64) -> bool {
    value.is_finite() && value != 0.0 && !(1e-5..1e16).contains(&value.abs())
}

fn in_parentheses<V: Dynamic>(f: &mut fmt::Formatter<'_>, payload: Option<&V::Value>) -> fmt::Result {
    match payload {
        None => Ok(()),
        Some(value) => write!(f, "({})", Text::<V>(value)),
    }
}

fn label(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if KEYWORDS.contains(&name) {
        f.write_str("%")?;
    }
    f.write_str(name)
}

fn joined<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    Ok(())
}

fn escaped(f: &mut fmt::Formatter<'_>, character: char, quote: char) -> fmt::Result {
    match character {
        '\t' => f.write_str("\\t"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\\' => f.write_str("\\\\"),
        c if c == quote => write!(f, "\\{c}"),
        // A terminal would act on them.
        c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}
