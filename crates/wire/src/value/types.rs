//! Component-model types, as far as their values have bytes.

use std::fmt;
use std::sync::Arc;

/// A component-model type as the codec needs it. Cheap to clone.
///
/// Its text is that of WIT, with records and other types that have a name in WIT spelled out and cut short: it is for
/// errors, not for parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `s8`
    S8,
    /// `s16`
    S16,
    /// `s32`
    S32,
    /// `s64`
    S64,
    /// `f32`
    Float32,
    /// `f64`
    Float64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<…>`
    List(Arc<Type>),
    /// `tuple<…>`
    Tuple(Arc<[Type]>),
    /// A record, with its fields in the order of WIT.
    Record(Arc<[Field]>),
    /// A variant, with its cases in the order of WIT.
    Variant(Arc<[Case]>),
    /// An enum, with its cases in the order of WIT.
    Enum(Arc<[Arc<str>]>),
    /// `option<…>`
    Option(Arc<Type>),
    /// `result<…>`
    Result {
        /// What there is on success.
        ok: Option<Arc<Type>>,
        /// What there is on failure.
        err: Option<Arc<Type>>,
    },
    /// Flags, in the order of WIT.
    Flags(Arc<[Arc<str>]>),
    /// A handle to a resource; what it is called is known to its owner only.
    Resource,
    /// `stream<…>`; travels beside values, not in them.
    Stream(Option<Arc<Type>>),
    /// `future<…>`; travels beside values, not in them.
    Future(Option<Arc<Type>>),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is called.
    pub name: Arc<str>,
    /// What it holds.
    pub ty: Type,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is called.
    pub name: Arc<str>,
    /// Its payload.
    pub ty: Option<Type>,
}

/// How many members [`Type::least_bytes`] looks at.
const LOOKED_AT: usize = 256;
/// How many levels and how many members of one level the text of a type shows. Types are made of shared parts, so a
/// small one may spell a very long text.
const SHOWN_LEVELS: usize = 3;
const SHOWN_MEMBERS: usize = 6;

impl Type {
    /// A number of bytes that every value of the type has at least. Looks at [`LOOKED_AT`] parts and no more, so that
    /// it can be asked for each list that is read.
    pub(super) fn least_bytes(&self) -> usize {
        let mut left = LOOKED_AT;
        self.least(&mut left)
    }

    fn least(&self, left: &mut usize) -> usize {
        if *left == 0 {
            return 0;
        }
        *left -= 1;
        match self {
            Self::Float32 => 4,
            Self::Float64 => 8,
            Self::Tuple(items) => sum(items.iter(), left),
            Self::Record(fields) => sum(fields.iter().map(|field| &field.ty), left),
            Self::Flags(names) => names.len().div_ceil(8),
            Self::Bool
            | Self::U8
            | Self::U16
            | Self::U32
            | Self::U64
            | Self::S8
            | Self::S16
            | Self::S32
            | Self::S64
            | Self::Char
            | Self::String
            | Self::List(_)
            | Self::Variant(_)
            | Self::Enum(_)
            | Self::Option(_)
            | Self::Result { .. }
            | Self::Resource
            | Self::Stream(_)
            | Self::Future(_) => 1,
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, levels: usize) -> fmt::Result {
        let Some(levels) = levels.checked_sub(1) else {
            return f.write_str("…");
        };
        let of = |f: &mut fmt::Formatter<'_>, name: &str, ty: &Type| {
            write!(f, "{name}<")?;
            ty.show(f, levels)?;
            f.write_str(">")
        };
        match self {
            Self::Bool => f.write_str("bool"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::S8 => f.write_str("s8"),
            Self::S16 => f.write_str("s16"),
            Self::S32 => f.write_str("s32"),
            Self::S64 => f.write_str("s64"),
            Self::Float32 => f.write_str("f32"),
            Self::Float64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(item) => of(f, "list", item),
            Self::Option(some) => of(f, "option", some),
            Self::Tuple(items) => {
                f.write_str("tuple<")?;
                members(f, items, |f, ty| ty.show(f, levels))?;
                f.write_str(">")
            }
            Self::Record(fields) => {
                f.write_str("record { ")?;
                members(f, fields, |f, field| {
                    write!(f, "{}: ", field.name)?;
                    field.ty.show(f, levels)
                })?;
                f.write_str(" }")
            }
            Self::Variant(cases) => {
                f.write_str("variant { ")?;
                members(f, cases, |f, case| match &case.ty {
                    None => f.write_str(&case.name),
                    Some(ty) => {
                        write!(f, "{}(", case.name)?;
                        ty.show(f, levels)?;
                        f.write_str(")")
                    }
                })?;
                f.write_str(" }")
            }
            Self::Enum(names) => {
                f.write_str("enum { ")?;
                members(f, names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
            Self::Flags(names) => {
                f.write_str("flags { ")?;
                members(f, names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
            Self::Result { ok: None, err: None } => f.write_str("result"),
            Self::Result {
                ok: Some(ok),
                err: None,
            } => of(f, "result", ok),
            Self::Result { ok, err: Some(err) } => {
                f.write_str("result<")?;
                match ok {
                    Some(ok) => ok.show(f, levels)?,
                    None => f.write_str("_")?,
                }
                f.write_str(", ")?;
                err.show(f, levels)?;
                f.write_str(">")
            }
            Self::Resource => f.write_str("resource"),
            Self::Stream(None) => f.write_str("stream"),
            Self::Stream(Some(item)) => of(f, "stream", item),
            Self::Future(None) => f.write_str("future"),
            Self::Future(Some(item)) => of(f, "future", item),
        }
    }
}

fn sum<'a>(types: impl Iterator<Item = &'a Type>, left: &mut usize) -> usize {
    let mut bytes = 0_usize;
    for ty in types {
        if *left == 0 {
            break;
        }
        bytes = bytes.saturating_add(ty.least(left));
    }
    bytes
}

fn members<T>(
    f: &mut fmt::Formatter<'_>,
    members: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        if index == SHOWN_MEMBERS {
            return f.write_str("…");
        }
        show(f, member)?;
    }
    Ok(())
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, SHOWN_LEVELS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_like_wit() {
        let string = || Some(Arc::new(Type::String));
        for (ty, text) in [
            (Type::List(Arc::new(Type::U8)), "list<u8>"),
            (Type::Result { ok: None, err: None }, "result"),
            (
                Type::Result {
                    ok: None,
                    err: string(),
                },
                "result<_, string>",
            ),
            (
                Type::Result {
                    ok: string(),
                    err: None,
                },
                "result<string>",
            ),
            (
                Type::Record(
                    [
                        field("a", Type::Char),
                        field("b", Type::Option(Arc::new(Type::S64))),
                    ]
                    .into(),
                ),
                "record { a: char, b: option<s64> }",
            ),
            (
                Type::Variant([case("x", None), case("y", Some(Type::Float32))].into()),
                "variant { x, y(f32) }",
            ),
            (
                Type::Enum((0..9).map(|n| format!("c{n}").into()).collect()),
                "enum { c0, c1, c2, c3, c4, c5, … }",
            ),
        ] {
            assert_eq!(ty.to_string(), text);
        }
    }

    #[test]
    fn shared_parts_do_not_multiply() {
        let mut ty = Type::Tuple([].into());
        for _ in 0..90 {
            ty = Type::Tuple(vec![ty; 7].into());
        }
        assert!(ty.to_string().len() < 2_000);
        assert_eq!(ty.least_bytes(), 0);
        let two = Type::Tuple([Type::Float64, Type::Flags(vec!["f".into(); 9].into())].into());
        assert_eq!(two.least_bytes(), 10);
    }

    fn field(name: &str, ty: Type) -> Field {
        Field {
            name: name.into(),
            ty,
        }
    }

    fn case(name: &str, ty: Option<Type>) -> Case {
        Case {
            name: name.into(),
            ty,
        }
    }
}
