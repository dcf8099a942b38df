//! The wasmtime engines behind [`Engine`], and the clock that bounds how long a guest runs before others get a turn.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::cache::Cache;
use crate::config::EngineConfig;
use crate::stats::{CompileSnapshot, CompileStats};

/// Time between two epochs. A guest that computes gives way to other tasks of its thread this often (design D8).
const EPOCH: Duration = Duration::from_millis(10);

/// Memory that stays mapped in a free slot, so that the next instance does not fault it in again. On a virtual
/// machine page faults dominate a fresh instance: these settings are worth a factor of two (toolchain reference,
/// "Peers to compare with"). With `pagemap_scan` only pages that the last instance wrote are reset.
const MEMORY_KEEP_RESIDENT: usize = 2 << 20;
const TABLE_KEEP_RESIDENT: usize = 64 << 10;
const STACK_KEEP_RESIDENT: usize = 64 << 10;

/// Wasm stack of a guest; wasmtime's default is 512 KiB. The native stack must hold it and host calls on top.
const MAX_WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 2 << 20;

/// An engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration, for example because address space is limited.
    #[error("set up the wasm engine for {max_instances} instances")]
    Wasmtime {
        /// The number of instances asked for.
        max_instances: u32,
        /// Why.
        #[source]
        source: wasmtime::Error,
    },
    /// The epoch thread did not start.
    #[error("start the epoch thread")]
    Thread(#[source] std::io::Error),
}

/// Which of the two engines a component needs.
///
/// wasmtime's support for concurrent calls into one instance (component model async, WASI 0.3) puts an event loop and
/// task bookkeeping into every call of an engine that has it. Components that do not use it, which are all that were
/// built for WASI 0.2, run on an engine without it, which serves a tenth more fresh instances (ADR 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// Without component model async.
    Plain,
    /// With component model async.
    Concurrent,
}

/// The engine of a host: compiles components and owns the pool their instances live in. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: EngineConfig,
    plain: wasmtime::Engine,
    concurrent: OnceLock<wasmtime::Engine>,
    cache: Option<Cache>,
    compilations: Arc<Semaphore>,
    compile_stats: CompileStats,
}

impl Engine {
    /// The only place that makes wasmtime engines.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let plain = wasmtime_engine(&config, Flavor::Plain).map_err(|source| EngineError::Wasmtime {
            max_instances: config.max_instances,
            source,
        })?;
        let cache = config.cache_dir.clone().and_then(Cache::open);
        let compilations = Arc::new(Semaphore::new(config.max_compilations.max(1)));
        let inner = Arc::new(Inner {
            config,
            plain,
            concurrent: OnceLock::new(),
            cache,
            compilations,
            compile_stats: CompileStats::default(),
        });
        let weak = Arc::downgrade(&inner);
        std::thread::Builder::new()
            .name("wasm-epoch".to_owned())
            .spawn(move || tick(&weak))
            .map_err(EngineError::Thread)?;
        Ok(Self(inner))
    }

    /// The settings.
    pub fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    /// What compiling came to so far.
    pub fn compiled(&self) -> CompileSnapshot {
        self.0.compile_stats.snapshot()
    }

    pub(crate) fn compile_stats(&self) -> &CompileStats {
        &self.0.compile_stats
    }

    /// The wasmtime engine of a flavor. The concurrent one is made when the first component needs it.
    pub fn wasmtime(&self, flavor: Flavor) -> Result<&wasmtime::Engine, EngineError> {
        match flavor {
            Flavor::Plain => Ok(&self.0.plain),
            Flavor::Concurrent => {
                if let Some(engine) = self.0.concurrent.get() {
                    return Ok(engine);
                }
                let config = &self.0.config;
                let engine = wasmtime_engine(config, flavor).map_err(|source| EngineError::Wasmtime {
                    max_instances: config.max_instances,
                    source,
                })?;
                Ok(self.0.concurrent.get_or_init(|| engine))
            }
        }
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    pub(crate) fn compilations(&self) -> &Arc<Semaphore> {
        &self.0.compilations
    }
}

fn wasmtime_engine(settings: &EngineConfig, flavor: Flavor) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(flavor == Flavor::Concurrent)
        .concurrency_support(flavor == Flavor::Concurrent)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .parallel_compilation(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    match wasmtime::Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            // Usually a limit on address space, which the pool reserves. Without the pool it is slower, but it serves.
            tracing::warn!(
                %error,
                max_instances = settings.max_instances,
                "no instance pool, each instance is allocated on its own and starts slowly; \
                 hint: lower --max-instances or raise the limit on virtual memory (ulimit -v)"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&config)
        }
    }
}

fn pool(settings: &EngineConfig) -> PoolingAllocationConfig {
    let count = settings.max_instances.max(1);
    // Most components have one core instance with memory and two or three without (adapters, shims).
    let core = count.saturating_mul(4);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(core)
        .total_memories(count)
        .total_tables(core)
        .total_stacks(count.saturating_mul(2))
        .max_core_instances_per_component(settings.max_core_instances_per_component)
        .max_memories_per_component(settings.max_core_instances_per_component)
        .max_tables_per_component(settings.max_core_instances_per_component)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .table_elements(20_000)
        .max_memory_size(usize::try_from(settings.max_memory).unwrap_or(usize::MAX))
        .max_unused_warm_slots(count)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Ends when the engine is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "this thread is the clock, it waits for nothing else"
)]
fn tick(engine: &Weak<Inner>) {
    while let Some(inner) = engine.upgrade() {
        inner.plain.increment_epoch();
        if let Some(concurrent) = inner.concurrent.get() {
            concurrent.increment_epoch();
        }
        drop(inner);
        std::thread::sleep(EPOCH);
    }
}
