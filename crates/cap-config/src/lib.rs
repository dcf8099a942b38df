//! wasi:config and wasi:logging for components.
