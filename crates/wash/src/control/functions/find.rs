//! The function that a person means: by its whole name, without the version, or by less where that is enough.

use wasmcloud_core::nearest;

use super::{Function, Functions};
use crate::control::table::one_line;

/// Functions that an error lists.
const SHOWN: usize = 12;

/// Why there is no function to be called.
#[derive(Debug, thiserror::Error)]
pub(in crate::control) enum FindError {
    /// Nothing is called so.
    #[error("there is no function `{written}` among the exports of {of}; hint: {hint}")]
    Unknown {
        /// What was written.
        written: String,
        /// Whose exports.
        of: String,
        /// What there is.
        hint: String,
    },
    /// Several could be meant.
    #[error("`{written}` could be any of these: {}; hint: write the whole name", candidates.join(", "))]
    Ambiguous {
        /// What was written.
        written: String,
        /// What could be meant.
        candidates: Vec<String>,
    },
    /// It takes or returns what cannot leave its component.
    #[error("`{function}` cannot be called from outside: {why}")]
    Unfit {
        /// Which function.
        function: String,
        /// What it is that cannot leave.
        why: String,
    },
}

impl Functions {
    /// The function that is meant by what was written; `of` is whose they are, for errors.
    ///
    /// A whole name comes before one without version, that before one without package, and that before a function
    /// alone.
    pub(in crate::control) fn find(&self, written: &str, of: &str) -> Result<&Function, FindError> {
        for names in [whole, unversioned, of_interface, alone] {
            let found = self.0.iter().filter(|function| names(function) == written);
            let found: Vec<&Function> = found.collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(one),
                several => {
                    return Err(FindError::Ambiguous {
                        written: one_line(written),
                        candidates: shown(several.iter().copied()),
                    });
                }
            }
        }
        Err(FindError::Unknown {
            written: one_line(written),
            of: of.to_owned(),
            hint: self.hint(written),
        })
    }

    fn hint(&self, written: &str) -> String {
        let names = [whole, unversioned, of_interface, alone];
        let names: Vec<String> = names.iter().flat_map(|name| self.0.iter().map(name)).collect();
        match nearest(written, names.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{}`?", one_line(nearest)),
            None if self.0.is_empty() => "it exports no functions".to_owned(),
            None => format!("it exports {}", shown(self.0.iter()).join(", ")),
        }
    }
}

fn shown<'a>(functions: impl ExactSizeIterator<Item = &'a Function>) -> Vec<String> {
    let more = functions.len().saturating_sub(SHOWN);
    let names = functions
        .take(SHOWN)
        .map(|function| one_line(&function.to_string()));
    let mut names: Vec<String> = names.collect();
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}

fn whole(function: &Function) -> String {
    function.to_string()
}

fn unversioned(function: &Function) -> String {
    match &function.instance {
        None => function.name.clone(),
        Some(instance) => {
            let interface = instance.split('@').next().unwrap_or_default();
            format!("{interface}.{}", function.name)
        }
    }
}

fn of_interface(function: &Function) -> String {
    let name = unversioned(function);
    match name.split_once('/') {
        Some((_, short)) => short.to_owned(),
        None => name,
    }
}

fn alone(function: &Function) -> String {
    function.name.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> Functions {
        let function = |instance: &str, name: &str| Function {
            instance: Some(instance.to_owned()),
            name: name.to_owned(),
            params: Ok(Vec::new()),
            result: Ok(None),
        };
        Functions(vec![
            function("test:calls/math@0.1.0", "add"),
            function("test:calls/math@0.2.0", "add"),
            function("test:calls/text@0.1.0", "echo"),
        ])
    }

    #[test]
    fn as_much_of_the_name_as_is_needed() {
        let functions = functions();
        for written in [
            "test:calls/text@0.1.0.echo",
            "test:calls/text.echo",
            "text.echo",
            "echo",
        ] {
            assert_eq!(functions.find(written, "it").unwrap().name, "echo", "{written}");
        }
        let found = functions.find("test:calls/math@0.2.0.add", "it").unwrap();
        assert_eq!(found.instance.as_deref(), Some("test:calls/math@0.2.0"));
    }

    #[test]
    fn what_is_not_there_or_not_clear_is_said_with_what_is() {
        let functions = functions();
        let refused = |written: &str| functions.find(written, "component `c`").unwrap_err().to_string();
        assert_eq!(
            refused("test:calls/math.add"),
            "`test:calls/math.add` could be any of these: test:calls/math@0.1.0.add, test:calls/math@0.2.0.add; \
             hint: write the whole name"
        );
        assert_eq!(
            refused("test:calls/text.ecko"),
            "there is no function `test:calls/text.ecko` among the exports of component `c`; hint: did you mean \
             `test:calls/text.echo`?"
        );
        assert!(refused("something else").contains("it exports test:calls/math@0.1.0.add, "));
    }
}
