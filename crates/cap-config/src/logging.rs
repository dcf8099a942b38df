//! `wasi:logging`: what a component logs becomes an event of the host.

use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::component::{HasSelf, Linker};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit/logging",
        world: "imports",
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

pub(crate) use generated::wasi::logging::logging;
use logging::Level;

/// Longest message in bytes, 8 KiB. What is longer is cut and ends with how much is missing.
pub const MAX_MESSAGE: usize = 8 * 1024;

/// Longest context in bytes, 256. Cut as messages are.
pub const MAX_CONTEXT: usize = 256;

/// `wasi:logging/logging`, with and without version.
///
/// Events have the target `wasmcloud::component` and the fields `component`, `invocation`, `context` and `level` (the
/// guest's own word: `critical` is an event of level ERROR).
pub struct Logging;

impl Capability for Logging {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        logging::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
        // The package before it had a version, with the same text.
        let mut instance = linker.instance("wasi:logging/logging")?;
        logging::add_to_linker_instance::<_, HasSelf<InstanceState>>(&mut instance, |state| state)
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"]
    }
}

impl logging::Host for InstanceState {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        // The level of an event must be a constant, hence a macro.
        macro_rules! event {
            ($level:ident, $name:literal) => {
                tracing::event!(
                    target: "wasmcloud::component",
                    tracing::Level::$level,
                    component = %self.component_id(),
                    invocation = %self.invocation().id,
                    level = $name,
                    context = %Cut(&context, MAX_CONTEXT),
                    "{}",
                    Cut(&message, MAX_MESSAGE)
                )
            };
        }
        match level {
            Level::Trace => event!(TRACE, "trace"),
            Level::Debug => event!(DEBUG, "debug"),
            Level::Info => event!(INFO, "info"),
            Level::Warn => event!(WARN, "warn"),
            Level::Error => event!(ERROR, "error"),
            Level::Critical => event!(ERROR, "critical"),
        }
        Ok(())
    }
}

/// A text and how much of it is shown.
struct Cut<'a>(&'a str, usize);

impl std::fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(text, limit) = *self;
        if text.len() <= limit {
            return f.write_str(text);
        }
        let shown = text.get(..text.floor_char_boundary(limit)).unwrap_or_default();
        write!(f, "{shown}… ({} more bytes)", text.len() - shown.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Cut;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(Cut("short", 5).to_string(), "short");
        assert_eq!(Cut("longer", 5).to_string(), "longe… (1 more bytes)");
        assert_eq!(Cut("ab☃☃", 4).to_string(), "ab… (6 more bytes)");
    }
}
