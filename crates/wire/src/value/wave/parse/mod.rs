//! Text into a value of a type; `scalar` reads what has no parts.

mod scalar;

use std::fmt::{self, Display};
use std::sync::Arc;

use super::KEYWORDS;
use crate::message::cut;
use crate::value::{Field, MAX_DEPTH, Shape, Type, Value};

/// Text that is no value of the type it should be of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: expected {expected}, found {found}")]
pub struct InvalidText {
    /// Where it goes wrong.
    pub place: Place,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}

/// A value of a type.
pub fn parse(ty: &Type, text: &str) -> Result<Value, InvalidText> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(ty, MAX_DEPTH)?;
    parser.end("nothing more")?;
    Ok(value)
}

/// The arguments of a function, with commas between them: what stands in the parentheses of `f(1, "a")`. Arguments at the
/// end that are `option` may be left out and are none then.
pub fn parse_args(types: &[Type], text: &str) -> Result<Vec<Value>, InvalidText> {
    let mut parser = Parser { text, at: 0 };
    let mut values = Vec::new();
    for (index, ty) in types.iter().enumerate() {
        if parser.skip().is_empty() && matches!(ty, Type::Option(_)) {
            values.push(Value::from(Shape::Option(None)));
            continue;
        }
        if parser.skip().is_empty() {
            return Err(parser.error(format_args!("argument {} of {}, {ty}", index + 1, types.len())));
        }
        values.push(parser.value(ty, MAX_DEPTH)?);
        if !parser.eat(",") {
            let more = index + 1 < types.len();
            parser.end(if more {
                "`,` and another argument"
            } else {
                "no more arguments"
            })?;
        }
    }
    parser.end(match types.len() {
        0 => "no arguments",
        _ => "no more arguments",
    })?;
    Ok(values)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves on behind space and remarks, and returns what follows.
    fn skip(&mut self) -> &'a str {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return trimmed;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.skip().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &'static str) -> Result<(), InvalidText> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.error(format_args!("`{token}`")))
        }
    }

    fn end(&mut self, expected: &str) -> Result<(), InvalidText> {
        if self.skip().is_empty() {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    /// What follows is not what it should be.
    fn error(&mut self, expected: impl Display) -> InvalidText {
        let rest = self.skip();
        let token = rest.len() - rest.trim_start_matches(is_of_word).len();
        let end = if token > 0 {
            token
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        let found = match rest.get(..end).unwrap_or_default() {
            "" => "the end".to_owned(),
            token => format!("`{}`", cut(token, 64)),
        };
        self.error_at(self.at, expected, found)
    }

    fn error_at(&self, at: usize, expected: impl Display, found: impl Into<String>) -> InvalidText {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        InvalidText {
            place: Place {
                line: before.matches('\n').count() + 1,
                column: line.chars().count() + 1,
            },
            expected: expected.to_string(),
            found: found.into(),
        }
    }

    /// `depth` is how many levels there may be, this one included.
    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, InvalidText> {
        let Some(depth) = depth.checked_sub(1) else {
            let found = format!("a type of more than {MAX_DEPTH} levels");
            return Err(self.error_at(self.at, "a value", found));
        };
        Ok(Value::from(match ty {
            Type::Bool => match self.word() {
                "true" => Shape::Bool(self.take("true")),
                "false" => Shape::Bool(!self.take("false")),
                _ => return Err(self.error("`true` or `false`")),
            },
            Type::U8 => Shape::U8(self.integer(ty, u8::MIN, u8::MAX)?),
            Type::U16 => Shape::U16(self.integer(ty, u16::MIN, u16::MAX)?),
            Type::U32 => Shape::U32(self.integer(ty, u32::MIN, u32::MAX)?),
            Type::U64 => Shape::U64(self.integer(ty, u64::MIN, u64::MAX)?),
            Type::S8 => Shape::S8(self.integer(ty, i8::MIN, i8::MAX)?),
            Type::S16 => Shape::S16(self.integer(ty, i16::MIN, i16::MAX)?),
            Type::S32 => Shape::S32(self.integer(ty, i32::MIN, i32::MAX)?),
            Type::S64 => Shape::S64(self.integer(ty, i64::MIN, i64::MAX)?),
            Type::Float32 => Shape::Float32(self.float(ty)?),
            Type::Float64 => Shape::Float64(self.float(ty)?),
            Type::Char => Shape::Char(self.char()?),
            Type::String => Shape::String(self.string()?),
            Type::List(item) => {
                self.open("[", ty)?;
                let mut items = Vec::new();
                while !self.eat("]") {
                    items.push(self.value(item, depth)?);
                    self.comma("]")?;
                }
                Shape::List(items)
            }
            Type::Tuple(types) => {
                self.open("(", ty)?;
                let mut items = Vec::new();
                for ty in types.iter() {
                    items.push(self.value(ty, depth)?);
                    if items.len() < types.len() {
                        self.expect(",")?;
                    }
                }
                self.eat(",");
                self.expect(")")?;
                Shape::Tuple(items)
            }
            Type::Record(fields) => Shape::Record(self.record(ty, fields, depth)?),
            Type::Variant(cases) => {
                let start = self.start();
                let name = self.label(ty)?;
                let Some(case) = cases.iter().find(|case| *case.name == *name) else {
                    return Err(self.error_at(start, ty, format!("`{name}`")));
                };
                let payload = self.payload(case.ty.as_ref(), depth)?;
                Shape::Variant(name.to_owned(), payload)
            }
            Type::Enum(names) => {
                let start = self.start();
                let name = self.label(ty)?;
                if !names.iter().any(|case| **case == *name) {
                    return Err(self.error_at(start, ty, format!("`{name}`")));
                }
                Shape::Enum(name.to_owned())
            }
            Type::Option(some) => Shape::Option(match self.word() {
                "none" => {
                    self.take("none");
                    None
                }
                "some" => {
                    self.take("some");
                    self.payload(Some(some), depth)?
                }
                _ if is_plain(some) => Some(Box::new(self.value(some, depth)?)),
                _ => return Err(self.error("`some(…)` or `none`")),
            }),
            Type::Result { ok, err } => Shape::Result(match (self.word(), ok) {
                ("ok", _) => {
                    self.take("ok");
                    Ok(self.payload(ok.as_deref(), depth)?)
                }
                ("err", _) => {
                    self.take("err");
                    Err(self.payload(err.as_deref(), depth)?)
                }
                (_, Some(ok)) if is_plain(ok) => Ok(Some(Box::new(self.value(ok, depth)?))),
                _ => return Err(self.error("`ok` or `err`")),
            }),
            Type::Flags(names) => Shape::Flags(self.flags(ty, names)?),
            Type::Resource | Type::Stream(_) | Type::Future(_) => {
                let expected = format!("a {ty}, which cannot be written as text");
                return Err(self.error(expected));
            }
        }))
    }

    /// Where what follows starts.
    fn start(&mut self) -> usize {
        self.skip();
        self.at
    }

    fn open(&mut self, token: &str, ty: &Type) -> Result<(), InvalidText> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.error(format_args!("`{token}` of {ty}")))
        }
    }

    /// A comma, unless `close` follows.
    fn comma(&mut self, close: &str) -> Result<(), InvalidText> {
        if self.eat(",") || self.skip().starts_with(close) {
            Ok(())
        } else {
            Err(self.error(format_args!("`,` or `{close}`")))
        }
    }

    /// The word that follows, if it is one; it is not taken.
    fn word(&mut self) -> &'a str {
        let rest = self.skip();
        let len = rest.len() - rest.trim_start_matches(is_of_word).len();
        rest.get(..len).unwrap_or_default()
    }

    /// Takes what is known to follow.
    fn take(&mut self, token: &str) -> bool {
        self.eat(token)
    }

    /// The name of a case, flag or field, with its `%` removed.
    fn label(&mut self, ty: &Type) -> Result<&'a str, InvalidText> {
        let start = self.start();
        let quoted = self.eat("%");
        let name = if quoted && self.rest().starts_with(char::is_whitespace) {
            ""
        } else {
            self.word()
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_name {
            return Err(self.error(ty));
        }
        if !quoted && KEYWORDS.contains(&name) {
            let found = format!("`{name}`, which needs a `%` in front where it is a name");
            return Err(self.error_at(start, ty, found));
        }
        self.at += name.len();
        Ok(name)
    }

    fn payload(&mut self, ty: Option<&Type>, depth: usize) -> Result<Option<Box<Value>>, InvalidText> {
        let Some(ty) = ty else {
            if self.skip().starts_with('(') {
                return Err(self.error("no payload"));
            }
            return Ok(None);
        };
        self.open("(", ty)?;
        let value = self.value(ty, depth)?;
        self.expect(")")?;
        Ok(Some(Box::new(value)))
    }

    fn record(
        &mut self,
        ty: &Type,
        fields: &[Field],
        depth: usize,
    ) -> Result<Vec<(String, Value)>, InvalidText> {
        self.open("{", ty)?;
        let mut values: Vec<Option<Value>> = vec![None; fields.len()];
        // An empty record is written `{:}`.
        self.eat(":");
        while !self.eat("}") {
            let start = self.start();
            self.eat("%");
            let name = self.word();
            let place = fields
                .iter()
                .zip(&mut values)
                .find(|(field, _)| *field.name == *name);
            let Some((field, value)) = place else {
                let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
                return Err(self.error(format_args!("a field of {}", cut(&names.join(", "), 200))));
            };
            if value.is_some() {
                return Err(self.error_at(start, "each field once", format!("`{name}` again")));
            }
            self.at += name.len();
            self.expect(":")?;
            *value = Some(self.value(&field.ty, depth)?);
            self.comma("}")?;
        }
        let end = self.at.saturating_sub(1);
        fields
            .iter()
            .zip(values)
            .map(|(field, value)| match (value, &field.ty) {
                (Some(value), _) => Ok((field.name.to_string(), value)),
                (None, Type::Option(_)) => Ok((field.name.to_string(), Value::from(Shape::Option(None)))),
                (None, _) => Err(self.error_at(end, format_args!("field `{}`", field.name), "`}`")),
            })
            .collect()
    }

    fn flags(&mut self, ty: &Type, names: &[Arc<str>]) -> Result<Vec<String>, InvalidText> {
        self.open("{", ty)?;
        let mut set = vec![false; names.len()];
        while !self.eat("}") {
            let start = self.start();
            self.eat("%");
            let name = self.word();
            let Some((_, flag)) = names.iter().zip(&mut set).find(|(flag, _)| ***flag == *name) else {
                return Err(self.error(format_args!("one of {ty}")));
            };
            if std::mem::replace(flag, true) {
                return Err(self.error_at(start, "each flag once", format!("`{name}` again")));
            }
            self.at += name.len();
            self.comma("}")?;
        }
        let names = names.iter().zip(set).filter(|(_, set)| *set);
        Ok(names.map(|(name, _)| name.to_string()).collect())
    }

    fn place(&self, at: usize) -> Place {
        self.error_at(at, "", "").place
    }
}

/// Whether a value of the type may stand for `some` or `ok` of it.
fn is_plain(ty: &Type) -> bool {
    !matches!(ty, Type::Option(_) | Type::Result { .. })
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
