//! The functions that can be called in a lattice, with their types in the words of the codec: what `call` writes
//! arguments by, and `spy` reads them by.
//!
//! | file | is for |
//! |---|---|
//! | `types` | from the WIT in a component to functions and types |
//! | `find` | the function that a person means |
//! | `image` | who runs a component, and its image |
//! | `known` | the interfaces of v1's own providers, for which there is no image |

mod find;
mod image;
mod known;
mod types;

use std::fmt;

use wasmcloud_wire::value::{Limits, Type};

pub(super) use self::find::FindError;
pub(super) use self::image::{Runs, of_image, who_runs};
pub(super) use self::known::known;

/// What values of one call may become in memory, a quarter of the codec's default: this is a person's terminal.
pub(super) fn limits() -> Limits {
    Limits {
        memory: 64 << 20,
        ..Limits::default()
    }
}

/// A function. Types that cannot leave a component are the reason why, in words that follow "it" or "its …".
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// The interface with its version; nothing where the component itself exports the function.
    pub(super) instance: Option<String>,
    pub(super) name: String,
    pub(super) params: Result<Vec<Param>, String>,
    pub(super) result: Result<Option<Type>, String>,
}

#[derive(Clone, Debug)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) ty: Type,
}

impl Function {
    /// What it takes and returns, or why nobody can call it from outside.
    pub(super) fn signature(&self) -> Result<(&[Param], Option<&Type>), FindError> {
        let unfit = |why: &String| FindError::Unfit {
            function: self.to_string(),
            why: why.clone(),
        };
        Ok((
            self.params.as_ref().map_err(unfit)?,
            self.result.as_ref().map_err(unfit)?.as_ref(),
        ))
    }
}

/// As it is written on the command line: `test:calls/math@0.1.0.add`.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instance) = &self.instance {
            write!(f, "{instance}.")?;
        }
        f.write_str(&self.name)
    }
}

/// As WIT has it: `a: u32, b: u32`.
pub(super) fn listed(params: &[Param]) -> String {
    let params: Vec<String> = params
        .iter()
        .map(|param| format!("{}: {}", param.name, param.ty))
        .collect();
    params.join(", ")
}

/// Functions of one component.
#[derive(Clone, Debug, Default)]
pub(super) struct Functions(Vec<Function>);

impl Functions {
    /// The one with exactly these names.
    pub(super) fn exact(&self, instance: Option<&str>, name: &str) -> Option<&Function> {
        let same = |function: &&Function| function.instance.as_deref() == instance && function.name == name;
        self.0.iter().find(same)
    }
}
