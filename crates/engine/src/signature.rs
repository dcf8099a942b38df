//! The type of a function, in the words of the codec: whether its values can travel, and whether two sides mean the same.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use wasmcloud_wire::value::{Case, Field, Type};
use wasmtime::component::types::{self, ComponentFunc, ComponentItem};

use crate::compile::Compiled;
use crate::typed;

/// Parts of a type that are looked at. Types of a component are made of shared parts, so a small one may have very
/// many.
const MAX_PARTS: usize = 10_000;

/// Levels of a type that are looked at; components have no deeper ones (see [`wasmcloud_wire::value::MAX_DEPTH`]).
const MAX_LEVELS: usize = wasmcloud_wire::value::MAX_DEPTH;

/// The parameters and results of a function whose values can leave the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The types of the parameters.
    pub params: Box<[Type]>,
    /// The types of the results.
    pub results: Box<[Type]>,
    fingerprint: u64,
    /// Which of the forms of `typed` it has.
    pub(crate) form: Option<usize>,
}

impl Signature {
    /// The signature of a function, or why its values cannot leave the instance.
    pub(crate) fn of(function: &ComponentFunc) -> Result<Self, String> {
        let mut left = MAX_PARTS;
        let params: Result<Box<[Type]>, String> = function
            .params()
            .map(|(name, ty)| {
                convert(&ty, MAX_LEVELS, &mut left).map_err(|what| format!("its parameter `{name}` {what}"))
            })
            .collect();
        let results: Result<Box<[Type]>, String> = function
            .results()
            .map(|ty| convert(&ty, MAX_LEVELS, &mut left).map_err(|what| format!("its result {what}")))
            .collect();
        Ok(Self::new(params?, results?))
    }

    /// The signature with these types.
    pub(crate) fn new(params: Box<[Type]>, results: Box<[Type]>) -> Self {
        let mut fingerprint = Fingerprint::default();
        params.iter().for_each(|ty| fingerprint.ty(ty));
        fingerprint.text("->");
        results.iter().for_each(|ty| fingerprint.ty(ty));
        Self {
            form: typed::number(&params, &results),
            params,
            results,
            fingerprint: fingerprint.0,
        }
    }

    /// A number that two signatures share if they are the same, for headers: nobody is misled but who wants to be.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// As WIT has it, without the names of parameters.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        for (at, ty) in self.params.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{ty}")?;
        }
        f.write_char(')')?;
        match &*self.results {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            more => write!(f, " -> {} results", more.len()),
        }
    }
}

/// The signature of an imported function.
pub(crate) fn imported(
    compiled: &Compiled,
    interface: &str,
    function: &str,
) -> Option<Result<Signature, String>> {
    let engine = compiled.component.engine();
    match compiled
        .component
        .component_type()
        .get_import(engine, interface)?
        .ty
    {
        ComponentItem::ComponentInstance(instance) => of_instance(engine, &instance, function),
        _ => None,
    }
}

/// The signature of an exported function; without an interface, of one at the root.
pub(crate) fn exported(
    compiled: &Compiled,
    interface: Option<&str>,
    function: &str,
) -> Option<Result<Signature, String>> {
    let engine = compiled.component.engine();
    let ty = compiled.component.component_type();
    match (
        interface,
        ty.get_export(engine, interface.unwrap_or(function))?.ty,
    ) {
        (Some(_), ComponentItem::ComponentInstance(instance)) => of_instance(engine, &instance, function),
        (None, ComponentItem::ComponentFunc(function)) => Some(Signature::of(&function)),
        _ => None,
    }
}

fn of_instance(
    engine: &wasmtime::Engine,
    instance: &types::ComponentInstance,
    function: &str,
) -> Option<Result<Signature, String>> {
    match instance.get_export(engine, function)?.ty {
        ComponentItem::ComponentFunc(function) => Some(Signature::of(&function)),
        _ => None,
    }
}

fn convert(ty: &types::Type, levels: usize, left: &mut usize) -> Result<Type, String> {
    let (Some(levels), Some(rest)) = (levels.checked_sub(1), left.checked_sub(1)) else {
        return Err("has a type with too many parts to travel".to_owned());
    };
    *left = rest;
    let mut inner = |ty: &types::Type| convert(ty, levels, left);
    Ok(match ty {
        types::Type::Bool => Type::Bool,
        types::Type::S8 => Type::S8,
        types::Type::U8 => Type::U8,
        types::Type::S16 => Type::S16,
        types::Type::U16 => Type::U16,
        types::Type::S32 => Type::S32,
        types::Type::U32 => Type::U32,
        types::Type::S64 => Type::S64,
        types::Type::U64 => Type::U64,
        types::Type::Float32 => Type::Float32,
        types::Type::Float64 => Type::Float64,
        types::Type::Char => Type::Char,
        types::Type::String => Type::String,
        types::Type::List(list) => Type::List(Arc::new(inner(&list.ty())?)),
        types::Type::Record(record) => Type::Record(
            record
                .fields()
                .map(|field| {
                    Ok(Field {
                        name: field.name.into(),
                        ty: inner(&field.ty)?,
                    })
                })
                .collect::<Result<_, String>>()?,
        ),
        types::Type::Tuple(tuple) => Type::Tuple(
            tuple
                .types()
                .map(|ty| inner(&ty))
                .collect::<Result<_, String>>()?,
        ),
        types::Type::Variant(variant) => Type::Variant(
            variant
                .cases()
                .map(|case| {
                    Ok(Case {
                        name: case.name.into(),
                        ty: case.ty.map(|ty| inner(&ty)).transpose()?,
                    })
                })
                .collect::<Result<_, String>>()?,
        ),
        types::Type::Enum(names) => Type::Enum(names.names().map(Arc::from).collect()),
        types::Type::Option(some) => Type::Option(Arc::new(inner(&some.ty())?)),
        types::Type::Result(result) => {
            let ok = result.ok().map(|ty| inner(&ty)).transpose()?;
            let err = result.err().map(|ty| inner(&ty)).transpose()?;
            Type::Result {
                ok: ok.map(Arc::new),
                err: err.map(Arc::new),
            }
        }
        types::Type::Flags(flags) => Type::Flags(flags.names().map(Arc::from).collect()),
        types::Type::Own(_) | types::Type::Borrow(_) => {
            return Err("is or holds a resource, which cannot leave its component".to_owned());
        }
        types::Type::Stream(_) | types::Type::Future(_) => {
            return Err("is or holds a stream or future, which cannot leave its component".to_owned());
        }
        types::Type::Map(_) | types::Type::FixedLengthList(_) | types::Type::ErrorContext => {
            return Err("has a type that the protocol of the lattice does not know".to_owned());
        }
    })
}

/// FNV-1a over the structure of types: the same on every host, whatever it was compiled with.
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.bytes(&(count as u64).to_le_bytes());
    }

    fn optional(&mut self, ty: Option<&Type>) {
        match ty {
            Some(ty) => self.ty(ty),
            None => self.text("_"),
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::List(item) => {
                self.text("list");
                self.ty(item);
            }
            Type::Option(some) => {
                self.text("option");
                self.ty(some);
            }
            Type::Tuple(types) => {
                self.text("tuple");
                self.count(types.len());
                types.iter().for_each(|ty| self.ty(ty));
            }
            Type::Record(fields) => {
                self.text("record");
                self.count(fields.len());
                for field in fields.iter() {
                    self.text(&field.name);
                    self.ty(&field.ty);
                }
            }
            Type::Variant(cases) => {
                self.text("variant");
                self.count(cases.len());
                for case in cases.iter() {
                    self.text(&case.name);
                    self.optional(case.ty.as_ref());
                }
            }
            Type::Enum(names) => {
                self.text("enum");
                self.count(names.len());
                names.iter().for_each(|name| self.text(name));
            }
            Type::Flags(names) => {
                self.text("flags");
                self.count(names.len());
                names.iter().for_each(|name| self.text(name));
            }
            Type::Result { ok, err } => {
                self.text("result");
                self.optional(ok.as_deref());
                self.optional(err.as_deref());
            }
            // What has no parts is spelled as it is; what cannot travel is in no signature.
            plain => self.text(&plain.to_string()),
        }
    }
}
