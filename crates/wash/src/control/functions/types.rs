//! From WIT to functions and types. The WIT comes out of a component that anybody may have made.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use wasmcloud_wire::value::{Case, Field, MAX_DEPTH, Type};
use wit_component::DecodedWasm;
use wit_parser::{Interface, Resolve, Type as WitType, TypeDefKind, WorldItem, WorldKey};

use super::{Function, Functions, Param};

/// Parts of the types of one function that are looked at. Types are made of shared parts, so a small component may have
/// very many; as many as a host looks at.
const MAX_PARTS: usize = 10_000;

/// Functions of one component that are looked at. Those of WASI together are some hundred.
const MAX_FUNCTIONS: usize = 10_000;

impl Functions {
    /// What a component exports.
    pub(super) fn exported(wasm: &[u8]) -> Result<Self> {
        let DecodedWasm::Component(resolve, world) = wit_component::decode(wasm)? else {
            bail!("it is a package of WIT and not a component");
        };
        let world = resolve.worlds.get(world).context("it has no world")?;
        let mut functions = Vec::new();
        for (key, item) in &world.exports {
            match (key, item) {
                (_, WorldItem::Function(function)) => functions.push(of(&resolve, None, function)),
                (WorldKey::Name(name), WorldItem::Interface { id, .. }) => {
                    let interface = resolve.interfaces.get(*id).context("an interface is missing")?;
                    functions.extend(in_interface(&resolve, name, interface));
                }
                (WorldKey::Interface(_), WorldItem::Interface { id, .. }) => {
                    let interface = resolve.interfaces.get(*id).context("an interface is missing")?;
                    let name = interface.package.zip(interface.name.as_ref());
                    let (package, name) = name.context("an interface has no name")?;
                    let name = resolve.id_of_name(package, name);
                    functions.extend(in_interface(&resolve, &name, interface));
                }
                (_, WorldItem::Type { .. }) => {}
            }
            functions.truncate(MAX_FUNCTIONS);
        }
        Ok(Self(functions))
    }

    /// What is in a text of WIT.
    pub(super) fn in_text(text: &str) -> Result<Self> {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("known.wit", text)?;
        let interfaces = resolve.packages.get(package).context("it has no package")?;
        let mut functions = Vec::new();
        for (name, id) in &interfaces.interfaces {
            let interface = resolve.interfaces.get(*id).context("an interface is missing")?;
            functions.extend(in_interface(
                &resolve,
                &resolve.id_of_name(package, name),
                interface,
            ));
        }
        Ok(Self(functions))
    }
}

fn in_interface<'a>(
    resolve: &'a Resolve,
    name: &'a str,
    interface: &'a Interface,
) -> impl Iterator<Item = Function> + 'a {
    let functions = interface.functions.values().take(MAX_FUNCTIONS);
    functions.map(move |function| of(resolve, Some(name), function))
}

fn of(resolve: &Resolve, instance: Option<&str>, function: &wit_parser::Function) -> Function {
    let mut left = MAX_PARTS;
    let params = function.params.iter().map(|param| {
        let ty = convert(resolve, &param.ty, MAX_DEPTH, &mut left);
        Ok(Param {
            name: param.name.clone(),
            ty: ty.map_err(|what| format!("its parameter `{}` {what}", param.name))?,
        })
    });
    let params = params.collect();
    let result = function.result.as_ref();
    let result = result.map(|ty| convert(resolve, ty, MAX_DEPTH, &mut left));
    Function {
        instance: instance.map(str::to_owned),
        name: function.name.clone(),
        params,
        result: result.transpose().map_err(|what| format!("its result {what}")),
    }
}

fn convert(resolve: &Resolve, ty: &WitType, levels: usize, left: &mut usize) -> Result<Type, String> {
    let (Some(levels), Some(rest)) = (levels.checked_sub(1), left.checked_sub(1)) else {
        return Err("has a type with too many parts to travel".to_owned());
    };
    *left = rest;
    let unknown = || "has a type that the protocol of the lattice does not know".to_owned();
    let id = match ty {
        WitType::Bool => return Ok(Type::Bool),
        WitType::U8 => return Ok(Type::U8),
        WitType::U16 => return Ok(Type::U16),
        WitType::U32 => return Ok(Type::U32),
        WitType::U64 => return Ok(Type::U64),
        WitType::S8 => return Ok(Type::S8),
        WitType::S16 => return Ok(Type::S16),
        WitType::S32 => return Ok(Type::S32),
        WitType::S64 => return Ok(Type::S64),
        WitType::F32 => return Ok(Type::Float32),
        WitType::F64 => return Ok(Type::Float64),
        WitType::Char => return Ok(Type::Char),
        WitType::String => return Ok(Type::String),
        WitType::ErrorContext => return Err(unknown()),
        WitType::Id(id) => *id,
    };
    let kind = &resolve.types.get(id).ok_or_else(unknown)?.kind;
    let mut inner = |ty: &WitType| convert(resolve, ty, levels, left);
    Ok(match kind {
        TypeDefKind::Type(ty) => inner(ty)?,
        TypeDefKind::List(item) => Type::List(Arc::new(inner(item)?)),
        TypeDefKind::Option(some) => Type::Option(Arc::new(inner(some)?)),
        TypeDefKind::Result(result) => {
            let ok = result.ok.as_ref().map(&mut inner).transpose()?;
            let err = result.err.as_ref().map(&mut inner).transpose()?;
            Type::Result {
                ok: ok.map(Arc::new),
                err: err.map(Arc::new),
            }
        }
        TypeDefKind::Tuple(tuple) => Type::Tuple(tuple.types.iter().map(inner).collect::<Result<_, _>>()?),
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| {
                Ok(Field {
                    name: field.name.as_str().into(),
                    ty: inner(&field.ty)?,
                })
            });
            Type::Record(fields.collect::<Result<_, String>>()?)
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| {
                Ok(Case {
                    name: case.name.as_str().into(),
                    ty: case.ty.as_ref().map(&mut inner).transpose()?,
                })
            });
            Type::Variant(cases.collect::<Result<_, String>>()?)
        }
        TypeDefKind::Enum(of) => Type::Enum(of.cases.iter().map(|case| case.name.as_str().into()).collect()),
        TypeDefKind::Flags(of) => {
            Type::Flags(of.flags.iter().map(|flag| flag.name.as_str().into()).collect())
        }
        TypeDefKind::Resource | TypeDefKind::Handle(_) => {
            return Err("is or holds a resource, which cannot leave its component".to_owned());
        }
        TypeDefKind::Future(_) | TypeDefKind::Stream(_) => {
            return Err("is or holds a stream or future, which cannot leave its component".to_owned());
        }
        TypeDefKind::Map(..) | TypeDefKind::FixedLengthList(..) | TypeDefKind::Unknown => {
            return Err(unknown());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::functions::listed;

    const WIT: &str = "package a:b@1.2.3;
        interface i {
          resource r { get: func() -> u8; }
          record point { x: f32, tags: list<string> }
          variant shape { dot, circle(f64) }
          flags rights { read, write }
          enum color { red, green }
          draw: func(p: point, s: option<shape>, r: rights) -> result<color, string>;
          read: func() -> stream<u8>;
        }";

    #[test]
    fn types_of_wit_are_those_of_the_codec() {
        let functions = Functions::in_text(WIT).unwrap();
        let draw = functions.exact(Some("a:b/i@1.2.3"), "draw").unwrap();
        let (params, result) = draw.signature().unwrap();
        assert_eq!(
            listed(params),
            "p: record { x: f32, tags: list<string> }, s: option<variant { dot, circle(f64) }>, \
             r: flags { read, write }"
        );
        assert_eq!(result.unwrap().to_string(), "result<enum { red, green }, string>");
    }

    #[test]
    fn what_cannot_leave_a_component_is_said() {
        let functions = Functions::in_text(WIT).unwrap();
        let why = |name: &str| {
            let function = functions.exact(Some("a:b/i@1.2.3"), name).unwrap();
            function.signature().unwrap_err().to_string()
        };
        assert!(
            why("read").contains("its result is or holds a stream"),
            "{}",
            why("read")
        );
        let method = why("[method]r.get");
        assert!(
            method.contains("its parameter `self` is or holds a resource"),
            "{method}"
        );
    }
}
