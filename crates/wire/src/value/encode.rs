//! Values into bytes.

use super::dynamic::{Dynamic, NotAByte, View};
use super::error::EncodeError;
use super::types::Type;
use super::{MAX_DEPTH, put};

/// Appends a value of a type. Nothing is appended where the value is of another type.
///
/// Errors say where in the value they are, behind `value`.
pub fn encode<V: Dynamic>(ty: &Type, value: &V::Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    node::<V>(ty, value, out, MAX_DEPTH).map_err(|error| {
        out.truncate(start);
        error.inside("value")
    })
}

/// Appends the parameters of a function. Nothing is appended where there is an error; it says where behind `params`.
pub fn encode_params<V: Dynamic>(
    types: &[Type],
    values: &[V::Value],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    sequence::<V>("params", types, values, out)
}

/// Appends the results of a function. Nothing is appended where there is an error; it says where behind `results`.
pub fn encode_results<V: Dynamic>(
    types: &[Type],
    values: &[V::Value],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    sequence::<V>("results", types, values, out)
}

fn sequence<V: Dynamic>(
    what: &'static str,
    types: &[Type],
    values: &[V::Value],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    same_count("values", types.len(), values.len())
        .and_then(|()| members::<V>(types.iter(), values, out, MAX_DEPTH))
        .map_err(|error| {
            out.truncate(start);
            error.inside(what)
        })
}

/// `depth` is how many levels there may be, this one included.
fn node<V: Dynamic>(ty: &Type, value: &V::Value, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(EncodeError::TooDeep { at: String::new() });
    };
    match (ty, V::view(value)) {
        (Type::Bool, View::Bool(value)) => put::bool(value, out),
        (Type::U8, View::U8(value)) => out.push(value),
        (Type::U16, View::U16(value)) => put::unsigned(value, out),
        (Type::U32, View::U32(value)) => put::unsigned(value, out),
        (Type::U64, View::U64(value)) => put::unsigned(value, out),
        (Type::S8, View::S8(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Type::S16, View::S16(value)) => put::signed(value, out),
        (Type::S32, View::S32(value)) => put::signed(value, out),
        (Type::S64, View::S64(value)) => put::signed(value, out),
        (Type::Float32, View::Float32(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Type::Float64, View::Float64(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Type::Char, View::Char(value)) => put::char(value, out),
        (Type::String, View::String(text)) => {
            length(text.len())?;
            put::string(text, out);
        }
        (Type::List(item), View::List(items)) => list::<V>(item, items, out, depth)?,
        (Type::Tuple(types), View::Tuple(items)) => {
            same_count("members", types.len(), items.len())?;
            members::<V>(types.iter(), items, out, depth)?;
        }
        (Type::Record(types), View::Record(fields)) => {
            same_count("fields", types.len(), fields.len())?;
            for (ty, (name, value)) in types.iter().zip(fields) {
                if *ty.name != **name {
                    return Err(EncodeError::Field {
                        at: String::new(),
                        expected: ty.name.to_string(),
                        found: name.clone(),
                    });
                }
                node::<V>(&ty.ty, value, out, depth).map_err(|error| error.inside(name))?;
            }
        }
        (Type::Variant(cases), View::Variant(name, payload)) => {
            let (index, case) = (0_u32..)
                .zip(cases.iter())
                .find(|(_, case)| *case.name == *name)
                .ok_or_else(|| no_case(ty, name))?;
            put::unsigned(index, out);
            optional::<V>(case.ty.as_ref(), payload, name, out, depth)?;
        }
        (Type::Enum(names), View::Enum(name)) => {
            let (index, _) = (0_u32..)
                .zip(names.iter())
                .find(|(_, case)| ***case == *name)
                .ok_or_else(|| no_case(ty, name))?;
            put::unsigned(index, out);
        }
        (Type::Option(_), View::Option(None)) => out.push(0),
        (Type::Option(some), View::Option(Some(value))) => {
            out.push(1);
            node::<V>(some, value, out, depth).map_err(|error| error.inside("some"))?;
        }
        (Type::Result { ok, .. }, View::Result(Ok(value))) => {
            out.push(0);
            optional::<V>(ok.as_deref(), value, "ok", out, depth)?;
        }
        (Type::Result { err, .. }, View::Result(Err(value))) => {
            out.push(1);
            optional::<V>(err.as_deref(), value, "err", out, depth)?;
        }
        (Type::Flags(names), View::Flags(set)) => {
            let start = out.len();
            out.resize(start + names.len().div_ceil(8), 0);
            for name in set {
                let index = names
                    .iter()
                    .position(|flag| **flag == **name)
                    .ok_or_else(|| no_case(ty, name))?;
                if let Some(byte) = out.get_mut(start + index / 8) {
                    *byte |= 1 << (index % 8);
                }
            }
        }
        (Type::Resource, View::Resource(handle)) => {
            length(handle.len())?;
            put::bytes(handle, out);
        }
        (Type::Stream(_), _) => return Err(cannot_travel("stream")),
        (Type::Future(_), _) => return Err(cannot_travel("future")),
        (_, View::Foreign) => return Err(cannot_travel("handle")),
        (_, other) => {
            return Err(EncodeError::Mismatch {
                at: String::new(),
                expected: ty.to_string(),
                found: other.kind(),
            });
        }
    }
    Ok(())
}

fn list<V: Dynamic>(
    item: &Type,
    items: &[V::Value],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), EncodeError> {
    length(items.len())?;
    put::len(items.len(), out);
    if matches!(item, Type::U8) && depth > 0 {
        return V::append_bytes(items, out).map_err(|NotAByte(index)| EncodeError::Mismatch {
            at: format!("[{index}]"),
            expected: item.to_string(),
            found: items.get(index).map_or("nothing", |item| V::view(item).kind()),
        });
    }
    for (index, value) in items.iter().enumerate() {
        node::<V>(item, value, out, depth).map_err(|error| error.inside(format_args!("[{index}]")))?;
    }
    Ok(())
}

fn members<'a, V: Dynamic>(
    types: impl Iterator<Item = &'a Type>,
    values: &[V::Value],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), EncodeError> {
    for (index, (ty, value)) in types.zip(values).enumerate() {
        node::<V>(ty, value, out, depth).map_err(|error| error.inside(index))?;
    }
    Ok(())
}

fn optional<V: Dynamic>(
    ty: Option<&Type>,
    value: Option<&V::Value>,
    case: &str,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), EncodeError> {
    match (ty, value) {
        (None, None) => Ok(()),
        (Some(ty), Some(value)) => node::<V>(ty, value, out, depth).map_err(|error| error.inside(case)),
        (expected, _) => Err(EncodeError::Payload {
            at: String::new(),
            case: case.to_owned(),
            expected: expected.is_some(),
        }),
    }
}

fn same_count(what: &'static str, expected: usize, found: usize) -> Result<(), EncodeError> {
    if expected == found {
        return Ok(());
    }
    Err(EncodeError::Count {
        at: String::new(),
        what,
        expected,
        found,
    })
}

fn length(len: usize) -> Result<(), EncodeError> {
    match u32::try_from(len) {
        Ok(_) => Ok(()),
        Err(_) => Err(EncodeError::TooLong {
            at: String::new(),
            len,
        }),
    }
}

fn no_case(ty: &Type, name: &str) -> EncodeError {
    EncodeError::Case {
        at: String::new(),
        found: name.to_owned(),
        expected: ty.to_string(),
    }
}

fn cannot_travel(what: &'static str) -> EncodeError {
    EncodeError::CannotTravel {
        at: String::new(),
        what,
    }
}
