//! The one wasmtime engine: compile and AOT cache, instances, reuse, limits, deadlines, typed and dynamic calls.
