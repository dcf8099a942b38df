//! Reads types of wasmtime's. A part without handles becomes one plain type, so that nobody walks its values.

use std::sync::Arc;

use wasmcloud_wire::value::{Case, Field, Type};
use wasmtime::component::{ResourceType, types};

use super::{Kind, Resource, Resources, Shape};

/// Parts of a type that are looked at. Types of a component are made of shared parts, so a small one may have very
/// many.
const MAX_PARTS: usize = 10_000;

/// Levels of a type that are looked at; components have no deeper ones (see [`wasmcloud_wire::value::MAX_DEPTH`]).
const MAX_LEVELS: usize = wasmcloud_wire::value::MAX_DEPTH;

/// Reads the types of one function.
pub(crate) struct Reader<'a> {
    resources: &'a Resources,
    /// Parts that may still be looked at.
    left: usize,
    seen: Vec<Resource>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(resources: &'a Resources) -> Self {
        Self {
            resources,
            left: MAX_PARTS,
            seen: Vec::new(),
        }
    }

    /// Reads a type, or says why its values cannot leave the instance.
    pub(crate) fn read(&mut self, ty: &types::Type) -> Result<Shape, String> {
        self.shape(ty, MAX_LEVELS)
    }

    /// The resources that were met so far.
    pub(super) fn seen(self) -> Vec<Resource> {
        self.seen
    }

    fn shape(&mut self, ty: &types::Type, levels: usize) -> Result<Shape, String> {
        let (Some(levels), Some(rest)) = (levels.checked_sub(1), self.left.checked_sub(1)) else {
            return Err("has a type with too many parts to travel".to_owned());
        };
        self.left = rest;
        Ok(match ty {
            types::Type::Bool => Shape::Plain(Type::Bool),
            types::Type::S8 => Shape::Plain(Type::S8),
            types::Type::U8 => Shape::Plain(Type::U8),
            types::Type::S16 => Shape::Plain(Type::S16),
            types::Type::U16 => Shape::Plain(Type::U16),
            types::Type::S32 => Shape::Plain(Type::S32),
            types::Type::U32 => Shape::Plain(Type::U32),
            types::Type::S64 => Shape::Plain(Type::S64),
            types::Type::U64 => Shape::Plain(Type::U64),
            types::Type::Float32 => Shape::Plain(Type::Float32),
            types::Type::Float64 => Shape::Plain(Type::Float64),
            types::Type::Char => Shape::Plain(Type::Char),
            types::Type::String => Shape::Plain(Type::String),
            types::Type::Enum(names) => Shape::Plain(Type::Enum(names.names().map(Arc::from).collect())),
            types::Type::Flags(flags) => Shape::Plain(Type::Flags(flags.names().map(Arc::from).collect())),
            types::Type::List(list) => match self.shape(&list.ty(), levels)?.plain() {
                Ok(ty) => Shape::Plain(Type::List(Arc::new(ty))),
                Err(shape) => Shape::List(Box::new(shape)),
            },
            types::Type::Option(some) => match self.shape(&some.ty(), levels)?.plain() {
                Ok(ty) => Shape::Plain(Type::Option(Arc::new(ty))),
                Err(shape) => Shape::Option(Box::new(shape)),
            },
            types::Type::Tuple(tuple) => {
                let items: Result<Vec<Shape>, String> =
                    tuple.types().map(|ty| self.shape(&ty, levels)).collect();
                match all_plain(items?) {
                    Ok(types) => Shape::Plain(Type::Tuple(types.collect())),
                    Err(shapes) => Shape::Tuple(shapes.into()),
                }
            }
            types::Type::Record(record) => {
                let (mut names, mut shapes): (Vec<Arc<str>>, _) = (Vec::new(), Vec::new());
                for field in record.fields() {
                    names.push(field.name.into());
                    shapes.push(self.shape(&field.ty, levels)?);
                }
                let names = names.into_iter();
                match all_plain(shapes) {
                    Ok(types) => {
                        let fields = names.zip(types).map(|(name, ty)| Field { name, ty });
                        Shape::Plain(Type::Record(fields.collect()))
                    }
                    Err(shapes) => Shape::Record(names.zip(shapes).collect()),
                }
            }
            types::Type::Variant(variant) => {
                let (mut cases, mut plain) = (Vec::new(), Vec::new());
                for case in variant.cases() {
                    let name: Arc<str> = case.name.into();
                    let payload = case.ty.map(|ty| self.shape(&ty, levels)).transpose()?;
                    let ty = payload.clone().map(Shape::plain).transpose();
                    plain.extend(ty.ok().map(|ty| Case {
                        name: Arc::clone(&name),
                        ty,
                    }));
                    cases.push((name, payload));
                }
                match plain.len() == cases.len() {
                    true => Shape::Plain(Type::Variant(plain.into())),
                    false => Shape::Variant(cases.into()),
                }
            }
            types::Type::Result(result) => {
                let ok = result.ok().map(|ty| self.shape(&ty, levels)).transpose()?;
                let err = result.err().map(|ty| self.shape(&ty, levels)).transpose()?;
                let plain = |shape: &Option<Shape>| shape.clone().map(Shape::plain).transpose();
                match (plain(&ok), plain(&err)) {
                    (Ok(ok), Ok(err)) => Shape::Plain(Type::Result {
                        ok: ok.map(Arc::new),
                        err: err.map(Arc::new),
                    }),
                    _ => Shape::Result(ok.map(Box::new), err.map(Box::new)),
                }
            }
            types::Type::Own(ty) => Shape::Own(self.resource(*ty)),
            types::Type::Borrow(ty) => Shape::Borrow(self.resource(*ty)),
            types::Type::Stream(_) | types::Type::Future(_) => {
                return Err("is or holds a stream or future, which cannot leave its component".to_owned());
            }
            types::Type::Map(_) | types::Type::FixedLengthList(_) | types::Type::ErrorContext => {
                return Err("has a type that the protocol of the lattice does not know".to_owned());
            }
        })
    }

    fn resource(&mut self, ty: ResourceType) -> Resource {
        let unknown = || Resource {
            interface: "".into(),
            name: "resource".into(),
            kind: Kind::Imported(u32::MAX),
        };
        let resource = self.resources.find(ty).cloned().unwrap_or_else(unknown);
        self.seen.push(resource.clone());
        resource
    }
}

/// The types, if they are all plain.
fn all_plain(shapes: Vec<Shape>) -> Result<impl Iterator<Item = Type>, Vec<Shape>> {
    if shapes.iter().all(|shape| matches!(shape, Shape::Plain(_))) {
        Ok(shapes.into_iter().filter_map(|shape| shape.plain().ok()))
    } else {
        Err(shapes)
    }
}
