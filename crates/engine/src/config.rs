//! What an operator can set about the engine.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of an [`Engine`](crate::Engine). The defaults fit a host of any size: address space is reserved, memory
/// is not.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where compiled code is kept between runs; `None` compiles anew each time.
    pub cache_dir: Option<PathBuf>,
    /// Largest component in bytes. v1's default, 50 MiB (wire reference §2.1).
    pub max_component_size: u64,
    /// Longest wait for a compilation that has begun. The compilation itself cannot be interrupted and keeps its place in
    /// `max_compilations` until it ends.
    pub compile_timeout: Duration,
    /// Compilations at once. Each uses all cores for the functions of its component.
    pub max_compilations: usize,
    /// Instances at once on this host, all components together. Each reserves address space, not memory.
    pub max_instances: u32,
    /// Upper bound of the memory limit any component can be given, in bytes.
    pub max_memory: u64,
    /// Core instances inside one component. v1's default, 30 (wire reference §2.1).
    pub max_core_instances_per_component: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            max_component_size: 50 << 20,
            compile_timeout: Duration::from_secs(60),
            max_compilations: 2,
            max_instances: 1000,
            max_memory: 4 << 30,
            max_core_instances_per_component: 30,
        }
    }
}
