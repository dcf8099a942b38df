//! The functions that a component exports, as calls from others name them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use wasmcloud_core::InterfaceName;
use wasmtime::component::ComponentExportIndex;

use crate::compile::Compiled;
use crate::signature::{self, Signature};

/// All of them, by the name of their interface without its version; those at the root have none.
pub(crate) struct Functions(HashMap<String, Vec<OfInterface>>);

/// Those of one interface.
struct OfInterface {
    name: Option<InterfaceName>,
    functions: HashMap<String, Function>,
}

/// An exported function.
pub(crate) struct Function {
    pub(crate) index: ComponentExportIndex,
    /// As the component writes the name of its interface; `None` for functions at the root.
    pub(crate) interface: Option<Arc<str>>,
    /// Made when somebody needs it: a component may export very many.
    signature: OnceLock<Result<Arc<Signature>, String>>,
}

impl Function {
    /// Its type, or why its values cannot leave an instance.
    pub(crate) fn signature(&self, compiled: &Compiled, name: &str) -> &Result<Arc<Signature>, String> {
        self.signature.get_or_init(|| {
            signature::exported(compiled, self.interface.as_deref(), name)
                .unwrap_or_else(|| Err("it is no function".to_owned()))
                .map(Arc::new)
        })
    }
}

impl Functions {
    /// Those that the component has.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        let component = &compiled.component;
        let mut all: HashMap<String, Vec<OfInterface>> = HashMap::new();
        let mut root = HashMap::new();
        for item in &compiled.described().exports {
            let interface: Arc<str> = item.name.as_str().into();
            let function = |index, interface| Function {
                index,
                interface,
                signature: OnceLock::new(),
            };
            match (item.interface(), component.get_export_index(None, &item.name)) {
                (Some(name), Some(instance)) => {
                    let functions = item
                        .functions
                        .iter()
                        .filter_map(|name| {
                            let index = component.get_export_index(Some(&instance), name)?;
                            Some((name.clone(), function(index, Some(Arc::clone(&interface)))))
                        })
                        .collect();
                    all.entry(name.unversioned()).or_default().push(OfInterface {
                        name: Some(name),
                        functions,
                    });
                }
                (None, Some(index)) if item.is_function => {
                    root.insert(item.name.clone(), function(index, None));
                }
                _ => {}
            }
        }
        if !root.is_empty() {
            all.entry(String::new()).or_default().push(OfInterface {
                name: None,
                functions: root,
            });
        }

        Self(all)
    }

    /// The function of an exported interface that answers an import of `interface`, by the rules of
    /// [`InterfaceName::satisfies`]. The empty interface means functions at the root.
    pub(crate) fn find(&self, interface: &ImportName, function: &str) -> Option<&Function> {
        self.0
            .get(&*interface.unversioned)?
            .iter()
            .find(|exported| match (&exported.name, &interface.name) {
                (Some(have), Some(want)) => have.satisfies(want),
                (None, None) => true,
                _ => false,
            })?
            .functions
            .get(function)
    }
}

/// The import side of a dynamic call, parsed once when the component is linked.
#[derive(Debug)]
pub(crate) struct ImportName {
    pub(crate) name: Option<InterfaceName>,
    pub(crate) unversioned: Box<str>,
}

impl ImportName {
    pub(crate) fn new(raw: &str) -> Self {
        let name: Option<InterfaceName> = raw.parse().ok();
        let unversioned = name
            .as_ref()
            .map_or_else(String::new, InterfaceName::unversioned)
            .into();
        Self { name, unversioned }
    }
}
