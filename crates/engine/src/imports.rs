//! What a component imports and exports, and whether the host offers it.

use std::fmt;

use wasmcloud_core::InterfaceName;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// A component's imports and exports in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// What it needs.
    pub imports: Vec<DescribedItem>,
    /// What it offers.
    pub exports: Vec<DescribedItem>,
}

/// One import or export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedItem {
    /// Its name, for example `wasi:http/types@0.2.0` or the name of a function at the root.
    pub name: String,
    /// The names of the functions of an interface; empty for anything else.
    pub functions: Vec<String>,
    /// Whether it is a function itself, at the root of the component.
    pub is_function: bool,
}

impl DescribedItem {
    /// The name as an interface, if it is one.
    pub fn interface(&self) -> Option<InterfaceName> {
        self.name.parse().ok()
    }
}

/// An import that nobody answers, with what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsatisfiedImport {
    /// The import.
    pub import: String,
    /// The nearest interface that is offered.
    pub closest: Option<String>,
    /// Whether the interface is known and only a link is missing.
    pub needs_link: bool,
}

impl fmt::Display for UnsatisfiedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.needs_link {
            return write!(
                f,
                "`{}` is answered over a link, and there is no link for it",
                self.import
            );
        }
        match &self.closest {
            Some(closest) => {
                write!(
                    f,
                    "nobody offers `{}`; the closest that is offered is `{closest}`",
                    self.import
                )
            }
            None => write!(
                f,
                "`{}` is not part of the host, and there is no link for it",
                self.import
            ),
        }
    }
}

/// All of them in a sentence, with the link that would help the first that a link can help.
pub(crate) fn explain(imports: &[UnsatisfiedImport]) -> String {
    let mut text = imports
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let linkable = imports
        .iter()
        .find(|import| import.needs_link || import.closest.is_none());
    if let Some((package, interface)) = linkable.and_then(|import| import.import.split_once('/'))
        && let Some((namespace, package)) = package.split_once(':')
    {
        let interface = interface.split('@').next().unwrap_or_default();
        text.push_str(&format!(
            "; hint: add a `link` trait to the component, with `namespace: {namespace}`, `package: {package}` and \
             `interfaces: [{interface}]`"
        ));
    }
    text
}

pub(crate) fn describe(component: &Component) -> Described {
    let engine = component.engine();
    let ty = component.component_type();
    let item = |name: &str, item: ComponentItem| DescribedItem {
        name: name.to_owned(),
        is_function: matches!(item, ComponentItem::ComponentFunc(_)),
        functions: match item {
            ComponentItem::ComponentInstance(instance) => instance
                .exports(engine)
                .filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)))
                .map(|(name, _)| name.to_owned())
                .collect(),
            _ => Vec::new(),
        },
    };
    Described {
        imports: ty
            .imports(engine)
            .map(|(name, import)| item(name, import.ty))
            .collect(),
        exports: ty
            .exports(engine)
            .map(|(name, export)| item(name, export.ty))
            .collect(),
    }
}
