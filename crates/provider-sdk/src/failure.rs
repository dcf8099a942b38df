//! Why a call to a provider has no results.

use std::any::Any;

use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};
use wasmcloud_wire::value::DecodeError;

/// Why a call has no results. Errors of an interface itself, such as `no-such-store`, are none of these: they are
/// results.
///
/// Any error becomes one with `?`, with its causes in the message, which the caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub(crate) RpcErrorBody);

impl Failure {
    /// Something went wrong in the provider.
    pub fn internal(message: impl Into<String>) -> Self {
        Self(RpcErrorBody::new(RpcErrorCode::Internal, message))
    }

    /// The caller may not do this; say which link or config would allow it.
    pub fn denied(message: impl Into<String>) -> Self {
        Self(RpcErrorBody::new(RpcErrorCode::Denied, message))
    }

    /// The parameters are not what they should be.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self(RpcErrorBody::new(RpcErrorCode::Malformed, message))
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn params(function: &str, error: &DecodeError) -> Self {
        Self::malformed(format!("the parameters of {function}: {error}"))
    }

    pub(crate) fn panicked(function: &str, panic: &(dyn Any + Send)) -> Self {
        Self(RpcErrorBody::new(
            RpcErrorCode::Trap,
            format!("the provider panicked in {function}: {}", panic_text(panic)),
        ))
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::internal(chain(&error))
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
