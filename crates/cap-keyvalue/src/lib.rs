//! wasi:keyvalue for components: one WIT adapter, backends behind a small trait.
