//! The type of a function as wasmtime has it, with the places at which its values are handles: what is read off a
//! component once, so that a call knows where to look. What a type without handles is called elsewhere is for
//! `signature`; what becomes of a handle for `resources`.

mod read;
mod text;

use std::sync::Arc;

use wasmcloud_wire::value::Type;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{ResourceAny, ResourceType, Val};

pub(crate) use self::read::Reader;
use crate::compile::Compiled;

/// Resource types of one component that are known. WASI 0.2 has 30; the list is walked when a component is linked.
const MAX_RESOURCES: usize = 1_000;

/// A resource type, as one component sees it.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The interface that defines it, as the component writes it.
    pub(crate) interface: Arc<str>,
    /// Its name there.
    pub(crate) name: Arc<str>,
    /// Whose it is.
    pub(crate) kind: Kind,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Imported: somebody else's. The number tells it from the component's other ones.
    Imported(u32),
    /// Exported: the component's own.
    Own,
    /// `wasi:io/streams.input-stream`, which the host has.
    InputStream,
    /// `wasi:io/streams.output-stream`, which the host has.
    OutputStream,
}

impl Kind {
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::InputStream | Self::OutputStream)
    }
}

/// Two sides mean the same resource if they call it the same; whether it is the same is seen when a handle is passed.
impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The resource types of one component.
#[derive(Default)]
pub(crate) struct Resources(Vec<(ResourceType, Resource)>);

impl Resources {
    /// Those of a component.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        let engine = compiled.component.engine();
        let ty = compiled.component.component_type();
        let mut all = Self::default();
        for (interface, item) in ty.imports(engine) {
            all.add(engine, interface, &item.ty, |name, number| {
                match (interface.starts_with("wasi:io/streams@0.2."), name) {
                    (true, "input-stream") => Kind::InputStream,
                    (true, "output-stream") => Kind::OutputStream,
                    _ => Kind::Imported(number),
                }
            });
        }
        for (interface, item) in ty.exports(engine) {
            all.add(engine, interface, &item.ty, |_, _| Kind::Own);
        }
        all
    }

    /// The first interface that has a type defines it, the others use it.
    fn add(
        &mut self,
        engine: &wasmtime::Engine,
        interface: &str,
        item: &ComponentItem,
        kind: impl Fn(&str, u32) -> Kind,
    ) {
        let ComponentItem::ComponentInstance(instance) = item else {
            return;
        };
        let interface: Arc<str> = interface.into();
        for (name, item) in instance.exports(engine) {
            let ComponentItem::Resource(ty) = item.ty else {
                continue;
            };
            let number = self.0.len();
            if number < MAX_RESOURCES && self.find(ty).is_none() {
                let resource = Resource {
                    interface: Arc::clone(&interface),
                    name: name.into(),
                    kind: kind(name, number as u32),
                };
                self.0.push((ty, resource));
            }
        }
    }

    /// What is known of a type.
    fn find(&self, ty: ResourceType) -> Option<&Resource> {
        let found = self.0.iter().find(|(known, _)| *known == ty)?;
        Some(&found.1)
    }

    /// Those that an interface defines.
    pub(crate) fn defined_by<'a>(&'a self, interface: &'a str) -> impl Iterator<Item = &'a Resource> {
        let resources = self.0.iter().map(|(_, resource)| resource);
        resources.filter(move |resource| &*resource.interface == interface)
    }
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// One without handles.
    Plain(Type),
    Own(Resource),
    Borrow(Resource),
    List(Box<Shape>),
    Option(Box<Shape>),
    Tuple(Box<[Shape]>),
    Record(Box<[(Arc<str>, Shape)]>),
    Variant(Box<[(Arc<str>, Option<Shape>)]>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
}

/// What is done with a handle in a value: its type, and whether it is owned.
pub(crate) type Visit<'a> = dyn FnMut(&Resource, bool, &mut ResourceAny) -> wasmtime::Result<()> + 'a;

impl Shape {
    /// The type, if it has no handles.
    pub(crate) fn plain(self) -> Result<Type, Self> {
        match self {
            Self::Plain(ty) => Ok(ty),
            other => Err(other),
        }
    }

    /// Goes to each handle in a value of this type. Values of other types have none that are found.
    pub(crate) fn visit(&self, value: &mut Val, visit: &mut Visit<'_>) -> wasmtime::Result<()> {
        match (self, value) {
            (Self::Own(resource), Val::Resource(handle)) => visit(resource, true, handle),
            (Self::Borrow(resource), Val::Resource(handle)) => visit(resource, false, handle),
            (Self::List(shape), Val::List(items)) => {
                items.iter_mut().try_for_each(|item| shape.visit(item, visit))
            }
            (Self::Option(shape), Val::Option(Some(some))) => shape.visit(some, visit),
            (Self::Tuple(shapes), Val::Tuple(items)) => {
                let mut parts = shapes.iter().zip(items);
                parts.try_for_each(|(shape, item)| shape.visit(item, visit))
            }
            (Self::Record(shapes), Val::Record(fields)) => {
                let mut parts = shapes.iter().zip(fields);
                parts.try_for_each(|((_, shape), (_, field))| shape.visit(field, visit))
            }
            (Self::Variant(cases), Val::Variant(case, Some(payload))) => {
                let mut cases = cases.iter().filter(|(name, _)| **name == **case);
                match cases.next() {
                    Some((_, Some(shape))) => shape.visit(payload, visit),
                    _ => Ok(()),
                }
            }
            (Self::Result(Some(shape), _), Val::Result(Ok(Some(payload))))
            | (Self::Result(_, Some(shape)), Val::Result(Err(Some(payload)))) => shape.visit(payload, visit),
            _ => Ok(()),
        }
    }
}

/// The parameters and results of a function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shapes {
    pub(crate) params: Box<[Shape]>,
    pub(crate) results: Box<[Shape]>,
    /// The resources that handles in them are of.
    pub(crate) resources: Box<[Resource]>,
}

impl Shapes {
    /// Those of a function, or why its values cannot leave the instance.
    pub(crate) fn of(function: &ComponentFunc, resources: &Resources) -> Result<Self, String> {
        let mut reader = Reader::new(resources);
        let params: Result<Box<[Shape]>, String> = function
            .params()
            .map(|(name, ty)| {
                let shape = reader.read(&ty);
                shape.map_err(|what| format!("its parameter `{name}` {what}"))
            })
            .collect();
        let results: Result<Box<[Shape]>, String> = function
            .results()
            .map(|ty| {
                let shape = reader.read(&ty);
                shape.map_err(|what| format!("its result {what}"))
            })
            .collect();
        Ok(Self {
            params: params?,
            results: results?,
            resources: reader.seen().into(),
        })
    }
}

/// The type of an exported function with its handles, or why its values cannot leave an instance.
pub(crate) fn of_export(
    compiled: &Compiled,
    interface: Option<&str>,
    function: &str,
) -> Result<Shapes, String> {
    match exported(compiled, interface, function) {
        Some(function) => Shapes::of(&function, &Resources::of(compiled)),
        None => Err("it is no function".to_owned()),
    }
}

/// Whether an imported interface defines or uses a resource.
pub(crate) fn names_resource(compiled: &Compiled, interface: &str) -> bool {
    let engine = compiled.component.engine();
    let ty = compiled.component.component_type();
    let Some(item) = ty.get_import(engine, interface) else {
        return false;
    };
    let ComponentItem::ComponentInstance(instance) = item.ty else {
        return false;
    };
    let mut items = instance.exports(engine);
    items.any(|(_, item)| matches!(item.ty, ComponentItem::Resource(_)))
}

/// The type of an imported function.
pub(crate) fn imported(compiled: &Compiled, interface: &str, function: &str) -> Option<ComponentFunc> {
    let engine = compiled.component.engine();
    let ty = compiled.component.component_type();
    of_instance(engine, ty.get_import(engine, interface)?.ty, function)
}

/// The type of an exported function; without an interface, of one at the root.
pub(crate) fn exported(
    compiled: &Compiled,
    interface: Option<&str>,
    function: &str,
) -> Option<ComponentFunc> {
    let engine = compiled.component.engine();
    let ty = compiled.component.component_type();
    let item = ty.get_export(engine, interface.unwrap_or(function))?.ty;
    match (interface, item) {
        (Some(_), item) => of_instance(engine, item, function),
        (None, ComponentItem::ComponentFunc(function)) => Some(function),
        _ => None,
    }
}

fn of_instance(engine: &wasmtime::Engine, item: ComponentItem, function: &str) -> Option<ComponentFunc> {
    let ComponentItem::ComponentInstance(instance) = item else {
        return None;
    };
    match instance.get_export(engine, function)?.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    }
}
