//! How a call ends when it does not end well.

use std::time::Duration;

use wasmcloud_capability::LimitExceeded;
use wasmcloud_core::ComponentId;
use wasmcloud_wire::rpc::RpcErrorCode;
use wasmtime::{Trap, WasmBacktrace};

/// A call that was refused before the component saw it, so it can safely be made elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// All slots are taken and the queue is full.
    #[error("component `{component}` is busy: {running} calls run and {waiting} wait")]
    Full {
        /// Who was called.
        component: ComponentId,
        /// Its concurrency limit.
        running: u32,
        /// The length of its queue.
        waiting: u32,
    },
    /// The deadline passed in the queue.
    #[error("component `{component}` is busy: no slot became free in {waited:?}")]
    QueueTimeout {
        /// Who was called.
        component: ComponentId,
        /// How long the call waited.
        waited: Duration,
    },
    /// It does not run on this host.
    #[error("component `{component}` does not run on this host: {reason}")]
    NotRunning {
        /// Who was called.
        component: ComponentId,
        /// Why not.
        reason: String,
    },
    /// The host has no room for another instance of anything.
    #[error("this host has no free instance for component `{component}`; hint: raise --max-instances")]
    PoolFull {
        /// Who was called.
        component: ComponentId,
    },
    /// Whoever decides whether it may be called has not done so yet.
    #[error("component `{component}` cannot be called yet: {reason}")]
    Undecided {
        /// Who was called.
        component: ComponentId,
        /// What is waited for.
        reason: String,
    },
    /// Components call each other in a circle.
    #[error(
        "component `{component}` was called {depth} calls deep, components seem to call each other in a circle"
    )]
    TooDeep {
        /// Who was called.
        component: ComponentId,
        /// How deep.
        depth: u16,
    },
}

/// A trap, as an operator wants to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapReport {
    /// What happened, for example `wasm unreachable instruction executed`.
    pub message: String,
    /// The wasm frames, innermost first, with function names where the component has them.
    pub backtrace: String,
}

/// Why a call did not return.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The component never saw the call.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The deadline passed while the component ran or waited.
    #[error("component `{component}` did not finish in {limit:?}")]
    Deadline {
        /// Who was called.
        component: ComponentId,
        /// The time it had.
        limit: Duration,
    },
    /// The component ran into one of its limits and trapped.
    #[error("component `{component}` {exceeded}")]
    Limit {
        /// Who was called.
        component: ComponentId,
        /// Which limit.
        exceeded: LimitExceeded,
        /// Where it was.
        trap: TrapReport,
    },
    /// The component trapped.
    #[error("component `{component}` trapped: {}", trap.message)]
    Trap {
        /// Who was called.
        component: ComponentId,
        /// What and where.
        trap: TrapReport,
    },
    /// It may not be called.
    #[error("component `{component}`: {reason}")]
    Denied {
        /// Who was called.
        component: ComponentId,
        /// Who says so, and why.
        reason: String,
    },
    /// The component has no such function, or one of another type.
    #[error("component `{component}`: {reason}")]
    Mismatch {
        /// Who was called.
        component: ComponentId,
        /// What does not fit.
        reason: String,
    },
    /// The bytes of a call from elsewhere are not what they should be.
    #[error("component `{component}`: {reason}")]
    Malformed {
        /// Who was called.
        component: ComponentId,
        /// What is wrong.
        reason: String,
    },
    /// The call went over the lattice and failed there.
    #[error("component `{component}`: {reason}")]
    Lattice {
        /// Who was called.
        component: ComponentId,
        /// What kind of failure it was: a code of the wire, or what the transport calls it.
        kind: &'static str,
        /// What happened, and on which host.
        reason: String,
    },
}

impl CallError {
    /// What kind of failure it was, in the words of the lattice.
    pub fn code(&self) -> RpcErrorCode {
        match self {
            Self::Refused(
                Refused::Full { .. }
                | Refused::QueueTimeout { .. }
                | Refused::PoolFull { .. }
                | Refused::Undecided { .. },
            ) => RpcErrorCode::Full,
            Self::Refused(Refused::NotRunning { .. }) => RpcErrorCode::NotRunning,
            Self::Refused(Refused::TooDeep { .. }) => RpcErrorCode::TooDeep,
            Self::Deadline { .. } => RpcErrorCode::Deadline,
            Self::Limit { .. } => RpcErrorCode::Limit,
            Self::Trap { .. } => RpcErrorCode::Trap,
            Self::Denied { .. } => RpcErrorCode::Denied,
            Self::Mismatch { .. } => RpcErrorCode::Mismatch,
            Self::Malformed { .. } => RpcErrorCode::Malformed,
            Self::Lattice { .. } => RpcErrorCode::Internal,
        }
    }

    /// The name of this kind of error for metrics: a small fixed set.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Deadline { .. } => "deadline",
            Self::Limit { .. } => "limit",
            Self::Trap { .. } => "trap",
            Self::Denied { .. } => "denied",
            Self::Mismatch { .. } => "mismatch",
            Self::Malformed { .. } => "malformed",
            Self::Lattice { kind, .. } => kind,
        }
    }
}

/// Raised in a guest by the epoch clock when its deadline has passed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("deadline exceeded")]
pub(crate) struct DeadlineExceeded;

/// What a failed call was, from what wasmtime says and what the limiter saw.
pub(crate) fn classify(
    component: &ComponentId,
    error: &wasmtime::Error,
    limit: Duration,
    exceeded: Option<LimitExceeded>,
) -> CallError {
    let component = component.clone();
    if error.is::<DeadlineExceeded>() || error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return CallError::Deadline { component, limit };
    }
    // A call that failed because a call it made failed keeps the inner reason as its message.
    let trap = TrapReport {
        message: message(error),
        backtrace: backtrace(error),
    };
    match exceeded {
        Some(exceeded) => CallError::Limit {
            component,
            exceeded,
            trap,
        },
        None => CallError::Trap { component, trap },
    }
}

fn message(error: &wasmtime::Error) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trap.to_string();
    }
    // The backtrace is the outermost context of a trap and reported on its own.
    let parts: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|part| !part.starts_with("error while executing at"))
        .collect();
    parts.join(": ")
}

fn backtrace(error: &wasmtime::Error) -> String {
    use std::fmt::Write as _;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    let mut text = String::new();
    for (at, frame) in backtrace.frames().iter().enumerate() {
        let module = frame.module().name().unwrap_or("module");
        let function = frame
            .func_name()
            .map(|name| format!("{:#}", rustc_demangle(name)));
        let function = function.unwrap_or_else(|| format!("function {}", frame.func_index()));
        let _ = write!(
            text,
            "{}{at}: {module}!{function}",
            if at == 0 { "" } else { "\n" }
        );
        for symbol in frame.symbols() {
            if let (Some(file), Some(line)) = (symbol.file(), symbol.line()) {
                let _ = write!(text, " ({file}:{line})");
            }
        }
    }
    text
}

/// Names in the name section are mangled; wasmtime demangles only in its own rendering.
fn rustc_demangle(name: &str) -> impl std::fmt::Display + '_ {
    rustc_demangle::demangle(name)
}
