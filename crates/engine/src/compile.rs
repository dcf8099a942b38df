//! From bytes to compiled code: checked, adapted if need be, taken from the cache if it is there, compiled on
//! bounded threads away from those that serve.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use bytes::Bytes;
use tokio::time::timeout;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::component::Component;

use crate::adapt;
use crate::cache::CacheKey;
use crate::imports::{self, Described};
use crate::runtime::{Engine, EngineError, Flavor};

/// First bytes of every wasm file (core specification 5.5.16, component model "Binary Format").
const MAGIC: &[u8] = b"\0asm";

/// Longest wait for a free place to compile in. An application of a thousand components that nobody has compiled yet is
/// asked for at once and takes minutes, in which it gets on.
const QUEUE_LIMIT: Duration = Duration::from_secs(600);

/// Version and layer bytes of a core module; a component has `0d 00 01 00`.
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];

/// What is to be compiled.
#[derive(Clone, Debug)]
pub struct CompileSource {
    /// What people call it: a path or an image reference. For messages only.
    pub name: String,
    /// A component, or a core module for WASI preview 1.
    pub bytes: Bytes,
}

/// A compiled component. Cheap to clone.
#[derive(Clone)]
pub struct Compiled {
    pub(crate) component: Component,
    pub(crate) flavor: Flavor,
    // Its epochs are what interrupts a guest: they must go on for as long as anything of the engine can run.
    _engine: Engine,
    pub(crate) digest: Arc<str>,
    pub(crate) described: Arc<Described>,
    took: Duration,
    cached: bool,
}

/// Why a file is not a component that runs here.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The file has no bytes.
    #[error("{name} is empty")]
    Empty {
        /// What was to be compiled.
        name: String,
    },
    /// The file is over the host's limit.
    #[error("{name} has {size} bytes, the limit is {limit}; hint: raise it with --max-component-size-bytes")]
    TooLarge {
        /// What was to be compiled.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is something else.
    #[error("{name} is not WebAssembly: {looks_like}")]
    NotWasm {
        /// What was to be compiled.
        name: String,
        /// What it looks like instead.
        looks_like: String,
    },
    /// The file is WebAssembly that is torn or not valid.
    #[error("{name} is not a valid component: {reason}")]
    Invalid {
        /// What was to be compiled.
        name: String,
        /// What the validator says.
        reason: String,
    },
    /// A core module that the preview 1 adapter cannot make a component of.
    #[error("{name} is a core module, and cannot be adapted to a component: {reason}")]
    Adapt {
        /// What was to be compiled.
        name: String,
        /// Why.
        reason: String,
    },
    /// Compilation failed.
    #[error("compile {name}")]
    Compile {
        /// What was to be compiled.
        name: String,
        /// Why.
        #[source]
        source: wasmtime::Error,
    },
    /// Compilation took too long.
    #[error("compiling {name} took longer than {limit:?}")]
    Timeout {
        /// What was to be compiled.
        name: String,
        /// The limit.
        limit: Duration,
    },
    /// Others that were to be compiled before took too long.
    #[error("{name} was not compiled: others were in line before it for {waited:?}")]
    Queue {
        /// What was to be compiled.
        name: String,
        /// How long it waited.
        waited: Duration,
    },
    /// The compiling thread panicked, which is a defect of ours or of wasmtime.
    #[error("the compiler crashed on {name}")]
    Crashed {
        /// What was to be compiled.
        name: String,
    },
    /// The engine for this kind of component cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Compiled {
    fn new(
        engine: &Engine,
        digest: &str,
        component: Component,
        flavor: Flavor,
        (took, cached): (Duration, bool),
    ) -> Self {
        let described = Arc::new(imports::describe(&component));
        Self {
            component,
            flavor,
            _engine: engine.clone(),
            digest: digest.into(),
            described,
            took,
            cached,
        }
    }

    /// SHA-256 of the bytes as they were given, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The code itself.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// What it imports and exports.
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// How long it took to have it, and whether the code came from the cache.
    pub fn took(&self) -> (Duration, bool) {
        (self.took, self.cached)
    }
}

impl Engine {
    /// Compiles, or finds the compiled code of these bytes in the cache.
    ///
    /// Runs on a blocking thread; at most `max_compilations` run at once, others wait. Cancelling the returned
    /// future leaves a compilation that has begun to its end.
    pub async fn compile(&self, source: CompileSource) -> Result<Compiled, CompileError> {
        let limit = self.config().compile_timeout;
        let name = source.name.clone();
        let engine = self.clone();
        let place = Arc::clone(self.compilations()).acquire_owned();
        let compiled = match timeout(QUEUE_LIMIT, place).await {
            Ok(place) => {
                let compiled = tokio::task::spawn_blocking(move || {
                    // The place is free when the work ends, not when the one who waits for it gives up.
                    let _place = place;
                    compile(&engine, &source)
                });
                match timeout(limit, compiled).await {
                    Ok(Ok(result)) => result,
                    Ok(Err(_panicked)) => Err(CompileError::Crashed { name }),
                    Err(_elapsed) => Err(CompileError::Timeout { name, limit }),
                }
            }
            Err(_elapsed) => Err(CompileError::Queue {
                name,
                waited: QUEUE_LIMIT,
            }),
        };
        self.compile_stats()
            .ended(compiled.as_ref().ok().map(Compiled::took));
        compiled
    }

    /// The component whose bytes have this SHA-256, if its code is in the cache. Reads a file, so it is for a thread that
    /// may block.
    pub fn cached(&self, digest: &str) -> Result<Option<Compiled>, EngineError> {
        let begun = Instant::now();
        for flavor in [Flavor::Plain, Flavor::Concurrent] {
            if let Some(component) = from_cache(self, digest, flavor)? {
                return Ok(Some(Compiled::new(
                    self,
                    digest,
                    component,
                    flavor,
                    (begun.elapsed(), true),
                )));
            }
        }
        Ok(None)
    }
}

fn compile(engine: &Engine, source: &CompileSource) -> Result<Compiled, CompileError> {
    let begun = Instant::now();
    let CompileSource { name, bytes } = source;
    let size = bytes.len() as u64;
    let limit = engine.config().max_component_size;
    if bytes.is_empty() {
        return Err(CompileError::Empty { name: name.clone() });
    }
    if size > limit {
        return Err(CompileError::TooLarge {
            name: name.clone(),
            size,
            limit,
        });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(CompileError::NotWasm {
            name: name.clone(),
            looks_like: looks_like(bytes),
        });
    }
    let digest = hex(digest::digest(&digest::SHA256, bytes).as_ref());
    let done = |component, flavor, cached| {
        Compiled::new(engine, &digest, component, flavor, (begun.elapsed(), cached))
    };

    if let Some(component) = from_cache(engine, &digest, Flavor::Plain)? {
        return Ok(done(component, Flavor::Plain, true));
    }
    let adapted;
    let binary: &[u8] = if bytes.get(4..8) == Some(CORE_MODULE) {
        validate(name, bytes, WasmFeatures::all())?;
        adapted = adapt::componentize(bytes).map_err(|reason| CompileError::Adapt {
            name: name.clone(),
            reason,
        })?;
        &adapted
    } else {
        bytes
    };
    let flavor = flavor(name, binary)?;
    if flavor == Flavor::Concurrent
        && let Some(component) = from_cache(engine, &digest, flavor)?
    {
        return Ok(done(component, flavor, true));
    }
    let failed = |source| CompileError::Compile {
        name: name.clone(),
        source,
    };
    let wasmtime = engine.wasmtime(flavor)?;
    let component = match engine.cache() {
        // Through the file also the first time, so that code is mapped from disk and not held in memory.
        Some(cache) => {
            let code = wasmtime.precompile_component(binary).map_err(failed)?;
            let key = cache_key(wasmtime, &digest);
            cache.store(&key, &code);
            drop(code);
            match cache.load(wasmtime, &key) {
                Some(component) => component,
                // The disk is full, say. Costs a second compilation, and works.
                None => Component::from_binary(wasmtime, binary).map_err(failed)?,
            }
        }
        None => Component::from_binary(wasmtime, binary).map_err(failed)?,
    };
    Ok(done(component, flavor, false))
}

fn from_cache(engine: &Engine, digest: &str, flavor: Flavor) -> Result<Option<Component>, EngineError> {
    let Some(cache) = engine.cache() else {
        return Ok(None);
    };
    let wasmtime = engine.wasmtime(flavor)?;
    Ok(cache.load(wasmtime, &cache_key(wasmtime, digest)))
}

fn cache_key(engine: &wasmtime::Engine, digest: &str) -> CacheKey {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    CacheKey(format!("{digest}-{:016x}", hasher.finish()))
}

/// The plain engine refuses what component model async adds; only what needs that gets the other.
fn flavor(name: &str, binary: &[u8]) -> Result<Flavor, CompileError> {
    let plain = WasmFeatures::all() - WasmFeatures::CM_ASYNC;
    if Validator::new_with_features(plain).validate_all(binary).is_ok() {
        return Ok(Flavor::Plain);
    }
    validate(name, binary, WasmFeatures::all())?;
    Ok(Flavor::Concurrent)
}

fn validate(name: &str, binary: &[u8], features: WasmFeatures) -> Result<(), CompileError> {
    match Validator::new_with_features(features).validate_all(binary) {
        Ok(_) => Ok(()),
        Err(error) => Err(CompileError::Invalid {
            name: name.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn looks_like(bytes: &[u8]) -> String {
    let head = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    let start = String::from_utf8_lossy(head);
    if start.trim_start().starts_with('(') {
        "it looks like the WebAssembly text format; hint: assemble it first".to_owned()
    } else if bytes.starts_with(b"\x7fELF") {
        "it looks like a native executable; hint: build with `--target wasm32-wasip2`".to_owned()
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        "it looks like a gzip archive".to_owned()
    } else {
        format!("it begins with {start:?}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
